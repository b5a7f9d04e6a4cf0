// fuzz_smtpd: a whole session over memory. The first bytes choose the configuration, how the input is cut, and how the
// queue and auth behave. Whatever comes, the session ends with its input, no slot stays open, and the queue has got as
// many messages as the client was told of.
#include "../dialogue/smtpd_backend_fake.h"
#include "fuzz.h"
#include "svc/smtpd/smtpd_session.h"

#include <string.h>

enum { PIPE = 64 * 1024 };

struct scene {
    struct slice rest;
    unsigned step; // bytes at a time; 0: all
    struct transport *client;
    struct buf heard;
    struct smtpd_session session;
    bool over;
};

#define SUBMISSION                                                                                                     \
    "listen submission 203.0.113.1:465 tls implicit\ntls certificate \"/c.pem\" key \"/k.pem\"\nauth file \"/u\"\n"

// The first are port 25's.
static const char *const configs[] = {
    "",
    "content line-ends repair\n",
    "limit { message-size 64K; header-size 4K; recipients 100; errors 1000; hops 5; command-line 512 }\n",
    "relay from 192.0.2.0/24\nlimit { errors 1000 }\n",
    "xclient from 192.0.2.1\nlimit { errors 1000 }\n",
    SUBMISSION "limit { errors 1000 }\n",
    SUBMISSION "limit { message-size 64K; header-size 4K; errors 1000; command-line 512 }\nxclient from 192.0.2.1\n",
};
enum { FIRST_SUBMISSION = 5 };

static struct config *config_of(unsigned which) {
    static struct config *made[sizeof configs / sizeof *configs];
    struct config_report report = {0};
    struct buf text BUF_AUTO = {.max = 1 << 16};
    if (made[which])
        return made[which];
    buf_add_str(&text, "version 1\nhostname mx.example.org\nlisten mx 203.0.113.1:25\n"
                       "table people inline { \"alice\" \"sales = alice, bob\" \"loop = loop\" }\n"
                       "domain example.org { recipients people; deliver maildir \"/m/{local}\" }\n"
                       "domain example.net { recipients any; deliver relay }\n");
    buf_add_str(&text, configs[which]);
    made[which] = config_parse(buf_slice(&text), SLICE("/"), &report);
    FUZZ_CHECK(made[which]);
    config_report_done(&report);
    return made[which];
}

static void serve(void *arg) {
    struct scene *s = arg;
    smtpd_session_run(&s->session);
    smtpd_session_done(&s->session);
    s->over = true;
}

static void listen_now(struct scene *s) {
    size_t got;
    for (;;) {
        char *to = buf_reserve(&s->heard, 4096);
        FUZZ_CHECK(to);
        if (s->client->ops->read(s->client, to, 4096, &got, NULL) != TRANSPORT_SOME)
            return;
        buf_commit(&s->heard, got);
    }
}

static void speak(void *arg) {
    struct scene *s = arg;
    while (s->rest.n && !s->over) {
        size_t put;
        struct slice piece = slice_upto(s->rest, s->step ? s->step : s->rest.n);
        if (s->client->ops->write(s->client, piece, &put, NULL) == TRANSPORT_SOME)
            s->rest = slice_from(s->rest, put);
        fiber_yield();
        listen_now(s);
    }
    // The client says no more but listens on: the session may still be busy with the queue.
    for (int i = 0; i < 20 && !s->over; i++) {
        fiber_sleep(10);
        listen_now(s);
    }
    s->client->ops->close(s->client);
    for (int i = 0; i < 20 && !s->over; i++)
        fiber_sleep(1000);
    FUZZ_CHECK(s->over);
}

static size_t count(struct slice text, struct slice what) {
    size_t n = 0, at;
    for (; (at = slice_search(text, what)) < text.n; n++)
        text = slice_from(text, at + what.n);
    return n;
}

// Only replies, each with its code, each within its length.
static void check_replies(struct slice text) {
    while (text.n) {
        struct slice line;
        FUZZ_CHECK(slice_cut(text, '\n', &line, &text) && line.n >= 4 && line.n <= 511 && line.p[line.n - 1] == '\r');
        FUZZ_CHECK(line.p[0] >= '2' && line.p[0] <= '5' && ascii_digit(line.p[1]) && ascii_digit(line.p[2]));
        FUZZ_CHECK(line.p[3] == ' ' || line.p[3] == '-');
        FUZZ_CHECK(slice_find(slice_upto(line, line.n - 1), '\r') == line.n - 1);
    }
}

static void set_up(struct fake_backend *b, unsigned how) {
    b->queue_down = how == 1;
    b->disk_full = how == 2;
    b->pieces_left = how == 3 ? 1 : -1;
    b->expand_fails = how == 4;
    b->auth.away = how == 5;
    b->auth.trouble = how == 6;
    b->owns_away = how == 7;
    b->forgets = true;
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
    s->session.tls = shared->role == ROLE_SUBMISSION; // as after the handshake
    FUZZ_CHECK(fiber_spawn(&group, "session", serve, s, &e) && fiber_spawn(&group, "client", speak, s, &e));
    loop_run(loop);
    loop_free(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const unsigned steps[] = {0, 1, 7, 500};
    static struct fake_backend backend;
    static struct metric metrics;
    struct slice in = slice_of(data, size);
    unsigned which = fuzz_choose(&in, sizeof configs / sizeof *configs);
    struct config *config = config_of(which);
    struct smtpd_shared shared = {.config = config,
                                  .backend = &backend.backend,
                                  .metrics = &metrics,
                                  .role = which < FIRST_SUBMISSION ? ROLE_SMTPD : ROLE_SUBMISSION};
    struct scene s = {.heard = {.max = 1 << 26}};
    fake_backend_init(&backend, config);
    s.step = steps[fuzz_choose(&in, 4)];
    set_up(&backend, fuzz_choose(&in, 8));
    s.rest = in;
    play(&s, &shared);
    check_replies(buf_slice(&s.heard));
    FUZZ_CHECK(backend.kept_n == count(buf_slice(&s.heard), SLICE("250 2.0.0 queued as ")));
    FUZZ_CHECK(backend.slots == 0 && backend.auth.open == 0);
    bool named = backend.auth.begun || config->xclient_from_n; // who sends is known
    FUZZ_CHECK(which < FIRST_SUBMISSION || backend.kept_n == 0 || named);
    FUZZ_CHECK(which < FIRST_SUBMISSION || backend.kept_n <= backend.used);
    buf_done(&s.heard);
    fake_backend_done(&backend);
    return 0;
}
