// slice_test: comparing, searching and cutting, with empty slices and NUL bytes among them.
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got [%.*s], want [%s]", SLICE_ARG(got), want);
}

static void test_views(void **state) {
    struct slice s = SLICE("abcdef");
    assert_text(slice_upto(s, 3), "abc");
    assert_text(slice_upto(s, 9), "abcdef");
    assert_text(slice_upto(s, 0), "");
    assert_text(slice_from(s, 3), "def");
    assert_text(slice_from(s, 6), "");
    assert_text(slice_from(s, SIZE_MAX), "");
    assert_text(slice_str(NULL), "");
}

static void test_compare(void **state) {
    static const struct {
        struct slice a, b;
        int order;
        bool ieq;
    } cases[] = {
        {{NULL, 0}, {"", 0}, 0, true},         {{"a", 1}, {NULL, 0}, 1, false},
        {{"a", 1}, {"A", 1}, 1, true},         {{"ab", 2}, {"abc", 3}, -1, false},
        {{"a\0b", 3}, {"a\0c", 3}, -1, false}, {{"\xff", 1}, {"a", 1}, 1, false},
        {{"[", 1}, {"{", 1}, -1, false},       {{"\xc3\xa9", 2}, {"\xc3\x89", 2}, 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int order = slice_cmp(cases[i].a, cases[i].b);
        assert_int_equal((order > 0) - (order < 0), cases[i].order);
        assert_int_equal(slice_eq(cases[i].a, cases[i].b), cases[i].order == 0);
        assert_int_equal(slice_ieq(cases[i].a, cases[i].b), cases[i].ieq);
    }
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")) && !slice_starts(SLICE("ab"), SLICE("abc")));
    assert_true(slice_ends(SLICE("abc"), SLICE("bc")) && !slice_ends(SLICE("bc"), SLICE("abc")));
    assert_true(slice_starts(SLICE("abc"), SLICE_EMPTY) && slice_ends(SLICE_EMPTY, SLICE_EMPTY));
    assert_true(slice_ends(SLICE("abc"), SLICE_EMPTY));
    assert_true(slice_istarts(SLICE("ABc"), SLICE("aB")) && !slice_istarts(SLICE("b"), SLICE("ba")));
}

static void test_search(void **state) {
    struct slice s = SLICE("a.b.\0c");
    assert_int_equal(slice_find(s, '.'), 1);
    assert_int_equal(slice_rfind(s, '.'), 3);
    assert_int_equal(slice_find(s, '\0'), 4);
    assert_int_equal(slice_find(s, 'x'), s.n);
    assert_int_equal(slice_rfind(SLICE_EMPTY, 'x'), 0);
    assert_int_equal(slice_search(s, SLICE("b.")), 2);
    assert_int_equal(slice_search(s, SLICE("b.c")), s.n);
    assert_int_equal(slice_search(s, SLICE_EMPTY), 0);
    assert_int_equal(slice_search(SLICE_EMPTY, SLICE("a")), 0);
}

static void test_cut(void **state) {
    static const struct {
        const char *in, *head, *tail;
        bool found;
    } cases[] = {{"a=b=c", "a", "b=c", true},
                 {"=", "", "", true},
                 {"a=", "a", "", true},
                 {"a", "a", "", false},
                 {"", "", "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice head, rest = slice_str(cases[i].in);
        assert_int_equal(slice_cut(rest, '=', &head, &rest), cases[i].found);
        assert_text(head, cases[i].head);
        assert_text(rest, cases[i].tail);
    }
}

static void test_trim(void **state) {
    assert_text(slice_trim(SLICE(" \t\r\n a b \r\n")), "a b");
    assert_text(slice_trim(SLICE(" \n ")), "");
    assert_text(slice_trim(SLICE_EMPTY), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views), cmocka_unit_test(test_compare), cmocka_unit_test(test_search),
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
