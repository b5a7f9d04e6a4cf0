// smtpd_test: the service around its sessions: whom it admits, directly and behind proxies, and which process of auth
// it asks.
#include "svc/smtpd/smtpd.h"

#include "svc/smtpd/smtpd_links_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PIPE = 1 << 16, CALLERS = 16, AUTHS = 3 };

// A listener that the test calls.
struct door {
    struct listener listener;
    struct transport *waiting[CALLERS];
    struct netaddr from[CALLERS];
    size_t called, taken;
    struct fiber_cond rung;
    bool closed;
};

// A process of auth.
struct teller {
    struct scene *scene;
    struct link *link;
    unsigned begun, continued, cancelled;
    uint64_t last;
};

struct scene {
    struct loop *loop;
    struct world world;
    struct config *config;
    struct smtpd_service *service;
    struct fiber_group group;
    struct door door;
    struct teller tellers[AUTHS];
    struct smtpd_auths auths;
    void (*script)(struct scene *s);
};

static struct wall wall(void *arg) {
    (void)arg;
    return (struct wall){1795257675000};
}

static void bytes(void *arg, void *to, size_t n) {
    (void)arg;
    memset(to, 7, n);
}

static const struct world_ops world_ops = {wall, bytes};

// --- the listener

static FIBER_FN bool take_caller(struct listener *l, struct mono deadline, struct transport **out, struct netaddr *peer,
                                 struct err *e) {
    struct door *d = LIST_ENTRY(l, struct door, listener);
    while (d->taken == d->called)
        if (fiber_cond_wait(&d->rung, deadline) == FIBER_CANCELLED)
            return err_set(e, ERR_CANCELLED, "stopped");
    *out = d->waiting[d->taken];
    *peer = d->from[d->taken++];
    return true;
}

static void close_door(struct listener *l) { LIST_ENTRY(l, struct door, listener)->closed = true; }

static const struct listener_ops door_ops = {.accept = take_caller, .close = close_door};

static struct transport *call(struct scene *s, const char *from, const char *first_words) {
    struct door *d = &s->door;
    struct transport *client;
    struct err e;
    assert_true(d->called < CALLERS && netaddr_parse_endpoint(slice_str(from), &d->from[d->called]));
    transport_pair(PIPE, &client, &d->waiting[d->called++]);
    assert_true(transport_write_all(client, slice_str(first_words), MONO_NEVER, &e));
    fiber_cond_wake_all(&d->rung);
    return client;
}

// What the server says within a second, at most one line; empty when it closed without a word.
static FIBER_FN void assert_hears(struct transport *client, const char *want) {
    char text[600];
    size_t n = 0, got;
    struct err e;
    struct mono deadline = loop_in_ms(fiber_loop(), 1000);
    for (enum transport_got how = TRANSPORT_AGAIN; how != TRANSPORT_END && (n == 0 || text[n - 1] != '\n');) {
        how = client->ops->read(client, text + n, 1, &got, &e);
        if (how == TRANSPORT_FAILED || (how == TRANSPORT_AGAIN && !client->ops->wait_read(client, deadline, &e)))
            break;
        n += how == TRANSPORT_SOME;
    }
    if (!slice_starts(slice_of(text, n), slice_str(want)) || (!*want && n))
        fail_msg("%.*s, not %s", (int)n, text, want);
}

static void hang_up(struct transport *client) { client->ops->close(client); }

// --- whom it admits

static void limits_by_client(struct scene *s) {
    struct transport *a = call(s, "192.0.2.1:1", ""), *b = call(s, "192.0.2.1:2", "");
    assert_hears(a, "220 mx.example.org");
    assert_hears(b, "220 mx.example.org");
    struct transport *c = call(s, "192.0.2.1:3", ""), *d = call(s, "192.0.2.2:1", "");
    assert_hears(c, "421 4.7.0 mx.example.org too many sessions from your address");
    assert_hears(d, "220 mx.example.org");
    hang_up(a);
    fiber_sleep(10);
    struct transport *again = call(s, "192.0.2.1:4", "");
    assert_hears(again, "220 mx.example.org");
    assert_int_equal(smtpd_sessions(s->service), 3);
    hang_up(b);
    hang_up(c);
    hang_up(d);
    hang_up(again);
}

// Who has a /64 has as many addresses as he likes; a neighbour has another one.
static void limits_by_ipv6_network(struct scene *s) {
    struct transport *a = call(s, "[2001:db8::1]:1", ""), *b = call(s, "[2001:db8::2]:1", "");
    assert_hears(a, "220 mx.example.org");
    assert_hears(b, "220 mx.example.org");
    struct transport *c = call(s, "[2001:db8::3]:1", ""), *d = call(s, "[2001:db8:0:1::1]:1", "");
    assert_hears(c, "421 4.7.0 mx.example.org too many sessions from your address");
    assert_hears(d, "220 mx.example.org");
    hang_up(a);
    hang_up(b);
    hang_up(c);
    hang_up(d);
}

