// queue_test: the whole service, its peers played by the test, on a disk and a clock of its own.
#include "base/mem.h"
#include "svc/queue/queue_inside.h"
#include "svc/queue/queue_test_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// A check fails on a fiber's stack, from which cmocka can't jump back to its own: it says where, and ends the program.
static void check(bool good, unsigned long long got, unsigned long long want, const char *what, int line) {
    if (good)
        return;
    fprintf(stderr, "queue_test.c:%d: %s: got %llu, want %llu\n", line, what, got, want);
    abort();
}

#define CHECK(x) check((x), 0, 1, #x, __LINE__)
#define CHECK_EQ(got, want)                                                                                            \
    do {                                                                                                               \
        unsigned long long got_ = (unsigned long long)(got), want_ = (unsigned long long)(want);                       \
        check(got_ == want_, got_, want_, #got, __LINE__);                                                             \
    } while (0)
#define CHECK_RANGE(got, from, to) CHECK((got) >= (from) && (got) <= (to))

static const char configuration[] =
    "version 1\nhostname mx.example.org\nstate /state\nlisten mx 127.0.0.1:2525\n"
    "table users inline { \"alice\" \"bob\" }\n"
    "domain example.org { recipients users\n deliver maildir \"/mail/{domain}/{local}\" }\n"
    "route held.example hold\nroute * via mx\n"
    "queue { retry 1m .. 8m; expire 1h; concurrency 2 .. 4; attempts 20; segment 1M; reserve 1M }\n";

struct play {
    struct queue_test_world w;
    struct loop *loop;
    struct config *config;
    struct queue_service *q;
    struct fiber_group scripts;
    void (*script)(struct play *p);
    struct link *smtpd, *relay, *deliver, *inject, *control;
    struct arena arena, answers; // of the latest work, and of the latest answer
    uint64_t frame_id;
    struct message_work work; // the latest
};

// --- the stage

static struct link *join(struct play *p, enum role role) {
    struct transport *ours, *theirs;
    transport_pair(1 << 20, &ours, &theirs);
    queue_attach(p->q, link_new(p->loop, theirs, ROLE_QUEUE, role), role);
    return link_new(p->loop, ours, role, ROLE_QUEUE);
}

static void start(struct play *p) {
    struct err e;
    p->w.world.loop = p->loop;
    p->q = queue_new(&p->w.world, p->config);
    if (!queue_start(p->q, &e))
        check(false, 0, 1, e.text, __LINE__);
    p->smtpd = join(p, ROLE_SMTPD);
    p->relay = join(p, ROLE_RELAY);
    p->deliver = join(p, ROLE_DELIVER);
    p->inject = join(p, ROLE_INJECT);
    p->control = join(p, ROLE_CONTROL);
}

static FIBER_FN void end(struct play *p) {
    fiber_group_cancel(queue_fibers(p->q));
    fiber_group_join(queue_fibers(p->q));
    queue_free(p->q);
    struct link *links[] = {p->smtpd, p->relay, p->deliver, p->inject, p->control};
    for (size_t i = 0; i < 5; i++)
        link_free(links[i]);
}

static FIBER_FN void crash(struct play *p) {
    sim_disk_kill(p->w.disk.mount);
    end(p);
    queue_test_world_restart(&p->w, true);
    start(p);
}

// The wall clock goes with the loop's.
static struct wall play_wall(void *arg) {
    struct play *p = arg;
    return (struct wall){p->w.wall.ms + loop_now(p->loop).ns / 1000000};
}

static void play_random(void *arg, void *to, size_t n) {
    struct play *p = arg;
    for (size_t i = 0; i < n; i++)
        ((char *)to)[i] = (char)seed_next(&p->w.disk.seed);
}

static const struct world_ops play_ops = {play_wall, play_random};

static void run_script(void *arg) {
    struct play *p = arg;
    start(p);
    p->script(p);
    queue_stop(p->q);
    end(p);
}

static void play(void (*script)(struct play *p)) {
    struct play *p = MEM_NEW(struct play);
    struct config_report report = {0};
    struct err e;
    p->script = script;
    p->arena.max = p->answers.max = 64 << 20;
    p->config = config_parse(slice_str(configuration), SLICE("/"), &report);
    if (!p->config)
        fail_msg("%.*s", SLICE_ARG(report.mistakes[0].text));
    queue_test_world_init(&p->w, 42);
    p->w.world.ops = &play_ops;
    p->w.world.ops_arg = p;
    p->loop = loop_new(true);
    fiber_group_init(&p->scripts, p->loop, "script");
    assert_true(fiber_spawn(&p->scripts, "script", run_script, p, &e));
    loop_run(p->loop);
    assert_int_equal(p->scripts.n, 0);
    loop_free(p->loop);
    queue_test_world_done(&p->w);
    config_report_done(&report);
    config_free(p->config);
    arena_done(&p->arena);
    arena_done(&p->answers);
    free(p);
}

// --- the players

static FIBER_FN bool hear(struct play *p, struct link *l, int64_t ms, struct link_frame *f) {
    struct err e;
    return link_next(l, f) || (link_receive(l, loop_in_ms(p->loop, ms), &e) && link_next(l, f));
}

static void send_submit(struct play *p, uint64_t id, uint32_t slot, const char *sender, struct slice *to, size_t n,
                        struct slice content, uint32_t flags) {
    BUF_AUTO struct buf b = {.max = 4 << 20};
    struct message_submit m = {.queue_id = id, .slot = slot};
    m.envelope = (struct envelope){.flags = flags,
                                   .sender = slice_str(sender),
                                   .session = SLICE("s"),
                                   .arrived = play_wall(p),
                                   .recipients = mem_new(n, sizeof(struct envelope_recipient)),
                                   .recipients_n = n};
    for (size_t i = 0; i < n; i++)
        m.envelope.recipients[i].address = to[i];
    CHECK(message_submit_pack_head(&b, &m));
    struct slice parts[] = {buf_slice(&b), content};
    CHECK(link_send(p->smtpd, LINK_SUBMIT, id, parts, 2));
    free(m.envelope.recipients);
}

static FIBER_FN struct message_submit_reply hear_reply(struct play *p, uint64_t id) {
    struct message_submit_reply r;
    struct link_frame f;
    CHECK(hear(p, p->smtpd, 1000, &f));
    CHECK_EQ(f.type, LINK_SUBMIT_REPLY);
    CHECK_EQ(f.id, id);
    CHECK(message_submit_reply_unpack(f.payload, &r));
    return r;
}

static const char small[] = "Subject: small\r\n\r\ntext\r\n";

// 0 when it is accepted, else the SMTP code.
static FIBER_FN int submit(struct play *p, uint64_t id, const char *sender, const char *recipient) {
    struct slice to = slice_str(recipient);
    send_submit(p, id, 0, sender, &to, 1, slice_str(small), 0);
    struct message_submit_reply r = hear_reply(p, id);
    return r.ok ? 0 : r.smtp;
}

static FIBER_FN bool hear_work(struct play *p, struct link *l, int64_t ms) {
    struct link_frame f;
    arena_reset(&p->arena);
    if (!hear(p, l, ms, &f))
        return false;
    CHECK_EQ(f.type, LINK_WORK);
    p->frame_id = f.id;
    CHECK(message_work_unpack(arena_dup(&p->arena, f.payload), &p->arena, &p->work));
    return true;
}

static void send_outcome(struct play *p, struct link *l, enum message_result result, enum message_site site) {
    BUF_AUTO struct buf b = {.max = 1 << 20};
    struct message_outcome_recipient *r = mem_new(p->work.recipients_n, sizeof *r);
    struct message_outcome o = {
        .site = site, .remote = SLICE("mx[192.0.2.1]:25"), .recipients = r, .recipients_n = p->work.recipients_n};
    for (size_t i = 0; i < o.recipients_n; i++)
        r[i] = (struct message_outcome_recipient){.index = p->work.recipients[i].index,
                                                  .result = result,
                                                  .smtp = result == MESSAGE_FAILED ? 550 : 450,
                                                  .enhanced = {result == MESSAGE_FAILED ? 5 : 4, 1, 1},
                                                  .reason = SLICE("the words of the remote")};
    CHECK(message_outcome_pack(&b, &o));
    CHECK(link_send1(l, LINK_OUTCOME, p->frame_id, buf_slice(&b)));
    free(r);
}

static void delivered(struct play *p, struct link *l) { send_outcome(p, l, MESSAGE_DELIVERED, MESSAGE_SITE_WORKED); }

static FIBER_FN struct message_queue_reply ask(struct play *p, enum link_type type, uint64_t id, const char *domain) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_queue_reply r;
    struct link_frame f;
    message_queue_query_pack(&b, &(struct message_queue_query){id, 100, slice_str(domain)});
    CHECK(link_send1(p->control, type, 1, buf_slice(&b)));
    arena_reset(&p->answers);
    CHECK(hear(p, p->control, 1000, &f));
    CHECK_EQ(f.type, LINK_QUEUE_REPLY);
    CHECK(message_queue_reply_unpack(arena_dup(&p->answers, f.payload), &p->answers, &r));
    return r;
}

