// stream_test: lines, views and flushes over a pipe in memory, on a fake clock.
#include "rt/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct scene {
    struct loop *loop;
    struct fiber_group group;
    struct transport *peer;
    struct stream stream;
    const char *input; // what the peer says, one byte at a time when `trickles`
    size_t input_n;
    bool trickles, stays;
    struct buf got; // lines, each followed by "|"; too long ones with "!" before
    struct err error;
};

static void speak(void *arg) {
    struct scene *s = arg;
    struct err e;
    size_t step = s->trickles ? 1 : s->input_n;
    for (size_t at = 0; at < s->input_n; at += step) {
        assert_true(transport_write_all(s->peer, slice_of(s->input + at, step), MONO_NEVER, &e));
        fiber_yield();
        fiber_yield();
    }
    if (!s->stays)
        s->peer->ops->shutdown(s->peer);
}

static void read_lines(void *arg) {
    struct scene *s = arg;
    struct slice line;
    bool too_long;
    while (stream_line(&s->stream, 10, loop_in_ms(s->loop, 1000), &line, &too_long, &s->error)) {
        if (too_long)
            buf_add_char(&s->got, '!');
        buf_add(&s->got, line);
        buf_add_char(&s->got, '|');
    }
}

static void play(struct scene *s, size_t capacity, void (*reader)(void *arg)) {
    struct transport *own;
    struct err e;
    s->got.max = 1 << 20;
    s->loop = loop_new(true);
    fiber_group_init(&s->group, s->loop, "test");
    transport_pair(capacity, &own, &s->peer);
    stream_init(&s->stream, own);
    assert_true(fiber_spawn(&s->group, "reader", reader, s, &e));
    assert_true(fiber_spawn(&s->group, "peer", speak, s, &e));
    loop_run(s->loop);
    assert_int_equal(loop_fibers(s->loop), 0);
}

static void done(struct scene *s) {
    stream_done(&s->stream);
    s->peer->ops->close(s->peer);
    buf_done(&s->got);
    loop_free(s->loop);
}

static void test_lines(void **state) {
    static const struct {
        const char *input, *lines;
    } cases[] = {
        {"a\nbc\n", "a\n|bc\n|"},
        {"\n\n", "\n|\n|"},
        {"123456789\n", "123456789\n|"},
        {"1234567890\n", "!12345678|"},
        {"1234567890abcdefghij\nx\n", "!12345678|x\n|"},
        {"a\n1234567890abcdefghij\n1234567890abcdefghij\nz\n", "a\n|!12345678|!12345678|z\n|"},
        {"no end", ""},
        {"1234567890 no end", ""},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *input = cases[i / 2].input;
        struct scene s = {.input = input, .input_n = strlen(input), .trickles = i % 2};
        play(&s, 64, read_lines);
        buf_add_char(&s.got, '\0');
        assert_string_equal(s.got.p, cases[i / 2].lines);
        assert_int_equal(s.error.kind, ERR_TEMPORARY);
        assert_non_null(strstr(s.error.text, "closed by the peer"));
        done(&s);
    }
}

static void test_long_line_in_bounded_memory(void **state) {
    (void)state;
    size_t n = 1000 * 1000;
    char *input = malloc(n);
    memset(input, 'x', n);
    memcpy(input + n - 3, "\nq\n", 3);
    struct scene s = {.input = input, .input_n = n};
    play(&s, 4096, read_lines);
    buf_add_char(&s.got, '\0');
    assert_string_equal(s.got.p, "!xxxxxxxx|q\n|");
    done(&s);
    free(input);
}

static void test_deadline_and_no_buffer_while_idle(void **state) {
    (void)state;
    struct scene s = {.input = "a\n", .input_n = 2, .stays = true};
    play(&s, 64, read_lines);
    assert_int_equal(s.error.kind, ERR_TIMEOUT);
    assert_int_equal(s.got.n, 3);
    assert_null(s.stream.in);
    done(&s);
}

static void test_half_a_line_stays(void **state) {
    (void)state;
    struct scene s = {.input = "half", .input_n = 4, .stays = true};
    play(&s, 64, read_lines);
    assert_int_equal(s.error.kind, ERR_TIMEOUT);
    assert_int_equal(stream_unread(&s.stream), 4);
    done(&s);
}

// Whoever drips doesn't gain time by it: the deadline is the whole line's.
static void drip(void *arg) {
    struct scene *s = arg;
    struct err e;
    for (int i = 0; i < 30 && transport_write_all(s->peer, SLICE("x"), MONO_NEVER, &e); i++)
        fiber_sleep(100);
}

