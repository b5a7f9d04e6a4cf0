// master_status_test: round trips, and every cut is refused.
#include "svc/master/master_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_status_round_trips_and_no_cut_passes(void **state) {
    struct slice listens[] = {SLICE("mx on 127.0.0.1:2525"), SLICE("http on 127.0.0.1:8025")};
    struct master_status_process processes[] = {
        {ROLE_QUEUE, 0, MASTER_READY, 4711, 86400000, 2},
        {ROLE_SMTPD, 3, MASTER_DOWN, 0, 0, UINT64_MAX},
    };
    const struct master_status s = {.pid = 99,
                                    .uptime_ms = 5,
                                    .reloads = 1,
                                    .path = SLICE("/etc/p.conf"),
                                    .listens = listens,
                                    .listens_n = 2,
                                    .processes = processes,
                                    .processes_n = 2};
    BUF_AUTO struct buf b = {.max = 4096};
    ARENA_AUTO struct arena a = {.max = 1 << 20};
    struct master_status got;
    assert_true(master_status_pack(&b, &s));
    assert_true(master_status_unpack(buf_slice(&b), &a, &got));
    assert_int_equal(got.pid, 99);
    assert_int_equal(got.reloads, 1);
    assert_true(slice_eq(got.path, s.path));
    assert_int_equal(got.listens_n, 2);
    assert_true(slice_eq(got.listens[1], listens[1]));
    assert_int_equal(got.processes_n, 2);
    assert_int_equal(got.processes[0].pid, 4711);
    assert_int_equal(got.processes[1].role, ROLE_SMTPD);
    assert_true(got.processes[1].restarts == UINT64_MAX);
    for (size_t n = 0; n < b.n; n++)
        assert_false(master_status_unpack(slice_of(b.p, n), &a, &got));
}

static void foreign_numbers_are_refused(void **state) {
    ARENA_AUTO struct arena a = {.max = 1 << 20};
    struct master_status got;
    BUF_AUTO struct buf b = {.max = 4096};
    const struct master_status s = {.pid = 1};
    assert_true(master_status_pack(&b, &s));
    pack_patch_u32(&b, b.n - 4, 0xffffffff); // a count of processes that nobody has
    assert_false(master_status_unpack(buf_slice(&b), &a, &got));
}

static void an_answer_round_trips(void **state) {
    const struct master_answer a = {.ok = true, .text = SLICE("stopping")};
    BUF_AUTO struct buf b = {.max = 4096};
    struct master_answer got;
    assert_true(master_answer_pack(&b, &a));
    assert_true(master_answer_unpack(buf_slice(&b), &got));
    assert_true(got.ok && slice_eq(got.text, a.text));
    for (size_t n = 0; n < b.n; n++)
        assert_false(master_answer_unpack(slice_of(b.p, n), &got));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_round_trips_and_no_cut_passes),
        cmocka_unit_test(foreign_numbers_are_refused),
        cmocka_unit_test(an_answer_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
