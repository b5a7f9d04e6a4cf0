// queue_log_test: what the log promises, on a disk that fails where it is told to: torn tails, damage in the middle,
// failed syncs, full disks, recycled segments, and any operation at all failing or being the last.
#include "base/mem.h"
#include "svc/queue/queue_log.h"
#include "svc/queue/queue_test_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEGMENT = 64 * 1024, RECORDS_MAX = 4000, TEXT = 700 };

struct house {
    struct queue_test_world w;
    struct queue_log log;
    uint32_t seen[RECORDS_MAX]; // numbers that replay gave, in order
    struct queue_place places[RECORDS_MAX];
    size_t seen_n;
    struct queue_damage_report damages[64];
    size_t damages_n;
};

static void record(void *arg, const struct log_record *r, const struct queue_place *place) {
    struct house *h = arg;
    uint32_t number;
    assert_true(r->payload.n >= 4 && h->seen_n < RECORDS_MAX);
    memcpy(&number, r->payload.p, 4);
    h->places[h->seen_n] = *place;
    h->seen[h->seen_n++] = number;
}

static void damage(void *arg, const struct queue_damage_report *report) {
    struct house *h = arg;
    assert_true(h->damages_n < 64);
    h->damages[h->damages_n] = *report;
    h->damages[h->damages_n++].kept = report->kept ? "kept" : NULL;
}

static bool open_log(struct house *h, struct err *e) {
    struct queue_replay_hooks hooks = {record, damage, h};
    h->seen_n = h->damages_n = 0;
    queue_log_init(&h->log, &h->w.world, SEGMENT, SEGMENT);
    return queue_replay(&h->log, &hooks, e) && queue_log_open(&h->log, false, e);
}

static struct house *new_house(uint64_t seed) {
    struct house *h = MEM_NEW(struct house);
    struct err e;
    queue_test_world_init(&h->w, seed);
    assert_true(open_log(h, &e));
    return h;
}

static void reopen(struct house *h, bool power) {
    struct err e;
    queue_log_done(&h->log);
    queue_test_world_restart(&h->w, power);
    if (!open_log(h, &e))
        fail_msg("not opened: %s", e.text);
}

static void free_house(struct house *h) {
    queue_log_done(&h->log);
    queue_test_world_done(&h->w);
    free(h);
}

// Records `first`.. as one batch; how many of them are durable.
static size_t put(struct house *h, uint32_t first, size_t n, size_t size, bool reserved, struct err *e) {
    struct queue_entry entries[32], *pointers[32];
    char *bytes = mem_new(n, size);
    size_t durable = 0;
    assert_true(n <= 32);
    for (size_t i = 0; i < n; i++) {
        uint32_t number = first + (uint32_t)i;
        memset(bytes + i * size, (int)number, size);
        memcpy(bytes + i * size, &number, 4);
        entries[i] = (struct queue_entry){
            .type = LOG_RECORD_MESSAGE, .reserved = reserved, .payload = slice_of(bytes + i * size, size)};
        pointers[i] = &entries[i];
    }
    bool ok = queue_log_write(&h->log, pointers, n, e);
    for (size_t i = 0; i < n; i++)
        durable += entries[i].durable;
    assert_true(!ok || durable == n);
    free(bytes);
    return durable;
}

static void put_all(struct house *h, uint32_t first, size_t n) {
    struct err e;
    for (size_t i = 0; i < n; i++)
        if (put(h, first + (uint32_t)i, 1, TEXT, false, &e) != 1)
            fail_msg("not written: %s", e.text);
}

