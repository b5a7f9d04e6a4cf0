// disk_kernel_test: files below a directory of this machine, and nothing beside it.
#include "rt/disk/disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    char path[64];
    struct disk *disk;
};

static int setup(void **state) {
    struct scene *s = calloc(1, sizeof *s);
    struct err e;
    snprintf(s->path, sizeof s->path, "/tmp/posthouse-disk-XXXXXX");
    assert_non_null(mkdtemp(s->path));
    s->disk = disk_of_path(s->path, &e);
    assert_non_null(s->disk);
    *state = s;
    return 0;
}

static int teardown(void **state) {
    struct scene *s = *state;
    char command[128];
    disk_free_kernel(s->disk);
    snprintf(command, sizeof command, "rm -rf %s", s->path);
    int r = system(command);
    free(s);
    return r;
}

static struct disk_file *make(struct disk *d, const char *name, const char *text) {
    struct disk_file *f;
    struct err e = {0};
    assert_true(disk_open(d, name, DISK_WRITE | DISK_CREATE, &f, &e));
    assert_true(disk_file_write_slice(f, slice_str(text), 0, &e));
    return f;
}

static void test_write_and_read(void **state) {
    struct scene *s = *state;
    struct err e = {0};
    char to[16] = {0};
    size_t got;
    uint64_t size;
    struct disk_file *f = make(s->disk, "a", "hello");
    assert_true(disk_file_sync(f, &e));
    assert_true(disk_file_size(f, &size, &e));
    assert_int_equal(size, 5);
    assert_true(disk_file_read(f, to, sizeof to, 0, &got, &e)); // fewer only at the end
    assert_int_equal(got, 5);
    assert_memory_equal(to, "hello", 5);
    assert_true(disk_file_read(f, to, 2, 3, &got, &e));
    assert_memory_equal(to, "lo", 2);
    assert_true(disk_file_read(f, to, 2, 100, &got, &e));
    assert_int_equal(got, 0);
    disk_file_close(f);
    disk_file_close(NULL);
}

static void test_exclusive_and_missing(void **state) {
    struct scene *s = *state;
    struct disk_file *f;
    struct err e = {0};
    disk_file_close(make(s->disk, "a", "x"));
    assert_false(disk_open(s->disk, "a", DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, &f, &e));
    assert_int_equal(e.sys, EEXIST);
    assert_false(disk_open(s->disk, "b", DISK_READ, &f, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_true(disk_open(s->disk, "a", DISK_READ, &f, &e));
    assert_false(disk_file_write_slice(f, SLICE("y"), 0, &e)); // opened for reading
    disk_file_close(f);
}

static void count(void *arg, const char *entry) {
    assert_true(strcmp(entry, ".") != 0 && strcmp(entry, "..") != 0);
    ++*(int *)arg;
}

static void test_directories(void **state) {
    struct scene *s = *state;
    struct err e = {0};
    int n = 0;
    uint64_t room;
    assert_true(disk_make_dir(s->disk, "d", &e));
    assert_true(disk_make_dir(s->disk, "d", &e)); // an existing one is success
    disk_file_close(make(s->disk, "d/a", "x"));
    disk_file_close(make(s->disk, "d/b", "x"));
    assert_false(disk_make_dir(s->disk, "d/b", &e)); // but not a file
    assert_int_equal(e.sys, EEXIST);
    assert_true(disk_rename(s->disk, "d/a", "c", &e));
    assert_true(disk_sync_dir(s->disk, "d", &e) && disk_sync_dir(s->disk, ".", &e));
    assert_true(disk_list(s->disk, "d", count, &n, &e));
    assert_int_equal(n, 1);
    n = 0;
    assert_true(disk_list(s->disk, ".", count, &n, &e));
    assert_int_equal(n, 2);
    assert_true(disk_remove(s->disk, "c", &e));
    assert_false(disk_remove(s->disk, "c", &e));
    assert_false(disk_list(s->disk, "nowhere", count, &n, &e));
    assert_true(disk_free_bytes(s->disk, &room, &e) && room > 0);
}

// More parts than one call of the kernel takes, empty ones among them.
static void test_many_parts(void **state) {
    enum { PARTS = 1000 };
    struct scene *s = *state;
    static struct iovec parts[PARTS];
    static char to[3 * PARTS];
    struct err e = {0};
    size_t got;
    struct disk_file *f = make(s->disk, "many", "");
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = (struct iovec){"abc", i % 4};
    assert_true(disk_file_write(f, parts, PARTS, 7, &e));
    assert_true(disk_file_read(f, to, sizeof to, 7, &got, &e));
    assert_int_equal(got, PARTS / 4 * 6);
    assert_memory_equal(to, "aababcaababc", 12);
    assert_memory_equal(to + got - 6, "aababc", 6);
    disk_file_close(f);
}

static void test_no_way_out(void **state) {
    static const char *const names[] = {"../x", "/etc/passwd", "d/../../x", "d/../../../etc/passwd",
                                        "..",   "link/x",      "way"};
    struct scene *s = *state;
    struct disk_file *f;
    struct err e = {0};
    char outside[128], link[128];
    assert_true(disk_make_dir(s->disk, "d", &e));
    snprintf(link, sizeof link, "%s/link", s->path);
    assert_int_equal(symlink("/tmp", link), 0);
    snprintf(link, sizeof link, "%s/way", s->path);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_false(disk_open(s->disk, names[i], DISK_READ, &f, &e));
        assert_false(disk_open(s->disk, names[i], DISK_WRITE | DISK_CREATE, &f, &e));
    }
    for (size_t i = 0; i < 5; i++) {
        assert_false(disk_remove(s->disk, names[i], &e));
        assert_false(disk_rename(s->disk, "d", names[i], &e));
        assert_false(disk_rename(s->disk, names[i], "e", &e));
        assert_false(disk_make_dir(s->disk, names[i], &e));
        assert_false(disk_sync_dir(s->disk, names[i], &e));
    }
    snprintf(outside, sizeof outside, "%s/../x", s->path);
    assert_int_not_equal(access(outside, F_OK), 0);
    assert_false(disk_remove(s->disk, "", &e));
}

// A link inside that leads outside is no way out for the calls that take names apart from opening either.
static void test_no_way_out_by_a_link(void **state) {
    struct scene *s = *state;
    struct err e = {0};
    char link[128], outside[64] = "/tmp/posthouse-out-XXXXXX", victim[128];
    assert_non_null(mkdtemp(outside));
    snprintf(link, sizeof link, "%s/link", s->path);
    assert_int_equal(symlink(outside, link), 0);
    snprintf(victim, sizeof victim, "%s/victim", outside);
    FILE *f = fopen(victim, "w");
    fclose(f);
    disk_file_close(make(s->disk, "own", "x"));
    assert_false(disk_remove(s->disk, "link/victim", &e));
    assert_false(disk_rename(s->disk, "link/victim", "stolen", &e));
    assert_false(disk_rename(s->disk, "own", "link/own", &e));
    assert_false(disk_make_dir(s->disk, "link/made", &e));
    assert_int_equal(access(victim, F_OK), 0);
    assert_int_equal(unlink(victim), 0);
    assert_int_equal(rmdir(outside), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exclusive_and_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_way_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_way_out_by_a_link, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