static FIBER_FN uint64_t messages(struct play *p) { return ask(p, LINK_QUEUE_LIST, 0, "").count; }

// --- what is promised

static FIBER_FN void script_delivered(struct play *p) {
    CHECK_EQ(submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.kind, MESSAGE_WORK_DELIVER);
    CHECK_EQ(p->work.queue_id, 1);
    CHECK_EQ(p->work.attempt, 1);
    CHECK(slice_eq(p->work.content, slice_str(small)));
    CHECK(slice_eq(p->work.host, SLICE("/mail/{domain}/{local}")));
    CHECK(slice_eq(p->work.recipients[0].address, SLICE("alice@example.org")));
    crash(p); // before the outcome: tried again
    CHECK(hear_work(p, p->deliver, 100));
    CHECK_EQ(messages(p), 1);
    delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
    crash(p); // after it is durable: not again
    CHECK(!hear_work(p, p->deliver, 1000));
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN void script_groups(struct play *p) {
    static struct slice to[252];
    static char text[252][32];
    size_t relayed = 0, works = 0;
    for (size_t i = 0; i < 252; i++) {
        int n = snprintf(text[i], sizeof text[i], "user%zu@%s", i, i < 250 ? "far.example" : "example.org");
        to[i] = slice_of(text[i], (size_t)n);
    }
    send_submit(p, 5, 0, "a@example.net", to, 252, slice_str(small), 0);
    CHECK(hear_reply(p, 5).ok);
    while (hear_work(p, p->relay, 100)) {
        CHECK_EQ(p->work.kind, MESSAGE_WORK_RELAY_MX);
        CHECK(slice_eq(p->work.host, SLICE("far.example")));
        CHECK(p->work.recipients_n <= 100);
        relayed += p->work.recipients_n;
        works++;
        delivered(p, p->relay);
    }
    CHECK_EQ(relayed, 250);
    CHECK_EQ(works, 3);
    CHECK_EQ(messages(p), 1);
    CHECK(hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.recipients_n, 2);
    delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN void script_refused(struct play *p) {
    struct slice to = SLICE("alice@example.org");
    CHECK_EQ(submit(p, 9, "a@example.net", "x@held.example"), 0);
    CHECK_EQ(submit(p, 9, "a@example.net", "x@held.example"), 451);
    send_submit(p, 10, 77, "a@example.net", &to, 1, SLICE_EMPTY, 0); // a slot that nobody opened
    CHECK_EQ(hear_reply(p, 10).smtp, 451);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT, 3, SLICE("nonsense")));
    fiber_sleep(10);
    struct link_frame f;
    CHECK(!hear(p, p->smtpd, 100, &f)); // it is cut off; the others are not
    CHECK_EQ(messages(p), 1);
}

