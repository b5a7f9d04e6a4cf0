// bounded_test: the oldest goes first, pinned ones stay, changes are remembered until they are kept.
#include "base/bounded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
    struct bounded_entry entry;
    int value;
};

static const struct hash_key key = {{1, 2}};

static struct item *get(struct bounded *b, const char *name) { return bounded_get(b, slice_str(name)); }
static struct item *find(struct bounded *b, const char *name) { return bounded_find(b, slice_str(name)); }

static void assert_next(struct bounded *b, const char *name, bool gone) {
    struct bounded_entry *e = bounded_next_change(b);
    assert_non_null(e);
    assert_true(slice_eq(e->key, slice_str(name)));
    assert_int_equal(e->gone, gone);
    bounded_kept(b, e);
}

static void test_oldest_goes(void **state) {
    struct bounded b;
    bounded_init(&b, sizeof(struct item), 3, &key);
    get(&b, "a")->value = 1;
    get(&b, "b")->value = 2;
    get(&b, "c")->value = 3;
    assert_int_equal(get(&b, "a")->value, 1); // touched
    get(&b, "d");
    assert_null(find(&b, "b"));
    assert_int_equal(find(&b, "a")->value, 1);
    assert_true(slice_eq(bounded_oldest(&b)->key, SLICE("c")));
    assert_int_equal(b.map.n, 3);
    while (bounded_next_change(&b))
        bounded_kept(&b, bounded_next_change(&b));
    bounded_touch(&b, bounded_oldest(&b));
    assert_true(slice_eq(bounded_oldest(&b)->key, SLICE("a")));
    assert_null(bounded_next_change(&b)); // touched, not changed
    bounded_done(&b);
}

static void test_changes(void **state) {
    struct bounded b;
    bounded_init(&b, sizeof(struct item), 2, &key);
    assert_null(bounded_next_change(&b));
    get(&b, "a");
    get(&b, "b");
    get(&b, "a");
    assert_next(&b, "a", false);
    assert_next(&b, "b", false);
    assert_null(bounded_next_change(&b));
    get(&b, "c"); // b goes
    get(&b, "b"); // a goes, b is there again: forgotten first, then kept
    assert_next(&b, "b", true);
    assert_next(&b, "a", true);
    assert_next(&b, "c", false);
    assert_next(&b, "b", false);
    assert_null(bounded_next_change(&b));
    bounded_change_all(&b);
    bounded_change_all(&b);
    bounded_remove(&b, &find(&b, "c")->entry);
    assert_next(&b, "c", true);
    assert_next(&b, "b", false);
    assert_null(bounded_next_change(&b));
    bounded_remove(&b, &find(&b, "b")->entry);
    bounded_done(&b); // with one that is gone and not kept
}

// Nobody has to be told of what nobody was told of.
static void test_never_kept(void **state) {
    struct bounded b;
    bounded_init(&b, sizeof(struct item), 2, &key);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        get(&b, name);
    }
    assert_true(list_empty(&b.gone));
    assert_next(&b, "998", false);
    assert_next(&b, "999", false);
    get(&b, "x");
    assert_next(&b, "998", true);
    assert_next(&b, "x", false);
    bounded_done(&b);
}

static void test_pinned(void **state) {
    struct bounded b;
    bounded_init(&b, sizeof(struct item), 2, &key);
    bounded_pin(&b, &get(&b, "held")->entry, true);
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        get(&b, name);
    }
    assert_non_null(find(&b, "held"));
    assert_int_equal(b.map.n, 3);
    bounded_pin(&b, &get(&b, "held")->entry, false);
    get(&b, "x");
    get(&b, "y");
    get(&b, "z");
    assert_null(find(&b, "held"));
    assert_non_null(find(&b, "z"));
    bounded_pin(&b, &find(&b, "z")->entry, true);
    bounded_remove(&b, &find(&b, "z")->entry);
    assert_int_equal(b.pinned, 0);
    bounded_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_goes),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_never_kept),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
