// list_test: order, removal while walking, and entries that are in no list.
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct item {
    int n;
    struct list entry;
};

static void test_order(void **state) {
    struct list head;
    struct item a = {.n = 1}, b = {.n = 2}, c = {.n = 3};
    list_init(&head);
    assert_true(list_empty(&head) && !list_linked(&a.entry));
    list_append(&head, &b.entry);
    list_append(&head, &c.entry);
    list_prepend(&head, &a.entry);
    int seen = 0;
    LIST_EACH(at, &head) {
        struct item *item = LIST_ENTRY(at, struct item, entry);
        assert_int_equal(item->n, ++seen);
        list_remove(at);
        list_remove(at); // once more does nothing
        assert_false(list_linked(at));
    }
    assert_int_equal(seen, 3);
    assert_true(list_empty(&head));
}

static void test_shift(void **state) {
    struct list head;
    struct item a = {.n = 1}, b = {.n = 2};
    list_init(&head);
    list_append(&head, &a.entry);
    list_insert_before(&a.entry, &b.entry);
    assert_ptr_equal(list_shift(&head), &b.entry);
    assert_ptr_equal(list_shift(&head), &a.entry);
    assert_null(list_shift(&head));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_shift)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
