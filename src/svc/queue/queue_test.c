// queue_test: what the service keeps: refusals, full disks, failed syncs, large messages, compaction.
#include "svc/queue/queue_play.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// --- what is promised

static FIBER_FN void script_delivered(struct play *p) {
    CHECK_EQ(play_submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.kind, MESSAGE_WORK_DELIVER);
    CHECK_EQ(p->work.queue_id, 1);
    CHECK_EQ(p->work.attempt, 1);
    CHECK(slice_eq(p->work.content, slice_str(play_small)));
    CHECK(slice_eq(p->work.host, SLICE("/mail/{domain}/{local}")));
    CHECK(slice_eq(p->work.recipients[0].address, SLICE("alice@example.org")));
    play_crash(p); // before the outcome: tried again
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(play_messages(p), 1);
    play_delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
    play_crash(p); // after it is durable: not again
    CHECK(!play_hear_work(p, p->deliver, 1000));
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN void script_groups(struct play *p) {
    static struct slice to[252];
    static char text[252][32];
    size_t relayed = 0, works = 0;
    for (size_t i = 0; i < 252; i++) {
        int n = snprintf(text[i], sizeof text[i], "user%zu@%s", i, i < 250 ? "far.example" : "example.org");
        to[i] = slice_of(text[i], (size_t)n);
    }
    play_send_submit(p, 5, 0, "a@example.net", to, 252, slice_str(play_small), 0);
    CHECK(play_hear_reply(p, 5).ok);
    while (play_hear_work(p, p->relay, 100)) {
        CHECK_EQ(p->work.kind, MESSAGE_WORK_RELAY_MX);
        CHECK(slice_eq(p->work.host, SLICE("far.example")));
        CHECK(p->work.recipients_n <= 100);
        relayed += p->work.recipients_n;
        works++;
        play_delivered(p, p->relay);
    }
    CHECK_EQ(relayed, 250);
    CHECK_EQ(works, 3);
    CHECK_EQ(play_messages(p), 1);
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.recipients_n, 2);
    play_delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN void script_refused(struct play *p) {
    struct slice to = SLICE("alice@example.org");
    CHECK_EQ(play_submit(p, 9, "a@example.net", "x@held.example"), 0);
    CHECK_EQ(play_submit(p, 9, "a@example.net", "x@held.example"), 451);
    play_send_submit(p, 10, 77, "a@example.net", &to, 1, SLICE_EMPTY, 0); // a slot that nobody opened
    CHECK_EQ(play_hear_reply(p, 10).smtp, 451);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT, 3, SLICE("nonsense")));
    fiber_sleep(10);
    struct link_frame f;
    CHECK(!play_hear(p, p->smtpd, 100, &f)); // it is cut off; the others are not
    CHECK_EQ(play_messages(p), 1);
}

static FIBER_FN void script_full_disk(struct play *p) {
    CHECK_EQ(play_submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(play_hear_work(p, p->deliver, 100));
    p->w.disk.free_bytes = 1000;
    fiber_sleep(2500);
    CHECK_EQ(play_submit(p, 2, "a@example.net", "alice@example.org"), 452);
    play_delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_OPEN, 7, SLICE_EMPTY));
    CHECK_EQ(play_hear_reply(p, 7).smtp, 452);
    play_crash(p); // and starts with a full disk
    CHECK_EQ(play_messages(p), 0);
    CHECK_EQ(play_submit(p, 3, "a@example.net", "alice@example.org"), 452);
    p->w.disk.free_bytes = 1 << 30;
    fiber_sleep(2500);
    CHECK_EQ(play_submit(p, 4, "a@example.net", "alice@example.org"), 0);
}

static FIBER_FN void script_failed_sync(struct play *p) {
    fiber_sleep(5000); // spares are ready: nobody else syncs
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@held.example"), 0);
    p->w.disk.operations = 0;
    p->w.disk.only_syncs = true;
    p->w.disk.fail_at = p->w.disk.fail_n = 1;
    p->w.disk.fail_sys = EIO;
    CHECK_EQ(play_submit(p, 2, "a@example.net", "x@held.example"), 451);
    CHECK_EQ(play_submit(p, 3, "a@example.net", "x@held.example"), 0);
    CHECK_EQ(play_messages(p), 2);
    play_crash(p);
    CHECK_EQ(play_messages(p), 2); // what was refused does not come back
    CHECK_EQ(play_ask(p, LINK_QUEUE_SHOW, 2, "").entries_n, 0);
}