// Those behind a proxy are counted each by itself, and with those that come directly; the proxy isn't.
static void limits_behind_a_proxy(struct scene *s) {
    static const char one[] = "PROXY TCP4 192.0.2.1 203.0.113.1 5 25\r\n";
    struct transport *a = call(s, "10.9.9.9:1", one), *b = call(s, "192.0.2.1:2", "");
    assert_hears(a, "220 mx.example.org");
    assert_hears(b, "220 mx.example.org");
    struct transport *c = call(s, "10.9.9.9:3", one), *d = call(s, "192.0.2.1:4", "");
    assert_hears(c, "421 4.7.0 mx.example.org too many sessions from your address");
    assert_hears(d, "421 4.7.0");
    struct transport *e = call(s, "10.9.9.9:4", "PROXY TCP4 192.0.2.7 203.0.113.1 5 25\r\n");
    assert_hears(e, "220 mx.example.org");
    struct transport *f = call(s, "10.9.9.9:5", "EHLO no.header.example\r\n"), *g = call(s, "10.9.9.9:6", "PROXY");
    assert_hears(f, "");
    assert_int_equal(smtpd_sessions(s->service), 4); // g is still waited for
    fiber_sleep(5000);
    assert_int_equal(smtpd_sessions(s->service), 3);
    assert_hears(g, "");
    struct transport *all[] = {a, b, c, d, e, f, g};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        hang_up(all[i]);
    fiber_sleep(10);
    assert_int_equal(smtpd_sessions(s->service), 0);
}

// A stop does not wait for who has said nothing, be it a proxy or a client.
static void stops_at_once(struct scene *s) {
    struct transport *a = call(s, "10.9.9.9:1", "PROX"), *b = call(s, "192.0.2.1:2", "");
    assert_hears(b, "220 mx.example.org");
    assert_int_equal(smtpd_sessions(s->service), 2);
    smtpd_stop(s->service);
    fiber_sleep(10);
    assert_int_equal(smtpd_sessions(s->service), 0);
    assert_hears(a, "");
    assert_hears(b, "421 4.3.2");
    hang_up(a);
    hang_up(b);
}

// --- whom it asks

static void answer(struct teller *t, const struct link_frame *f) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_auth_begin begin;
    struct message_auth_continue go_on;
    struct message_auth_reply reply = {.result = MESSAGE_AUTH_CHALLENGE, .challenge = SLICE("?")};
    if (f->type == LINK_AUTH_BEGIN) {
        assert_true(message_auth_begin_unpack(f->payload, &begin));
        reply.conversation = 100 * (uint64_t)(t - t->scene->tellers + 1) + t->begun++;
    } else {
        assert_true(message_auth_continue_unpack(f->payload, &go_on));
        t->last = go_on.conversation;
        t->cancelled += f->type == LINK_AUTH_CANCEL;
        if (f->type == LINK_AUTH_CANCEL)
            return;
        t->continued++;
        reply = (struct message_auth_reply){.result = MESSAGE_AUTH_OK, .user = SLICE("bob")};
    }
    assert_true(message_auth_reply_pack(&b, &reply));
    link_send1(t->link, LINK_AUTH_REPLY, f->id, buf_slice(&b));
}

static void tell(void *arg) {
    struct teller *t = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(t->link, MONO_NEVER, &e))
        while (link_next(t->link, &f))
            answer(t, &f);
}

static void ignore(void *service, struct peer_link *from, const struct link_frame *frame) {}

static void start_teller(struct scene *s, size_t i) {
    struct teller *t = &s->tellers[i];
    struct transport *a, *b;
    struct err e;
    transport_pair(PIPE, &a, &b);
    t->scene = s;
    t->link = link_new(s->loop, a, ROLE_AUTH, ROLE_SUBMISSION);
    peer_attach(&s->auths.peers[i].peer, link_new(s->loop, b, ROLE_SUBMISSION, ROLE_AUTH));
    assert_true(fiber_spawn(&s->group, "auth", tell, t, &e));
}

static FIBER_FN bool ask(struct scene *s, struct smtpd_asked **asked) {
    BUF_AUTO struct buf space = {.max = 4096};
    struct message_auth_begin m = {.mechanism = SLICE("LOGIN")};
    struct message_auth_reply reply;
    struct err e;
    bool told = smtpd_auths_begin(&s->auths, &m, asked, &space, &reply, &e);
    if (!told)
        assert_int_equal(e.smtp, 454);
    return told;
}

static FIBER_FN bool ask_on(struct scene *s, struct smtpd_asked **asked) {
    BUF_AUTO struct buf space = {.max = 4096};
    struct message_auth_reply reply;
    struct err e;
    bool told = smtpd_auths_continue(&s->auths, asked, SLICE("secret"), &space, &reply, &e);
    assert_null(*asked);
    return told && slice_eq(reply.user, SLICE("bob"));
}

