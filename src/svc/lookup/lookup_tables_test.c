// lookup_tables_test: a table follows its file, and outlives what is wrong with it.
#include "svc/lookup/lookup_tables.h"

#include "rt/sim/sim_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct here {
    struct seed seed;
    struct sim_disk *machine;
    struct world world;
    struct config *config;
    struct lookup_tables *tables;
};

static struct wall wall_here(void *arg) { return (struct wall){1}; }

static void random_here(void *arg, void *to, size_t n) { memset(to, 7, n); }

static const struct world_ops ops = {.wall = wall_here, .random = random_here};

static void begin(struct here *h) {
    struct config_report report = {0};
    *h = (struct here){.seed = {1}};
    h->config = config_parse(SLICE("version 1\nhostname a.example.org\nlisten mx 127.0.0.1:2525\n"
                                   "table users file /etc/users\ntable more inline { \"carol\" }\n"
                                   "table junk regex /etc/junk\ntable nets inline { 10.0.0.0/8 2001:db8::/32 }\n"
                                   "policy connect { reject when client.ip in nets }\n"
                                   "policy helo { reject when helo in junk or helo in users }\n"
                                   "domain example.org { recipients users + more; deliver maildir \"/m/{local}\" }\n"),
                             SLICE("/"), &report);
    assert_non_null(h->config);
    config_report_done(&report);
    h->machine = sim_disk_new(&h->seed);
    h->world = (struct world){.loop = loop_new(true), .disk = sim_disk_mount(h->machine), .ops = &ops};
}

static void end(struct here *h) {
    lookup_tables_free(h->tables);
    sim_disk_unmount(h->world.disk);
    sim_disk_free(h->machine);
    loop_free(h->world.loop);
    config_free(h->config);
}

static void write_file(struct here *h, const char *path, const char *text) {
    struct disk_file *f;
    struct err e;
    (void)!disk_make_dir(h->world.disk, "etc", &e);
    (void)!disk_remove(h->world.disk, path, &e);
    assert_true(disk_open(h->world.disk, path, DISK_WRITE | DISK_CREATE, &f, &e));
    assert_true(disk_file_write_slice(f, slice_str(text), 0, &e));
    disk_file_close(f);
}

static void write_users(struct here *h, const char *text) { write_file(h, "etc/users", text); }

// 1 known, 0 unknown, -1 a temporary error.
static int look(struct here *h, const char *address) {
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct recipients found = {0};
    struct err e;
    if (!recipient_expand(h->config, lookup_tables_now(h->tables), slice_str(address), &arena, &found, &e))
        return -1;
    return found.kind == RECIPIENT_KNOWN;
}

// Moves the fake clock.
static void doze(void *arg) { fiber_sleep(1500); }

static void wait_a_little(struct here *h) {
    struct fiber_group group;
    struct err e;
    fiber_group_init(&group, h->world.loop, "test");
    assert_true(fiber_spawn(&group, "doze", doze, NULL, &e));
    loop_run(h->world.loop);
}

static void follows_its_file(void **state) {
    struct here h;
    begin(&h);
    write_users(&h, "alice\n");
    h.tables = lookup_tables_new(&h.world, h.config);
    assert_int_equal(look(&h, "alice@example.org"), 1);
    assert_int_equal(look(&h, "carol@example.org"), 1);
    assert_int_equal(look(&h, "bob@example.org"), 0);
    write_users(&h, "bobby\n"); // of the same size: a look at the size would not do
    assert_int_equal(look(&h, "bobby@example.org"), 0);
    wait_a_little(&h);
    assert_int_equal(look(&h, "bobby@example.org"), 1);
    assert_int_equal(look(&h, "alice@example.org"), 0);
    end(&h);
}

static void keeps_the_last_good(void **state) {
    struct here h;
    struct err e;
    begin(&h);
    write_users(&h, "alice\n");
    h.tables = lookup_tables_new(&h.world, h.config);
    assert_true(disk_remove(h.world.disk, "etc/users", &e));
    wait_a_little(&h);
    assert_int_equal(look(&h, "alice@example.org"), 1);
    end(&h);
}

static void never_there(void **state) {
    struct here h;
    begin(&h);
    h.tables = lookup_tables_new(&h.world, h.config);
    assert_int_equal(look(&h, "alice@example.org"), -1);
    write_users(&h, "alice\n");
    wait_a_little(&h);
    assert_int_equal(look(&h, "alice@example.org"), 1);
    end(&h);
}

static int match(struct here *h, const char *table, const char *value) {
    return (int)lookup_tables_match(h->tables, slice_str(table), slice_str(value));
}

static void answers_rules(void **state) {
    struct here h;
    begin(&h);
    write_users(&h, "alice\n");
    h.tables = lookup_tables_new(&h.world, h.config);
    assert_int_equal(match(&h, "nets", "10.1.2.3"), MESSAGE_MATCH_YES);
    assert_int_equal(match(&h, "nets", "2001:db8::1"), MESSAGE_MATCH_YES);
    assert_int_equal(match(&h, "nets", "11.1.2.3"), MESSAGE_MATCH_NO);
    assert_int_equal(match(&h, "users", "alice"), MESSAGE_MATCH_YES); // and it goes on to be a table of recipients
    assert_int_equal(look(&h, "alice@example.org"), 1);
    assert_int_equal(match(&h, "more", "carol"), MESSAGE_MATCH_FAILED); // no rule names it
    assert_int_equal(match(&h, "nothing", "x"), MESSAGE_MATCH_FAILED);
    assert_int_equal(match(&h, "junk", "dsl-1.example"), MESSAGE_MATCH_FAILED);
    write_file(&h, "etc/junk", "^dsl-\n");
    wait_a_little(&h);
    assert_int_equal(match(&h, "junk", "dsl-1.example"), MESSAGE_MATCH_YES);
    write_file(&h, "etc/junk", "^ppp-\n");
    wait_a_little(&h);
    assert_int_equal(match(&h, "junk", "dsl-1.example"), MESSAGE_MATCH_NO);
    end(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_its_file),
        cmocka_unit_test(keeps_the_last_good),
        cmocka_unit_test(never_there),
        cmocka_unit_test(answers_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