static FIBER_FN void script_full_disk(struct play *p) {
    CHECK_EQ(submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(hear_work(p, p->deliver, 100));
    p->w.disk.free_bytes = 1000;
    fiber_sleep(2500);
    CHECK_EQ(submit(p, 2, "a@example.net", "alice@example.org"), 452);
    delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_OPEN, 7, SLICE_EMPTY));
    CHECK_EQ(hear_reply(p, 7).smtp, 452);
    crash(p); // and starts with a full disk
    CHECK_EQ(messages(p), 0);
    CHECK_EQ(submit(p, 3, "a@example.net", "alice@example.org"), 452);
    p->w.disk.free_bytes = 1 << 30;
    fiber_sleep(2500);
    CHECK_EQ(submit(p, 4, "a@example.net", "alice@example.org"), 0);
}

static FIBER_FN void script_failed_sync(struct play *p) {
    fiber_sleep(5000); // spares are ready: nobody else syncs
    CHECK_EQ(submit(p, 1, "a@example.net", "x@held.example"), 0);
    p->w.disk.operations = 0;
    p->w.disk.only_syncs = true;
    p->w.disk.fail_at = p->w.disk.fail_n = 1;
    p->w.disk.fail_sys = EIO;
    CHECK_EQ(submit(p, 2, "a@example.net", "x@held.example"), 451);
    CHECK_EQ(submit(p, 3, "a@example.net", "x@held.example"), 0);
    CHECK_EQ(messages(p), 2);
    crash(p);
    CHECK_EQ(messages(p), 2); // what was refused does not come back
    CHECK_EQ(ask(p, LINK_QUEUE_SHOW, 2, "").entries_n, 0);
}

