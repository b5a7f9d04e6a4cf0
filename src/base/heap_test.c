// heap_test: against a plain search for the smallest, over random operations.
#include "base/heap.h"

#include "base/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 100 };

static int64_t smallest(const struct heap_entry *all) {
    int64_t best = INT64_MAX;
    for (int i = 0; i < ENTRIES; i++)
        if (heap_has(&all[i]) && all[i].key < best)
            best = all[i].key;
    return best;
}

static void test_random(void **state) {
    static struct heap_entry all[ENTRIES];
    struct heap h = {0};
    struct seed seed = {.state = 3};
    size_t in = 0;
    for (int round = 0; round < 20000; round++) {
        struct heap_entry *entry = &all[seed_below(&seed, ENTRIES)];
        bool was = heap_has(entry);
        if (seed_chance(&seed, 600)) {
            heap_set(&h, entry, (int64_t)seed_below(&seed, 50) - 25);
            in += !was;
        } else {
            heap_remove(&h, entry);
            in -= was;
        }
        assert_int_equal(h.n, in);
        assert_true(in == 0 ? heap_first(&h) == NULL : heap_first(&h)->key == smallest(all));
    }
    int64_t before = INT64_MIN;
    for (struct heap_entry *first; (first = heap_first(&h)); heap_remove(&h, first)) {
        assert_true(first->key >= before);
        before = first->key;
    }
    heap_done(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
