// arena_test: allocation, marks and the maximum.
#include "base/arena.h"

#include <stdalign.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_alloc(void **state) {
    struct arena a ARENA_AUTO = {.max = 65536};
    for (size_t n = 0; n < 300; n++) {
        uint8_t *p = arena_alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    struct slice s = arena_dup(&a, SLICE("a\0b"));
    assert_true(slice_eq(s, SLICE("a\0b")) && s.p[3] == '\0');
    assert_non_null(arena_dup(&a, SLICE_EMPTY).p);
    s = arena_printf(&a, "%s-%d", "x", 7);
    assert_string_equal(s.p, "x-7");
    assert_int_equal(s.n, 3);
}

static void test_maximum(void **state) {
    struct arena a ARENA_AUTO = {.max = 1024};
    assert_non_null(arena_alloc(&a, 1000));
    assert_null(arena_alloc(&a, 1000));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 7)); // rounding up must not wrap
    assert_null(arena_dup(&a, slice_of("", 2000)).p);
    struct arena none ARENA_AUTO = {0};
    assert_null(arena_alloc(&none, 1));
    struct arena all ARENA_AUTO = {.max = 1024};
    assert_non_null(arena_alloc(&all, 1024));
    assert_true(all.total <= all.max);
}

static void test_marks(void **state) {
    struct arena a ARENA_AUTO = {.max = 1 << 20};
    struct arena_mark empty = arena_mark(&a);
    char *first = arena_alloc(&a, 16);
    struct arena_mark mark = arena_mark(&a);
    char *second = arena_alloc(&a, 16);
    memset(second, 'x', 16);
    arena_alloc(&a, 100000);
    arena_rewind(&a, mark);
    char *again = arena_alloc(&a, 16);
    assert_ptr_equal(again, second);
    assert_int_equal(again[0], 0); // zeroed again
    arena_rewind(&a, empty);
    assert_int_equal(a.total, 0);
    (void)first;
}

static void test_reset(void **state) {
    struct arena a ARENA_AUTO = {.max = 1 << 20};
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 1000));
    arena_reset(&a);
    assert_true(a.total <= 512);
    assert_non_null(arena_alloc(&a, 16));
    arena_reset(&a);
    assert_int_equal(a.total, 512);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alloc), cmocka_unit_test(test_maximum),
                                       cmocka_unit_test(test_marks), cmocka_unit_test(test_reset)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
