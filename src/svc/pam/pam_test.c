// pam_test: questions to the real libpam, with services of the test's own: who gets in, what a module is told, one that
// hangs, one that kills itself, many at once.
#include "svc/pam/pam.h"

#include "core/message/message_auth.h"
#include "rt/disk/file.h"
#include "rt/journal.h"
#include "svc/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIPE = 1 << 20, MANY = 40 };

struct here {
    struct loop *loop;
    struct world world;
    struct journal journal;
    struct buf log;
    struct fiber_group group;
    struct peer auth; // our end of its link
    struct pam_service *pam;
    char dir[64];
    void (*story)(struct here *h);
    unsigned answered, good;
};

static struct wall wall_here(void *arg) { return (struct wall){1700000000000}; }

static void write_file(struct here *h, const char *name, mode_t mode, const char *format, ...) {
    char path[128];
    va_list list;
    snprintf(path, sizeof path, "%s/%s", h->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    va_start(list, format);
    vfprintf(f, format, list);
    va_end(list);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void remove_file(struct here *h, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", h->dir, name);
    unlink(path);
}

// `check` is asked with the password on its standard input, as Debian's common-auth has pam_unix.
static void write_services(struct here *h) {
    write_file(h, "permit", 0644, "auth required pam_permit.so\naccount required pam_permit.so\n");
    write_file(h, "deny", 0644, "auth required pam_deny.so\naccount required pam_permit.so\n");
    write_file(h, "expired", 0644, "auth required pam_permit.so\naccount required pam_deny.so\n");
    write_file(h, "missing", 0644, "auth required pam_no_such_module.so\naccount required pam_permit.so\n");
    write_file(h, "check", 0644,
               "auth [success=1 default=ignore] pam_exec.so quiet expose_authtok %s/script\n"
               "auth requisite pam_deny.so\nauth required pam_permit.so\naccount required pam_permit.so\n",
               h->dir);
    write_file(h, "script", 0755,
               "#!/bin/sh\n"
               "case $PAM_USER in murderer) kill -9 $PPID; sleep 1;; hanger) exec sleep 3;; esac\n"
               "echo \"$PAM_USER $PAM_RHOST $PAM_TYPE\" >%s/told\n"
               "[ \"$(cat | tr -d '\\000')\" = 'open sesame' ]\n",
               h->dir);
}

static struct message_pam_reply ask_err(struct here *h, const char *service, const char *user, struct slice password,
                                        struct buf *space) {
    BUF_AUTO struct buf packed = {.max = 8192};
    struct message_pam_check m = {slice_str(service), slice_str(user), password, SLICE("192.0.2.7")};
    struct message_pam_reply said;
    enum link_type type;
    struct err e;
    assert_true(message_pam_check_pack(&packed, &m));
    if (!peer_call(&h->auth, LINK_PAM_CHECK, buf_slice(&packed), MONO_NEVER, &type, space, &e))
        fail_msg("pam: %s", e.text);
    assert_int_equal(type, LINK_PAM_REPLY);
    assert_true(message_pam_reply_unpack(buf_slice(space), &said));
    return said;
}

static enum message_pam_result ask(struct here *h, const char *service, const char *user, const char *password) {
    BUF_AUTO struct buf space = {.max = 4096};
    return ask_err(h, service, user, slice_str(password), &space).result;
}

static void live(void *arg) {
    struct here *h = arg;
    h->story(h);
    pam_stop(h->pam);
    fiber_group_join(pam_fibers(h->pam));
    fiber_group_cancel(&h->group);
}

static void nothing(void *service, struct peer_link *from, const struct link_frame *f) {}

static const struct world_ops ops = {.wall = wall_here};

static void run(void (*story)(struct here *h)) {
    struct here h = {.story = story, .log = {.max = 1 << 16}};
    struct transport *a, *b;
    struct err e;
    snprintf(h.dir, sizeof h.dir, "/tmp/posthouse-pam-XXXXXX");
    assert_non_null(mkdtemp(h.dir));
    write_services(&h);
    h.loop = loop_new(false);
    journal_init_memory(&h.journal, &(struct journal_setup){.role = "pam", .least = JOURNAL_INFO, .now = wall_here},
                        &h.log);
    h.world = (struct world){.loop = h.loop, .journal = &h.journal, .ops = &ops};
    fiber_group_init(&h.group, h.loop, "test");
    h.pam = pam_new(&h.world, h.dir);
    transport_pair(PIPE, &a, &b);
    h.auth = (struct peer){.group = &h.group, .handle = nothing, .service = &h};
    pam_attach(h.pam, link_new(h.loop, b, ROLE_PAM, ROLE_AUTH), ROLE_AUTH);
    peer_attach(&h.auth, link_new(h.loop, a, ROLE_AUTH, ROLE_PAM));
    assert_true(fiber_spawn(&h.group, "story", live, &h, &e));
    loop_run(h.loop);
    pam_free(h.pam);
    journal_done(&h.journal);
    buf_done(&h.log);
    loop_free(h.loop);
    static const char *const names[] = {"permit", "deny", "expired", "missing", "check", "script", "told"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove_file(&h, names[i]);
    rmdir(h.dir);
}

static void ask_all(struct here *h) {
    BUF_AUTO struct buf told = {.max = 200}, space = {.max = 4096};
    char path[128];
    struct err e;
    assert_int_equal(ask(h, "permit", "alice", "x"), MESSAGE_PAM_OK);
    assert_int_equal(ask(h, "deny", "alice", "x"), MESSAGE_PAM_FAILED);
    assert_int_equal(ask(h, "expired", "alice", "x"), MESSAGE_PAM_FAILED);
    assert_int_equal(ask(h, "missing", "alice", "x"), MESSAGE_PAM_TROUBLE);
    assert_int_equal(ask(h, "check", "alice", "open sesame"), MESSAGE_PAM_OK);
    assert_int_equal(ask(h, "check", "alice", "open barley"), MESSAGE_PAM_FAILED);
    assert_int_equal(ask(h, "permit", "alice", ""), MESSAGE_PAM_FAILED);
    assert_int_equal(ask_err(h, "permit", "alice", SLICE("a\0b"), &space).result, MESSAGE_PAM_FAILED);
    snprintf(path, sizeof path, "%s/told", h->dir);
    assert_true(file_read(path, &told, &e));
    assert_true(slice_eq(buf_slice(&told), SLICE("alice 192.0.2.7 auth\n")));
}

static void modules_decide(void **state) { run(ask_all); }

static void ask_the_murderer(struct here *h) {
    assert_int_equal(ask(h, "check", "murderer", "x"), MESSAGE_PAM_TROUBLE);
    journal_flush(&h->journal);
    assert_true(slice_search(buf_slice(&h->log), SLICE("pam-trouble")) < h->log.n);
    assert_int_equal(ask(h, "check", "alice", "open sesame"), MESSAGE_PAM_OK);
}

static void a_module_that_kills_its_process(void **state) { run(ask_the_murderer); }

static void one_of_many(void *arg) {
    struct here *h = arg;
    h->good += ask(h, "permit", "alice", "x") == MESSAGE_PAM_OK;
    h->answered++;
}

static void hang(void *arg) {
    struct here *h = arg;
    BUF_AUTO struct buf packed = {.max = 8192}, space = {.max = 4096};
    struct message_pam_check m = {SLICE("check"), SLICE("hanger"), SLICE("x"), SLICE_EMPTY};
    enum link_type type;
    struct err e;
    message_pam_check_pack(&packed, &m);
    (void)!peer_call(&h->auth, LINK_PAM_CHECK, buf_slice(&packed), loop_in_ms(h->loop, 10), &type, &space, &e);
}

// One that hangs takes one child, and ends with the service.
static void ask_many(struct here *h) {
    struct err e;
    assert_true(fiber_spawn(&h->group, "hang", hang, h, &e));
    for (size_t i = 0; i < MANY; i++)
        assert_true(fiber_spawn(&h->group, "one", one_of_many, h, &e));
    while (h->answered < MANY)
        fiber_sleep(5);
    assert_int_equal(h->good, MANY);
}

static void many_at_once(void **state) { run(ask_many); }

static void send_nonsense(struct here *h) {
    link_send1(h->auth.now->link, LINK_PAM_CHECK, 1, SLICE("nonsense"));
    fiber_sleep(20);
    assert_null(h->auth.now);
}

static void nonsense_ends_its_link(void **state) { run(send_nonsense); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(modules_decide),
                                       cmocka_unit_test(a_module_that_kills_its_process),
                                       cmocka_unit_test(many_at_once), cmocka_unit_test(nonsense_ends_its_link)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
