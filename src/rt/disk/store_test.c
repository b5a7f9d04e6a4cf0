// store_test: both kinds do the same; the one on disk comes back, alone, whole, or anew when it was damaged.
#include "rt/disk/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 1 << 20 };

static char directory[64];

static int setup(void **state) {
    snprintf(directory, sizeof directory, "/tmp/posthouse-store-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static const char *file(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static bool exists(const char *name) { return access(file(name), F_OK) == 0; }

static struct store *open_store(const char *want_damage) {
    char damaged[ERR_TEXT];
    struct err e = {0};
    struct store *s = store_lmdb_new(directory, SIZE, damaged, &e);
    assert_string_equal(e.text, "");
    assert_non_null(s);
    assert_non_null(strstr(damaged, want_damage));
    assert_int_equal(*damaged != 0, *want_damage != 0);
    return s;
}

static void put(struct store *s, const char *key, const char *value) {
    struct err e;
    assert_true(store_put(s, slice_str(key), slice_str(value), &e));
}

static void commit(struct store *s) {
    struct err e;
    assert_true(store_commit(s, &e));
}

static void assert_value(struct store *s, const char *key, const char *want) {
    BUF_AUTO struct buf b = {.max = STORE_VALUE_MAX};
    struct err e;
    bool found;
    assert_true(store_get(s, slice_str(key), &b, &found, &e));
    assert_int_equal(found, want != NULL);
    if (want)
        assert_true(slice_eq(buf_slice(&b), slice_str(want)));
}

static bool note(void *arg, struct slice key, struct slice value) {
    char *text = arg;
    size_t n = strlen(text);
    snprintf(text + n, 256 - n, "%.*s=%.*s ", SLICE_ARG(key), SLICE_ARG(value));
    return strlen(text) < 30;
}

static void assert_all(struct store *s, const char *prefix, const char *want) {
    char text[256] = "";
    struct err e;
    assert_true(store_each(s, slice_str(prefix), note, text, &e));
    assert_string_equal(text, want);
}

static void use(struct store *s) {
    struct err e;
    char key[STORE_KEY_MAX + 2];
    assert_all(s, "", "");
    put(s, "gb", "2");
    put(s, "ga", "1");
    put(s, "h", "");
    put(s, "ga", "one");
    assert_value(s, "ga", "one");
    assert_value(s, "h", "");
    assert_value(s, "g", NULL);
    assert_all(s, "g", "ga=one gb=2 ");
    assert_all(s, "", "ga=one gb=2 h= ");
    assert_all(s, "z", "");
    assert_true(store_remove(s, SLICE("gb"), &e));
    assert_true(store_remove(s, SLICE("never"), &e));
    assert_value(s, "gb", NULL);
    commit(s);
    commit(s);
    assert_all(s, "", "ga=one h= ");
    for (int i = 0; i < 9; i++) { // the walk may be ended
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        put(s, name, "12345");
    }
    assert_all(s, "x", "x0=12345 x1=12345 x2=12345 x3=12345 ");
    memset(key, 'k', sizeof key);
    assert_true(store_put(s, slice_of(key, STORE_KEY_MAX), SLICE("v"), &e));
    assert_false(store_put(s, slice_of(key, STORE_KEY_MAX + 1), SLICE("v"), &e));
    assert_false(store_put(s, SLICE(""), SLICE("v"), &e));
}

static void test_memory(void **state) {
    struct store *s = store_memory_new();
    use(s);
    store_free(s);
    store_free(NULL);
}

static void test_lmdb(void **state) {
    struct store *s = open_store("");
    use(s);
    store_free(s); // the x are not committed
    s = open_store("");
    assert_all(s, "", "ga=one h= ");
    store_free(s);
}

static void test_one_at_a_time(void **state) {
    struct store *s = open_store("");
    char damaged[ERR_TEXT];
    struct err e = {0};
    assert_null(store_lmdb_new(directory, SIZE, damaged, &e));
    assert_int_equal(e.sys, EWOULDBLOCK);
    store_free(s);
    s = open_store("");
    store_free(s);
    char *nowhere = "/nonexistent/store";
    assert_null(store_lmdb_new(nowhere, SIZE, damaged, &e));
    assert_int_equal(e.sys, ENOENT);
}

static void fill(void) {
    struct store *s = open_store("");
    for (int i = 0; i < 2000; i++) {
        char name[16];
        snprintf(name, sizeof name, "key%d", i);
        put(s, name, "some value that takes some room in its page");
    }
    commit(s);
    store_lmdb_proven(s);
    store_free(s);
}

static void assert_renewed(const char *why) {
    struct store *s = open_store(why);
    assert_value(s, "key1", NULL);
    put(s, "new", "life");
    commit(s);
    store_lmdb_proven(s);
    store_free(s);
    assert_true(exists("data.mdb.damaged"));
    s = open_store("");
    assert_value(s, "new", "life");
    store_free(s);
}

static void test_cut(void **state) {
    struct stat st;
    fill();
    assert_int_equal(stat(file("data.mdb"), &st), 0);
    assert_int_equal(truncate(file("data.mdb"), st.st_size / 2), 0);
    assert_renewed("bytes of");
}

static void test_garbage(void **state) {
    fill();
    FILE *f = fopen(file("data.mdb"), "r+");
    for (int i = 0; i < 10000; i++)
        fputc('x', f);
    fclose(f);
    assert_renewed("store");
}

// Two starts that died while they read it; one may have been killed.
static void test_deadly(void **state) {
    fill();
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            char damaged[ERR_TEXT];
            struct err e;
            if (store_lmdb_new(directory, SIZE, damaged, &e) && !*damaged)
                _exit(7);
            _exit(1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WEXITSTATUS(status), 7);
    }
    assert_renewed("died");
}

static void test_full(void **state) {
    struct store *s = open_store("");
    struct err e = {0};
    char value[4000];
    memset(value, 'v', sizeof value);
    put(s, "first", "1");
    commit(s);
    int i = 0;
    for (bool ok = true; ok && i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        ok = store_put(s, slice_str(name), slice_of(value, sizeof value), &e) && store_commit(s, &e);
    }
    assert_true(i < 1000);
    assert_non_null(strstr(e.text, "MDB_MAP_FULL"));
    assert_value(s, "first", "1"); // what was there is there
    commit(s);
    store_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test_setup_teardown(test_lmdb, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
