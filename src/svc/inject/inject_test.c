// inject_test: notifications from WORK to a durable message, with queue and lookup played by the test, which may
// refuse, not know, or be killed in the middle.
#include "svc/inject/inject.h"

#include "base/list.h"
#include "core/message/message.h"
#include "core/message/message_gate.h"
#include "core/message/message_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PIPE = 1 << 20, WORK_ID = 7, SLOT = 5, PATIENCE_MS = 3 * MS_MINUTE, MANY = 600 };

struct house {
    struct loop *loop;
    struct world world;
    struct config *config;
    struct inject_service *inject;
    struct fiber_group group;
    struct link *queue, *lookup;
    struct fiber_cond changed;
    struct arena arena;
    // what they do
    int break_at; // the queue is killed when this comes: a link type; -1: never
    bool refuses, lookup_dies;
    // what came
    struct message_work work;
    struct message_work_recipient bob;
    struct envelope envelope;
    struct buf content;
    unsigned opened, pieces, submits, asked, broken;
    struct message_outcome outcome;
    bool have_outcome;
    struct link *policy;
    unsigned refusals; // how often it still refuses
    bool posts;        // report says something, not policy
};

// --- the queue and lookup

static void reply(struct house *h, struct link *l, uint64_t id) {
    BUF_AUTO struct buf b = {.max = 4096};
    bool refused = h->refuses || h->refusals;
    h->refusals -= h->refusals > 0;
    struct message_submit_reply r = {.ok = !refused, .slot = SLOT, .smtp = 452, .text = SLICE("the disk is full")};
    assert_true(message_submit_reply_pack(&b, &r));
    link_send1(l, LINK_SUBMIT_REPLY, id, buf_slice(&b));
}

static void take_submit(struct house *h, const struct link_frame *f) {
    struct message_submit m;
    assert_true(message_submit_unpack(arena_dup(&h->arena, f->payload), &h->arena, &m));
    assert_int_equal(m.slot, h->opened ? SLOT : 0);
    assert_true(m.queue_id != 0 && m.content.n <= MESSAGE_INLINE_MAX);
    h->submits++;
    h->envelope = m.envelope;
    buf_add(&h->content, m.content);
}

static void take_frame(struct house *h, struct link *l, const struct link_frame *f) {
    struct message_piece piece;
    if ((int)f->type == h->break_at) {
        h->break_at = -1;
        h->broken++;
        link_break(l, "killed");
        return;
    }
    switch (f->type) {
    case LINK_SUBMIT_OPEN:
        h->opened++;
        break;
    case LINK_SUBMIT_PIECE:
        assert_true(message_piece_unpack(f->payload, &piece) && piece.slot == SLOT);
        h->pieces++;
        buf_add(&h->content, piece.bytes);
        break;
    case LINK_SUBMIT:
        take_submit(h, f);
        break;
    default:
        assert_int_equal(f->type, LINK_OUTCOME);
        assert_int_equal(f->id, WORK_ID);
        h->have_outcome = message_outcome_unpack(arena_dup(&h->arena, f->payload), &h->arena, &h->outcome);
        assert_true(h->have_outcome);
        fiber_cond_wake_all(&h->changed);
        return;
    }
    reply(h, l, f->id);
}

static void answer(struct house *h, struct link *l, const struct link_frame *f) {
    struct slice alice = SLICE("alice@example.org"), both[] = {SLICE("alice@example.org"), SLICE("bob@example.org")};
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_expand_reply r = {.result = MESSAGE_EXPAND_UNKNOWN};
    assert_int_equal(f->type, LINK_EXPAND);
    h->asked++;
    if (slice_eq(f->payload, alice))
        r = (struct message_expand_reply){.result = MESSAGE_EXPAND_OK, .addresses = &alice, .addresses_n = 1};
    else if (slice_eq(f->payload, SLICE("sales@example.org")))
        r = (struct message_expand_reply){.result = MESSAGE_EXPAND_OK, .addresses = both, .addresses_n = 2};
    else if (slice_eq(f->payload, SLICE("ring@example.org")))
        r = (struct message_expand_reply){.result = MESSAGE_EXPAND_BROKEN, .why = SLICE("alias ring (line 1)")};
    if (h->lookup_dies) {
        h->lookup_dies = false;
        link_break(l, "killed");
        return;
    }
    assert_true(message_expand_reply_pack(&b, &r));
    link_send1(l, LINK_EXPAND_REPLY, f->id, buf_slice(&b));
}

