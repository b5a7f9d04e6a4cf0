// file_test: whole files with a bound, directories, the lock that keeps a second server away, stale sockets.
#include "rt/disk/file.h"

#include "rt/listen.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/posthouse-file-XXXXXX";

static const char *below(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int enter(void **state) { return mkdtemp(directory) ? 0 : -1; }

static int leave(void **state) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

static void reads_whole_files_up_to_a_bound(void **state) {
    FILE *f = fopen(below("text"), "w");
    assert_non_null(f);
    for (int i = 0; i < 5000; i++)
        fprintf(f, "0123456789");
    fclose(f);
    struct err e;
    BUF_AUTO struct buf fits = {.max = 50000}, tight = {.max = 49999};
    assert_true(file_read(below("text"), &fits, &e));
    assert_int_equal(fits.n, 50000);
    assert_false(file_read(below("text"), &tight, &e));
    assert_non_null(strstr(e.text, "larger than 49999 bytes"));
}

static void a_rename_makes_another_file(void **state) {
    struct file_identity before, after;
    char other[256];
    snprintf(other, sizeof other, "%s", below("other"));
    fclose(fopen(other, "w"));
    assert_false(file_identify(below("none"), &before));
    assert_true(file_identify(below("text"), &before));
    assert_int_equal(rename(other, below("text")), 0);
    assert_true(file_identify(below("text"), &after));
    assert_int_not_equal(before.number, after.number);
}

static void says_why_a_file_cannot_be_read(void **state) {
    struct err e;
    BUF_AUTO struct buf b = {.max = 100};
    assert_false(file_read(below("none"), &b, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_false(file_readable(directory, &e));
    assert_int_equal(e.sys, EISDIR);
}

static void makes_directories_for_us_alone(void **state) {
    struct err e;
    struct stat st;
    assert_true(file_make_dir(below("a/b/c"), NULL, &e));
    assert_true(file_make_dir(below("a/b/c"), NULL, &e));
    assert_int_equal(stat(below("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_lock_is_held_once(void **state) {
    struct err e;
    int fd = -1, other = -1;
    int64_t holder = 0;
    assert_true(file_lock(below("lock"), &fd, &holder, &e));
    assert_false(file_lock(below("lock"), &other, &holder, &e));
    assert_int_equal(e.sys, EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    close(fd);
    assert_true(file_lock(below("lock"), &fd, &holder, &e));
    close(fd);
}

static void a_stale_socket_is_replaced(void **state) {
    struct err e;
    struct stat st;
    int fd = -1;
    assert_true(listen_unix(below("socket"), &fd, &e));
    close(fd); // its name stays, as after kill -9
    assert_true(listen_unix(below("socket"), &fd, &e));
    assert_int_equal(stat(below("socket"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    close(fd);
    file_remove_socket(below("socket"));
    assert_int_equal(stat(below("socket"), &st), -1);
    file_remove_socket(below("text")); // not a socket: it stays
    assert_int_equal(stat(below("text"), &st), 0);
}

static void a_port_in_use_is_told(void **state) {
    struct err e;
    int first = -1, second = -1;
    struct netaddr at = {.family = NETADDR_V4, .ip = {127, 0, 0, 1}};
    for (at.port = 29000; at.port < 29100 && first < 0; at.port++)
        if (listen_tcp(&at, false, &first, &e))
            break;
    assert_true(first >= 0);
    assert_false(listen_tcp(&at, false, &second, &e));
    assert_int_equal(e.sys, EADDRINUSE);
    close(first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole_files_up_to_a_bound),
        cmocka_unit_test(says_why_a_file_cannot_be_read),
        cmocka_unit_test(a_rename_makes_another_file),
        cmocka_unit_test(makes_directories_for_us_alone),
        cmocka_unit_test(a_lock_is_held_once),
        cmocka_unit_test(a_stale_socket_is_replaced),
        cmocka_unit_test(a_port_in_use_is_told),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
