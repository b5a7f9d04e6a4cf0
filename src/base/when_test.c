// when_test: dates as headers and logs write them, and deadlines that don't overflow.
#include "base/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_dates(void **state) {
    static const struct {
        int64_t ms;
        const char *rfc5322, *rfc3339;
    } cases[] = {
        {0, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z"},
        {-1, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59.999Z"},
        {951782400000, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.000Z"},
        {1709164799123, "Wed, 28 Feb 2024 23:59:59 +0000", "2024-02-28T23:59:59.123Z"},
        {1709251199999, "Thu, 29 Feb 2024 23:59:59 +0000", "2024-02-29T23:59:59.999Z"},
        {1795257675123, "Sat, 21 Nov 2026 10:41:15 +0000", "2026-11-21T10:41:15.123Z"},
        {4107542400000, "Mon, 1 Mar 2100 00:00:00 +0000", "2100-03-01T00:00:00.000Z"},
        {253402300799000, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59.000Z"},
        {-2203977600000, "Wed, 28 Feb 1900 00:00:00 +0000", "1900-02-28T00:00:00.000Z"},
        {-12219292800000, "Fri, 15 Oct 1582 00:00:00 +0000", "1582-10-15T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b BUF_AUTO = {.max = 64};
        assert_true(wall_add_rfc5322(&b, (struct wall){cases[i].ms}));
        if (!slice_eq(buf_slice(&b), slice_str(cases[i].rfc5322)))
            fail_msg("%.*s, not %s", SLICE_ARG(buf_slice(&b)), cases[i].rfc5322);
        buf_reset(&b);
        assert_true(wall_add_rfc3339(&b, (struct wall){cases[i].ms}));
        if (!slice_eq(buf_slice(&b), slice_str(cases[i].rfc3339)))
            fail_msg("%.*s, not %s", SLICE_ARG(buf_slice(&b)), cases[i].rfc3339);
    }
}

static void test_mono(void **state) {
    struct mono t = {5000000};
    assert_true(mono_add_ms(t, 3).ns == 8000000);
    assert_true(mono_add_ms(t, -3).ns == 2000000);
    assert_true(mono_add_ms(t, INT64_MAX).ns == INT64_MAX);
    assert_true(mono_add_ms(t, INT64_MAX / 1000000 + 1).ns == INT64_MAX);
    assert_true(mono_add_ms(MONO_NEVER, 1).ns == INT64_MAX);
    assert_true(mono_before(MONO_START, t) && mono_before(t, MONO_NEVER) && !mono_before(t, t));
    assert_true(mono_earlier(t, MONO_NEVER).ns == t.ns);
    assert_true(mono_ms_between(MONO_START, t) == 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dates), cmocka_unit_test(test_mono)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
