// log_record_test: headers, records and their payloads there and back; torn, flipped and stale ones are refused.
#include "core/queue/log_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct log_segment segment = {
    .number = 5, .salt = 0x1234567890abcdef, .previous = 4, .previous_end = 9000, .first_seq = 77};

static void test_segment(void **state) {
    char header[LOG_HEADER];
    struct log_segment got;
    log_segment_pack(header, &segment);
    assert_true(log_segment_unpack(header, &got));
    assert_memory_equal(&got, &segment, sizeof got);
    for (size_t i = 0; i < 60; i++) {
        header[i] ^= 4;
        assert_false(log_segment_unpack(header, &got));
        header[i] ^= 4;
    }
    memset(header, 0, sizeof header);
    assert_false(log_segment_unpack(header, &got));
}

static size_t some_record(char *to, size_t max) {
    struct log_record r = {.type = LOG_RECORD_STATE, .seq = 78, .synced = 70, .payload = SLICE("payload")};
    size_t size = log_record_size(3 + 7);
    assert_true(size <= max);
    memset(to, 0, size);
    log_record_header(to, &segment, &r, SLICE("pre"));
    memcpy(to + LOG_RECORD_HEADER, "prepayload", 10);
    return size;
}

static void test_record(void **state) {
    char bytes[64];
    struct log_record got;
    size_t n = some_record(bytes, sizeof bytes), size = 0;
    assert_int_equal(n, 48);
    assert_int_equal(log_record_parse(slice_of(bytes, n), &segment, 77, &got, &size), LOG_RECORD_WHOLE);
    assert_int_equal(size, n);
    assert_int_equal(got.type, LOG_RECORD_STATE);
    assert_int_equal(got.seq, 78);
    assert_int_equal(got.synced, 70);
    assert_int_equal(got.prefix, 3);
    assert_true(slice_eq(got.payload, SLICE("prepayload")));
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(log_record_parse(slice_of(bytes, cut), &segment, 77, &got, &size), LOG_RECORD_MORE);
    assert_int_equal(log_record_parse(slice_of(bytes, n), &segment, 78, &got, &size), LOG_RECORD_BAD);
    for (size_t i = 0; i < LOG_RECORD_HEADER + 10; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (char)(1 << bit);
            assert_int_not_equal(log_record_parse(slice_of(bytes, n), &segment, 77, &got, &size), LOG_RECORD_WHOLE);
            bytes[i] ^= (char)(1 << bit);
        }
}

static void test_stale_record(void **state) {
    char bytes[64];
    struct log_record got;
    struct log_segment later = segment, other = segment;
    size_t n = some_record(bytes, sizeof bytes), size = 0;
    later.number++;
    other.salt++;
    assert_int_equal(log_record_parse(slice_of(bytes, n), &later, 0, &got, &size), LOG_RECORD_BAD);
    assert_int_equal(log_record_parse(slice_of(bytes, n), &other, 0, &got, &size), LOG_RECORD_BAD);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(log_record_parse(slice_of(bytes, n), &segment, 0, &got, &size), LOG_RECORD_BAD);
}

static void test_payloads(void **state) {
    struct arena arena ARENA_AUTO = {.max = 65536};
    struct buf b BUF_AUTO = {.max = 65536};
    struct log_recipient recipients[] = {
        {.index = 1, .state = LOG_RECIPIENT_DONE},
        {.index = 3,
         .state = LOG_RECIPIENT_FAILED,
         .attempts = 2,
         .next = {-5},
         .smtp = 550,
         .enhanced = {5, 1, 1},
         .expired = true,
         .reason = SLICE("no such user"),
         .remote = SLICE("mx[192.0.2.1]:25")},
    };
    struct log_outcome outcome = {.queue_id = 9, .recipients = recipients, .recipients_n = 2}, got;
    assert_true(log_outcome_pack(&b, &outcome));
    assert_true(log_outcome_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.queue_id, 9);
    assert_int_equal(got.recipients_n, 2);
    assert_int_equal(got.recipients[1].index, 3);
    assert_int_equal(got.recipients[1].next.ms, -5);
    assert_int_equal(got.recipients[1].enhanced[1], 1);
    assert_true(got.recipients[1].expired);
    assert_true(slice_eq(got.recipients[1].remote, recipients[1].remote));
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(log_outcome_unpack(slice_of(b.p, cut), &arena, &got));

    struct log_state state_payload = {.file = 7, .size = 1ull << 33, .recipients = recipients, .recipients_n = 1}, gots;
    buf_reset(&b);
    assert_true(log_state_pack(&b, &state_payload));
    assert_true(log_state_unpack(buf_slice(&b), &arena, &gots));
    assert_int_equal(gots.file, 7);
    assert_int_equal(gots.size, 1ull << 33);
    assert_int_equal(gots.recipients_n, 1);
    assert_int_equal(gots.start, 0);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(log_state_unpack(slice_of(b.p, cut), &arena, &gots));

    size_t before = b.n; // a content that begins later: everything else is written as it was
    state_payload.start = 700;
    buf_reset(&b);
    assert_true(log_state_pack(&b, &state_payload));
    assert_int_equal(b.n, before + 4);
    assert_true(log_state_unpack(buf_slice(&b), &arena, &gots));
    assert_int_equal(gots.size, 1ull << 33);
    assert_int_equal(gots.start, 700);
    assert_int_equal(gots.recipients_n, 1);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(log_state_unpack(slice_of(b.p, cut), &arena, &gots));
    memset(b.p + 16, 0, 4); // has a start, which is none
    assert_false(log_state_unpack(buf_slice(&b), &arena, &gots));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_stale_record),
        cmocka_unit_test(test_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