// An outcome whose sync fails is written again.
static FIBER_FN void script_failed_outcome(struct play *p) {
    fiber_sleep(5000);
    CHECK_EQ(play_submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(play_hear_work(p, p->deliver, 100));
    p->w.disk.operations = 0;
    p->w.disk.only_syncs = true;
    p->w.disk.fail_at = p->w.disk.fail_n = 1;
    p->w.disk.fail_sys = EIO;
    play_delivered(p, p->deliver);
    fiber_sleep(50);
    CHECK_EQ(play_messages(p), 1); // not forgotten before it is durable
    fiber_sleep(3000);
    CHECK_EQ(play_messages(p), 0);
    play_crash(p);
    CHECK_EQ(play_messages(p), 0);
}

static FIBER_FN uint32_t open_slot(struct play *p) {
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_OPEN, 7, SLICE_EMPTY));
    struct message_submit_reply r = play_hear_reply(p, 7);
    CHECK(r.ok);
    return r.slot;
}

static FIBER_FN void send_piece(struct play *p, uint32_t slot, const char *bytes, size_t n) {
    BUF_AUTO struct buf b = {.max = 1 << 20};
    message_piece_pack_head(&b, slot);
    struct slice parts[] = {buf_slice(&b), slice_of(bytes, n)};
    CHECK(link_send(p->smtpd, LINK_SUBMIT_PIECE, 8, parts, 2));
    CHECK(play_hear_reply(p, 8).ok);
}

static FIBER_FN void check_refused(struct play *p, uint64_t id, uint16_t smtp, uint16_t detail) {
    struct message_submit_reply r = play_hear_reply(p, id);
    CHECK(!r.ok);
    CHECK_EQ(r.smtp, smtp);
    CHECK_EQ(r.enhanced[0], 4);
    CHECK_EQ(r.enhanced[1], 3);
    CHECK_EQ(r.enhanced[2], detail);
}

// More mail than the configuration wants to wait here: 4.3.2, small or large; our own notifications may come.
static FIBER_FN void script_full_queue(struct play *p) {
    struct slice to = SLICE("x@held.example");
    struct link *smtpd = p->smtpd;
    p->config->gate.queue_messages = 1;
    CHECK_EQ(play_submit(p, 1, "a@example.net", "x@held.example"), 0);
    play_send_submit(p, 2, 0, "a@example.net", &to, 1, slice_str(play_small), 0);
    check_refused(p, 2, 451, 2);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_OPEN, 7, SLICE_EMPTY));
    check_refused(p, 7, 451, 2);
    p->smtpd = p->inject;
    CHECK_EQ(play_submit(p, 3, "", "x@held.example"), 0);
    p->smtpd = smtpd;
    p->config->gate.queue_messages = 0;
    CHECK_EQ(play_submit(p, 4, "a@example.net", "x@held.example"), 0);
}

// A disk that fills while a large message comes: 4.3.1; one that fails otherwise: 4.3.0.
static FIBER_FN void script_large_full_disk(struct play *p) {
    for (int full = 0; full <= 1; full++) {
        BUF_AUTO struct buf b = {.max = 64};
        uint32_t slot = open_slot(p);
        p->w.disk.operations = 0;
        p->w.disk.fail_at = p->w.disk.fail_n = 1;
        p->w.disk.fail_sys = full ? ENOSPC : EIO;
        message_piece_pack_head(&b, slot);
        CHECK(link_send(p->smtpd, LINK_SUBMIT_PIECE, 8, (struct slice[]){buf_slice(&b), SLICE("abc")}, 2));
        check_refused(p, 8, full ? 452 : 451, full ? 1 : 0);
    }
}

static size_t big_files(struct play *p) { return queue_test_count(&p->w, "queue/big", ""); }

