// maildir_test: paths that stay in their place, and files that are whole or not there at whatever moment it ends.
#include "svc/deliver/maildir_batch.h"

#include "rt/sim/sim_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

static void paths(void **state) {
    static const struct {
        const char *pattern, *address, *path; // NULL: refused
    } rows[] = {
        {"/var/mail/{domain}/{local}", "alice@example.org", "var/mail/example.org/alice"},
        {"/var/mail/{domain}/{local}/", "Alice@Example.ORG", "var/mail/example.org/alice"},
        {"/home/{local}/Maildir", "bob.x@example.org", "home/bob.x/Maildir"},
        {"/m/{local}", "\"a b\"@example.org", "m/a b"},
        {"/m/{local}", "\"a/b\"@example.org", NULL},
        {"/m/{local}", "\"..\"@example.org", NULL},
        {"/m/{local}", "\".hidden\"@example.org", NULL},
        {"/m/{local}", "\"\"@example.org", NULL},
        {"/m/{local}", "no-domain", NULL},
        {"/m/{local}", "../../etc/passwd@example.org", NULL},
        {"/m/{local}", "{domain}@example.org", "m/{domain}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        const char *path = NULL;
        struct err e = {0};
        bool ok = maildir_path(slice_str(rows[i].pattern), slice_str(rows[i].address), &arena, &path, &e);
        if (ok != (rows[i].path != NULL) || (ok && strcmp(path, rows[i].path) != 0))
            fail_msg("%s: got \"%s\"", rows[i].address, ok ? path : e.text);
        assert_true(ok || err_is_permanent(&e));
    }
}

struct found {
    size_t in_new, whole, in_tmp;
    const char *want;
};

static void note(void *arg, const char *name, struct slice bytes) {
    struct found *f = arg;
    struct slice s = slice_str(name);
    if (slice_search(s, SLICE("/new/")) < s.n) {
        f->in_new++;
        f->whole += slice_eq(bytes, slice_str(f->want));
    }
    f->in_tmp += slice_search(s, SLICE("/tmp/")) < s.n;
}

static bool deliver(struct disk *disk, struct slice content, size_t cut, struct err *e) {
    struct maildir_file f;
    if (!maildir_begin(&f, disk, "mail/example.org/alice", SLICE("1.M2P3_4.host"), e))
        return false;
    if (maildir_write(&f, slice_upto(content, cut), e) && maildir_write(&f, slice_from(content, cut), e))
        return maildir_commit(&f, e);
    maildir_abort(&f);
    return false;
}

static const char crlf[] = "Subject: x\r\n\r\none\r\n\r\ntwo\r\rthree\r\n\r";
static const char lf[] = "Subject: x\n\none\n\ntwo\r\rthree\n\r";

static void cut_anywhere(void **state) {
    for (size_t cut = 0; cut < sizeof crlf; cut++) {
        struct seed seed = {1};
        struct sim_disk *machine = sim_disk_new(&seed);
        struct disk *disk = sim_disk_mount(machine);
        struct found found = {.want = lf};
        struct err e = {0};
        assert_true(deliver(disk, slice_str(crlf), cut, &e));
        sim_disk_each(machine, note, &found);
        assert_int_equal(found.whole, 1);
        assert_int_equal(found.in_tmp, 0);
        sim_disk_unmount(disk);
        sim_disk_free(machine);
    }
}

static void fell(void *arg) { *(bool *)arg = true; }

// Power goes at each change in turn: a delivery that was called done is there whole, and what is in new/ is whole.
static void power_fails_anywhere(void **state) {
    bool down = true;
    for (uint64_t at = 1; down; at++)
        for (uint64_t s = 0; s < 20; s++) {
            struct seed seed = {at * 1000 + s};
            struct sim_disk *machine = sim_disk_new(&seed);
            struct disk *disk = sim_disk_mount(machine);
            struct found found = {.want = lf};
            struct err e = {0};
            down = false;
            sim_disk_fall_at(machine, at, fell, &down);
            bool ok = deliver(disk, slice_str(crlf), 5, &e);
            assert_true(ok || down);
            sim_disk_unmount(disk);
            sim_disk_crash(machine);
            sim_disk_each(machine, note, &found);
            assert_int_equal(found.in_new, found.whole);
            if (ok)
                assert_int_equal(found.whole, 1);
            sim_disk_free(machine);
        }
}

// Four files, three of one Maildir, made safe together.
enum { BATCH = 4 };

static void deliver_batch(struct disk *disk, bool ok[BATCH]) {
    static const char *const boxes[BATCH] = {"m/alice", "m/bob", "m/alice", "m/alice"};
    struct maildir_file f[BATCH], *files[BATCH];
    struct err e[BATCH], *errs[BATCH];
    bool done[BATCH];
    size_t begun[BATCH], n = 0;
    for (size_t i = 0; i < BATCH; i++) {
        char name[] = {(char)('a' + i), '\0'};
        ok[i] = false;
        if (!maildir_begin(&f[i], disk, boxes[i], slice_str(name), &e[i]))
            continue;
        if (!maildir_write(&f[i], slice_str(crlf), &e[i])) {
            maildir_abort(&f[i]);
            continue;
        }
        files[n] = &f[i];
        errs[n] = &e[i];
        begun[n++] = i;
    }
    maildir_batch_settle(files, n, done, errs);
    for (size_t i = 0; i < n; i++)
        ok[begun[i]] = done[i];
}

static void power_fails_in_a_batch(void **state) {
    bool down = true;
    for (uint64_t at = 1; down; at++)
        for (uint64_t s = 0; s < 20; s++) {
            struct seed seed = {at * 1000 + s};
            struct sim_disk *machine = sim_disk_new(&seed);
            struct disk *disk = sim_disk_mount(machine);
            struct found found = {.want = lf};
            bool ok[BATCH];
            size_t called_done = 0;
            down = false;
            sim_disk_fall_at(machine, at, fell, &down);
            deliver_batch(disk, ok);
            for (size_t i = 0; i < BATCH; i++)
                called_done += ok[i];
            assert_true(called_done == BATCH || down);
            sim_disk_unmount(disk);
            sim_disk_crash(machine);
            sim_disk_each(machine, note, &found);
            assert_int_equal(found.in_new, found.whole);
            assert_true(found.whole >= called_done);
            sim_disk_free(machine);
        }
}

struct many {
    struct maildir_batch batch;
    struct fiber_group group;
    struct disk *disk;
    unsigned n, done, failed;
};

static void deliver_one(void *arg) {
    struct many *m = arg;
    struct maildir_file f;
    struct err e;
    char name[16];
    snprintf(name, sizeof name, "f%u", m->n++);
    assert_true(maildir_begin(&f, m->disk, "m/alice", slice_str(name), &e));
    assert_true(maildir_write(&f, slice_str(crlf), &e));
    if (maildir_batch_commit(&m->batch, &f, &e)) {
        m->done++;
        return;
    }
    assert_int_equal(e.kind, ERR_CANCELLED);
    m->failed++;
}

static void cancel_all(void *arg) { fiber_group_cancel(&((struct many *)arg)->group); }

// More fibers than a batch holds; cancelled while they wait, they leave nothing behind.
static void fibers(void **state) {
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct seed seed = {1};
        struct sim_disk *machine = sim_disk_new(&seed);
        struct loop *loop = loop_new(true);
        struct many m = {.disk = sim_disk_mount(machine)};
        struct found found = {.want = lf};
        struct err e;
        maildir_batch_init(&m.batch, loop);
        fiber_group_init(&m.group, loop, "deliver");
        for (unsigned i = 0; i < 3 * MAILDIR_BATCH_MAX - 5; i++)
            assert_true(fiber_spawn(&m.group, "deliver", deliver_one, &m, &e));
        if (cancelled)
            assert_true(fiber_spawn(&m.group, "cancel", cancel_all, &m, &e));
        loop_run(loop);
        sim_disk_each(machine, note, &found);
        assert_int_equal(m.done + m.failed, 3 * MAILDIR_BATCH_MAX - 5);
        assert_int_equal(m.failed != 0, cancelled);
        assert_int_equal(found.whole, m.done);
        assert_int_equal(found.in_tmp, 0);
        sim_disk_unmount(m.disk);
        sim_disk_free(machine);
        loop_free(loop);
    }
}

