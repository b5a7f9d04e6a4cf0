// dkim_store: a list of keys as text, and back.
#include "core/keys/dkim_store.h"

#include "base/num.h"

static const char *const states[DKIM_STORE_STATES] = {
    [DKIM_STORE_PENDING] = "pending",
    [DKIM_STORE_ACTIVE] = "active",
    [DKIM_STORE_RETIRING] = "retiring",
};

const char *dkim_store_state_name(enum dkim_store_state state) { return states[state]; }

// Labels of lower-case letters, digits, hyphens and underscores, with a dot between.
static bool is_name(struct slice s, size_t most) {
    if (s.n == 0 || s.n > most || s.p[0] == '.' || s.p[s.n - 1] == '.' || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' ? s.p[i - 1] == '.' : !ascii_alnum(c) && c != '-' && c != '_')
            return false;
        if (c != ascii_lower(c))
            return false;
    }
    return true;
}

bool dkim_store_domain_ok(struct slice name) { return is_name(name, 253); }
bool dkim_store_selector_ok(struct slice name) { return is_name(name, DKIM_STORE_SELECTOR_MAX); }

struct dkim_store_key *dkim_store_find(struct dkim_store *s, struct slice selector) {
    for (size_t i = 0; i < s->n; i++)
        if (slice_eq(s->keys[i].selector, selector))
            return &s->keys[i];
    return NULL;
}

// --- reading

// Days since 1970-01-01 of a date of the Gregorian calendar; years are counted from March.
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

// "2026-11-21T10:41:15Z"
static bool read_time(struct slice s, struct wall *out) {
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    static const struct {
        uint8_t at, n, least, most;
    } parts[] = {{0, 4, 0, 255}, {5, 2, 1, 12}, {8, 2, 1, 31}, {11, 2, 0, 23}, {14, 2, 0, 59}, {17, 2, 0, 59}};
    int64_t v[6];
    if (s.n != sizeof form - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (form[i] == 'd' ? !ascii_digit(s.p[i]) : s.p[i] != form[i])
            return false;
    for (size_t i = 0; i < 6; i++) {
        uint64_t value;
        if (!num_u64(slice_of(s.p + parts[i].at, parts[i].n), i ? parts[i].most : 9999, &value) ||
            value < (i ? parts[i].least : 1970))
            return false;
        v[i] = (int64_t)value;
    }
    out->ms = ((days_of(v[0], v[1], v[2]) * 24 + v[3]) * 60 + v[4]) * MS_MINUTE + v[5] * MS_SECOND;
    return true;
}

static bool read_state(struct slice word, enum dkim_store_state *out) {
    for (size_t i = 0; i < DKIM_STORE_STATES; i++)
        if (slice_eq(word, slice_str(states[i]))) {
            *out = (enum dkim_store_state)i;
            return true;
        }
    return false;
}

// The next word, without blanks; empty at the end.
static struct slice next_word(struct slice *rest) {
    *rest = slice_trim(*rest);
    size_t n = 0;
    while (n < rest->n && !ascii_space(rest->p[n]))
        n++;
    struct slice word = slice_upto(*rest, n);
    *rest = slice_from(*rest, n);
    return word;
}

static bool read_line(struct slice line, unsigned number, struct dkim_store *to, struct err *e) {
    struct dkim_store_key key;
    slice_cut(line, '#', &line, &(struct slice){0});
    key.selector = next_word(&line);
    if (key.selector.n == 0)
        return true;
    if (!dkim_store_selector_ok(key.selector))
        return err_set(e, ERR_PERMANENT, "line %u begins with no selector", number);
    if (!read_state(next_word(&line), &key.state))
        return err_set(e, ERR_PERMANENT, "line %u: after the selector, expected pending, active or retiring", number);
    if (!read_time(next_word(&line), &key.since) || next_word(&line).n)
        return err_set(e, ERR_PERMANENT, "line %u: at its end, expected a time such as 2026-11-21T10:41:15Z", number);
    if (dkim_store_find(to, key.selector))
        return err_set(e, ERR_PERMANENT, "line %u: the selector %.*s is there twice", number, SLICE_ARG(key.selector));
    if (to->n == DKIM_STORE_KEYS_MAX)
        return err_set(e, ERR_PERMANENT, "there are more than %d keys", DKIM_STORE_KEYS_MAX);
    to->keys[to->n++] = key;
    return true;
}

bool dkim_store_parse(struct slice text, struct dkim_store *out, struct err *e) {
    struct dkim_store store;
    store.n = 0;
    if (text.n > DKIM_STORE_TEXT_MAX)
        return err_set(e, ERR_PERMANENT, "it is longer than %d bytes", DKIM_STORE_TEXT_MAX);
    for (unsigned number = 1; text.n; number++) {
        struct slice line;
        slice_cut(text, '\n', &line, &text);
        if (!read_line(line, number, &store, e))
            return false;
    }
    *out = store;
    return true;
}

// --- writing

static void add_time(struct buf *out, struct wall t) {
    char text[40];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    wall_add_rfc3339(&b, t);
    buf_add(out, slice_upto(buf_slice(&b), sizeof "2026-11-21T10:41:15" - 1));
    buf_add_char(out, 'Z');
}

bool dkim_store_print(const struct dkim_store *s, struct buf *out) {
    for (size_t i = 0; i < s->n; i++) {
        buf_add(out, s->keys[i].selector);
        buf_addf(out, " %s ", states[s->keys[i].state]);
        add_time(out, s->keys[i].since);
        buf_add_char(out, '\n');
    }
    return !out->failed;
}
