// journal_line: writes one event. Everything goes through a cursor that knows how much room is left.
#include "rt/journal_line.h"
#include "base/num.h"
#include "base/printable.h"

#include <assert.h>
#include <stdio.h>

// Room kept back for what ends every line: ` cut=true` or `,"cut":true}`, and the LF.
enum { TAIL = 16 };

struct cursor {
    char *at;
    char *end;
    bool cut; // something was cut or left out
};

static size_t room(const struct cursor *c) { return (size_t)(c->end - c->at); }

static bool put(struct cursor *c, struct slice s) {
    if (s.n > room(c))
        return false;
    memcpy(c->at, s.p, s.n);
    c->at += s.n;
    return true;
}

static bool put_u64(struct cursor *c, uint64_t v) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return put(c, slice_of(digits + at, sizeof digits - at));
}

static uint64_t magnitude(int64_t v) { return v < 0 ? 0 - (uint64_t)v : (uint64_t)v; }

static bool put_i64(struct cursor *c, int64_t v) { return (v >= 0 || put(c, SLICE("-"))) && put_u64(c, magnitude(v)); }

static void three_digits(char *to, unsigned v) {
    to[0] = (char)('0' + v / 100 % 10);
    to[1] = (char)('0' + v / 10 % 10);
    to[2] = (char)('0' + v % 10);
}

static bool put_ms(struct cursor *c, int64_t ms) {
    char part[4] = {'.'};
    three_digits(part + 1, (unsigned)(magnitude(ms) % 1000));
    return (ms >= 0 || put(c, SLICE("-"))) && put_u64(c, magnitude(ms) / 1000) && put(c, slice_of(part, 4));
}

static const char *short_escape(uint32_t code) {
    switch (code) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

enum { ESCAPE = 16 }; // room for the longest escape: a surrogate pair

// How one character is written where it can't stand as it is; `bytes` is 0 for one that is no UTF-8.
static size_t escape(char to[ESCAPE], enum journal_format format, const char *at, size_t bytes, uint32_t code) {
    bool json = format == JOURNAL_JSON;
    const char *named = short_escape(code);
    int n;
    if (bytes == 0)
        n = json ? snprintf(to, ESCAPE, "\xef\xbf\xbd") : snprintf(to, ESCAPE, "\\x%02x", (unsigned)(uint8_t)*at);
    else if (named)
        n = snprintf(to, ESCAPE, "%s", named);
    else if (code <= 0xffff)
        n = snprintf(to, ESCAPE, "\\u%04x", (unsigned)code);
    else if (json)
        n = snprintf(to, ESCAPE, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (code >> 10)),
                     (unsigned)(0xdc00 + (code & 0x3ff)));
    else
        n = snprintf(to, ESCAPE, "\\U%08x", (unsigned)code);
    return (size_t)n;
}

// The next piece of `text` as it is written: a run that needs nothing, or one character. `*used` bytes of the text.
static struct slice piece(struct slice text, enum journal_format format, char scratch[ESCAPE], size_t *used) {
    *used = printable_run(text);
    if (*used > 0)
        return slice_upto(text, *used);
    uint32_t code = 0;
    size_t n = printable_decode(text, &code);
    *used = n ? n : 1;
    if (n > 1 && printable_safe(code))
        return slice_upto(text, n);
    return slice_of(scratch, escape(scratch, format, text.p, n, code));
}

// The value without quotes, in at most JOURNAL_VALUE bytes and leaving `keep` bytes of the line.
static void put_escaped(struct cursor *c, struct slice text, enum journal_format format, size_t keep) {
    static const struct slice dots = {"...", 3};
    size_t left = (size_t)num_min(room(c) - keep, JOURNAL_VALUE) - dots.n;
    while (text.n > 0) {
        char scratch[ESCAPE];
        size_t used = 0;
        struct slice out = piece(text, format, scratch, &used);
        bool last = used == text.n && out.n <= left + dots.n;
        if (out.n > left && !last) {
            bool run = printable_run(out) == out.n; // not a sequence, nor an escape, that must stay whole
            put(c, slice_upto(out, run ? left : 0));
            put(c, dots);
            c->cut = true;
            return;
        }
        put(c, out);
        left -= num_min(left, out.n);
        text = slice_from(text, used);
    }
}

static bool is_bare(struct slice text) {
    if (text.n == 0 || text.n > JOURNAL_VALUE)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=' || c == '\'')
            return false;
    }
    return true;
}

