// file_replace_test: what becomes of modes, links and failures.
#include "rt/disk/file_replace.h"

#include "rt/disk/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/file_replace_test.XXXXXX";

static int in_directory(void **state) { return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1; }

static int out_of_directory(void **state) {
    unlink("new");
    unlink("link");
    unlink("readable");
    rmdir("taken");
    return chdir("/") || rmdir(directory);
}

static void expect(const char *path, const char *text, mode_t mode) {
    struct buf b BUF_AUTO = {.max = 100};
    struct stat st;
    struct err e;
    assert_true(file_read(path, &b, &e) && slice_eq(buf_slice(&b), slice_str(text)));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void test_new(void **state) {
    struct err e;
    assert_true(file_replace("new", SLICE("one\n"), NULL, &e));
    expect("new", "one\n", 0600);
    assert_true(file_replace("new", SLICE(""), NULL, &e));
    expect("new", "", 0600);
}

static void test_old(void **state) {
    char path[100];
    struct err e;
    struct stat st;
    assert_true(file_replace("readable", SLICE("one\n"), NULL, &e) && chmod("readable", 0640) == 0);
    assert_int_equal(symlink("readable", "link"), 0);
    assert_true(file_replace("link", SLICE("two\n"), NULL, &e));
    expect("readable", "two\n", 0640);
    assert_true(lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
    snprintf(path, sizeof path, "%s/readable", directory);
    assert_true(file_replace(path, SLICE("three\n"), NULL, &e));
    expect("readable", "three\n", 0640);
}

static void test_failures(void **state) {
    struct err e = {0};
    assert_false(file_replace("no/where", SLICE("x"), NULL, &e));
    assert_non_null(strstr(e.text, "no/where"));
    assert_int_equal(mkdir("taken", 0700), 0);
    assert_false(file_replace("taken", SLICE("x"), NULL, &e)); // and nothing is left beside it
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_new), cmocka_unit_test(test_old),
                                       cmocka_unit_test(test_failures)};
    return cmocka_run_group_tests(tests, in_directory, out_of_directory);
}
