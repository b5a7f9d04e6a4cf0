// history_store_test: bounds of size and age, restarts, torn ends, disks that fail.
#include "svc/history/history_store.h"

#include "base/mem.h"
#include "core/history/record_file.h"
#include "rt/sim/sim_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct seed seed;
    struct sim_disk *machine;
    struct disk *disk;
    struct history_store store;
    uint32_t next; // number of the next record
    // what walk() met
    uint32_t seen, first, last;
    size_t files;
    uint64_t bytes;
};

static void open_store(struct fixture *f, uint64_t size, int64_t age) {
    struct err e;
    f->disk = sim_disk_mount(f->machine);
    f->store = (struct history_store){.disk = f->disk, .size_max = size, .age_max = age};
    assert_true(history_store_open(&f->store, &e));
}

static void begin(struct fixture *f, uint64_t size, int64_t age) {
    *f = (struct fixture){.next = 1};
    f->seed.state = 7;
    f->machine = sim_disk_new(&f->seed);
    open_store(f, size, age);
}

static void close_store(struct fixture *f) {
    history_store_close(&f->store);
    sim_disk_unmount(f->disk);
}

static void end(struct fixture *f) {
    close_store(f);
    sim_disk_free(f->machine);
}

// A record of n bytes that begins with its number.
static bool write_one(struct fixture *f, size_t n, int64_t now, struct err *e) {
    BUF_AUTO struct buf b = {.max = 1 << 20}, packed = {.max = 1 << 20};
    pack_u32(&packed, f->next);
    while (packed.n < n)
        buf_add_char(&packed, 'x');
    record_file_add(&b, buf_slice(&packed));
    if (!history_store_write(&f->store, buf_slice(&b), (struct wall){now}, e))
        return false;
    f->next++;
    return true;
}

static void look(void *arg, const char *name, struct slice bytes) {
    struct fixture *f = arg;
    struct wall begun;
    struct slice packed;
    f->files++;
    f->bytes += bytes.n;
    if (!record_file_open(&bytes, &begun))
        return;
    while (record_file_next(&bytes, &packed)) {
        struct unpack u = {.rest = packed};
        uint32_t number = unpack_u32(&u);
        f->seen++;
        f->first = !f->first || number < f->first ? number : f->first;
        f->last = number > f->last ? number : f->last;
    }
}

static void walk(struct fixture *f) {
    f->seen = f->first = f->last = 0;
    f->files = 0;
    f->bytes = 0;
    sim_disk_each(f->machine, look, f);
}

static void test_size(void **state) {
    enum { SIZE = 2 << 20 };
    struct fixture f;
    struct err e;
    begin(&f, SIZE, 0);
    for (size_t i = 0; i < 20000; i++) {
        assert_true(write_one(&f, 500, 1000, &e));
        assert_true(f.store.total <= SIZE);
    }
    walk(&f);
    assert_int_equal(f.bytes, f.store.total);
    assert_int_equal(f.last, 20000);
    assert_int_equal(f.seen, f.last - f.first + 1);
    assert_true(f.seen > SIZE / 508 * 8 / 10);
    assert_true(f.files >= 14 && f.files <= 17);
    end(&f);
}

static void test_age(void **state) {
    struct fixture f;
    struct err e;
    begin(&f, 1 << 20, MS_DAY);
    for (int64_t hour = 0; hour < 100; hour++)
        assert_true(write_one(&f, 100, hour * MS_HOUR, &e));
    walk(&f);
    assert_int_equal(f.last, 100);
    assert_true(f.seen >= 24 && f.seen <= 28);
    history_store_age(&f.store, (struct wall){1000 * (int64_t)MS_HOUR});
    walk(&f);
    assert_int_equal(f.files, 0);
    assert_true(write_one(&f, 100, 1000 * (int64_t)MS_HOUR, &e));
    assert_true(write_one(&f, 100, 1001 * (int64_t)MS_HOUR, &e));
    walk(&f);
    assert_int_equal(f.last - f.seen, 100);
    end(&f);
}

static void test_restarts(void **state) {
    struct fixture f;
    struct err e;
    begin(&f, 1 << 20, 0);
    for (size_t i = 0; i < 10; i++) {
        assert_true(write_one(&f, 100 + 5000 * i, 0, &e));
        close_store(&f);
        open_store(&f, 1 << 20, 0);
    }
    walk(&f);
    assert_int_equal(f.seen, 10);
    assert_true(f.files <= 5);
    assert_true(f.store.files_n == f.files);
    end(&f);
}

// Power fails: what is torn stays, what comes later is read.
static void test_torn(void **state) {
    struct fixture f;
    struct err e;
    begin(&f, 1 << 20, 0);
    for (uint64_t round = 0; round < 50; round++) {
        uint32_t before = f.next;
        for (size_t i = 0; i < 5; i++)
            assert_true(write_one(&f, 700, 0, &e));
        history_store_close(&f.store);
        sim_disk_kill(f.disk);
        sim_disk_crash(f.machine);
        sim_disk_unmount(f.disk);
        open_store(&f, 1 << 20, 0);
        assert_true(write_one(&f, 100, 0, &e));
        walk(&f);
        assert_int_equal(f.last, before + 5);
    }
    end(&f);
}

static void test_full(void **state) {
    struct fixture f;
    struct err e;
    begin(&f, 1 << 20, 0);
    sim_disk_set_faults(f.machine, &(struct sim_disk_faults){.capacity = 100000});
    while (write_one(&f, 1000, 0, &e))
        assert_true(f.next < 1000);
    walk(&f);
    uint32_t seen = f.seen;
    size_t files = f.files;
    assert_true(seen > 30);
    for (size_t i = 0; i < 20; i++)
        assert_false(write_one(&f, 1000, 0, &e));
    walk(&f);
    assert_int_equal(f.seen, seen);
    assert_true(f.files <= files + 1);
    sim_disk_set_faults(f.machine, &(struct sim_disk_faults){.capacity = UINT64_MAX});
    for (size_t i = 0; i < 100; i++)
        assert_true(write_one(&f, 1000, 0, &e));
    walk(&f);
    assert_int_equal(f.seen, seen + 100);
    end(&f);
}

static void test_broken_start(void **state) {
    struct fixture f;
    struct err e;
    begin(&f, 1 << 20, 0);
    for (size_t i = 0; i < 200; i++)
        assert_true(write_one(&f, 1000, 0, &e));
    close_store(&f);
    sim_disk_set_faults(f.machine, &(struct sim_disk_faults){.write_per_mille = 500, .capacity = UINT64_MAX});
    open_store(&f, 1 << 20, 0);
    for (size_t i = 0, kept = 0; kept < 200; i++, kept += write_one(&f, 1000, 0, &e))
        assert_true(i < 2000);
    walk(&f);
    assert_int_equal(f.seen, 400);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size), cmocka_unit_test(test_age),  cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_torn), cmocka_unit_test(test_full), cmocka_unit_test(test_broken_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
