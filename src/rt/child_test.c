// child_test: work on the process's own stack and in processes of its own, which answer, fail, crash, hang or say too
// much.
#include "rt/child.h"

#include "rt/aside.h"
#include "rt/fiber/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

struct here {
    struct loop *loop;
    struct fiber_group group;
    bool ok, ran;
    struct err e;
    struct buf result;
    bool (*work)(void *arg, struct buf *out);
    int64_t patience_ms;
};

static void run(struct here *h, void (*body)(void *arg)) {
    struct err e;
    h->loop = loop_new(false);
    fiber_group_init(&h->group, h->loop, "test");
    assert_true(fiber_spawn(&h->group, "test", body, h, &e));
    loop_run(h->loop);
    loop_free(h->loop);
}

static void ask(void *arg) {
    struct here *h = arg;
    h->ok = child_run(h->work, "alice", loop_in_ms(h->loop, h->patience_ms), &h->result, &h->e);
}

static bool answers(void *arg, struct buf *out) { return buf_add_str(out, "hello ") && buf_add_str(out, arg); }
static bool fails(void *arg, struct buf *out) { return false; }
static bool crashes(void *arg, struct buf *out) { _exit(3); }
static bool hangs(void *arg, struct buf *out) { return pause() == 0; }
static bool chatters(void *arg, struct buf *out) {
    while (buf_add_str(out, "blah "))
        ;
    return true;
}
static bool closes_and_hangs(void *arg, struct buf *out) {
    for (int fd = 3; fd < 100; fd++)
        close(fd);
    return pause() == 0;
}

static void answers_come_back(void **state) {
    struct here h = {.work = answers, .result = {.max = 100}, .patience_ms = 20000};
    run(&h, ask);
    assert_true(h.ok);
    assert_true(slice_eq(buf_slice(&h.result), SLICE("hello alice")));
    buf_done(&h.result);
}

static void trouble_is_told(void **state) {
    static bool (*const works[])(void *, struct buf *) = {fails, crashes, chatters, closes_and_hangs};
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        struct here h = {.work = works[i], .result = {.max = 100}, .patience_ms = 20000};
        run(&h, ask);
        assert_false(h.ok);
        assert_int_equal(h.e.kind, ERR_TEMPORARY);
        buf_done(&h.result);
    }
}

static void late_ones_are_killed(void **state) {
    struct here h = {.work = hangs, .result = {.max = 100}, .patience_ms = 50};
    run(&h, ask);
    assert_false(h.ok);
    assert_int_equal(h.e.kind, ERR_TIMEOUT);
    buf_done(&h.result);
}

// More than a fiber's stack has.
static __attribute__((noinline)) void need_room(void *arg) {
    struct here *h = arg;
    volatile char room[2000];
    static unsigned deep;
    room[0] = 1;
    if (++deep < 500)
        need_room(arg);
    h->ran = room[0] == 1;
}

static void go_aside(void *arg) {
    struct here *h = arg;
    h->ok = aside_run(need_room, h);
}

static void aside_has_room(void **state) {
    struct here h = {0};
    run(&h, go_aside);
    assert_true(h.ok && h.ran);
}

static void cancelled_work_does_not_run(void *arg) {
    struct here *h = arg;
    fiber_group_cancel(&h->group);
    h->ok = aside_run(need_room, h);
}

static void aside_ends_with_its_group(void **state) {
    struct here h = {0};
    run(&h, cancelled_work_does_not_run);
    assert_false(h.ok || h.ran);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_back),         cmocka_unit_test(trouble_is_told),
        cmocka_unit_test(late_ones_are_killed),      cmocka_unit_test(aside_has_room),
        cmocka_unit_test(aside_ends_with_its_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