static void read_link(struct house *h, struct link *l,
                      void (*take)(struct house *, struct link *, const struct link_frame *)) {
    struct link_frame f;
    struct err e;
    while (link_receive(l, MONO_NEVER, &e))
        while (link_next(l, &f))
            take(h, l, &f);
}

static struct link *wire(struct house *h, enum role role) {
    struct transport *a, *b;
    transport_pair(PIPE, &a, &b);
    inject_attach(h->inject, link_new(h->loop, b, ROLE_INJECT, role), role);
    return link_new(h->loop, a, role, ROLE_INJECT);
}

// Killed, they start anew.
static void queue_lives(void *arg) {
    struct house *h = arg;
    while (!fiber_cancelled()) {
        h->queue = wire(h, ROLE_QUEUE);
        fiber_cond_wake_all(&h->changed);
        read_link(h, h->queue, take_frame);
        link_free(h->queue);
        h->queue = NULL;
        fiber_sleep(100);
    }
}

static void lookup_lives(void *arg) {
    struct house *h = arg;
    while (!fiber_cancelled()) {
        h->lookup = wire(h, ROLE_LOOKUP);
        read_link(h, h->lookup, answer);
        link_free(h->lookup);
        fiber_sleep(100);
    }
}

// --- the work

static void send_work(struct house *h) {
    BUF_AUTO struct buf b = {.max = LINK_PAYLOAD_MAX};
    assert_true(message_work_pack_head(&b, &h->work) && buf_add(&b, h->work.content));
    assert_true(link_send1(h->queue, LINK_WORK, WORK_ID, buf_slice(&b)));
}

// Hands the work out, again when the queue was killed, and waits for the outcome.
static void drive(void *arg) {
    struct house *h = arg;
    unsigned broken = 0;
    while (!h->queue)
        fiber_cond_wait(&h->changed, MONO_NEVER);
    send_work(h);
    while (!h->have_outcome && fiber_cond_wait(&h->changed, loop_in_ms(h->loop, PATIENCE_MS)) == FIBER_WOKEN)
        if (h->broken != broken && h->queue) {
            broken = h->broken;
            fiber_sleep(1000); // long enough for an outcome that must not come
            assert_false(h->have_outcome);
            buf_reset(&h->content);
            h->opened = h->pieces = h->submits = 0;
            send_work(h);
        }
    inject_stop(h->inject);
    fiber_group_join(inject_fibers(h->inject));
    fiber_group_cancel(&h->group);
}

static struct wall wall_here(void *arg) { return (struct wall){1795257675000}; }
static void random_here(void *arg, void *to, size_t n) { memset(to, 7, n); }
static const struct world_ops ops = {.wall = wall_here, .random = random_here};

static struct config *config_here(void) {
    struct config_report report = {0};
    struct config *c = config_parse(SLICE("version 1\nhostname mx.example.org\nlisten mx 127.0.0.1:2525\n"
                                          "domain example.org { recipients any; deliver maildir \"/m/{local}\" }\n"),
                                    SLICE("/"), &report);
    assert_non_null(c);
    config_report_done(&report);
    return c;
}

