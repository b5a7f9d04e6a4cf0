// control_test: requests on the control socket and over HTTP, with the other processes played by the test.
#include "svc/control/control.h"

#include "core/message/message_policy.h"
#include "core/message/message_sender.h"
#include "core/message/message.h"
#include "rt/journal.h"
#include "rt/metric.h"
#include "rt/stream.h"
#include "svc/master/master_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ID = 77, PIPE = 256 * 1024 };

static struct wall wall_of_test(void *arg) { return (struct wall){1795257675123}; }
static void random_of_test(void *arg, void *to, size_t n) { memset(to, 7, n); }

// One house for a test: control, and the fibers that play master and queue.
enum queue_plays { QUEUE_ANSWERS, QUEUE_SILENT, QUEUE_FULL };

struct house {
    struct world world;
    struct world_ops ops;
    struct config config;
    struct control *control;
    struct fiber_group group;
    const char *send;
    struct buf got;
    enum queue_plays queue;
};

// --- the other processes

static void play_master(struct link *link, const struct link_frame *f) {
    struct master_status_process processes[] = {{ROLE_QUEUE, 0, MASTER_READY, 11, 1000, 2},
                                                {ROLE_SMTPD, 0, MASTER_READY, 12, 1000, 0}};
    struct slice listens[] = {SLICE("mx on 127.0.0.1:2525")};
    const struct master_status s = {.pid = 10,
                                    .path = SLICE("/p.conf"),
                                    .listens = listens,
                                    .listens_n = 1,
                                    .processes = processes,
                                    .processes_n = 2};
    BUF_AUTO struct buf b = {.max = 4096};
    if (f->type == LINK_MASTER_STATUS)
        master_status_pack(&b, &s);
    else
        master_answer_pack(&b, &(struct master_answer){.ok = f->type == LINK_MASTER_STOP, .text = SLICE("line 3: no")});
    link_send1(link, LINK_MASTER_REPLY, f->id, buf_slice(&b));
}

static void queue_page(const struct link_frame *f, struct message_queue_reply *to, struct arena *arena) {
    struct message_queue_query q;
    assert_true(message_queue_query_unpack(f->payload, &q));
    *to = (struct message_queue_reply){.count = 2};
    if (f->type != LINK_QUEUE_LIST)
        return;
    struct message_queue_recipient *r = ARENA_NEW(arena, struct message_queue_recipient);
    *r = (struct message_queue_recipient){.address = SLICE("b@example.com"),
                                          .state = MESSAGE_RECIPIENT_DEFERRED,
                                          .attempts = 3,
                                          .reason = SLICE("connection refused\x1b[2J"),
                                          .destination = SLICE("relay:example.com")};
    static struct slice tags[] = {{"quarantine", 10}, {"list", 4}};
    to->entries = ARENA_NEW(arena, struct message_queue_entry);
    to->entries[0] = (struct message_queue_entry){.queue_id = ID + q.queue_id,
                                                  .size = 500,
                                                  .sender = SLICE("a@example.org"),
                                                  .tags = tags,
                                                  .tags_n = 2,
                                                  .recipients = r,
                                                  .recipients_n = 1};
    to->entries_n = 1;
    to->more = q.queue_id == 0; // two pages
}

static void play_queue(struct house *h, struct link *link, const struct link_frame *f) {
    ARENA_AUTO struct arena arena = {.max = 65536};
    BUF_AUTO struct buf b = {.max = 65536};
    struct metric m = {0};
    struct message_queue_reply reply;
    if (h->queue == QUEUE_SILENT)
        return;
    if (f->type == LINK_METRICS) {
        metric_set(&m, METRIC_QUEUE_REFUSES, h->queue == QUEUE_FULL);
        metric_set(&m, METRIC_QUEUE_MESSAGES, 5);
        metric_pack(&m, &b);
        link_send1(link, LINK_METRICS_REPLY, f->id, buf_slice(&b));
        return;
    }
    queue_page(f, &reply, &arena);
    message_queue_reply_pack(&b, &reply);
    link_send1(link, LINK_QUEUE_REPLY, f->id, buf_slice(&b));
}

