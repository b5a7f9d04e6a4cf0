// pack_test: values as bytes and back, and a cursor that stays bad.
#include "base/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_round(void **state) {
    struct buf b BUF_AUTO = {.max = 4096};
    pack_u8(&b, 0xab);
    pack_u16(&b, 0x0102);
    pack_u32(&b, 0xdeadbeef);
    pack_u64(&b, UINT64_MAX - 1);
    pack_i64(&b, INT64_MIN);
    pack_slice(&b, SLICE("a\0b"));
    pack_slice(&b, SLICE_EMPTY);
    assert_false(b.failed);
    assert_true(slice_starts(buf_slice(&b), SLICE("\xab\x02\x01\xef\xbe\xad\xde\xfe\xff")));
    pack_patch_u32(&b, 3, 7);
    for (size_t cut = 0; cut <= b.n; cut++) {
        struct unpack u = {.rest = slice_upto(buf_slice(&b), cut)};
        uint8_t v8 = unpack_u8(&u);
        uint16_t v16 = unpack_u16(&u);
        uint32_t v32 = unpack_u32(&u);
        uint64_t v64 = unpack_u64(&u);
        int64_t i64 = unpack_i64(&u);
        struct slice s = unpack_slice(&u), empty = unpack_slice(&u);
        assert_int_equal(unpack_end(&u), cut == b.n);
        assert_int_equal(u.bad, cut < b.n);
        if (cut == b.n) {
            assert_true(v8 == 0xab && v16 == 0x0102 && v32 == 7 && v64 == UINT64_MAX - 1 && i64 == INT64_MIN);
            assert_true(slice_eq(s, SLICE("a\0b")) && empty.n == 0);
        }
    }
}

static void test_bad(void **state) {
    struct unpack u = {.rest = SLICE("\xff\xff\xff\xff"
                                     "abcdefgh")};
    assert_int_equal(unpack_slice(&u).n, 0); // longer than what is there
    assert_true(u.bad);
    assert_true(unpack_u8(&u) == 0 && unpack_u64(&u) == 0 && u.bad && !unpack_end(&u));
    struct buf small BUF_AUTO = {.max = 3};
    assert_false(pack_u32(&small, 1));
    assert_true(small.failed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
