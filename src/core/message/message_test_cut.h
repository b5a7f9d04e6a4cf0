// message_test_cut: what the tests of payloads share: one that is cut, or has a byte more, is refused.
#pragma once

#include "wire/netaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

// Whether `unpack_expression` refuses `payload`, the first `length` bytes of `b`, or those and zeros. Heap copies of
// exactly so many, so that a read behind the end is seen by the sanitizer.
#define REFUSES_LENGTH(b, length, unpack_expression)                                                                   \
    do {                                                                                                               \
        char *copy = calloc((length) + !(length), 1);                                                                  \
        memcpy(copy, (b).p, (length) < (b).n ? (length) : (b).n);                                                      \
        struct slice payload = slice_of(copy, length);                                                                 \
        if (unpack_expression)                                                                                         \
            fail_msg("taken with %zu of %zu bytes", (size_t)(length), (b).n);                                          \
        free(copy);                                                                                                    \
    } while (0)

#define REFUSES_CUTS(b, head, unpack_expression)                                                                       \
    for (size_t cut = 0; cut < (head); cut++)                                                                          \
    REFUSES_LENGTH(b, cut, unpack_expression)

#define REFUSES(b, unpack_expression)                                                                                  \
    do {                                                                                                               \
        REFUSES_CUTS(b, (b).n, unpack_expression);                                                                     \
        REFUSES_LENGTH(b, (b).n + 1, unpack_expression);                                                               \
    } while (0)

static inline void assert_slice(struct slice got, struct slice want) {
    if (!slice_eq(got, want))
        fail_msg("got %.*s, want %.*s", SLICE_ARG(got), SLICE_ARG(want));
}

static inline struct netaddr client(void) {
    struct netaddr a = {0};
    assert_true(netaddr_parse_ip(SLICE("2001:db8::25"), &a));
    a.port = 4711;
    return a;
}