// An outcome whose sync fails is written again.
static FIBER_FN void script_failed_outcome(struct play *p) {
    fiber_sleep(5000);
    CHECK_EQ(submit(p, 1, "a@example.net", "alice@example.org"), 0);
    CHECK(hear_work(p, p->deliver, 100));
    p->w.disk.operations = 0;
    p->w.disk.only_syncs = true;
    p->w.disk.fail_at = p->w.disk.fail_n = 1;
    p->w.disk.fail_sys = EIO;
    delivered(p, p->deliver);
    fiber_sleep(50);
    CHECK_EQ(messages(p), 1); // not forgotten before it is durable
    fiber_sleep(3000);
    CHECK_EQ(messages(p), 0);
    crash(p);
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN uint32_t open_slot(struct play *p) {
    CHECK(link_send1(p->smtpd, LINK_SUBMIT_OPEN, 7, SLICE_EMPTY));
    struct message_submit_reply r = hear_reply(p, 7);
    CHECK(r.ok);
    return r.slot;
}

static FIBER_FN void send_piece(struct play *p, uint32_t slot, const char *bytes, size_t n) {
    BUF_AUTO struct buf b = {.max = 1 << 20};
    message_piece_pack_head(&b, slot);
    struct slice parts[] = {buf_slice(&b), slice_of(bytes, n)};
    CHECK(link_send(p->smtpd, LINK_SUBMIT_PIECE, 8, parts, 2));
    CHECK(hear_reply(p, 8).ok);
}

static size_t big_files(struct play *p) { return queue_test_count(&p->w, "queue/big", ""); }

static FIBER_FN void read_back(struct play *p, const char *want, size_t n) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct link_frame f;
    for (size_t at = 0; at <= n; at += MESSAGE_INLINE_MAX) {
        buf_reset(&b);
        message_read_pack(&b, &(struct message_read){p->work.queue_id, at, MESSAGE_INLINE_MAX});
        CHECK(link_send1(p->deliver, LINK_READ, 5, buf_slice(&b)));
        CHECK(hear(p, p->deliver, 100, &f));
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
    send_submit(p, 1, slot, "a@example.net", &to, 1, slice_of(text + 2 * MESSAGE_INLINE_MAX, 1000), 0);
    CHECK(hear_reply(p, 1).ok);
    CHECK(hear_work(p, p->deliver, 100));
    CHECK_EQ(p->work.size, n);
    CHECK_EQ(p->work.content.n, 0);
    crash(p);
    CHECK(hear_work(p, p->deliver, 100));
    read_back(p, text, n);
    CHECK_EQ(big_files(p), 1);
    delivered(p, p->deliver);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
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
    p->smtpd = join(p, ROLE_SMTPD);
    send_piece(p, open_slot(p), "abc", 3);
    sim_disk_kill(p->w.disk.mount);
    end(p);
    queue_test_world_restart(&p->w, false);
    CHECK_EQ(big_files(p), 1);
    start(p);
    CHECK_EQ(big_files(p), 0);
}

// --- tried again, given up, told

static FIBER_FN void script_deferred(struct play *p) {
    int64_t wait = MS_MINUTE;
    CHECK_EQ(submit(p, 1, "a@example.net", "x@far.example"), 0);
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        CHECK(hear_work(p, p->relay, 3 * MS_MINUTE));
        CHECK_EQ(p->work.attempt, attempt);
        send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
        if (attempt == 2)
            fiber_sleep(50), crash(p);
        CHECK(!hear_work(p, p->relay, wait * 3 / 4 - 1000));
        struct message_queue_reply r = ask(p, LINK_QUEUE_SHOW, 1, "");
        CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_DEFERRED);
        CHECK_EQ(r.entries[0].recipients[0].attempts, attempt);
        CHECK(slice_eq(r.entries[0].recipients[0].reason, SLICE("the words of the remote")));
        wait *= 2;
    }
    CHECK(hear_work(p, p->relay, wait));
    delivered(p, p->relay);
}