static FIBER_FN void read_back(struct play *p, const char *want, size_t n) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct link_frame f;
    for (size_t at = 0; at <= n; at += MESSAGE_INLINE_MAX) {
        buf_reset(&b);
        message_read_pack(&b, &(struct message_read){p->work.queue_id, at, MESSAGE_INLINE_MAX});
        CHECK(link_send1(p->deliver, LINK_READ, 5, buf_slice(&b)));
        CHECK(play_hear(p, p->deliver, 100, &f));
        CHECK_EQ(f.type, LINK_READ_REPLY);
        size_t left = n - at < MESSAGE_INLINE_MAX ? n - at : MESSAGE_INLINE_MAX;
        CHECK_EQ(f.payload.n, left);
        CHECK(memcmp(f.payload.p, want + at, left) == 0);
    }
}

static FIBER_FN void script_large(struct play *p) {
    struct slice to = SLICE("alice@example.org");
    size_t n = 2 * MESSAGE_INLINE_MAX + 1000;
    char *text = mem_new(n, 1);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 23);
    uint32_t slot = open_slot(p);
    send_piece(p, slot, text, MESSAGE_INLINE_MAX);
    send_piece(p, slot, text + MESSAGE_INLINE_MAX, MESSAGE_INLINE_MAX);
    play_send_submit(p, 1, slot, "a@example.net", &to, 1, slice_of(text + 2 * MESSAGE_INLINE_MAX, 1000), 0);
    CHECK(play_hear_reply(p, 1).ok);
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.size, n);
    CHECK_EQ(p->work.content.n, 0);
    play_crash(p);
    CHECK(play_hear_work(p, p->deliver, 100));
    read_back(p, text, n);
    CHECK_EQ(big_files(p), 1);
    play_delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(play_messages(p), 0);
    CHECK_EQ(big_files(p), 0);
    free(text);
}

// What is known last stands first: it is written in front of what was sent, and kept there by replay and compaction.
static FIBER_FN void send_front(struct play *p, uint32_t slot, const char *bytes, size_t n, bool fits) {
    BUF_AUTO struct buf b = {.max = 1 << 20};
    message_front_pack_head(&b, slot);
    struct slice parts[] = {buf_slice(&b), slice_of(bytes, n)};
    CHECK(link_send(p->smtpd, LINK_SUBMIT_PIECE, 8, parts, 2));
    CHECK_EQ(play_hear_reply(p, 8).ok, fits);
}

static FIBER_FN void script_large_front(struct play *p) {
    BUF_AUTO struct buf b = {.max = 64};
    struct slice to = SLICE("alice@example.org");
    size_t front = 300, n = front + 2 * MESSAGE_INLINE_MAX + 1000;
    char *text = mem_new(n, 1);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 23);
    message_open_pack(&b, 512);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_OPEN, 7, buf_slice(&b)));
    uint32_t slot = play_hear_reply(p, 7).slot;
    send_piece(p, slot, text + front, MESSAGE_INLINE_MAX);
    send_piece(p, slot, text + front + MESSAGE_INLINE_MAX, MESSAGE_INLINE_MAX);
    send_front(p, slot, text + 200, 100, true);
    send_front(p, slot, text, 513, false);
    send_front(p, slot, text, 200, true);
    play_send_submit(p, 1, slot, "a@example.net", &to, 1, slice_of(text + n - 1000, 1000), 0);
    CHECK(play_hear_reply(p, 1).ok);
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.size, n);
    read_back(p, text, n);
    play_crash(p);
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.size, n);
    read_back(p, text, n);
    play_delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(big_files(p), 0);
    free(text);
}

static FIBER_FN void script_large_given_up(struct play *p) {
    BUF_AUTO struct buf b = {.max = 64};
    uint32_t slot = open_slot(p);
    send_piece(p, slot, "abc", 3);
    message_piece_pack_head(&b, slot);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_ABORT, 0, buf_slice(&b)));
    fiber_sleep(10);
    CHECK_EQ(big_files(p), 0);
    send_piece(p, open_slot(p), "abc", 3);
    send_piece(p, open_slot(p), "abc", 3);
    CHECK_EQ(big_files(p), 2);
    link_break(p->smtpd, "smtpd dies");
    fiber_sleep(10);
    CHECK_EQ(big_files(p), 0);
    link_free(p->smtpd);
    p->smtpd = play_join(p, ROLE_SMTPD);
    send_piece(p, open_slot(p), "abc", 3);
    sim_disk_kill(p->w.disk.mount);
    play_end(p);
    queue_test_world_restart(&p->w, false);
    CHECK_EQ(big_files(p), 1);
    play_start(p);
    CHECK_EQ(big_files(p), 0);
}