static bool put_text(struct cursor *c, struct slice text, enum journal_format format) {
    if (format == JOURNAL_TEXT && text.n <= room(c) && is_bare(text))
        return put(c, text);
    if (room(c) < 16)
        return false;
    put(c, SLICE("\""));
    put_escaped(c, text, format, 1);
    return put(c, SLICE("\""));
}

static bool put_value(struct cursor *c, const struct journal_field *f, enum journal_format format) {
    switch (f->type) {
    case JOURNAL_TYPE_TEXT:
        return put_text(c, f->text, format);
    case JOURNAL_TYPE_INT:
        return put_i64(c, f->i);
    case JOURNAL_TYPE_UINT:
        return put_u64(c, f->u);
    case JOURNAL_TYPE_BOOL:
        return put(c, f->b ? SLICE("true") : SLICE("false"));
    case JOURNAL_TYPE_MS:
        return put_ms(c, f->i);
    case JOURNAL_TYPE_NONE:
        break;
    }
    return true;
}

static bool put_name(struct cursor *c, struct slice name, enum journal_format format) {
    if (format == JOURNAL_TEXT)
        return put(c, SLICE(" ")) && put(c, name) && put(c, SLICE("="));
    return put(c, SLICE(",\"")) && put(c, name) && put(c, SLICE("\":"));
}

static void put_field(struct cursor *c, const struct journal_field *f, enum journal_format format) {
    if (f->type == JOURNAL_TYPE_NONE)
        return;
    char *begin = c->at;
    if (put_name(c, f->name, format) && put_value(c, f, format))
        return;
    c->at = begin;
    c->cut = true;
}

// Making the date costs far more than the rest, so it is made once a second.
static void put_time(struct cursor *c, struct journal_head *h, struct wall at) {
    int64_t ms = ((at.ms % 1000) + 1000) % 1000;
    int64_t second = (at.ms - ms) / 1000;
    if (second != h->second || h->stamp_n == 0) {
        char text[40];
        struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
        wall_add_rfc3339(&b, (struct wall){at.ms - ms});
        h->second = second;
        h->stamp_n = (uint8_t)(b.n >= 4 && b.n - 4 <= sizeof h->stamp ? b.n - 4 : 0); // without "000Z"
        memcpy(h->stamp, text, h->stamp_n);
    }
    char part[4] = {0, 0, 0, 'Z'};
    three_digits(part, (unsigned)ms);
    put(c, slice_of(h->stamp, h->stamp_n));
    put(c, slice_of(part, 4));
}

static void put_head_text(struct cursor *c, struct journal_head *h, struct wall at, enum journal_level level,
                          struct slice event) {
    put_time(c, h, at);
    put(c, slice_of(h->who, h->who_n));
    put(c, event);
    if (level >= JOURNAL_WARNING) {
        put(c, SLICE(" level="));
        put(c, slice_str(journal_level_name(level)));
    }
}

static void put_head_json(struct cursor *c, struct journal_head *h, struct wall at, enum journal_level level,
                          struct slice event) {
    put(c, SLICE("{\"time\":\""));
    put_time(c, h, at);
    put(c, SLICE("\",\"level\":\""));
    put(c, slice_str(journal_level_name(level)));
    put(c, slice_of(h->who, h->who_n));
    put(c, event);
    put(c, SLICE("\""));
}

void journal_head_init(struct journal_head *h, const char *role, int64_t pid, enum journal_format format) {
    *h = (struct journal_head){.role = role, .pid = pid, .format = format};
    int n = snprintf(h->who, sizeof h->who,
                     format == JOURNAL_JSON ? "\",\"process\":\"%.16s\",\"pid\":%lld,\"event\":\"" : " %.16s[%lld] ",
                     role, (long long)pid);
    assert(n > 0 && (size_t)n < sizeof h->who);
    h->who_n = (uint8_t)n;
}

size_t journal_line(char to[JOURNAL_LINE], struct journal_head *h, struct wall at, enum journal_level level,
                    struct slice event, const struct journal_field *fields, size_t n) {
    bool json = h->format == JOURNAL_JSON;
    struct cursor c = {.at = to, .end = to + JOURNAL_LINE - TAIL};
    (json ? put_head_json : put_head_text)(&c, h, at, level, slice_upto(event, 64));
    for (size_t i = 0; i < n; i++)
        put_field(&c, &fields[i], h->format);
    c.end = to + JOURNAL_LINE;
    if (c.cut)
        put(&c, json ? SLICE(",\"cut\":true") : SLICE(" cut=true"));
    put(&c, json ? SLICE("}\n") : SLICE("\n"));
    return (size_t)(c.at - to);
}

const char *journal_level_name(enum journal_level level) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return names[level];
}