static void assert_seen(const struct house *h, uint32_t first, size_t n) {
    assert_int_equal(h->seen_n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(h->seen[i], first + i);
}

static void segment_name(const struct house *h, char to[QUEUE_NAME], size_t index) {
    struct list *at = h->log.segments.next;
    while (index--)
        at = at->next;
    queue_space_name(to, "log", LIST_ENTRY(at, struct queue_segment, entry)->head.number);
}

// --- plain

static void test_round_trip(void **state) {
    struct house *h = new_house(1);
    char text[8];
    struct err e;
    put_all(h, 0, 300); // over several segments
    assert_true(h->log.segments_n > 3);
    reopen(h, true);
    assert_seen(h, 0, 300);
    assert_int_equal(h->damages_n, 0);
    assert_true(queue_log_read(&h->places[77], 0, text, sizeof text, &e));
    assert_int_equal(text[4], 77);
    put_all(h, 300, 50);
    reopen(h, false);
    assert_seen(h, 0, 350);
    free_house(h);
}

static void test_restarts_take_no_room(void **state) {
    struct house *h = new_house(2);
    for (int i = 0; i < 5; i++)
        reopen(h, true);
    assert_int_equal(h->log.segments_n, 1);
    put_all(h, 0, 3);
    for (int i = 0; i < 5; i++)
        reopen(h, true);
    assert_int_equal(h->log.segments_n, 2);
    assert_seen(h, 0, 3);
    free_house(h);
}

// --- torn and damaged

static void test_torn_tail(void **state) {
    for (uint64_t cut = 0; cut < TEXT + LOG_RECORD_HEADER; cut += 97) {
        struct house *h = new_house(3);
        char name[QUEUE_NAME];
        put_all(h, 0, 10);
        segment_name(h, name, 0);
        uint64_t last = h->log.current->end - log_record_size(TEXT);
        assert_true(queue_test_flip(&h->w, name, last + cut));
        reopen(h, false);
        assert_seen(h, 0, 9);
        assert_int_equal(h->damages_n, 1);
        assert_int_equal(h->damages[0].what, QUEUE_DAMAGE_TAIL);
        assert_int_equal(h->damages[0].offset, last);
        put_all(h, 9, 5);
        reopen(h, true);
        assert_seen(h, 0, 14);
        assert_int_equal(h->damages_n, 0); // its end is known now
        free_house(h);
    }
}

// A batch whose first record did not get to the disk: the later ones were nobody's yet.
static void test_torn_batch(void **state) {
    struct house *h = new_house(4);
    char name[QUEUE_NAME];
    struct err e;
    put_all(h, 0, 5);
    uint64_t at = h->log.current->end;
    assert_int_equal(put(h, 5, 4, TEXT, false, &e), 4);
    segment_name(h, name, 0);
    assert_true(queue_test_flip(&h->w, name, at + 3));
    reopen(h, false);
    assert_seen(h, 0, 5);
    assert_int_equal(h->damages[0].what, QUEUE_DAMAGE_TAIL);
    put_all(h, 5, 1); // just as long as the torn one: what is behind it must not join
    reopen(h, false);
    assert_seen(h, 0, 6);
    free_house(h);
}

static void test_damage_in_the_middle(void **state) {
    static const uint64_t places[] = {0, 4, 9, 17, 30, 200};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct house *h = new_house(5);
        char name[QUEUE_NAME];
        put_all(h, 0, 20);
        segment_name(h, name, 0);
        uint64_t at = LOG_FIRST + 7 * log_record_size(TEXT);
        assert_true(queue_test_flip(&h->w, name, at + places[i]));
        for (int again = 0; again < 2; again++) {
            reopen(h, false);
            assert_int_equal(h->seen_n, 19);
            assert_int_equal(h->seen[6], 6);
            assert_int_equal(h->seen[7], 8);
            assert_int_equal(h->damages_n, 1);
            assert_int_equal(h->damages[0].what, QUEUE_DAMAGE_RECORDS);
            assert_int_equal(h->damages[0].offset, at);
            assert_int_equal(h->damages[0].length, log_record_size(TEXT));
            assert_non_null(h->damages[0].kept);
            assert_int_equal(queue_test_count(&h->w, "queue", "damaged-"), 1);
        }
        free_house(h);
    }
}

// In a segment whose end is known, the last record is no tail.
static void test_damage_at_a_known_end(void **state) {
    struct house *h = new_house(6);
    char name[QUEUE_NAME];
    put_all(h, 0, 120);
    segment_name(h, name, 0);
    uint64_t end = queue_log_oldest(&h->log)->end;
    assert_true(queue_test_flip(&h->w, name, end - 20));
    reopen(h, false);
    assert_int_equal(h->seen_n, 119);
    assert_int_equal(h->damages_n, 1);
    assert_int_equal(h->damages[0].what, QUEUE_DAMAGE_RECORDS);
    free_house(h);
}

static void test_damaged_header(void **state) {
    struct house *h = new_house(7);
    char name[QUEUE_NAME], zeros[LOG_HEADER] = {1};
    put_all(h, 0, 250);
    size_t segments = h->log.segments_n;
    segment_name(h, name, 1);
    assert_true(queue_test_flip(&h->w, name, 20)); // the other copy serves
    reopen(h, false);
    assert_seen(h, 0, 250);
    assert_int_equal(h->damages_n, 0);
    segment_name(h, name, 1);
    assert_true(queue_test_overwrite(&h->w, name, 0, zeros, sizeof zeros));
    assert_true(queue_test_overwrite(&h->w, name, LOG_HEADER_COPY, zeros, sizeof zeros));
    reopen(h, false);
    assert_int_equal(h->damages_n, 1);
    assert_int_equal(h->damages[0].what, QUEUE_DAMAGE_SEGMENT);
    assert_true(h->seen_n > 250 - 250 / (segments - 2) - 10);
    assert_int_equal(h->seen[0], 0);
    assert_int_equal(h->seen[h->seen_n - 1], 249);
    assert_int_equal(queue_test_count(&h->w, "queue", "damaged-"), 1);
    free_house(h);
}