static void play_senders(struct link *link, const struct link_frame *f, struct slice what) {
    BUF_AUTO struct buf b = {.max = 65536};
    struct message_sender_entry entries[] = {{.kind = MESSAGE_SENDER_ADDRESS,
                                              .state = MESSAGE_SENDER_SHUT_OUT,
                                              .what = SLICE("192.0.2.1"),
                                              .points = 30,
                                              .until = {1700000000999},
                                              .why = SLICE("errors: 30")},
                                             {.kind = MESSAGE_SENDER_NETWORK,
                                              .state = MESSAGE_SENDER_WAITING,
                                              .what = SLICE("192.0.2.0/24"),
                                              .sender = SLICE("example.net"),
                                              .recipient = what,
                                              .since = {1700000000000}}};
    struct message_sender_reply r = {.ok = !slice_eq(what, SLICE("nobody")), .count = 2, .entries = entries};
    r.entries_n = f->type == LINK_SENDER_LIST ? 2 : 0;
    message_sender_reply_pack(&b, &r);
    link_send1(link, LINK_SENDER_REPLY, f->id, buf_slice(&b));
}

static void play_policy(struct link *link, const struct link_frame *f) {
    BUF_AUTO struct buf b = {.max = 65536};
    struct message_policy_query q;
    if (f->type == LINK_METRICS) {
        metric_pack(&(struct metric){.v = {0}}, &b);
        link_send1(link, LINK_METRICS_REPLY, f->id, buf_slice(&b));
        return;
    }
    assert_true(message_policy_query_unpack(f->payload, &q));
    if (f->type >= LINK_SENDER_LIST && f->type <= LINK_SENDER_ALLOW) {
        play_senders(link, f, q.what);
        return;
    }
    struct message_policy_entry e = {.kind = MESSAGE_POLICY_ADDRESS, .state = MESSAGE_POLICY_LOCKED, .what = q.what};
    e.failures = 10;
    e.until.ms = 1700000000999;
    struct message_policy_reply r = {.count = 1, .entries = &e, .entries_n = f->type != LINK_LOCKOUT_CLEAR};
    if (f->type == LINK_GUARD_LIST)
        e = (struct message_policy_entry){.state = MESSAGE_POLICY_HOLDING,
                                          .what = SLICE("ann"),
                                          .messages = 6,
                                          .messages_bound = 5,
                                          .held = 1,
                                          .why = SLICE("too many")};
    if (f->type == LINK_USER_USES)
        e = (struct message_policy_entry){
            .kind = MESSAGE_POLICY_SECRET, .what = SLICE("ann"), .secret = SLICE("phone"), .used = {1700000000999}};
    message_policy_reply_pack(&b, &r);
    link_send1(link, LINK_POLICY_REPLY, f->id, buf_slice(&b));
}

struct player {
    struct house *house;
    struct link *link;
    enum role role;
};

static void play(void *arg) {
    struct player *p = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(p->link, MONO_NEVER, &e))
        while (link_next(p->link, &f)) {
            if (p->role == ROLE_MASTER)
                play_master(p->link, &f);
            else if (p->role == ROLE_POLICY)
                play_policy(p->link, &f);
            else
                play_queue(p->house, p->link, &f);
        }
    link_free(p->link);
    free(p);
}

static void add_player(struct house *h, enum role role) {
    struct transport *ours, *theirs;
    struct err e;
    struct player *p = calloc(1, sizeof *p);
    transport_pair(PIPE, &ours, &theirs);
    *p = (struct player){h, link_new(h->world.loop, ours, role, ROLE_CONTROL), role};
    assert_true(fiber_spawn(&h->group, "player", play, p, &e));
    control_attach(h->control, link_new(h->world.loop, theirs, ROLE_CONTROL, role), role, 0);
}

// --- a listener that gives one connection

struct one_listener {
    struct listener base;
    struct transport *connection;
    struct fiber_cond never;
};

static bool accept_one(struct listener *l, struct mono deadline, struct transport **out, struct netaddr *peer,
                       struct err *e) {
    struct one_listener *self = LIST_ENTRY(l, struct one_listener, base);
    while (!self->connection)
        if (fiber_cond_wait(&self->never, deadline) == FIBER_CANCELLED)
            return err_set(e, ERR_CANCELLED, "cancelled");
    *out = self->connection;
    *peer = (struct netaddr){0};
    self->connection = NULL;
    return true;
}

