// num_test: decimal text as numbers, and sums that can't wrap.
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_u64(void **state) {
    static const struct {
        const char *in;
        uint64_t max, out;
        bool ok;
    } cases[] = {
        {"0", 10, 0, true},
        {"10", 10, 10, true},
        {"11", 10, 0, false},
        {"007", 10, 7, true},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, true},
        {"18446744073709551616", UINT64_MAX, 0, false},
        {"99999999999999999999999", UINT64_MAX, 0, false},
        {"5", 3, 0, false},
        {"0", 0, 0, true},
        {"1", 0, 0, false},
        {"", 10, 0, false},
        {"-1", 10, 0, false},
        {"+1", 10, 0, false},
        {" 1", 10, 0, false},
        {"1x", 10, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 77;
        if (num_u64(slice_str(cases[i].in), cases[i].max, &v) != cases[i].ok)
            fail_msg("%s", cases[i].in);
        assert_true(v == (cases[i].ok ? cases[i].out : 77));
    }
    uint64_t v;
    assert_false(num_u64(SLICE("1\0"), 10, &v));
}

static void test_min_max(void **state) { assert_true(num_min(1, 2) == 1 && num_max(1, 2) == 2); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_u64), cmocka_unit_test(test_min_max)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