static void test_dripped_line(void **state) {
    (void)state;
    struct transport *own;
    struct scene s = {.got.max = 1 << 20};
    struct err e;
    s.loop = loop_new(true);
    fiber_group_init(&s.group, s.loop, "test");
    transport_pair(64, &own, &s.peer);
    stream_init(&s.stream, own);
    struct mono begun = loop_now(s.loop);
    assert_true(fiber_spawn(&s.group, "reader", read_lines, &s, &e));
    assert_true(fiber_spawn(&s.group, "peer", drip, &s, &e));
    loop_run(s.loop);
    assert_int_equal(s.error.kind, ERR_TIMEOUT);
    assert_int_equal(s.got.n, 0);
    assert_int_equal(mono_ms_between(begun, loop_now(s.loop)), 3000); // the peer's end; the reader had ended before
    done(&s);
}

// A peer whose bytes are always there: no read has to wait, and yet others have their turn and the deadline comes.
struct pouring {
    struct transport transport;
    struct loop *loop;
    size_t poured, turns;
    bool over;
    struct err error;
};

static enum transport_got pour(struct transport *t, char *to, size_t n, size_t *got, struct err *e) {
    struct pouring *p = LIST_ENTRY(t, struct pouring, transport);
    (void)e;
    memset(to, 'x', n);
    p->poured += n;
    *got = n;
    return TRANSPORT_SOME;
}

static void read_poured(void *arg) {
    struct pouring *p = arg;
    static const struct transport_ops ops = {.read = pour};
    struct stream stream;
    struct slice line;
    bool too_long;
    p->transport.ops = &ops;
    stream_init(&stream, &p->transport);
    assert_false(stream_line(&stream, 1000, loop_in_ms(p->loop, 50), &line, &too_long, &p->error));
    p->over = true;
    stream.transport = NULL;
    stream_done(&stream);
}

static void count_turns(void *arg) {
    struct pouring *p = arg;
    for (; !p->over; p->turns++)
        fiber_yield();
}

static void test_poured_line(void **state) {
    (void)state;
    struct fiber_group group;
    struct pouring p = {.loop = loop_new(false)}; // a real clock: a fake one stands still while anybody is ready
    struct err e;
    fiber_group_init(&group, p.loop, "test");
    assert_true(fiber_spawn(&group, "reader", read_poured, &p, &e));
    assert_true(fiber_spawn(&group, "other", count_turns, &p, &e));
    loop_run(p.loop);
    assert_int_equal(p.error.kind, ERR_TIMEOUT);
    assert_true(p.turns + 1 >= p.poured / (STREAM_TURN + STREAM_IN));
    loop_free(p.loop);
}

// Replies leave before the wait for more, in one piece.
static void read_and_reply(void *arg) {
    struct scene *s = arg;
    struct slice view;
    while (stream_peek(&s->stream, loop_in_ms(s->loop, 1000), &view, &s->error)) {
        stream_put(&s->stream, SLICE("got "));
        stream_put(&s->stream, slice_upto(view, 1));
        stream_consume(&s->stream, 1);
    }
    char to[64];
    size_t got;
    assert_int_equal(s->peer->ops->read(s->peer, to, sizeof to, &got, NULL), TRANSPORT_SOME);
    buf_add(&s->got, slice_of(to, got));
}

static void test_flush_before_a_wait(void **state) {
    (void)state;
    struct scene s = {.input = "abc", .input_n = 3, .stays = true};
    play(&s, 64, read_and_reply);
    assert_int_equal(s.error.kind, ERR_TIMEOUT);
    assert_int_equal(s.got.n, 15);
    assert_memory_equal(s.got.p, "got agot bgot c", 15);
    assert_int_equal(s.stream.out.n, 0);
    done(&s);
}

static void put_too_much(void *arg) {
    struct scene *s = arg;
    stream_put(&s->stream, SLICE("0123456789abcdef0123456789abcdef"));
    s->stream.write_timeout_ms = 50;
    assert_false(stream_flush(&s->stream, &s->error));
}

static void test_flush_has_a_deadline(void **state) {
    (void)state;
    struct scene s = {.stays = true, .input = ""};
    play(&s, 16, put_too_much);
    assert_int_equal(s.error.kind, ERR_TIMEOUT);
    done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_line_in_bounded_memory),
        cmocka_unit_test(test_deadline_and_no_buffer_while_idle),
        cmocka_unit_test(test_half_a_line_stays),
        cmocka_unit_test(test_dripped_line),
        cmocka_unit_test(test_poured_line),
        cmocka_unit_test(test_flush_before_a_wait),
        cmocka_unit_test(test_flush_has_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