static void begin(struct house *h, const char *sender) {
    struct slice header = SLICE("Subject: hi\r\n");
    *h = (struct house){.loop = loop_new(true), .config = config_here(), .break_at = -1};
    h->world = (struct world){.loop = h->loop, .ops = &ops};
    h->bob = (struct message_work_recipient){.address = SLICE("bob@example.net"),
                                             .smtp = 550,
                                             .enhanced = {5, 1, 1},
                                             .reason = SLICE("No such user"),
                                             .remote = SLICE("mx.example.net[192.0.2.1]:25")};
    h->content.max = h->arena.max = 16 << 20;
    h->inject = inject_new(&h->world, h->config);
    h->work = (struct message_work){.kind = MESSAGE_WORK_NOTIFY,
                                    .queue_id = 42,
                                    .sender = slice_str(sender),
                                    .attempt = 1,
                                    .recipients = &h->bob,
                                    .recipients_n = 1,
                                    .size = header.n,
                                    .content = header};
}

static void run(struct house *h) {
    struct err e;
    fiber_group_init(&h->group, h->loop, "test");
    assert_true(fiber_spawn(&h->group, "queue", queue_lives, h, &e) &&
                fiber_spawn(&h->group, "lookup", lookup_lives, h, &e) && fiber_spawn(&h->group, "drive", drive, h, &e));
    loop_run(h->loop);
    assert_true(h->have_outcome);
    assert_int_equal(h->outcome.recipients_n, h->work.recipients_n);
}

static void end(struct house *h) {
    inject_free(h->inject);
    config_free(h->config);
    loop_free(h->loop);
    buf_done(&h->content);
    arena_done(&h->arena);
}

static void assert_outcome(const struct house *h, enum message_result result, const char *status) {
    char text[32];
    for (size_t i = 0; i < h->outcome.recipients_n; i++) {
        const struct message_outcome_recipient *r = &h->outcome.recipients[i];
        snprintf(text, sizeof text, "%u.%u.%u", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
        assert_int_equal(r->result, result);
        assert_string_equal(text, status);
    }
}

static void assert_whole(const struct house *h, const char *to) {
    struct slice content = buf_slice(&h->content);
    assert_true(slice_starts(content, SLICE("From: Mail Delivery System <mailer-daemon@mx.example.org>\r\nTo: <")));
    assert_true(slice_search(content, slice_str(to)) < content.n);
    assert_true(slice_ends(content, SLICE("--\r\n")));
    assert_int_equal(h->envelope.sender.n, 0); // RFC 3464 2: the null reverse-path
    assert_true(h->envelope.flags & ENVELOPE_NOTICE);
}

// --- the tests

static void test_to_a_stranger(void **state) {
    struct house h;
    begin(&h, "carol@example.com");
    run(&h);
    assert_outcome(&h, MESSAGE_DELIVERED, "2.0.0");
    assert_whole(&h, "To: <carol@example.com>\r\n");
    assert_int_equal(h.submits, 1);
    assert_int_equal(h.asked, 0);
    assert_int_equal(h.envelope.recipients_n, 1);
    assert_true(slice_eq(h.envelope.recipients[0].address, SLICE("carol@example.com")));
    end(&h);
}

static void test_to_an_alias_of_ours(void **state) {
    struct house h;
    begin(&h, "sales@example.org");
    run(&h);
    assert_outcome(&h, MESSAGE_DELIVERED, "2.0.0");
    assert_whole(&h, "To: <sales@example.org>\r\n");
    assert_int_equal(h.envelope.recipients_n, 2);
    assert_true(slice_eq(h.envelope.recipients[1].address, SLICE("bob@example.org")));
    assert_true(slice_eq(h.envelope.recipients[1].original, SLICE("sales@example.org")));
    end(&h);
}

static void test_to_nobody(void **state) {
    static const struct {
        const char *sender;
        enum message_result result;
        const char *status;
    } rows[] = {
        {"gone@example.org", MESSAGE_FAILED, "5.1.1"},   // dropped: there is nobody left to tell
        {"ring@example.org", MESSAGE_DEFERRED, "4.3.5"}, // until somebody puts the alias right
        {"", MESSAGE_FAILED, "5.1.7"},                   // never a bounce of a bounce
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct house h;
        begin(&h, rows[i].sender);
        run(&h);
        assert_outcome(&h, rows[i].result, rows[i].status);
        assert_int_equal(h.submits, 0);
        end(&h);
    }
}

static void test_the_queue_refuses(void **state) {
    struct house h;
    begin(&h, "carol@example.com");
    h.refuses = true;
    run(&h);
    assert_outcome(&h, MESSAGE_DEFERRED, "4.0.0");
    end(&h);
}

static void make_large(struct house *h) {
    static char words[500];
    static struct message_work_recipient many[MANY];
    memset(words, 'w', sizeof words);
    for (uint32_t i = 0; i < MANY; i++)
        many[i] = (struct message_work_recipient){
            .index = i, .address = SLICE("bob@example.net"), .enhanced = {5, 0, 0}, .reason = slice_of(words, 500)};
    h->work.recipients = many;
    h->work.recipients_n = MANY;
}

static void test_a_large_one_goes_in_pieces(void **state) {
    struct house h;
    begin(&h, "alice@example.org");
    make_large(&h);
    run(&h);
    assert_outcome(&h, MESSAGE_DELIVERED, "2.0.0");
    assert_whole(&h, "To: <alice@example.org>\r\n");
    assert_int_equal(h.opened, 1);
    assert_int_equal(h.pieces, (h.content.n - 1) / MESSAGE_INLINE_MAX);
    assert_int_equal(h.submits, 1);
    end(&h);
}

// Nothing is said to a queue that is gone, nor to the next one before that hands the work out again.
static void test_the_queue_is_killed(void **state) {
    static const int moments[] = {LINK_SUBMIT_OPEN, LINK_SUBMIT_PIECE, LINK_SUBMIT, LINK_OUTCOME};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        struct house h;
        begin(&h, "alice@example.org");
        make_large(&h);
        h.break_at = moments[i];
        run(&h);
        assert_int_equal(h.broken, 1);
        assert_outcome(&h, MESSAGE_DELIVERED, "2.0.0");
        assert_whole(&h, "To: <alice@example.org>\r\n");
        end(&h);
    }
}