static void close_one(struct listener *l) { free(LIST_ENTRY(l, struct one_listener, base)); }
static const struct listener_ops one_ops = {accept_one, close_one};

// --- a client

struct client {
    struct house *house;
    struct transport *transport;
};

static void ask(void *arg) {
    struct client *c = arg;
    struct house *h = c->house;
    struct stream s;
    struct slice view;
    struct err e;
    stream_init(&s, c->transport);
    stream_put(&s, slice_str(h->send));
    // All that comes within ten seconds of the test's clock.
    struct mono deadline = loop_in_ms(h->world.loop, 10000);
    while (stream_peek(&s, deadline, &view, &e)) {
        buf_add(&h->got, view);
        stream_consume(&s, view.n);
    }
    buf_add_char(&h->got, '\0');
    stream_done(&s);
    control_stop(h->control);
    fiber_group_cancel(&h->group);
}

// What control answers to `send`.
static char *answer_to(const char *send, enum control_listen kind, enum queue_plays queue) {
    struct house h = {.ops = {wall_of_test, random_of_test}, .send = send, .queue = queue};
    struct one_listener *l = calloc(1, sizeof *l);
    struct journal journal = {0};
    struct client client = {.house = &h};
    struct err e;
    h.got.max = 1 << 20;
    h.config = (struct config){.hostname = SLICE("mx.example.org"), .smtpd_workers = 1, .relay_workers = 1};
    h.config.queue.reserve = 1000;
    h.world = (struct world){.loop = loop_new(true), .ops = &h.ops, .journal = &journal};
    fiber_group_init(&h.group, h.world.loop, "test");
    h.control = control_new(&h.world, &h.config, "1.2.3");
    add_player(&h, ROLE_MASTER);
    add_player(&h, ROLE_QUEUE);
    add_player(&h, ROLE_POLICY);
    l->base.ops = &one_ops;
    transport_pair(PIPE, &l->connection, &client.transport);
    assert_true(control_listen(h.control, &l->base, kind, &e));
    assert_true(fiber_spawn(&h.group, "client", ask, &client, &e));
    loop_run(h.world.loop);
    assert_int_equal(loop_fibers(h.world.loop), 0);
    control_free(h.control);
    loop_free(h.world.loop);
    return h.got.p;
}

