// work_test: from a WORK frame to its OUTCOME, with content at hand and content that has to be asked for.
#include "svc/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PIPE = 1 << 20, ID = 9 };

struct scene {
    struct loop *loop;
    struct fiber_group group, others;
    struct peer peer;
    struct link *queue;
    struct arena arena;
    struct buf content; // what the queue has
    size_t piece;       // bytes that it gives at once; 0: the message is gone
    bool dies;          // when asked for content
    // what the service's run does
    bool cancelled;
    struct buf read; // the content that it got
    bool read_ok;
    // what came back
    unsigned runs, reads, outcomes;
    struct message_outcome outcome;
};

static FIBER_FN bool run(void *service, struct work *w) {
    struct scene *s = service;
    BUF_AUTO struct buf space = {.max = 2 * MESSAGE_INLINE_MAX};
    struct slice piece;
    struct err e;
    s->runs++;
    s->read_ok = true;
    for (uint64_t at = 0; s->read_ok && at < w->work.size; at += piece.n) {
        s->read_ok = work_content(w, at, &space, &piece, &e);
        if (s->read_ok)
            buf_add(&s->read, piece);
        else
            work_result_err(w, 0, &e);
    }
    if (s->read_ok)
        work_result(w, 0, MESSAGE_DELIVERED, (const uint16_t[]){2, 0, 0}, SLICE("there"));
    return !s->cancelled;
}

static void handle(void *service, struct peer_link *from, const struct link_frame *frame) {
    work_begin(from, frame, MESSAGE_WORK_DELIVER, service, run);
}

static void hear(struct scene *s, const struct link_frame *f) {
    struct message_read m;
    if (f->type == LINK_OUTCOME) {
        s->outcomes++;
        assert_int_equal(f->id, ID);
        assert_true(message_outcome_unpack(arena_dup(&s->arena, f->payload), &s->arena, &s->outcome));
        return;
    }
    s->reads++;
    assert_true(f->type == LINK_READ && message_read_unpack(f->payload, &m));
    struct slice rest = slice_from(buf_slice(&s->content), (size_t)m.offset);
    if (s->dies)
        link_break(s->queue, "killed");
    else
        link_send1(s->queue, LINK_READ_REPLY, f->id, slice_upto(rest, s->piece < m.n ? s->piece : m.n));
}

static void queue(void *arg) {
    struct scene *s = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(s->queue, MONO_NEVER, &e))
        while (link_next(s->queue, &f))
            hear(s, &f);
}

static void stop(void *arg) {
    struct scene *s = arg;
    fiber_sleep(10000);
    fiber_group_cancel(&s->group);
    fiber_group_join(&s->group);
    fiber_group_cancel(&s->others);
}

static void begin(struct scene *s) {
    struct transport *a, *b;
    *s = (struct scene){.loop = loop_new(true), .piece = SIZE_MAX};
    s->arena.max = s->content.max = s->read.max = 16 << 20;
    fiber_group_init(&s->group, s->loop, "service");
    fiber_group_init(&s->others, s->loop, "others");
    s->peer = (struct peer){.group = &s->group, .handle = handle, .service = s};
    transport_pair(PIPE, &a, &b);
    s->queue = link_new(s->loop, a, ROLE_QUEUE, ROLE_DELIVER);
    peer_attach(&s->peer, link_new(s->loop, b, ROLE_DELIVER, ROLE_QUEUE));
}

// `cut`: bytes that the frame lacks.
static void send_work(struct scene *s, enum message_work_kind kind, bool content_inside, size_t cut) {
    BUF_AUTO struct buf b = {.max = LINK_PAYLOAD_MAX};
    struct message_work_recipient to[] = {{.index = 3, .address = SLICE("a@example.org")},
                                          {.index = 8, .address = SLICE("b@example.org")}};
    struct message_work m = {.kind = kind,
                             .queue_id = 1,
                             .host = SLICE("/m/{local}"),
                             .attempt = 1,
                             .recipients = to,
                             .recipients_n = 2,
                             .size = s->content.n};
    assert_true(message_work_pack_head(&b, &m));
    if (content_inside)
        buf_add(&b, buf_slice(&s->content));
    assert_true(link_send1(s->queue, LINK_WORK, ID, slice_upto(buf_slice(&b), b.n - cut)));
}