// --- compaction

static FIBER_FN void pass_many(struct play *p, uint64_t from) {
    static char content[20000];
    struct slice alice = SLICE("alice@example.org");
    memset(content, 'x', sizeof content);
    for (uint64_t id = from; id < from + 800; id++) {
        play_send_submit(p, id, 0, "a@example.net", &alice, 1, slice_of(content, sizeof content), 0);
        CHECK(play_hear_reply(p, id).ok);
        CHECK(play_hear_work(p, p->deliver, 100));
        play_delivered(p, p->deliver);
    }
    fiber_sleep(3000);
}

// One message stays, thousands pass; the log does not grow, and what stays keeps what is known of it.
static FIBER_FN void script_compaction(struct play *p) {
    struct slice to[] = {SLICE("stays@held.example"), SLICE("x@far.example")};
    static char content[999];
    memset(content, 'x', sizeof content);
    play_send_submit(p, 1, 0, "a@example.net", to, 2, slice_of(content, sizeof content), 0);
    CHECK(play_hear_reply(p, 1).ok);
    CHECK(play_hear_work(p, p->relay, 100));
    play_delivered(p, p->relay);
    pass_many(p, 2);
    CHECK_EQ(play_messages(p), 1);
    CHECK(p->q->log.segments_n <= 6);
    CHECK(p->q->log.counts.dropped > 5);
    CHECK(queue_test_count(&p->w, "queue", "") <= 10);
    play_crash(p);
    struct message_queue_reply r = play_ask(p, LINK_QUEUE_SHOW, 1, "");
    CHECK_EQ(r.entries[0].size, 999);
    CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_HELD);
    CHECK_EQ(r.entries[0].recipients[1].state, MESSAGE_RECIPIENT_DONE);
    CHECK_EQ(play_messages(p), 1);
}

// Where the content begins is copied with it.
static FIBER_FN void script_compaction_front(struct play *p) {
    BUF_AUTO struct buf b = {.max = 64};
    struct slice to = SLICE("x@far.example");
    message_open_pack(&b, 64 * 1024);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_OPEN, 7, buf_slice(&b)));
    uint32_t slot = play_hear_reply(p, 7).slot;
    send_piece(p, slot, "and the rest ", 13);
    send_front(p, slot, "the front ", 10, true);
    play_send_submit(p, 1, slot, "a@example.net", &to, 1, SLICE("of it"), 0);
    CHECK(play_hear_reply(p, 1).ok);
    CHECK(play_hear_work(p, p->relay, 100));
    pass_many(p, 2);
    CHECK(p->q->log.counts.dropped > 5);
    play_crash(p);
    CHECK(play_hear_work(p, p->relay, 100));
    CHECK_EQ(p->work.size, 28);
    pass_many(p, 1000);
    CHECK_EQ(play_messages(p), 1);
    p->work.queue_id = 1;
    read_back(p, "the front and the rest of it", 28);
}

// --- what the guard holds

static FIBER_FN uint64_t ask_of_user(struct play *p, enum link_type type, const char *user) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_queue_reply r;
    struct link_frame f;
    message_queue_query_pack(&b, &(struct message_queue_query){.user = slice_str(user)});
    CHECK(link_send1(p->control, type, 1, buf_slice(&b)));
    CHECK(play_hear(p, p->control, 1000, &f) && message_queue_reply_unpack(f.payload, &p->answers, &r));
    return r.count;
}

