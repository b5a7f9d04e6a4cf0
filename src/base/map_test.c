// map_test: against an array, over random operations; graves don't fill the table.
#include "base/map.h"

#include "base/seed.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 500 };

struct value {
    char key[8];
    size_t n;
    bool in;
};

static struct slice key_of(const struct value *v) { return slice_of(v->key, v->n); }

static void test_random(void **state) {
    static struct value all[KEYS];
    struct map m = {.key = {{1, 2}}};
    struct seed seed = {.state = 5};
    size_t in = 0;
    for (int i = 0; i < KEYS; i++)
        all[i].n = (size_t)snprintf(all[i].key, sizeof all[i].key, "k%d", i);
    for (int round = 0; round < 50000; round++) {
        struct value *v = &all[seed_below(&seed, KEYS)];
        if (seed_chance(&seed, 500)) {
            map_set(&m, key_of(v), v);
            in += !v->in;
            v->in = true;
        } else {
            assert_ptr_equal(map_remove(&m, key_of(v)), v->in ? v : NULL);
            in -= v->in;
            v->in = false;
        }
        assert_int_equal(m.n, in);
        v = &all[seed_below(&seed, KEYS)];
        assert_ptr_equal(map_get(&m, key_of(v)), v->in ? v : NULL);
    }
    assert_true(m.cap <= 4096);
    size_t at = 0, seen = 0;
    for (struct value *v; (v = map_next(&m, &at)); seen++)
        assert_ptr_equal(map_remove(&m, key_of(v)), v);
    assert_int_equal(seen, in);
    assert_int_equal(m.n, 0);
    map_done(&m);
}

static void test_keys(void **state) {
    struct map m = {0};
    int a, b;
    assert_null(map_get(&m, SLICE("x")));
    assert_null(map_remove(&m, SLICE("x")));
    map_set(&m, SLICE_EMPTY, &a);
    map_set(&m, SLICE("a\0b"), &b);
    assert_ptr_equal(map_get(&m, SLICE("")), &a);
    assert_null(map_get(&m, SLICE("a")));
    assert_ptr_equal(map_get(&m, SLICE("a\0b")), &b);
    map_set(&m, SLICE_EMPTY, &b);
    assert_ptr_equal(map_get(&m, SLICE_EMPTY), &b);
    assert_int_equal(m.n, 2);
    map_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