// Its headers are zeros, or it is gone: what stood in it is missed.
static void test_segment_lost(void **state) {
    static const char zeros[LOG_HEADER_COPY + LOG_HEADER];
    for (int way = 0; way < 3; way++) {
        struct house *h = new_house(13);
        char name[QUEUE_NAME];
        struct err e;
        put_all(h, 0, 250);
        size_t last = h->log.segments_n - 1;
        segment_name(h, name, way == 1 ? last : 1);
        assert_true(way < 2 ? queue_test_overwrite(&h->w, name, 0, zeros, sizeof zeros)
                            : disk_remove(&h->w.disk.base, name, &e));
        reopen(h, false);
        assert_int_equal(h->damages_n, 1);
        assert_int_equal(h->damages[0].what, way < 2 ? QUEUE_DAMAGE_SEGMENT : QUEUE_DAMAGE_GONE);
        assert_int_equal(queue_test_count(&h->w, "queue", "damaged-"), way < 2);
        assert_true(h->seen_n > 100 && h->seen_n < 250);
        reopen(h, false);
        assert_int_equal(h->damages_n, way == 2); // what was kept aside has been told
        free_house(h);
    }
}

// A message that holds the bytes of a record, met while looking for the next one behind damage.
static void test_forged_record(void **state) {
    struct house *h = new_house(8);
    char forged[512] = {0}, name[QUEUE_NAME];
    struct queue_entry entry = {.type = LOG_RECORD_MESSAGE, .payload = slice_of(forged, sizeof forged)}, *one = &entry;
    struct log_segment guess = h->log.current->head;
    struct log_record r = {.type = LOG_RECORD_MESSAGE, .seq = 100, .synced = 99, .payload = SLICE("evil")};
    struct err e;
    guess.salt = 0; // all that can be guessed
    log_record_header(forged + 64, &guess, &r, SLICE_EMPTY);
    memcpy(forged + 64 + LOG_RECORD_HEADER, "evil", 4);
    put_all(h, 0, 1);
    uint64_t at = h->log.current->end;
    assert_true(queue_log_write(&h->log, &one, 1, &e));
    put_all(h, 1, 2);
    segment_name(h, name, 0);
    assert_true(queue_test_flip(&h->w, name, at));
    reopen(h, false);
    assert_seen(h, 0, 3);
    free_house(h);
}

// --- failing disks

static void test_failed_sync(void **state) {
    struct house *h = new_house(9);
    struct err e;
    put_all(h, 0, 5);
    struct queue_segment *first = h->log.current;
    h->w.disk.operations = 0;
    h->w.disk.only_syncs = true;
    h->w.disk.fail_at = h->w.disk.fail_n = 1;
    h->w.disk.fail_sys = EIO;
    assert_int_equal(put(h, 100, 3, TEXT, false, &e), 0);
    assert_int_equal(e.smtp, 451);
    assert_ptr_not_equal(h->log.current, first);
    assert_int_equal(h->log.counts.syncs_failed, 1);
    put_all(h, 5, 5);
    reopen(h, false); // the bytes of 100..102 are all in the first segment; they don't count
    assert_seen(h, 0, 10);
    assert_int_equal(h->damages_n, 0);
    free_house(h);
}

static void test_failed_write(void **state) {
    struct house *h = new_house(10);
    struct err e;
    put_all(h, 0, 5);
    h->w.disk.operations = 0;
    h->w.disk.fail_at = h->w.disk.fail_n = 1;
    h->w.disk.fail_sys = EIO;
    assert_int_equal(put(h, 100, 3, TEXT, false, &e), 0);
    put_all(h, 5, 1);
    reopen(h, false);
    assert_seen(h, 0, 6);
    free_house(h);
}

// With no spare at hand a segment is allocated: one call, where the file system can; else it is filled with zeros.
static void test_segment_at_once(void **state) {
    for (int zeros = 0; zeros < 2; zeros++) {
        struct house *h = new_house(12);
        h->w.disk.cannot_allocate = zeros;
        h->w.disk.allocations = 0; // that of the first segment
        for (uint32_t n = 0; h->log.segments_n < 4; n++)
            put_all(h, n, 1);
        assert_int_equal(h->w.disk.allocations, zeros ? 0 : 3);
        size_t seen = h->log.seq;
        reopen(h, true);
        assert_int_equal(h->seen_n, seen);
        free_house(h);
    }
}