static FIBER_FN void send_held(struct play *p, uint64_t id, const char *user, const char *recipient) {
    BUF_AUTO struct buf b = {.max = 65536};
    struct envelope_recipient to[] = {{.address = slice_str(recipient)}, {.address = SLICE("x@held.example")}};
    struct message_submit m = {.queue_id = id};
    m.envelope = (struct envelope){.flags = ENVELOPE_HOLD,
                                   .sender = SLICE("a@example.org"),
                                   .user = slice_str(user),
                                   .arrived = {1700000000000},
                                   .recipients = to,
                                   .recipients_n = 2};
    CHECK(message_submit_pack_head(&b, &m) && buf_add_str(&b, play_small));
    CHECK(link_send1(p->smtpd, LINK_SUBMIT, id, buf_slice(&b)));
    CHECK(play_hear_reply(p, id).ok);
}

static FIBER_FN enum message_recipient_state state_of(struct play *p, uint64_t id, size_t recipient) {
    struct message_queue_reply r = play_ask(p, LINK_QUEUE_SHOW, id, "");
    CHECK_EQ(r.entries_n, 1);
    return r.entries[0].recipients[recipient].state;
}

static FIBER_FN void script_guard(struct play *p) {
    send_held(p, 1, "ann", "alice@example.org");
    send_held(p, 2, "bob", "alice@example.org");
    send_held(p, 3, "ann", "alice@example.org");
    CHECK(!play_hear_work(p, p->deliver, 1000));
    CHECK_EQ(state_of(p, 1, 0), MESSAGE_RECIPIENT_HELD);
    play_crash(p); // and it stays so
    CHECK(!play_hear_work(p, p->deliver, 1000));
    CHECK_EQ(state_of(p, 2, 0), MESSAGE_RECIPIENT_HELD);
    CHECK_EQ(ask_of_user(p, LINK_QUEUE_RETRY, "carol"), 0);
    CHECK_EQ(ask_of_user(p, LINK_QUEUE_RETRY, "ann"), 2);
    CHECK_EQ(ask_of_user(p, LINK_QUEUE_RETRY, "ann"), 0);
    play_crash(p); // before it was tried: released for good
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.queue_id, 1);
    CHECK_EQ(p->work.attempt, 1);
    play_delivered(p, p->deliver);
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.queue_id, 3);
    play_delivered(p, p->deliver);
    CHECK_EQ(state_of(p, 1, 1), MESSAGE_RECIPIENT_HELD); // by its route
    CHECK_EQ(state_of(p, 2, 0), MESSAGE_RECIPIENT_HELD);
    CHECK_EQ(ask_of_user(p, LINK_QUEUE_DELETE, "ann"), 0); // nothing that the guard holds
    CHECK_EQ(play_ask(p, LINK_QUEUE_RETRY, 2, "example.org").count, 1);
    CHECK(play_hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.queue_id, 2);
    play_send_outcome(p, p->deliver, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
    fiber_sleep(100);
    CHECK_EQ(state_of(p, 2, 0), MESSAGE_RECIPIENT_DEFERRED);
    CHECK_EQ(state_of(p, 2, 1), MESSAGE_RECIPIENT_HELD);
    CHECK_EQ(ask_of_user(p, LINK_QUEUE_DELETE, "bob"), 1); // what is still the guard's of it
    send_held(p, 4, "bob", "alice@example.org");
    CHECK_EQ(ask_of_user(p, LINK_QUEUE_DELETE, "bob"), 1);
    play_crash(p);
    CHECK_EQ(play_ask(p, LINK_QUEUE_SHOW, 4, "").entries_n, 0);
}

#define PLAY(name)                                                                                                     \
    static void test_##name(void **state) { play(script_##name); }

PLAY(delivered)
PLAY(groups)
PLAY(refused)
PLAY(full_disk)
PLAY(failed_sync)
PLAY(failed_outcome)
PLAY(large)
PLAY(large_front)
PLAY(full_queue)
PLAY(large_full_disk)
PLAY(large_given_up)
PLAY(compaction)
PLAY(compaction_front)
PLAY(guard)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_failed_outcome),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_large_full_disk),
        cmocka_unit_test(test_large_given_up),
        cmocka_unit_test(test_compaction),
        cmocka_unit_test(test_large_front),
        cmocka_unit_test(test_compaction_front),
        cmocka_unit_test(test_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
