// fuzz_filter: a message through a filter that says whatever the input is: what comes of it has whole fields and lines
// that end in CRLF, and where the answer wasn't complete, nothing.
#include "fuzz.h"

#include "base/mem.h"
#include "mail/header/header.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_filter.h"

enum { PIPE = 1 << 20 };

static const char fields[] = "Subject: hello\r\nTo: b@example.org\r\nX: y\r\n";

struct scene {
    struct slice says;
    bool options; // said for it
    struct transport *other;
    struct smtpd_filters *f;
    const struct config *config;
};

static FIBER_FN bool open_filter(void *arg, size_t index, struct transport **out, struct err *e) {
    static const char agreed[] = "\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x08\0\x80";
    struct scene *s = arg;
    size_t put;
    transport_pair(PIPE, out, &s->other);
    if (s->options)
        s->other->ops->write(s->other, slice_of(agreed, sizeof agreed - 1), &put, e);
    s->other->ops->write(s->other, s->says, &put, e);
    return true;
}

static void facts(void *arg, struct smtpd_filter_facts *out) {
    *out = (struct smtpd_filter_facts){.helo = SLICE("h"), .client = {.family = NETADDR_V4, .ip = {192, 0, 2, 1}}};
}

static const struct smtpd_filter_outside outside = {.open = open_filter, .facts = facts};

// No CR without LF, no LF without CR, no NUL.
static void check_lines(struct slice s, bool whole) {
    for (size_t i = 0; i < s.n; i++) {
        FUZZ_CHECK(s.p[i] != '\0');
        FUZZ_CHECK(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'));
        FUZZ_CHECK(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
    }
    FUZZ_CHECK(!whole || s.n == 0 || slice_ends(s, SLICE("\r\n")));
}

static void check(struct scene *s, const struct smtpd_filtered *out) {
    BUF_AUTO struct buf body = {.max = 1 << 24};
    struct slice piece;
    if (out->verdict.what != SMTPD_FILTER_GO_ON)
        return;
    check_lines(out->header, true);
    FUZZ_CHECK(header_section(out->header).n == out->header.n);
    if (!out->body_changed)
        return;
    while (smtpd_filters_piece(s->f, &piece))
        buf_add(&body, piece);
    FUZZ_CHECK(body.n == out->body_size);
    check_lines(buf_slice(&body), false);
}

static void send(void *arg) {
    struct scene *s = arg;
    struct smtpd_filter_verdict v;
    struct smtpd_filtered out;
    s->f = smtpd_filters_new(s->config, ROLE_SMTPD, &outside, s);
    smtpd_filters_mail(s->f, SLICE("a@b"), SLICE("SIZE=1"), &v);
    if (v.what == SMTPD_FILTER_GO_ON)
        smtpd_filters_rcpt(s->f, SLICE("c@d"), SLICE_EMPTY, &v);
    if (v.what == SMTPD_FILTER_GO_ON)
        smtpd_filters_data(s->f, &v);
    if (v.what == SMTPD_FILTER_GO_ON) {
        if (smtpd_filters_header(s->f, slice_str(fields)))
            smtpd_filters_body(s->f, SLICE("one\r\ntwo\r\n"));
        smtpd_filters_end(s->f, &out);
        check(s, &out);
    }
    smtpd_filters_free(s->f);
    if (s->other)
        s->other->ops->close(s->other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct config_filter filter = {
        .name = SLICE("f"), .mx = true, .reply = 1000, .content = 1000, .failure = CONFIG_FILTER_ACCEPT};
    struct config config = {.hostname = SLICE("mx.example.org")};
    struct scene s = {.options = fuzz_choose(&in, 2), .config = &config};
    struct fiber_group group;
    struct loop *loop = loop_new(true);
    struct err e;
    s.says = in;
    config.limits.header_size = 64 * 1024;
    config.limits.message_size = 1 << 20;
    config.gate.filters = &filter;
    config.gate.filters_n = 1;
    fiber_group_init(&group, loop, "fuzz");
    FUZZ_CHECK(fiber_spawn(&group, "session", send, &s, &e));
    loop_run(loop);
    loop_free(loop);
    return 0;
}
