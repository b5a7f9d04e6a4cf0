// message_sender_test: the payload there and back; cut at every byte, or with a byte more, it is refused.
#include "core/message/message_sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_reply(void **state) {
    BUF_AUTO struct buf b = {.max = 65536};
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct message_sender_entry entries[] = {{.kind = MESSAGE_SENDER_ADDRESS,
                                              .state = MESSAGE_SENDER_SHUT_OUT,
                                              .what = SLICE("192.0.2.1"),
                                              .points = 30,
                                              .until = {1234567890123},
                                              .why = SLICE("tried to relay: 6")},
                                             {.kind = MESSAGE_SENDER_MAILBOX,
                                              .state = MESSAGE_SENDER_WROTE_TO,
                                              .what = SLICE("bob@example.net"),
                                              .sender = SLICE("x"),
                                              .recipient = SLICE("y"),
                                              .good = 7,
                                              .since = {5}}};
    struct message_sender_reply got, m = {.ok = true, .count = 9, .entries = entries, .entries_n = 2};
    assert_true(message_sender_reply_pack(&b, &m) && message_sender_reply_unpack(buf_slice(&b), &arena, &got));
    assert_true(got.ok && got.count == 9 && got.entries_n == 2);
    assert_true(got.entries[0].until.ms == 1234567890123 && got.entries[0].points == 30);
    assert_true(slice_eq(got.entries[0].why, SLICE("tried to relay: 6")));
    assert_int_equal(got.entries[1].state, MESSAGE_SENDER_WROTE_TO);
    assert_true(slice_eq(got.entries[1].recipient, SLICE("y")) && got.entries[1].since.ms == 5);
    for (size_t cut = 0; cut <= b.n + 1; cut++) {
        char *copy = calloc(cut + !cut, 1);
        memcpy(copy, b.p, cut < b.n ? cut : b.n);
        assert_int_equal(message_sender_reply_unpack(slice_of(copy, cut), &arena, &got), cut == b.n);
        free(copy);
    }
    memset(b.p + 5, 0xff, 4); // more entries than there can be
    assert_false(message_sender_reply_unpack(buf_slice(&b), &arena, &got));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reply)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
