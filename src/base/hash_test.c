// hash_test: published vectors of CRC32C (RFC 3720 B.4) and SipHash-2-4.
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_crc32c(void **state) {
    char bytes[32] = {0};
    assert_int_equal(hash_crc32c(0, SLICE_EMPTY), 0);
    assert_int_equal(hash_crc32c(0, SLICE("123456789")), 0xe3069283);
    assert_int_equal(hash_crc32c(0, slice_of(bytes, 32)), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(hash_crc32c(0, slice_of(bytes, 32)), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)i;
    assert_int_equal(hash_crc32c(0, slice_of(bytes, 32)), 0x46dd794e);
    for (size_t cut = 0; cut <= 32; cut++) // goes on where it was left, at any alignment
        assert_int_equal(hash_crc32c(hash_crc32c(0, slice_of(bytes, cut)), slice_of(bytes + cut, 32 - cut)),
                         0x46dd794e);
}

// Of the reference implementation: key 00..0f, message 00, 01, ... of the length of the index.
static void test_sip(void **state) {
    static const uint64_t want[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
                                    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
                                    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
                                    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
    struct hash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    char message[16];
    for (size_t n = 0; n < 16; n++) {
        message[n] = (char)n;
        assert_true(hash_sip(&key, slice_of(message, n)) == want[n]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc32c), cmocka_unit_test(test_sip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