static void assert_answer(const char *send, enum control_listen kind, enum queue_plays queue,
                          const char *const *parts) {
    char *got = answer_to(send, kind, queue);
    for (; *parts; parts++)
        if (!strstr(got, *parts))
            fail_msg("asked %s\nexpected %s\ngot %s", send, *parts, got);
    free(got);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void the_socket_answers(void **state) {
    static const struct {
        const char *send;
        const char *parts[6];
    } cases[] = {
        {"{\"do\":\"status\"}\n",
         {"{\"ok\":true,\"version\":\"1.2.3\"", "\"listeners\":[\"mx on 127.0.0.1:2525\"]",
          "{\"name\":\"queue\",\"role\":\"queue\",\"instance\":0,\"state\":\"ready\",\"pid\":11",
          "\"restarts\":2,\"answers\":true", "\"queue\":{\"messages\":5"}},
        {"{\"do\":\"queue-list\"}\n",
         {"{\"queue_name\":\"deferred\"", "\"delay_reason\":\"connection refused\\u001b[2J\"",
          "\"tags\":[\"quarantine\",\"list\"]", "}\n{\"queue_name\":", "\n{\"ok\":true,\"count\":2}\n"}},
        {"{\"do\":\"queue-delete\",\"all\":true}\n", {"{\"ok\":true,\"count\":2}\n"}},
        {"{\"do\":\"stop\"}\n", {"{\"ok\":true,\"text\":"}},
        {"{\"do\":\"reload\"}\n", {"{\"ok\":false,\"error\":\"line 3: no\",\"exit\":78}\n"}},
        {"{\"do\":\"lockout-list\",\"what\":\"2001:DB8::/64\"}\n",
         {"{\"kind\":\"address\",\"what\":\"2001:db8::/"
          "64\",\"state\":\"locked\",\"failures\":10,\"until\":1700000000}\n",
          "\n{\"ok\":true,\"count\":1}\n"}},
        {"{\"do\":\"lockout-clear\",\"all\":true}\n", {"{\"ok\":true,\"count\":1}\n"}},
        {"{\"do\":\"guard-list\"}\n",
         {"{\"user\":\"ann\",\"state\":\"holding\",\"messages\":6,\"recipients\":0,\"messages_bound\":5",
          "\"held\":1,\"reason\":\"too many\"}\n"}},
        {"{\"do\":\"guard-release\",\"user\":\"ann\"}\n", {"{\"ok\":true,\"count\":1,\"messages\":2}\n"}},
        {"{\"do\":\"guard-block\",\"user\":\"ann\"}\n", {"{\"ok\":true,\"count\":1,\"messages\":0}\n"}},
        {"{\"do\":\"guard-block\",\"user\":\"ann\",\"delete\":true}\n", {"\"count\":1,\"messages\":2}\n"}},
        {"{\"do\":\"user-uses\"}\n", {"{\"user\":\"ann\",\"secret\":\"phone\",\"last_use\":1700000000}\n"}},
        {"{\"do\":\"sender-list\",\"what\":\"Ann@Example.org\"}\n",
         {"{\"kind\":\"address\",\"what\":\"192.0.2.1\",\"state\":\"shut-out\",\"points\":30,\"good\":0,"
          "\"until\":1700000000,\"reason\":\"errors: 30\"}\n",
          "{\"kind\":\"network\",\"what\":\"192.0.2.0/24\",\"state\":\"waiting\",\"sender\":\"example.net\","
          "\"recipient\":\"ann@example.org\",\"since\":1700000000}\n{\"ok\":true,\"count\":2}\n"}},
        {"{\"do\":\"sender-clear\",\"all\":true}\n", {"{\"ok\":true,\"count\":2}\n"}},
        {"{\"do\":\"sender-allow\",\"what\":\"nobody\"}\n",
         {"{\"ok\":false,\"error\":\"\\\"nobody\\\" is no client's address, no network and no domain",
          "\"exit\":65}\n"}},
        {"{\"do\":\"dance\"}\n{\"do\":\"stop\"}\n", {"\"exit\":64}\n{\"ok\":true"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_answer(cases[i].send, CONTROL_LISTEN_SOCKET, QUEUE_ANSWERS, cases[i].parts);
}

static void a_silent_queue_is_told(void **state) {
    assert_answer("{\"do\":\"status\"}\n", CONTROL_LISTEN_SOCKET, QUEUE_SILENT,
                  PARTS("\"answers\":false", "\"queue\":null"));
    assert_answer("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", CONTROL_LISTEN_HTTP, QUEUE_SILENT,
                  PARTS("HTTP/1.1 503 ", "\"healthy\":false", "\"queue_answers\":false"));
}

static void a_full_disk_is_told(void **state) {
    assert_answer("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", CONTROL_LISTEN_HTTP, QUEUE_FULL,
                  PARTS("HTTP/1.1 503 ", "\"healthy\":false", "\"queue_takes_mail\":false"));
}

static void http_answers(void **state) {
    assert_answer("GET /health HTTP/1.1\r\nHost: 127.0.0.1:8025\r\n\r\n", CONTROL_LISTEN_HTTP, QUEUE_ANSWERS,
                  PARTS("HTTP/1.1 200 ", "{\"healthy\":true"));
    assert_answer("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", CONTROL_LISTEN_HTTP, QUEUE_ANSWERS,
                  PARTS("HTTP/1.1 200 ", "posthouse_queue_messages 5\n", "posthouse_process_restarts_total 2\n",
                        "posthouse_process_up{process=\"control\"} 1"));
    assert_answer("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /no HTTP/1.1\r\nHost: localhost\r\n\r\n",
                  CONTROL_LISTEN_HTTP, QUEUE_ANSWERS, PARTS("HTTP/1.1 200 ", "<h1>Posthouse</h1>", "HTTP/1.1 404 "));
    assert_answer("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", CONTROL_LISTEN_HTTP, QUEUE_ANSWERS,
                  PARTS("HTTP/1.1 421 "));
    assert_answer("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", CONTROL_LISTEN_HTTP, QUEUE_ANSWERS,
                  PARTS("HTTP/1.1 405 "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_socket_answers),
        cmocka_unit_test(a_silent_queue_is_told),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(http_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