static void full_disk(void **state) {
    struct seed seed = {1};
    struct sim_disk *machine = sim_disk_new(&seed);
    struct disk *disk = sim_disk_mount(machine);
    struct found found = {.want = lf};
    struct err e = {0};
    sim_disk_set_faults(machine, &(struct sim_disk_faults){.capacity = 1});
    assert_false(deliver(disk, slice_str(crlf), 5, &e));
    assert_int_equal(e.sys, ENOSPC);
    assert_false(err_is_permanent(&e));
    sim_disk_each(machine, note, &found);
    assert_int_equal(found.in_new + found.in_tmp, 0);
    sim_disk_unmount(disk);
    sim_disk_free(machine);
}

static void a_name_that_is_taken(void **state) {
    struct seed seed = {1};
    struct sim_disk *machine = sim_disk_new(&seed);
    struct disk *disk = sim_disk_mount(machine);
    struct maildir_file first, second;
    struct err e = {0};
    assert_true(maildir_begin(&first, disk, "m", SLICE("name"), &e));
    assert_false(maildir_begin(&second, disk, "m", SLICE("name"), &e));
    assert_int_equal(e.sys, EEXIST);
    maildir_abort(&first);
    sim_disk_unmount(disk);
    sim_disk_free(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_fails_in_a_batch),
        cmocka_unit_test(fibers),
        cmocka_unit_test(paths),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(power_fails_anywhere),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(a_name_that_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
