// policy_test_house: the service on one loop, with a store that can break, and everybody who asks it.
#include "svc/policy/policy_test_house.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIPE = 1 << 20, PATIENCE_MS = 5000 };

struct store *kept;

// --- a store that the test keeps, and can break

struct lent lent;

static bool lent_get(struct store *s, struct slice key, struct buf *value, bool *found, struct err *e) {
    return store_get(kept, key, value, found, e);
}
static bool lent_put(struct store *s, struct slice key, struct slice value, struct err *e) {
    return lent.fails ? err_set(e, ERR_TEMPORARY, "full") : store_put(kept, key, value, e);
}
static bool lent_remove(struct store *s, struct slice key, struct err *e) { return store_remove(kept, key, e); }
static bool lent_each(struct store *s, struct slice prefix, bool (*each)(void *, struct slice, struct slice), void *arg,
                      struct err *e) {
    return store_each(kept, prefix, each, arg, e);
}
static bool lent_commit(struct store *s, struct err *e) { return store_commit(kept, e); }
static void lent_free(struct store *s) {}

struct store *lend(void) {
    static const struct store_ops lent_ops = {.get = lent_get,
                                              .put = lent_put,
                                              .remove = lent_remove,
                                              .each = lent_each,
                                              .commit = lent_commit,
                                              .free = lent_free};
    lent = (struct lent){.store = {.ops = &lent_ops}};
    return &lent.store;
}

static bool count_one(void *arg, struct slice key, struct slice value) {
    ++*(size_t *)arg;
    return true;
}

size_t kept_entries(void) {
    size_t n = 0;
    struct err e;
    assert_true(store_each(kept, SLICE_EMPTY, count_one, &n, &e));
    return n;
}

// --- the house

static const char text[] =
    "version 1\nhostname mx.example.org\nlisten mx 127.0.0.1:2525\n"
    "domain example.org { recipients any; deliver maildir \"/m/{local}\" }\n"
    "relay from 10.0.0.0/8\n"
    "quota { messages-per-hour 3; recipients-per-hour 0; messages-per-day 0; recipients-per-day 0 }\n"
    "account big { messages-per-hour 100 }\n"
    "lockout { address 3; account 4; network 0; delay 1s .. 8s; time 1m .. 1h }\n"
    "guard { learn 10ms; least 5; factor 2 }\n"
    "shutout { points 30; window 1h; time 1m .. 1h; tarpit 1s .. 9s }\n"
    "greylist { wait 2s; window 1h; keep 10d }\n"
    "rate connections by client 100 per hour\nrate messages by client 3 per minute\n";

static struct wall wall_here(void *arg) {
    struct house *h = arg;
    return wall_add_ms(h->start, loop_now(h->loop).ns / 1000000);
}
static void random_here(void *arg, void *to, size_t n) { memset(to, 7, n); }
static const struct world_ops ops = {.wall = wall_here, .random = random_here};

static struct link *wire(struct house *h, enum role role) {
    struct transport *a, *b;
    transport_pair(PIPE, &a, &b);
    policy_attach(h->policy, link_new(h->loop, b, ROLE_POLICY, role), role);
    return link_new(h->loop, a, role, ROLE_POLICY);
}

static void take_replies(struct link *l) {
    struct link_frame f;
    struct err e;
    while (link_receive(l, MONO_NEVER, &e))
        while (link_next(l, &f))
            assert_true(link_take_reply(l, &f));
}

static void read_auth(void *arg) { take_replies(((struct house *)arg)->auth); }
static void read_submission(void *arg) { take_replies(((struct house *)arg)->submission); }
static void read_smtpd(void *arg) { take_replies(((struct house *)arg)->smtpd); }
static void read_control(void *arg) { take_replies(((struct house *)arg)->control); }

static void read_inject(void *arg) {
    struct house *h = arg;
    struct link_frame f;
    struct message_notice m;
    struct err e;
    while (link_receive(h->inject, MONO_NEVER, &e))
        while (link_next(h->inject, &f)) {
            assert_int_equal(f.type, LINK_NOTICE);
            assert_true(message_notice_unpack(f.payload, &m));
            h->notices_n++;
            buf_addf(&h->notices, "%.*s|%.*s|%.*s", SLICE_ARG(m.to), SLICE_ARG(m.subject), SLICE_ARG(m.text));
        }
}

void attach_inject(struct house *h) {
    struct err e;
    h->inject = wire(h, ROLE_INJECT);
    assert_true(fiber_spawn(&h->group, "inject", read_inject, h, &e));
}

static void drive(void *arg) {
    struct house *h = arg;
    h->script(h);
    policy_stop(h->policy);
    fiber_group_join(policy_fibers(h->policy));
    fiber_group_cancel(&h->group);
}

void run(struct wall start, struct store *store, void (*script)(struct house *)) {
    struct house h = {.loop = loop_new(true), .script = script, .start = start, .notices = {.max = 65536}};
    struct config_report report = {0};
    struct err e = {0};
    h.config = config_parse(slice_str(text), SLICE("/"), &report);
    if (!h.config)
        fail_msg("%.*s", SLICE_ARG(report.mistakes[0].text));
    config_report_done(&report);
    h.world = (struct world){.loop = h.loop, .ops = &ops, .ops_arg = &h};
    h.policy = policy_new(&h.world, h.config);
    fiber_group_init(&h.group, h.loop, "test");
    assert_true(policy_start(h.policy, store, NULL, &e));
    h.auth = wire(&h, ROLE_AUTH);
    h.submission = wire(&h, ROLE_SUBMISSION);
    h.smtpd = wire(&h, ROLE_SMTPD);
    h.control = wire(&h, ROLE_CONTROL);
    assert_true(fiber_spawn(&h.group, "auth", read_auth, &h, &e) &&
                fiber_spawn(&h.group, "submission", read_submission, &h, &e) &&
                fiber_spawn(&h.group, "smtpd", read_smtpd, &h, &e) &&
                fiber_spawn(&h.group, "control", read_control, &h, &e) &&
                fiber_spawn(&h.group, "script", drive, &h, &e));
    loop_run(h.loop);
    policy_free(h.policy);
    link_free(h.auth);
    link_free(h.submission);
    link_free(h.smtpd);
    link_free(h.inject);
    link_free(h.control);
    config_free(h.config);
    loop_free(h.loop);
    buf_done(&h.notices);
}

// --- what they ask

struct netaddr ip(const char *address) {
    struct netaddr a = {0};
    assert_true(netaddr_parse_ip(slice_str(address), &a));
    return a;
}

void call(struct link *l, enum link_type type, const struct buf *payload, enum link_type want, struct buf *reply) {
    enum link_type got;
    struct slice part = buf_slice(payload);
    struct err e = {0};
    buf_reset(reply);
    if (!link_call(l, type, &part, 1, loop_in_ms(fiber_loop(), PATIENCE_MS), &got, reply, &e))
        fail_msg("%s", e.text);
    assert_int_equal(got, want);
}