static void test_lookup_is_killed(void **state) {
    struct house h;
    begin(&h, "alice@example.org");
    h.lookup_dies = true;
    run(&h);
    assert_int_equal(h.asked, 2);
    assert_outcome(&h, MESSAGE_DELIVERED, "2.0.0");
    assert_int_equal(h.submits, 1);
    end(&h);
}

// --- notices: no work, nobody waits

static void policy_says(struct house *h, const char *to) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_notice m = {.to = slice_str(to), .subject = SLICE("held"), .text = SLICE("it is\n")};
    assert_true(message_notice_pack(&b, &m));
    assert_true(link_send1(h->policy, LINK_NOTICE, 0, buf_slice(&b)));
}

static void report_says(struct house *h, const char *to) {
    BUF_AUTO struct buf b = {.max = 1 << 20}, content = {.max = 1 << 20};
    buf_add_str(&content, "Subject: Report\r\n\r\n");
    while (content.n < 200 * 1024)
        buf_add_str(&content, "line after line after line\r\n");
    struct message_post m = {
        .sender = SLICE("dmarc@example.org"), .recipient = slice_str(to), .content = buf_slice(&content)};
    assert_true(message_post_pack(&b, &m));
    assert_true(link_send1(h->policy, LINK_POST, 0, buf_slice(&b)));
}

static void drive_notice(void *arg) {
    struct house *h = arg;
    h->policy = wire(h, h->posts ? ROLE_REPORT : ROLE_POLICY);
    (h->posts ? report_says : policy_says)(h, (const char *)h->work.sender.p);
    fiber_sleep(PATIENCE_MS);
    assert_true(link_is_up(h->policy));
    inject_stop(h->inject);
    fiber_group_join(inject_fibers(h->inject));
    fiber_group_cancel(&h->group);
}