static void finish(struct scene *s) {
    struct err e;
    assert_true(fiber_spawn(&s->others, "queue", queue, s, &e) && fiber_spawn(&s->others, "stop", stop, s, &e));
    loop_run(s->loop);
    link_free(s->queue);
    loop_free(s->loop);
}

static void forget(struct scene *s) {
    buf_done(&s->content);
    buf_done(&s->read);
    arena_done(&s->arena);
}

static void test_content_inside(void **state) {
    struct scene s;
    begin(&s);
    buf_add_str(&s.content, "Subject: hi\r\n\r\nthere\r\n");
    send_work(&s, MESSAGE_WORK_DELIVER, true, 0);
    finish(&s);
    assert_int_equal(s.outcomes, 1);
    assert_int_equal(s.reads, 0);
    assert_true(slice_eq(buf_slice(&s.read), buf_slice(&s.content)));
    // Recipients keep their numbers; the one that nothing was said of waits.
    assert_int_equal(s.outcome.recipients_n, 2);
    assert_int_equal(s.outcome.recipients[0].index, 3);
    assert_int_equal(s.outcome.recipients[0].result, MESSAGE_DELIVERED);
    assert_int_equal(s.outcome.recipients[1].index, 8);
    assert_int_equal(s.outcome.recipients[1].result, MESSAGE_DEFERRED);
    forget(&s);
}

static void test_content_in_pieces(void **state) {
    static const size_t pieces[] = {SIZE_MAX, 1000, 65535};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct scene s;
        begin(&s);
        s.piece = pieces[i];
        for (unsigned n = 0; n < 20000; n++)
            buf_addf(&s.content, "%u\r\n", n);
        send_work(&s, MESSAGE_WORK_DELIVER, false, 0);
        finish(&s);
        assert_true(s.read_ok && slice_eq(buf_slice(&s.read), buf_slice(&s.content)));
        assert_int_equal(s.outcome.recipients[0].result, MESSAGE_DELIVERED);
        forget(&s);
    }
}

static void test_content_that_is_gone(void **state) {
    struct scene s;
    begin(&s);
    s.piece = 0;
    buf_add_str(&s.content, "lost\r\n");
    send_work(&s, MESSAGE_WORK_DELIVER, false, 0);
    finish(&s);
    assert_false(s.read_ok);
    assert_int_equal(s.outcomes, 1);
    assert_int_equal(s.outcome.recipients[0].result, MESSAGE_DEFERRED);
    forget(&s);
}

static void test_the_queue_dies(void **state) {
    struct scene s;
    begin(&s);
    s.dies = true;
    buf_add_str(&s.content, "lost\r\n");
    send_work(&s, MESSAGE_WORK_DELIVER, false, 0);
    finish(&s);
    assert_int_equal(s.runs, 1);
    assert_false(s.read_ok);
    assert_int_equal(s.outcomes, 0);
    forget(&s);
}

static void test_cancelled_says_nothing(void **state) {
    struct scene s;
    begin(&s);
    s.cancelled = true;
    send_work(&s, MESSAGE_WORK_DELIVER, true, 0);
    finish(&s);
    assert_int_equal(s.runs, 1);
    assert_int_equal(s.outcomes, 0);
    forget(&s);
}

// What is malformed, or of another kind, breaks the link: the queue starts another worker's link.
static void test_malformed(void **state) {
    for (int row = 0; row < 2; row++) {
        struct scene s;
        begin(&s);
        send_work(&s, row ? MESSAGE_WORK_NOTIFY : MESSAGE_WORK_DELIVER, true, row ? 0 : 5);
        finish(&s);
        assert_int_equal(s.runs, 0);
        assert_int_equal(s.outcomes, 0);
        assert_null(s.peer.now);
        forget(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_inside),         cmocka_unit_test(test_content_in_pieces),
        cmocka_unit_test(test_content_that_is_gone),   cmocka_unit_test(test_the_queue_dies),
        cmocka_unit_test(test_cancelled_says_nothing), cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
