// when: writing points in time down.
#include "base/when.h"

struct civil {
    int64_t year;
    int month; // 1..12
    int day;
    int weekday; // 0 is Sunday
    int hour, minute, second, ms;
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// Days since 1970 to a date of the proleptic Gregorian calendar: years are counted from 1 March, so that the leap
// day is a year's last, and eras of 400 years all have 146,097 days.
static struct civil civil_of(struct wall t) {
    int64_t days = floor_div(t.ms, MS_DAY);
    int64_t in_day = t.ms - days * MS_DAY;
    int64_t shifted = days + 719468; // 1 March of year 0
    int64_t era = floor_div(shifted, 146097);
    int64_t doe = shifted - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    return (struct civil){
        .year = yoe + era * 400 + (month <= 2),
        .month = month,
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .weekday = (int)(((days % 7) + 11) % 7),
        .hour = (int)(in_day / MS_HOUR),
        .minute = (int)(in_day / MS_MINUTE % 60),
        .second = (int)(in_day / MS_SECOND % 60),
        .ms = (int)(in_day % MS_SECOND),
    };
}

// Writes `value` in decimal, at least `digits` wide (with zeros) and at most as many; gives where it ends.
static char *put_number(char *to, int value, int digits) {
    for (int i = digits; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + digits;
}

static char *put_text(char *to, const char *text, size_t n) {
    memcpy(to, text, n);
    return to + n;
}

// By hand, since every message has one or two and formatting is slow.
bool wall_add_rfc5322(struct buf *b, struct wall t) {
    static const char days[] = "Sun, Mon, Tue, Wed, Thu, Fri, Sat, ";
    static const char months[] = " Jan  Feb  Mar  Apr  May  Jun  Jul  Aug  Sep  Oct  Nov  Dec ";
    char text[32];
    struct civil c = civil_of(t);
    if (c.year < 0 || c.year > 9999)
        return buf_addf(b, "%.5s%d%.5s%04lld %02d:%02d:%02d +0000", days + c.weekday * 5, c.day,
                        months + (c.month - 1) * 5, (long long)c.year, c.hour, c.minute, c.second);
    char *at = put_text(text, days + c.weekday * 5, 5);
    at = put_number(at, c.day, c.day < 10 ? 1 : 2);
    at = put_text(at, months + (c.month - 1) * 5, 5);
    at = put_number(at, (int)c.year, 4);
    *at++ = ' ';
    at = put_number(at, c.hour, 2);
    *at++ = ':';
    at = put_number(at, c.minute, 2);
    *at++ = ':';
    at = put_number(at, c.second, 2);
    at = put_text(at, " +0000", 6);
    return buf_add(b, slice_of(text, (size_t)(at - text)));
}

bool wall_add_rfc3339(struct buf *b, struct wall t) {
    struct civil c = civil_of(t);
    return buf_addf(b, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)c.year, c.month, c.day, c.hour, c.minute,
                    c.second, c.ms);
}