// The queue is not there at first.
static void queue_comes_late(void *arg) {
    fiber_sleep(45 * MS_SECOND);
    queue_lives(arg);
}

static void run_notice(struct house *h, void (*queue)(void *)) {
    struct err e;
    fiber_group_init(&h->group, h->loop, "test");
    assert_true(fiber_spawn(&h->group, "queue", queue, h, &e) &&
                fiber_spawn(&h->group, "lookup", lookup_lives, h, &e) &&
                fiber_spawn(&h->group, "drive", drive_notice, h, &e));
    loop_run(h->loop);
    link_free(h->policy);
}

static void assert_notice(const struct house *h, const char *to, size_t recipients) {
    struct slice content = buf_slice(&h->content);
    assert_true(slice_search(content, slice_str(to)) < content.n);
    assert_true(slice_ends(content, SLICE("\r\n\r\nit is\r\n")));
    assert_int_equal(h->envelope.sender.n, 0);
    assert_int_equal(h->envelope.flags, ENVELOPE_NOTICE);
    assert_int_equal(h->envelope.recipients_n, recipients);
}

static void test_notice(void **state) {
    static const struct {
        const char *to, *field;
        size_t recipients;
    } rows[] = {{"sales@example.org", "To: <sales@example.org>\r\n", 2},
                {"x@example.net", "To: <x@example.net>\r\n", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct house h;
        begin(&h, rows[i].to);
        run_notice(&h, queue_lives);
        assert_int_equal(h.submits, 1);
        assert_notice(&h, rows[i].field, rows[i].recipients);
        end(&h);
    }
}

static void test_notice_outlasts_the_queue(void **state) {
    struct house h;
    begin(&h, "sales@example.org");
    h.lookup_dies = true;
    run_notice(&h, queue_comes_late);
    assert_int_equal(h.submits, 1);
    end(&h);
    begin(&h, "sales@example.org");
    h.refusals = 3;
    run_notice(&h, queue_lives);
    assert_int_equal(h.submits, 4);
    end(&h);
    begin(&h, "gone@example.org"); // tried for a day, but given up when it stops
    run_notice(&h, queue_lives);
    assert_int_equal(h.submits, 0);
    end(&h);
}

static void test_post(void **state) {
    static const struct {
        const char *to;
        size_t recipients;
        unsigned submits;
    } rows[] = {{"x@example.net", 1, 1}, {"sales@example.org", 2, 1}, {"gone@example.org", 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct house h;
        begin(&h, rows[i].to);
        h.posts = true;
        h.lookup_dies = i == 1;
        run_notice(&h, i == 0 ? queue_comes_late : queue_lives);
        assert_int_equal(h.submits, rows[i].submits);
        if (h.submits) {
            assert_true(slice_starts(buf_slice(&h.content), SLICE("Subject: Report\r\n\r\nline")));
            assert_true(h.content.n >= 200 * 1024 && h.pieces > 0);
            assert_true(slice_eq(h.envelope.sender, SLICE("dmarc@example.org")));
            assert_int_equal(h.envelope.flags, 0);
            assert_int_equal(h.envelope.recipients_n, rows[i].recipients);
        }
        end(&h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_a_stranger),
        cmocka_unit_test(test_to_an_alias_of_ours),
        cmocka_unit_test(test_to_nobody),
        cmocka_unit_test(test_the_queue_refuses),
        cmocka_unit_test(test_a_large_one_goes_in_pieces),
        cmocka_unit_test(test_the_queue_is_killed),
        cmocka_unit_test(test_lookup_is_killed),
        cmocka_unit_test(test_notice),
        cmocka_unit_test(test_notice_outlasts_the_queue),
        cmocka_unit_test(test_post),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
