// milter_answer: reading what a filter says. Nothing of it is believed: lengths, ends and letters are checked.
#include "wire/milter.h"

#include "base/num.h"
#include "base/utf8.h"
#include "wire/smtp_reply.h"

#include <assert.h>
#include <stdio.h>

static uint32_t read_u32(const char *p) {
    const uint8_t *u = (const uint8_t *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static bool cut_u32(struct slice *rest, uint32_t *out) {
    if (rest->n < 4)
        return false;
    *out = read_u32(rest->p);
    *rest = slice_from(*rest, 4);
    return true;
}

// Up to its NUL, which must be there.
static bool cut_string(struct slice *rest, struct slice *out) { return slice_cut(*rest, '\0', out, rest); }

// After version, actions and steps: a stage and its macros, until the end.
static bool read_wishes(struct slice rest, struct milter_options *o) {
    uint32_t stage;
    struct slice names;
    while (rest.n) {
        if (!cut_u32(&rest, &stage) || !cut_string(&rest, &names))
            return false;
        if (stage < MILTER_STAGE_COUNT)
            o->macros[stage] = names;
    }
    return true;
}

static bool read_options(struct slice rest, struct milter_options *o) {
    return cut_u32(&rest, &o->version) && cut_u32(&rest, &o->actions) && cut_u32(&rest, &o->steps) &&
           read_wishes(rest, o);
}

static bool read_header(struct slice rest, bool with_index, struct milter_answer *a) {
    return (!with_index || cut_u32(&rest, &a->index)) && cut_string(&rest, &a->name) && cut_string(&rest, &a->value) &&
           rest.n == 0;
}

static bool read_path(struct slice rest, struct milter_answer *a) {
    if (!cut_string(&rest, &a->value))
        return false;
    return rest.n == 0 || (cut_string(&rest, &a->args) && rest.n == 0);
}

static bool read_data(struct slice data, struct milter_answer *a) {
    switch (a->kind) {
    case MILTER_ACCEPT:
    case MILTER_CONTINUE:
    case MILTER_DISCARD:
    case MILTER_CONNECTION_FAILS:
    case MILTER_PROGRESS:
    case MILTER_REJECT:
    case MILTER_SKIPS:
    case MILTER_SHUTDOWN:
    case MILTER_TEMPFAIL:
        return true; // there are filters that send data with them, and servers that ignore it
    case MILTER_ADDS_RECIPIENT:
    case MILTER_DELETES_RECIPIENT:
    case MILTER_ADDS_RECIPIENT_ARGS:
    case MILTER_CHANGES_SENDER:
        return read_path(data, a);
    case MILTER_ADDS_HEADER:
        return read_header(data, false, a);
    case MILTER_INSERTS_HEADER:
    case MILTER_CHANGES_HEADER:
        return read_header(data, true, a);
    case MILTER_QUARANTINES:
    case MILTER_REPLY:
        return cut_string(&data, &a->value) && data.n == 0;
    case MILTER_REPLACES_BODY:
        a->value = data;
        return true;
    case MILTER_OPTIONS_ANSWER:
        return read_options(data, &a->options);
    case MILTER_SETS_MACROS:
        break;
    }
    return false;
}

enum milter_got milter_take(struct slice in, struct milter_answer *out, size_t *used) {
    *used = 4;
    if (in.n < 4)
        return MILTER_MORE;
    uint32_t n = read_u32(in.p);
    if (n == 0 || n > MILTER_PACKET_MAX)
        return MILTER_BAD;
    *used = 4 + (size_t)n;
    if (in.n < *used)
        return MILTER_MORE;
    struct milter_answer a = {.kind = (enum milter_answer_kind)in.p[4]};
    if (!read_data(slice_of(in.p + 5, n - 1), &a))
        return MILTER_BAD;
    *out = a;
    return MILTER_WHOLE;
}

bool milter_answer_changes(const struct milter_answer *a, uint32_t *action) {
    static const struct {
        enum milter_answer_kind kind;
        uint32_t action;
    } needs[] = {
        {MILTER_ADDS_HEADER, MILTER_ADD_HEADERS},       {MILTER_INSERTS_HEADER, MILTER_ADD_HEADERS},
        {MILTER_REPLACES_BODY, MILTER_CHANGE_BODY},     {MILTER_ADDS_RECIPIENT, MILTER_ADD_RECIPIENT},
        {MILTER_QUARANTINES, MILTER_QUARANTINE},        {MILTER_DELETES_RECIPIENT, MILTER_DELETE_RECIPIENT},
        {MILTER_CHANGES_HEADER, MILTER_CHANGE_HEADERS}, {MILTER_ADDS_RECIPIENT_ARGS, MILTER_ADD_RECIPIENT_ARGS},
        {MILTER_CHANGES_SENDER, MILTER_CHANGE_SENDER},
    };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (needs[i].kind == a->kind) {
            *action = needs[i].action;
            return true;
        }
    return false;
}

// --- a reply

// The libraries have "%%" for "%", since Sendmail takes the text for a format. Clients get ASCII (RFC 5321 4.2), of a
// longer character one "?".
static void add_text(struct buf *to, struct slice text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x80 || c >= 0xc0)
            buf_add_char(to, c < 0x80 ? text.p[i] : '?');
        i += text.p[i] == '%' && i + 1 < text.n && text.p[i + 1] == '%';
    }
}

static bool read_line(struct slice line, bool first, bool last, struct milter_reply *r, struct buf *text) {
    uint64_t code;
    uint16_t enhanced[3];
    line.n -= line.n && line.p[line.n - 1] == '\r';
    if (line.n < 3 || !num_u64(slice_upto(line, 3), 599, &code) || code < 400 || (!first && (int)code != r->code))
        return false;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return false;
    if (last != (line.n == 3 || line.p[3] == ' '))
        return false;
    r->code = (int)code;
    struct slice rest = slice_from(line, 4);
    size_t n = smtp_enhanced_read(rest, r->code, enhanced);
    if (n && first)
        snprintf(r->enhanced, sizeof r->enhanced, "%u.%u.%u", enhanced[0], enhanced[1], enhanced[2]);
    if (!first)
        buf_add_char(text, '\n');
    add_text(text, slice_from(rest, n && n < rest.n ? n + 1 : n));
    return true;
}

bool milter_reply_read(struct slice value, struct milter_reply *out, struct buf *text) {
    struct milter_reply r = {0};
    struct slice line, rest = value;
    if (slice_ends(rest, SLICE("\n")))
        rest.n--;
    for (unsigned n = 0; n == 0 || rest.n; n++) {
        bool more = slice_cut(rest, '\n', &line, &rest);
        if (n == MILTER_REPLY_LINES || !read_line(line, n == 0, !(more && rest.n), &r, text))
            return false;
    }
    *out = r;
    return !text->failed;
}