static FIBER_FN void script_expired(struct play *p) {
    CHECK_EQ(submit(p, 1, "a@example.net", "x@far.example"), 0);
    int attempts = 0;
    while (hear_work(p, p->relay, 11 * MS_MINUTE)) {
        send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
        attempts++;
    }
    CHECK_RANGE(attempts, 6, 13);
    CHECK(hear_work(p, p->inject, 1000));
    CHECK_EQ(p->work.kind, MESSAGE_WORK_NOTIFY);
    CHECK(p->work.recipients[0].expired);
    CHECK(slice_eq(p->work.recipients[0].reason, SLICE("the words of the remote")));
    CHECK(slice_eq(p->work.recipients[0].remote, SLICE("mx[192.0.2.1]:25")));
    CHECK(slice_eq(p->work.content, SLICE("Subject: small\r\n")));
    crash(p); // the failure is durable: told again
    CHECK(hear_work(p, p->inject, 1000));
    send_outcome(p, p->inject, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED);
    CHECK(hear_work(p, p->inject, MS_MINUTE));
    delivered(p, p->inject);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN void script_nobody_to_tell(struct play *p) {
    struct slice to = SLICE("x@far.example");
    CHECK_EQ(submit(p, 1, "", "x@far.example"), 0);
    CHECK(hear_work(p, p->relay, 100));
    send_outcome(p, p->relay, MESSAGE_FAILED, MESSAGE_SITE_WORKED);
    send_submit(p, 2, 0, "a@example.net", &to, 1, slice_str(small), ENVELOPE_NOTICE);
    CHECK(hear_reply(p, 2).ok);
    CHECK(hear_work(p, p->relay, 100));
    send_outcome(p, p->relay, MESSAGE_FAILED, MESSAGE_SITE_WORKED);
    CHECK(!hear_work(p, p->inject, 1000));
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN void script_bad_domain(struct play *p) {
    CHECK_EQ(submit(p, 1, "a@example.net", "x@[nonsense]"), 0);
    CHECK(hear_work(p, p->inject, 1000));
    CHECK_EQ(p->work.recipients[0].enhanced[0], 5);
    delivered(p, p->inject);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
}

// --- workers and destinations

static FIBER_FN void script_worker_dies(struct play *p) {
    CHECK_EQ(submit(p, 1, "a@example.net", "x@far.example"), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(hear_work(p, p->relay, 1000));
        link_break(p->relay, "relay dies");
        fiber_sleep(10);
        link_free(p->relay);
        p->relay = join(p, ROLE_RELAY);
    }
    CHECK(!hear_work(p, p->relay, 20 * MS_SECOND)); // it has brought three down
    CHECK(hear_work(p, p->relay, 3 * MS_MINUTE));
    delivered(p, p->relay);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN void script_dead_destination(struct play *p) {
    uint64_t id = 0, dead = 0, alive = 0;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(submit(p, ++id, "a@example.net", "x@dead.example"), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(submit(p, ++id, "a@example.net", "x@alive.example"), 0);
    int64_t begin = loop_now(p->loop).ns;
    while (hear_work(p, p->relay, 30 * MS_SECOND)) {
        bool is_dead = slice_eq(p->work.host, SLICE("dead.example"));
        dead += is_dead;
        alive += !is_dead;
        send_outcome(p, p->relay, is_dead ? MESSAGE_DEFERRED : MESSAGE_DELIVERED,
                     is_dead ? MESSAGE_SITE_FAILED : MESSAGE_SITE_WORKED);
    }
    CHECK_EQ(alive, 20);
    CHECK_RANGE(dead, 1, 2);
    CHECK(loop_now(p->loop).ns - begin < 31 * (int64_t)1000000000);
    CHECK_EQ(messages(p), 20);
    struct message_queue_reply r = ask(p, LINK_QUEUE_LIST, 0, "");
    for (size_t i = 0; i < 20; i++) // those that wait for it say why
        CHECK_EQ(r.entries[i].recipients[0].state, MESSAGE_RECIPIENT_DEFERRED);
    CHECK(slice_eq(r.entries[19].recipients[0].reason, SLICE("the words of the remote")));
    for (int probe = 0; probe < 3; probe++) { // single attempts, ever more rarely
        CHECK(hear_work(p, p->relay, 8 * MS_MINUTE));
        send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_FAILED);
        CHECK(!hear_work(p, p->relay, 40 * MS_SECOND));
    }
    for (int i = 0; i < 20; i++) { // it is back
        CHECK(hear_work(p, p->relay, 11 * MS_MINUTE));
        delivered(p, p->relay);
    }
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
}

// A destination that never answers keeps its window's attempts, and nothing else waits for it.
static FIBER_FN void script_slow_destination(struct play *p) {
    uint64_t id = 0;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(submit(p, ++id, "a@example.net", "x@slow.example"), 0);
    for (int i = 0; i < 2; i++)
        CHECK(hear_work(p, p->relay, 100));
    CHECK(!hear_work(p, p->relay, 1000));
    CHECK_EQ(submit(p, ++id, "a@example.net", "x@quick.example"), 0);
    CHECK(hear_work(p, p->relay, 100));
    CHECK(slice_eq(p->work.host, SLICE("quick.example")));
    delivered(p, p->relay);
}

// Messages of a destination that stays dead expire though they are never tried.
static FIBER_FN void script_dead_expires(struct play *p) {
    for (uint64_t id = 1; id <= 10; id++)
        CHECK_EQ(submit(p, id, "", "x@dead.example"), 0);
    int attempts = 0;
    while (hear_work(p, p->relay, 11 * MS_MINUTE)) {
        send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_FAILED);
        attempts++;
    }
    CHECK_RANGE(attempts, 5, 15);
    CHECK_EQ(messages(p), 0);
}

// --- people

static FIBER_FN void script_hold_and_release(struct play *p) {
    CHECK_EQ(submit(p, 1, "a@example.net", "x@held.example"), 0);
    CHECK_EQ(submit(p, 2, "a@example.net", "y@held.example"), 0);
    CHECK(!hear_work(p, p->relay, 10 * MS_MINUTE));
    struct message_queue_reply r = ask(p, LINK_QUEUE_LIST, 0, "");
    CHECK_EQ(r.entries_n, 2);
    CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_HELD);
    CHECK_EQ(ask(p, LINK_QUEUE_LIST, 1, "").entries_n, 1);
    CHECK_EQ(ask(p, LINK_QUEUE_RETRY, 2, "").count, 1);
    CHECK(hear_work(p, p->relay, 100));
    CHECK_EQ(p->work.queue_id, 2);
    CHECK_EQ(p->work.kind, MESSAGE_WORK_RELAY_MX);
    CHECK(slice_eq(p->work.host, SLICE("held.example")));
    delivered(p, p->relay);
    CHECK_EQ(ask(p, LINK_QUEUE_RETRY, 0, "other.example").count, 0);
    CHECK_EQ(ask(p, LINK_QUEUE_RETRY, 0, "held.example").count, 1);
    CHECK(hear_work(p, p->relay, 100));
    delivered(p, p->relay);
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN void script_delete(struct play *p) {
    struct slice to[] = {SLICE("x@held.example"), SLICE("y@far.example")};
    send_submit(p, 1, 0, "a@example.net", to, 2, slice_str(small), 0);
    CHECK(hear_reply(p, 1).ok);
    CHECK(hear_work(p, p->relay, 100));
    CHECK_EQ(ask(p, LINK_QUEUE_DELETE, 0, "held.example").count, 1);
    crash(p);
    struct message_queue_reply r = ask(p, LINK_QUEUE_SHOW, 1, "");
    CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_DONE);
    CHECK(slice_eq(r.header, SLICE("Subject: small\r\n")));
    CHECK(hear_work(p, p->relay, 100));
    CHECK_EQ(ask(p, LINK_QUEUE_DELETE, 1, "").count, 1);
    send_outcome(p, p->relay, MESSAGE_DEFERRED, MESSAGE_SITE_WORKED); // too late to matter
    fiber_sleep(100);
    CHECK_EQ(messages(p), 0);
    crash(p);
    CHECK_EQ(messages(p), 0);
}

static FIBER_FN void script_metrics(struct play *p) {
    struct link_frame f;
    static struct metric m;
    struct err e;
    CHECK_EQ(submit(p, 1, "a@example.net", "x@held.example"), 0);
    CHECK(link_send1(p->control, LINK_METRICS, 4, SLICE_EMPTY));
    CHECK(hear(p, p->control, 100, &f));
    CHECK_EQ(f.type, LINK_METRICS_REPLY);
    CHECK(metric_unpack(f.payload, &m, &e));
    CHECK_EQ(m.v[metric_slot(METRIC_QUEUE_MESSAGES, 0)], 1);
    CHECK_EQ(m.v[metric_slot(METRIC_QUEUE_RECIPIENTS, METRIC_STATE_HELD)], 1);
}

// --- compaction

// One message stays, thousands pass; the log does not grow, and what stays keeps what is known of it.
static FIBER_FN void script_compaction(struct play *p) {
    struct slice to[] = {SLICE("stays@held.example"), SLICE("x@far.example")};
    static char content[20000];
    memset(content, 'x', sizeof content);
    send_submit(p, 1, 0, "a@example.net", to, 2, slice_of(content, 999), 0);
    CHECK(hear_reply(p, 1).ok);
    CHECK(hear_work(p, p->relay, 100));
    delivered(p, p->relay);
    for (uint64_t id = 2; id < 800; id++) {
        struct slice alice = SLICE("alice@example.org");
        send_submit(p, id, 0, "a@example.net", &alice, 1, slice_of(content, sizeof content), 0);
        CHECK(hear_reply(p, id).ok);
        CHECK(hear_work(p, p->deliver, 100));
        delivered(p, p->deliver);
    }
    fiber_sleep(3000);
    CHECK_EQ(messages(p), 1);
    CHECK(p->q->log.segments_n <= 6);
    CHECK(p->q->log.counts.dropped > 5);
    CHECK(queue_test_count(&p->w, "queue", "") <= 10);
    crash(p);
    struct message_queue_reply r = ask(p, LINK_QUEUE_SHOW, 1, "");
    CHECK_EQ(r.entries[0].size, 999);
    CHECK_EQ(r.entries[0].recipients[0].state, MESSAGE_RECIPIENT_HELD);
    CHECK_EQ(r.entries[0].recipients[1].state, MESSAGE_RECIPIENT_DONE);
    CHECK_EQ(messages(p), 1);
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
PLAY(large_given_up)
PLAY(deferred)
PLAY(expired)
PLAY(nobody_to_tell)
PLAY(bad_domain)
PLAY(worker_dies)
PLAY(dead_destination)
PLAY(slow_destination)
PLAY(dead_expires)
PLAY(hold_and_release)
PLAY(delete)
PLAY(metrics)
PLAY(compaction)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_failed_outcome),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_large_given_up),
        cmocka_unit_test(test_deferred),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_nobody_to_tell),
        cmocka_unit_test(test_bad_domain),
        cmocka_unit_test(test_worker_dies),
        cmocka_unit_test(test_dead_destination),
        cmocka_unit_test(test_slow_destination),
        cmocka_unit_test(test_dead_expires),
        cmocka_unit_test(test_hold_and_release),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_compaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
