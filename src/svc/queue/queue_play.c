// queue_play: the stage and the players.
#include "svc/queue/queue_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// A check fails on a fiber's stack, from which cmocka can't jump back to its own: it says where, and ends the program.
void play_check(bool good, unsigned long long got, unsigned long long want, const char *what, int line) {
    if (good)
        return;
    fprintf(stderr, "line %d: %s: got %llu, want %llu\n", line, what, got, want);
    abort();
}

static const char configuration[] =
    "version 1\nhostname mx.example.org\nstate /state\nlisten mx 127.0.0.1:2525\n"
    "table users inline { \"alice\" \"bob\" }\n"
    "domain example.org { recipients users\n deliver maildir \"/mail/{domain}/{local}\" }\n"
    "route held.example hold\nroute * via mx\n"
    "queue { retry 1m .. 8m; expire 1h; concurrency 2 .. 4; attempts 20; segment 1M; reserve 1M }\n";

// --- the stage

struct link *play_join(struct play *p, enum role role) {
    struct transport *ours, *theirs;
    transport_pair(1 << 20, &ours, &theirs);
    queue_attach(p->q, link_new(p->loop, theirs, ROLE_QUEUE, role), role);
    return link_new(p->loop, ours, role, ROLE_QUEUE);
}

void play_start(struct play *p) {
    struct err e;
    p->w.world.loop = p->loop;
    p->q = queue_new(&p->w.world, p->config);
    if (!queue_start(p->q, &e))
        play_check(false, 0, 1, e.text, __LINE__);
    p->smtpd = play_join(p, ROLE_SMTPD);
    p->relay = play_join(p, ROLE_RELAY);
    p->deliver = play_join(p, ROLE_DELIVER);
    p->inject = play_join(p, ROLE_INJECT);
    p->control = play_join(p, ROLE_CONTROL);
}

FIBER_FN void play_end(struct play *p) {
    fiber_group_cancel(queue_fibers(p->q));
    fiber_group_join(queue_fibers(p->q));
    queue_free(p->q);
    struct link *links[] = {p->smtpd, p->relay, p->deliver, p->inject, p->control};
    for (size_t i = 0; i < 5; i++)
        link_free(links[i]);
}

FIBER_FN void play_crash(struct play *p) {
    sim_disk_kill(p->w.disk.mount);
    play_end(p);
    queue_test_world_restart(&p->w, true);
    play_start(p);
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
    play_start(p);
    p->script(p);
    queue_stop(p->q);
    play_end(p);
}

void play(void (*script)(struct play *p)) {
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

FIBER_FN bool play_hear(struct play *p, struct link *l, int64_t ms, struct link_frame *f) {
    struct err e;
    return link_next(l, f) || (link_receive(l, loop_in_ms(p->loop, ms), &e) && link_next(l, f));
}

void play_send_submit(struct play *p, uint64_t id, uint32_t slot, const char *sender, struct slice *to, size_t n,
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

FIBER_FN struct message_submit_reply play_hear_reply(struct play *p, uint64_t id) {
    struct message_submit_reply r;
    struct link_frame f;
    CHECK(play_hear(p, p->smtpd, 1000, &f));
    CHECK_EQ(f.type, LINK_SUBMIT_REPLY);
    CHECK_EQ(f.id, id);
    CHECK(message_submit_reply_unpack(f.payload, &r));
    return r;
}

const char play_small[] = "Subject: small\r\n\r\ntext\r\n";

// 0 when it is accepted, else the SMTP code.
FIBER_FN int play_submit(struct play *p, uint64_t id, const char *sender, const char *recipient) {
    struct slice to = slice_str(recipient);
    play_send_submit(p, id, 0, sender, &to, 1, slice_str(play_small), 0);
    struct message_submit_reply r = play_hear_reply(p, id);
    return r.ok ? 0 : r.smtp;
}

FIBER_FN bool play_hear_work(struct play *p, struct link *l, int64_t ms) {
    struct link_frame f;
    arena_reset(&p->arena);
    if (!play_hear(p, l, ms, &f))
        return false;
    CHECK_EQ(f.type, LINK_WORK);
    p->frame_id = f.id;
    CHECK(message_work_unpack(arena_dup(&p->arena, f.payload), &p->arena, &p->work));
    return true;
}

void play_send_outcome(struct play *p, struct link *l, enum message_result result, enum message_site site) {
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

void play_delivered(struct play *p, struct link *l) { play_send_outcome(p, l, MESSAGE_DELIVERED, MESSAGE_SITE_WORKED); }

FIBER_FN struct message_queue_reply play_ask(struct play *p, enum link_type type, uint64_t id, const char *domain) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_queue_reply r;
    struct link_frame f;
    message_queue_query_pack(&b, &(struct message_queue_query){.queue_id = id, .limit = 100, .destination = slice_str(domain)});
    CHECK(link_send1(p->control, type, 1, buf_slice(&b)));
    arena_reset(&p->answers);
    CHECK(play_hear(p, p->control, 1000, &f));
    CHECK_EQ(f.type, LINK_QUEUE_REPLY);
    CHECK(message_queue_reply_unpack(arena_dup(&p->answers, f.payload), &p->answers, &r));
    return r;
}

FIBER_FN uint64_t play_messages(struct play *p) { return play_ask(p, LINK_QUEUE_LIST, 0, "").count; }