static unsigned begun_by_all(const struct scene *s) {
    unsigned n = 0;
    for (size_t i = 0; i < AUTHS; i++)
        n += s->tellers[i].begun;
    return n;
}

// Each conversation goes to who has fewest, and stays there.
static void spreads(struct scene *s) {
    struct smtpd_asked *asked[2 * AUTHS];
    for (size_t i = 0; i < AUTHS; i++)
        start_teller(s, i);
    for (size_t i = 0; i < 2 * AUTHS; i++)
        assert_true(ask(s, &asked[i]));
    for (size_t i = 0; i < AUTHS; i++)
        assert_int_equal(s->tellers[i].begun, 2);
    assert_true(ask_on(s, &asked[1]));
    assert_int_equal(s->tellers[1].continued, 1);
    assert_int_equal(s->tellers[1].last, 200);
    struct smtpd_asked *next;
    assert_true(ask(s, &next));
    assert_int_equal(s->tellers[1].begun, 3);
    smtpd_auths_cancel(&s->auths, asked[2]);
    fiber_sleep(1);
    assert_int_equal(s->tellers[2].cancelled, 1);
    assert_int_equal(s->tellers[2].last, 300);
    asked[1] = asked[2] = NULL;
    for (size_t i = 0; i < 2 * AUTHS; i++)
        if (asked[i])
            smtpd_auths_cancel(&s->auths, asked[i]);
    smtpd_auths_cancel(&s->auths, next);
    for (size_t i = 0; i < AUTHS; i++)
        assert_int_equal(s->auths.peers[i].open, 0);
}

// A process that is killed takes its conversations along; others are asked from then on, and it when it is back.
static void survives(struct scene *s) {
    struct smtpd_asked *asked, *other;
    struct mono before = loop_now(s->loop);
    assert_false(ask(s, &asked)); // nobody is there
    assert_in_range(mono_ms_between(before, loop_now(s->loop)), 4900, 5200);
    start_teller(s, 0);
    assert_true(ask(s, &asked));
    link_break(s->tellers[0].link, "killed");
    fiber_sleep(1);
    assert_false(ask_on(s, &asked));
    start_teller(s, 2);
    assert_true(ask(s, &asked));
    assert_true(ask(s, &other));
    assert_int_equal(s->tellers[2].begun, 2);
    assert_true(ask_on(s, &asked));
    assert_true(ask_on(s, &other));
    assert_int_equal(begun_by_all(s), 3);
    link_break(s->tellers[2].link, "killed, too");
    assert_false(ask(s, &asked));
    for (size_t i = 0; i < AUTHS; i++)
        assert_int_equal(s->auths.peers[i].open, 0);
}

// --- the scenes

static void end(struct scene *s) {
    smtpd_close(s->service);
    fiber_group_cancel(&s->group);
}

static void play(void *arg) {
    struct scene *s = arg;
    s->script(s);
    end(s);
}

static void run(void (*script)(struct scene *s)) {
    static const char text[] =
        "version 1\nhostname mx.example.org\nlisten mx 203.0.113.1:25\npolicy connect { accept }\n"
        "domain example.org { recipients any; deliver relay }\n"
        "limit { sessions-per-client 2 }\nproxy from 10.9.9.9\n";
    struct scene *s = calloc(1, sizeof *s);
    struct config_report report = {0};
    struct err e;
    s->script = script;
    s->loop = loop_new(true);
    s->world = (struct world){.loop = s->loop, .ops = &world_ops};
    s->config = config_parse(slice_str(text), SLICE("/"), &report);
    assert_non_null(s->config);
    config_report_done(&report);
    s->service = smtpd_new(&s->world, s->config, ROLE_SMTPD);
    s->door.listener.ops = &door_ops;
    smtpd_listen(s->service, &s->door.listener, &s->config->listens[0]);
    fiber_group_init(&s->group, s->loop, "test");
    smtpd_auths_init(&s->auths, s->loop, AUTHS, &(struct peer){.group = &s->group, .handle = ignore});
    assert_true(fiber_spawn(&s->group, "script", play, s, &e));
    loop_run(s->loop);
    assert_true(s->door.closed);
    for (size_t i = 0; i < AUTHS; i++)
        link_free(s->tellers[i].link);
    smtpd_auths_done(&s->auths);
    smtpd_free(s->service);
    config_free(s->config);
    loop_free(s->loop);
    free(s);
}

static void test_limits_by_client(void **state) { run(limits_by_client); }
static void test_limits_by_ipv6_network(void **state) { run(limits_by_ipv6_network); }
static void test_limits_behind_a_proxy(void **state) { run(limits_behind_a_proxy); }
static void test_stop(void **state) { run(stops_at_once); }
static void test_spread(void **state) { run(spreads); }
static void test_survive(void **state) { run(survives); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_by_client),
        cmocka_unit_test(test_limits_by_ipv6_network),
        cmocka_unit_test(test_limits_behind_a_proxy),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
