// fuzz_submission: a user's message through a whole session, in chunks of any size and cut anywhere: what the queue
// gets is Received, what was missing, and the content with nothing else changed. First bytes: how the input is cut, how
// it is sent, and how often each of its lines is repeated, so that short inputs make large messages.
#include "submit_check.h"

#include "../dialogue/smtpd_backend_fake.h"
#include "base/utf8.h"
#include "svc/smtpd/smtpd_session.h"

enum { PIPE = 64 * 1024 };

static const char declaration[] =
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";

struct scene {
    struct slice rest;
    size_t step;
    struct transport *client;
    struct smtpd_session session;
};

static struct config *config_once(void) {
    static struct config *made;
    struct config_report report = {0};
    if (made)
        return made;
    made = config_parse(SLICE("version 1\nhostname mx.example.org\nlisten mx 203.0.113.1:25\n"
                              "domain example.org { recipients any; deliver relay }\nlimit { header-size 1M }\n"),
                        SLICE("/"), &report);
    FUZZ_CHECK(made);
    config_report_done(&report);
    return made;
}

static void serve(void *arg) {
    struct scene *s = arg;
    smtpd_session_run(&s->session);
    smtpd_session_done(&s->session);
}

static void speak(void *arg) {
    struct scene *s = arg;
    char reply[4096];
    size_t n;
    while (s->rest.n) {
        enum transport_got wrote = s->client->ops->write(s->client, slice_upto(s->rest, s->step), &n, NULL);
        if (wrote == TRANSPORT_SOME)
            s->rest = slice_from(s->rest, n);
        else if (wrote != TRANSPORT_AGAIN) // the session has ended
            break;
        fiber_yield();
        while (s->client->ops->read(s->client, reply, sizeof reply, &n, NULL) == TRANSPORT_SOME)
            ;
    }
    fiber_sleep(1000);
    s->client->ops->close(s->client);
}

static void play(struct scene *s, struct smtpd_shared *shared) {
    struct loop *loop = loop_new(true);
    struct fiber_group group;
    struct transport *server;
    struct netaddr from = {0};
    struct err e;
    fiber_group_init(&group, loop, "fuzz");
    transport_pair(PIPE, &s->client, &server);
    FUZZ_CHECK(netaddr_parse_ip(SLICE("192.0.2.1"), &from));
    smtpd_session_init(&s->session, shared, server, &from, 42);
    s->session.tls = true;
    buf_add_str(&s->session.user, "alice");
    FUZZ_CHECK(fiber_spawn(&group, "session", serve, s, &e) && fiber_spawn(&group, "client", speak, s, &e));
    loop_run(loop);
    loop_free(loop);
}

static void check_message(struct slice in, struct slice out) {
    struct slice section = header_section(in), body = slice_from(in, section.n);
    struct header_field received;
    if (slice_starts(body, SLICE("\r\n")))
        body = slice_from(body, 2);
    FUZZ_CHECK(header_next(&out, &received) && slice_eq(received.name, SLICE("Received")));
    bool declares = slice_starts(out, slice_str(declaration)) && !submit_count(section, "MIME-Version");
    if (declares)
        out = slice_from(out, sizeof declaration - 1);
    FUZZ_CHECK(!declares || (utf8_valid(body) && !utf8_ascii(body)));
    submit_check_missing(section, &out);
    submit_check_kept(section, &out);
    FUZZ_CHECK(slice_starts(out, SLICE("\r\n")));
    submit_check_body(body, slice_from(out, 2));
}

static void add_chunks(struct slice content, size_t chunk, struct buf *to) {
    buf_add_str(to, "EHLO x\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.com>\r\n");
    do {
        struct slice piece = slice_upto(content, chunk);
        content = slice_from(content, piece.n);
        buf_addf(to, "BDAT %zu%s\r\n", piece.n, content.n ? "" : " LAST");
        buf_add(to, piece);
    } while (content.n);
    buf_add_str(to, "QUIT\r\n");
}

static void repeat(struct slice in, size_t times, struct buf *to) {
    while (in.n) {
        struct slice line;
        bool more = slice_cut(in, '\n', &line, &in);
        for (size_t i = 0; i < times; i++)
            buf_add(to, line);
        if (more)
            buf_add_char(to, '\n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fake_backend backend;
    static struct metric metrics;
    struct slice in = slice_of(data, size);
    struct smtpd_shared shared = {
        .config = config_once(), .backend = &backend.backend, .metrics = &metrics, .role = ROLE_SUBMISSION};
    struct scene s = {.step = 1 + 97 * (size_t)fuzz_choose(&in, 200)};
    size_t chunk = 1 + 1009 * (size_t)fuzz_choose(&in, 250), times = 1 + fuzz_choose(&in, 40);
    struct buf content BUF_AUTO = {.max = SUBMIT_CHECK_ROOM}, said BUF_AUTO = {.max = SUBMIT_CHECK_ROOM};
    struct buf repaired BUF_AUTO = {.max = SUBMIT_CHECK_ROOM};
    struct smtp_body body = {.mode = SMTP_BODY_REPAIR};
    if (in.n > 1 << 13)
        return 0;
    repeat(in, times, &content);
    add_chunks(buf_slice(&content), chunk, &said);
    smtp_body_chunk(&body, buf_slice(&content), &repaired);
    smtp_body_chunks_end(&body, &repaired);
    fake_backend_init(&backend, shared.config);
    s.rest = buf_slice(&said);
    play(&s, &shared);
    FUZZ_CHECK(backend.slots == 0 && backend.kept_n <= 1);
    if (backend.kept_n)
        check_message(buf_slice(&repaired), backend.kept[0].content);
    fake_backend_done(&backend);
    return 0;
}