static void test_full_disk(void **state) {
    struct house *h = new_house(11);
    struct err e;
    uint32_t n = 0;
    assert_true(queue_space_wants(&h->log));
    while (queue_space_wants(&h->log))
        assert_true(queue_space_fill_step(&h->log, &e));
    assert_int_equal(h->log.spares_n, QUEUE_SPARES_WANTED);
    h->w.disk.free_bytes = SEGMENT - 1;
    while (put(h, n, 1, TEXT, false, &e) == 1)
        n++;
    assert_int_equal(e.smtp, 452);
    assert_int_equal(h->log.spares_n, 1); // the last one is for outcomes
    assert_int_equal(h->log.segments_n, 2);
    uint32_t outcomes = 0;
    while (outcomes < 60 && put(h, n, 1, TEXT, true, &e) == 1) {
        n++;
        outcomes++;
    }
    assert_int_equal(outcomes, 60); // so the queue drains
    assert_int_equal(put(h, 9999, 1, TEXT, false, &e), 0);
    assert_int_equal(e.smtp, 452);
    assert_true(queue_log_drop_oldest(&h->log, &e)); // gives room: a spare again
    put_all(h, n, 1);
    h->w.disk.free_bytes = 100 * SEGMENT;
    reopen(h, false);
    assert_int_equal(h->seen[h->seen_n - 1], n);
    free_house(h);
}

// --- recycling

static void test_recycled_segments(void **state) {
    struct house *h = new_house(12);
    struct err e;
    uint32_t n = 0;
    for (int round = 0; round < 12; round++) {
        while (queue_space_wants(&h->log))
            assert_true(queue_space_fill_step(&h->log, &e));
        put_all(h, n, 100);
        n += 100;
        while (h->log.segments_n > 2)
            assert_true(queue_log_drop_oldest(&h->log, &e));
        reopen(h, round % 2);
        assert_true(h->seen_n > 0);
        for (size_t i = 0; i < h->seen_n; i++) // nothing of an earlier life
            assert_int_equal(h->seen[i], n - h->seen_n + i);
        assert_int_equal(h->damages_n, 0);
        assert_true(queue_test_count(&h->w, "queue", "") < 9);
    }
    free_house(h);
}

// --- anything may fail

// Random batches and drops on a disk whose operation `at` fails or is the last; then what was promised is there.
static void run_with_trouble(uint64_t seed, size_t at, int sys, bool power) {
    struct house *h = new_house(seed);
    struct seed random = {seed};
    struct err e;
    uint32_t n = 0;
    bool *durable = mem_new(RECORDS_MAX, 1);
    uint32_t dropped = 0; // numbers below it may be gone
    h->w.disk.operations = 0;
    h->w.disk.fail_sys = sys;
    if (sys)
        h->w.disk.fail_at = at, h->w.disk.fail_n = 1 + seed_below(&random, 3);
    else
        h->w.disk.kill_at = at;
    for (int step = 0; step < 60; step++) {
        uint32_t many = 1 + (uint32_t)seed_below(&random, 8);
        size_t size = 8 + seed_below(&random, 4000), done = put(h, n, many, size, seed_chance(&random, 300), &e);
        for (uint32_t i = 0; i < many; i++)
            durable[n + i] = i < done;
        n += many;
        if (h->log.segments_n > 3 && seed_chance(&random, 500)) {
            dropped = n;
            while (h->log.segments_n > 1 && queue_log_drop_oldest(&h->log, &e))
                ;
        }
        if (queue_space_wants(&h->log) && seed_chance(&random, 300) && !queue_space_fill_step(&h->log, &e))
            assert_true(e.kind != ERR_BUG);
    }
    reopen(h, power);
    uint32_t next = 0;
    for (size_t i = 0; i < h->seen_n; i++) {
        for (; next < h->seen[i]; next++)
            assert_true(!durable[next] || next < dropped);
        next = h->seen[i] + 1;
    }
    for (; next < n; next++)
        assert_true(!durable[next] || next < dropped);
    for (size_t i = 1; i < h->seen_n; i++)
        assert_true(h->seen[i] > h->seen[i - 1]);
    for (size_t i = 0; i < h->damages_n; i++)
        assert_int_not_equal(h->damages[i].what, QUEUE_DAMAGE_RECORDS);
    free(durable);
    free_house(h);
}

static void test_any_operation_fails(void **state) {
    for (size_t at = 1; at < 140; at++) {
        run_with_trouble(at, at, EIO, false);
        run_with_trouble(at, at, ENOSPC, true);
    }
}

static void test_any_operation_is_the_last(void **state) {
    for (size_t at = 1; at < 140; at++) {
        run_with_trouble(at, at, 0, false);
        run_with_trouble(at, at, 0, true);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_restarts_take_no_room),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_torn_batch),
        cmocka_unit_test(test_damage_in_the_middle),
        cmocka_unit_test(test_damage_at_a_known_end),
        cmocka_unit_test(test_damaged_header),
        cmocka_unit_test(test_segment_lost),
        cmocka_unit_test(test_forged_record),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_segment_at_once),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_recycled_segments),
        cmocka_unit_test(test_any_operation_fails),
        cmocka_unit_test(test_any_operation_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
