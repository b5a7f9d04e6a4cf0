// password_edit_test: texts before and after.
#include "core/auth/password_edit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *before, *user, *name, *after;
} sets[] = {
    {"", "ann", "", "ann::!new\n"},
    {"bob::!", "ann", "", "bob::!\nann::!new\n"},
    {"# people\nbob::!\n", "ann", "", "# people\nbob::!\nann::!new\n"},
    {"ann::!old\nbob::!\n", "ann", "", "ann::!new\nbob::!\n"},
    {"Ann:!old # x\n", "ann", "", "ann::!new\n"},
    {"ann::!old\n# of bob\nbob::!\n", "ann", "phone", "ann::!old\nann:phone:!new\n# of bob\nbob::!\n"},
    {"ann:phone:!old\nann:Phone:!older\nann::!\n", "ann", "phone", "ann:phone:!new\nann::!\n"},
    {"not a line\n#ann::!\nann:laptop:!", "ann", "", "not a line\n#ann::!\nann:laptop:!\nann::!new\n"},
};

static void test_set(void **state) {
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct buf out BUF_AUTO = {.max = 4096};
        struct password_record r = {.user = slice_str(sets[i].user),
                                    .name = slice_str(sets[i].name),
                                    .hashes = {{PASSWORD_NONE, SLICE("!new")}},
                                    .hashes_n = 1};
        assert_true(password_edit_set(slice_str(sets[i].before), &r, &out));
        if (!slice_eq(buf_slice(&out), slice_str(sets[i].after)))
            fail_msg("%s gave %.*s", sets[i].before, SLICE_ARG(buf_slice(&out)));
    }
}

static const struct {
    const char *before, *user, *name, *after; // name NULL: all
    size_t removed;
} removals[] = {
    {"", "ann", NULL, "", 0},
    {"ann::!\nbob::!\nann:phone:!", "ann", NULL, "bob::!\n", 2},
    {"ann::!\nbob::!\nann:phone:!", "ann", "phone", "ann::!\nbob::!\n", 1},
    {"ann::!\nbob::!\nann:phone:!\n", "ann", "", "bob::!\nann:phone:!\n", 1},
    {"ann::!\nanna::!\n#ann\nann", "ann", NULL, "anna::!\n#ann\nann", 1},
};

static void test_remove(void **state) {
    for (size_t i = 0; i < sizeof removals / sizeof *removals; i++) {
        struct buf out BUF_AUTO = {.max = 4096};
        struct slice name = slice_str(removals[i].name);
        size_t removed = 99;
        assert_true(password_edit_remove(slice_str(removals[i].before), slice_str(removals[i].user),
                                         removals[i].name ? &name : NULL, &out, &removed));
        assert_int_equal(removed, removals[i].removed);
        if (!slice_eq(buf_slice(&out), slice_str(removals[i].after)))
            fail_msg("%s gave %.*s", removals[i].before, SLICE_ARG(buf_slice(&out)));
    }
}

static void test_full(void **state) {
    struct buf out BUF_AUTO = {.max = 8};
    size_t removed;
    assert_false(password_edit_remove(SLICE("ann::!\nbob::!\n"), SLICE("eve"), NULL, &out, &removed));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set), cmocka_unit_test(test_remove),
                                       cmocka_unit_test(test_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
