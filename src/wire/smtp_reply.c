// smtp_reply: lines with codes.
#include "wire/smtp_reply.h"

#include "base/num.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>

enum { LINE_OUT = 512 - 2 }; // bytes of a line that we write, without CRLF (RFC 5321 4.5.3.1.5)

void smtp_reply_free(struct smtp_reply *r) {
    buf_done(&r->text);
    *r = (struct smtp_reply){0};
}

static void begin(struct smtp_reply *r) {
    buf_reset(&r->text);
    *r = (struct smtp_reply){.text = r->text};
    r->text.max = SMTP_REPLY_TEXT_MAX;
}

size_t smtp_enhanced_read(struct slice text, int code, uint16_t out[3]) {
    struct slice word, part;
    uint64_t numbers[3];
    slice_cut(text, ' ', &word, &part);
    struct slice rest = word;
    for (int i = 0; i < 3; i++) {
        bool dot = slice_cut(rest, '.', &part, &rest);
        if (dot != (i < 2) || part.n > 3 || !num_u64(part, 999, &numbers[i]))
            return 0;
    }
    if (numbers[0] != (uint64_t)code / 100)
        return 0;
    for (int i = 0; i < 3; i++)
        out[i] = (uint16_t)numbers[i];
    return word.n;
}

// The code of a line: three digits, 2yz to 5yz; then "-", a space, or nothing.
static bool cut_code(struct slice line, int *code, bool *more, struct slice *text) {
    uint64_t number;
    if (!num_u64(slice_upto(line, 3), 599, &number) || number < 200)
        return false;
    char after = line.n > 3 ? line.p[3] : ' ';
    *code = (int)number;
    *more = after == '-';
    *text = slice_from(line, 4);
    return after == ' ' || after == '-';
}

static void keep_text(struct smtp_reply *r, struct slice text) {
    uint16_t enhanced[3];
    size_t n = smtp_enhanced_read(text, r->code, enhanced);
    if (n && r->enhanced[0] == 0)
        memcpy(r->enhanced, enhanced, sizeof enhanced);
    text = slice_from(text, n && n < text.n ? n + 1 : n);
    if (r->lines > 1)
        buf_add_char(&r->text, '\n');
    buf_add(&r->text, utf8_upto(text, r->text.max - r->text.n));
}

static enum smtp_reply_got bad(struct err *e, const char *why) {
    err_set(e, ERR_TEMPORARY, "%s", why);
    return SMTP_REPLY_BAD;
}

enum smtp_reply_got smtp_reply_line(struct smtp_reply *r, struct slice line, struct err *e) {
    int code;
    bool more;
    struct slice text;
    if (r->ended || r->lines == 0)
        begin(r);
    if (line.n > SMTP_REPLY_LINE_MAX)
        return bad(e, "the server's reply has a line that is too long");
    if (!cut_code(line, &code, &more, &text))
        return bad(e, "the server's answer is no SMTP reply");
    if (r->lines == SMTP_REPLY_LINES)
        return bad(e, "the server's reply has too many lines");
    if (r->lines && r->code / 100 != code / 100)
        return bad(e, "the server's reply contradicts itself");
    r->code = code;
    r->lines++;
    keep_text(r, text);
    r->ended = !more;
    return more ? SMTP_REPLY_MORE : SMTP_REPLY_WHOLE;
}

static bool is_control(char c) { return (uint8_t)c < ' ' || c == 0x7f; }

static void add_one_line(struct buf *b, struct slice text) {
    for (size_t i = 0; i < text.n; i++)
        buf_add_char(b, text.p[i] == '\n' ? ' ' : is_control(text.p[i]) ? '?' : text.p[i]);
}

bool smtp_reply_add(struct buf *b, const struct smtp_reply *r) {
    buf_addf(b, "%03d", r->code);
    if (r->enhanced[0])
        buf_addf(b, " %u.%u.%u", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    if (r->text.n)
        buf_add_char(b, ' ');
    add_one_line(b, buf_slice(&r->text));
    return !b->failed;
}

bool smtp_reply_err(const struct smtp_reply *r, struct err *e) {
    struct buf text BUF_AUTO = {.max = 2 * ERR_TEXT};
    struct slice shown = utf8_upto(buf_slice(&r->text), ERR_TEXT - 1);
    add_one_line(&text, shown);
    err_set(e, r->code >= 500 ? ERR_PERMANENT : ERR_TEMPORARY, "%.*s", SLICE_ARG(buf_slice(&text)));
    if (!e)
        return false;
    e->smtp = r->code;
    memcpy(e->enhanced, r->enhanced, sizeof e->enhanced);
    e->enhanced[0] = (uint16_t)(r->code / 100);
    return false;
}

static bool add_line(struct buf *b, int code, bool last, const char *enhanced, struct slice text) {
    buf_addf(b, "%03d%c%s%s", code, last ? ' ' : '-', enhanced, *enhanced && text.n ? " " : "");
    for (size_t i = 0; i < text.n; i++)
        buf_add_char(b, is_control(text.p[i]) ? ' ' : text.p[i]);
    return buf_add(b, SLICE("\r\n"));
}

bool smtp_reply_format(struct buf *b, int code, const char *enhanced, struct slice text) {
    assert(code >= 200 && code <= 599);
    if (!enhanced)
        enhanced = "";
    size_t room = LINE_OUT - sizeof "250 " - strlen(enhanced);
    bool more = true;
    while (more) {
        size_t end = slice_find(text, '\n');
        struct slice line = utf8_upto(slice_upto(text, end), room);
        more = end < text.n || line.n < end;
        add_line(b, code, !more, enhanced, line);
        text = slice_from(text, line.n < end ? line.n : end + 1);
    }
    return !b->failed;
}

bool smtp_reply_format_err(struct buf *b, const struct err *e) {
    char enhanced[3 * 6];
    bool permanent = e->kind == ERR_PERMANENT;
    struct slice text = slice_str(e->text);
    if (e->smtp < 400 || e->smtp > 599)
        return smtp_reply_format(b, permanent ? 554 : 451, permanent ? "5.0.0" : "4.3.0", text);
    snprintf(enhanced, sizeof enhanced, "%u.%u.%u", e->enhanced[0], e->enhanced[1], e->enhanced[2]);
    return smtp_reply_format(b, e->smtp, e->enhanced[0] ? enhanced : NULL, text);
}
