// keys_test: a keys process, or several, and sessions' clients of them, over pipes and real files.
#include "svc/keys/keys.h"

#include "base/mem.h"
#include "core/keys/ticket_chain.h"
#include "rt/journal.h"
#include "rt/tls/tls_test_keys.h"
#include "svc/keys/keys_rules.h"
#include "svc/keys_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIPE = 1 << 18, INSTANCES = 2, DIR_SIZE = 64 };

static struct tls_test_key ec, rsa, ed;

struct house {
    char dir[DIR_SIZE];
    struct loop *loop;
    struct world world;
    struct journal journal;
    struct buf log;
    struct wall now;
    struct config *config;
    struct keys_service *keys[INSTANCES];
    struct fiber_group group;
    struct keys_client *smtpd, *submission, *report;
    unsigned sets; // that submission was told of
    void (*script)(struct house *h);
};

static struct wall wall_here(void *arg) {
    struct house *h = arg;
    return (struct wall){h->now.ms + mono_ms_between((struct mono){0}, loop_now(h->loop))};
}

static void random_here(void *arg, void *to, size_t n) { memset(to, 7, n); }

static const struct world_ops ops = {.wall = wall_here, .random = random_here};

// --- files

static void write_file(const struct house *h, const char *name, struct slice text) {
    char path[2 * DIR_SIZE], fresh[2 * DIR_SIZE];
    snprintf(path, sizeof path, "%s/%s", h->dir, name);
    snprintf(fresh, sizeof fresh, "%s/fresh", h->dir);
    FILE *f = fopen(fresh, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    fclose(f);
    assert_int_equal(rename(fresh, path), 0);
}

static void make_dir(const struct house *h, const char *name) {
    char path[2 * DIR_SIZE];
    snprintf(path, sizeof path, "%s/%s", h->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void remove_all(const struct house *h) {
    static const char *const names[] = {
        "c.pem", "c.key", "d.key", "e.key", "dkim/example.com/active", "dkim/example.com/s1.pem", "dkim/example.com",
        "dkim",  ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[2 * DIR_SIZE];
        snprintf(path, sizeof path, "%s/%s", h->dir, names[i]);
        remove(path);
    }
}

// --- the house

static void note_set(void *arg, const struct message_keys_set *set) {
    assert_non_null(set);
    ((struct house *)arg)->sets++;
}

static void start_keys(struct house *h, uint32_t i) {
    BUF_AUTO struct buf chain = {.max = 100};
    struct err e;
    ticket_chain_pack(&chain, &(struct ticket_chain){.epoch = ticket_epoch(h->now, h->config->tls_ticket_life) - 4,
                                                     .secret = "a secret"});
    h->keys[i] = keys_new(&h->world, h->config, i, buf_slice(&chain));
    if (!keys_start(h->keys[i], &e))
        fail_msg("%s", e.text);
}

static void wire(struct house *h, uint32_t i, struct keys_client *client, enum role role) {
    struct transport *a, *b;
    transport_pair(PIPE, &a, &b);
    keys_attach(h->keys[i], link_new(h->loop, a, ROLE_KEYS, role), role);
    keys_client_attach(client, link_new(h->loop, b, role, ROLE_KEYS), i);
}

static FIBER_FN void stop_keys(struct house *h, uint32_t i) {
    keys_stop(h->keys[i]);
    fiber_group_join(keys_fibers(h->keys[i]));
    keys_free(h->keys[i]);
    h->keys[i] = NULL;
}

static void run_script(void *arg) {
    struct house *h = arg;
    h->script(h);
    for (uint32_t i = 0; i < INSTANCES; i++)
        if (h->keys[i])
            stop_keys(h, i);
    fiber_group_cancel(&h->group);
    loop_stop(h->loop);
}

static void parse(struct house *h) {
    struct config_report report = {0};
    h->config = config_parse(SLICE("version 1\nhostname a.example.org\nlisten mx 127.0.0.1:2525\n"
                                   "tls certificate c.pem key c.key\n"
                                   "dkim sign .example.org as example.org selector s key d.key\n"
                                   "dkim sign example.net as example.net selector s key e.key\n"
                                   "dmarc reports from dmarc@example.net\n"
                                   "domain example.org { recipients any; deliver relay }\n"),
                             slice_str(h->dir), &report);
    for (size_t i = 0; i < report.n; i++)
        fail_msg("%.*s", SLICE_ARG(report.mistakes[i].text));
    config_report_done(&report);
}

static void play(void (*script)(struct house *h)) {
    struct house *h = MEM_NEW(struct house);
    struct err e;
    *h = (struct house){.dir = "/tmp/keys-test-XXXXXX", .loop = loop_new(true), .now = {1700000000000}};
    h->log.max = 1 << 20;
    assert_non_null(mkdtemp(h->dir));
    write_file(h, "c.pem", buf_slice(&ec.chain));
    write_file(h, "c.key", buf_slice(&ec.pem));
    write_file(h, "d.key", buf_slice(&rsa.pem));
    parse(h);
    h->script = script;
    h->world = (struct world){.loop = h->loop, .journal = &h->journal, .ops = &ops, .ops_arg = h};
    journal_init_memory(&h->journal, &(struct journal_setup){.role = "keys", .now = wall_here, .now_arg = h}, &h->log);
    fiber_group_init(&h->group, h->loop, "clients");
    h->smtpd = keys_client_new(&h->world, &h->group, INSTANCES);
    h->submission = keys_client_new(&h->world, &h->group, INSTANCES);
    h->report = keys_client_new(&h->world, &h->group, INSTANCES);
    keys_client_on_set(h->submission, note_set, h);
    assert_true(fiber_spawn(&h->group, "script", run_script, h, &e));
    loop_run(h->loop);
    keys_client_free(h->smtpd);
    keys_client_free(h->submission);
    keys_client_free(h->report);
    config_free(h->config);
    journal_done(&h->journal);
    buf_done(&h->log);
    remove_all(h);
    loop_free(h->loop);
    free(h);
}

static bool said(struct house *h, const char *text) {
    journal_flush(&h->journal);
    return slice_search(buf_slice(&h->log), slice_str(text)) < h->log.n;
}

static FIBER_FN bool sign(struct keys_client *k, uint32_t key, enum message_keys_padding padding,
                          enum message_keys_hash hash, struct err *e) {
    static const char bytes[64] = "a value";
    size_t n = hash == MESSAGE_KEYS_SHA384 ? 48 : 32;
    BUF_AUTO struct buf out = {.max = MESSAGE_KEYS_SIGNATURE_MAX};
    return keys_client_sign(k, &(struct message_keys_sign){key, padding, hash, slice_of(bytes, n)}, &out, e) &&
           out.n > 32;
}

// --- scripts

static void see_and_sign(struct house *h) {
    struct err e;
    start_keys(h, 0);
    assert_null(keys_client_set(h->smtpd));
    wire(h, 0, h->smtpd, ROLE_SMTPD);
    wire(h, 0, h->submission, ROLE_SUBMISSION);
    fiber_sleep(10);
    const struct message_keys_set *mx = keys_client_set(h->smtpd), *users = keys_client_set(h->submission);
    assert_true(mx && users);
    assert_int_equal(mx->certificates_n, 1);
    assert_int_equal(mx->dkims_n, 0);
    assert_int_equal(users->dkims_n, 1);
    assert_true(slice_eq(users->dkims[0].domain, SLICE(".example.org")));
    assert_false(users->dkims[0].ed25519);
    assert_true(slice_eq(users->certificates[0].chain, buf_slice(&ec.chain)));
    assert_true(mx->tickets.n >= (size_t)MESSAGE_TICKET_KEY && mx->tickets.n == users->tickets.n);
    assert_false(slice_eq(mx->tickets, users->tickets));
    uint32_t tls = mx->certificates[0].key, dkim = users->dkims[0].key;
    assert_int_equal(tls, private_key_number(ec.key, SLICE("tls")));

    assert_true(sign(h->smtpd, tls, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, &e));
    assert_true(sign(h->submission, tls, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA384, &e));
    assert_true(sign(h->submission, dkim, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, &e));
    assert_false(sign(h->submission, dkim, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, &e));
    assert_false(sign(h->smtpd, dkim, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, &e));
    assert_false(sign(h->smtpd, tls + 1, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, &e));
}

static void test_see_and_sign(void **state) {
    (void)state;
    play(see_and_sign);
}

// Reports are signed by the keys of their own domain only.
static void sign_reports(struct house *h) {
    struct err e;
    write_file(h, "e.key", buf_slice(&ed.pem));
    start_keys(h, 0);
    wire(h, 0, h->submission, ROLE_SUBMISSION);
    wire(h, 0, h->report, ROLE_REPORT);
    fiber_sleep(10);
    const struct message_keys_set *users = keys_client_set(h->submission), *report = keys_client_set(h->report);
    assert_true(users && report);
    assert_true(users->dkims_n == 2 && report->dkims_n == 1);
    assert_true(report->certificates_n == 0 && report->tickets.n == 0);
    assert_true(slice_eq(report->dkims[0].signer, SLICE("example.net")));
    uint32_t ours = report->dkims[0].key, other = users->dkims[0].key, tls = users->certificates[0].key;
    assert_true(sign(h->report, ours, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, &e));
    assert_false(sign(h->report, other, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, &e));
    assert_false(sign(h->report, tls, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, &e));
}

static void test_sign_reports(void **state) {
    (void)state;
    play(sign_reports);
}

static void replace(struct house *h) {
    start_keys(h, 0);
    wire(h, 0, h->submission, ROLE_SUBMISSION);
    fiber_sleep(5500);
    assert_int_equal(h->sets, 1); // nothing changed
    write_file(h, "c.key", buf_slice(&rsa.pem));
    fiber_sleep(1000); // one look
    assert_int_equal(h->sets, 1);
    assert_false(said(h, "certificate-refused")); // half of a renewal
    write_file(h, "c.pem", buf_slice(&rsa.chain));
    fiber_sleep(1100);
    assert_int_equal(h->sets, 2);
    assert_true(slice_eq(keys_client_set(h->submission)->certificates[0].chain, buf_slice(&rsa.chain)));
    struct err e; // a handshake that began before goes on with the certificate that it has shown
    uint32_t former = private_key_number(ec.key, SLICE("tls"));
    assert_true(sign(h->submission, former, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, &e));
    write_file(h, "c.pem", SLICE("nonsense"));
    fiber_sleep(5000);
    assert_true(said(h, "certificate-refused") && said(h, "last-good=true"));
    assert_int_equal(h->sets, 2);
}

static void test_replace(void **state) {
    (void)state;
    play(replace);
}

static void managed(struct house *h) {
    struct err e;
    start_keys(h, 0);
    wire(h, 0, h->submission, ROLE_SUBMISSION);
    fiber_sleep(10);
    assert_int_equal(keys_client_set(h->submission)->dkims_n, 1);
    make_dir(h, "dkim");
    make_dir(h, "dkim/example.com");
    write_file(h, "dkim/example.com/s1.pem", buf_slice(&ed.pem));
    write_file(h, "dkim/example.com/active", SLICE("s1 pending 2026-11-21T10:41:15Z\n"));
    fiber_sleep(2100);
    assert_int_equal(keys_client_set(h->submission)->dkims_n, 1);
    write_file(h, "dkim/example.com/active", SLICE("s1 active 2026-11-21T10:41:15Z\n"));
    fiber_sleep(2100);
    const struct message_keys_set *set = keys_client_set(h->submission);
    assert_int_equal(set->dkims_n, 2);
    assert_true(set->dkims[1].ed25519);
    assert_true(slice_eq(set->dkims[1].domain, SLICE("example.com")) && slice_eq(set->dkims[1].selector, SLICE("s1")));
    assert_true(sign(h->submission, set->dkims[1].key, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, &e));
    write_file(h, "dkim/example.com/active", SLICE("what is this\n"));
    fiber_sleep(2100);
    assert_true(said(h, "dkim-list-refused"));
    assert_int_equal(keys_client_set(h->submission)->dkims_n, 2);
    write_file(h, "dkim/example.com/active", SLICE("s1 retiring 2026-11-21T10:41:15Z\n"));
    fiber_sleep(2100);
    assert_int_equal(keys_client_set(h->submission)->dkims_n, 1);
}

static void test_managed(void **state) {
    (void)state;
    play(managed);
}

static void tickets(struct house *h) {
    char first[MESSAGE_TICKET_KEY];
    start_keys(h, 0);
    start_keys(h, 1);
    wire(h, 0, h->submission, ROLE_SUBMISSION);
    fiber_sleep(10);
    memcpy(first, keys_client_set(h->submission)->tickets.p, sizeof first);
    wire(h, 1, h->submission, ROLE_SUBMISSION);
    fiber_sleep(10);
    assert_int_equal(h->sets, 1); // both say the same
    int64_t quarter = h->config->tls_ticket_life / 4;
    for (int i = 1; i <= 6; i++) {
        fiber_sleep(quarter);
        struct slice now = keys_client_set(h->submission)->tickets;
        bool there = slice_search(now, slice_of(first, sizeof first)) < now.n;
        assert_int_equal(there, i <= 4);
        assert_true(slice_search(now, slice_of(first, sizeof first)) > 0);
    }
}

static void test_tickets_of_several(void **state) {
    (void)state;
    play(tickets);
}

struct revival {
    struct house *house;
    int64_t after;
};

static void revive(void *arg) {
    struct revival *r = arg;
    fiber_sleep(r->after);
    start_keys(r->house, 0);
    wire(r->house, 0, r->house->submission, ROLE_SUBMISSION);
}

// A process that dies is waited for, if not for long; another one is asked meanwhile.
static void death(struct house *h) {
    uint32_t key = private_key_number(ec.key, SLICE("tls"));
    struct revival soon = {h, 2000};
    struct err e;
    struct mono before = loop_now(h->loop);
    assert_false(sign(h->submission, key, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, &e));
    assert_non_null(strstr(e.text, "not there"));
    assert_int_equal(mono_ms_between(before, loop_now(h->loop)), 5000);
    assert_true(fiber_spawn(&h->group, "revive", revive, &soon, &e));
    before = loop_now(h->loop);
    assert_true(sign(h->submission, key, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, &e));
    assert_in_range(mono_ms_between(before, loop_now(h->loop)), 1900, 2500);
    start_keys(h, 1);
    wire(h, 1, h->submission, ROLE_SUBMISSION);
    stop_keys(h, 0);
    for (int i = 0; i < 4; i++)
        assert_true(sign(h->submission, key, MESSAGE_KEYS_NONE, MESSAGE_KEYS_SHA256, &e));
}

static void test_death(void **state) {
    (void)state;
    play(death);
}

static void without(struct house *h) {
    struct err e;
    write_file(h, "c.key", SLICE("nonsense"));
    h->keys[0] = keys_new(&h->world, h->config, 0, SLICE_EMPTY);
    assert_false(keys_start(h->keys[0], &e));
    assert_true(said(h, "certificate-refused"));
}

static void test_without(void **state) {
    (void)state;
    play(without);
}

static void test_rules(void **state) {
    static const char bytes[200];
    const struct {
        enum role asker;
        enum keys_purpose purpose;
        enum message_keys_padding padding;
        enum message_keys_hash hash;
        size_t n;
        bool ok;
    } cases[] = {
        {ROLE_SMTPD, KEYS_TLS, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, 32, true},
        {ROLE_SMTPD, KEYS_TLS, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, 130, true},
        {ROLE_SMTPD, KEYS_TLS, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, 32, false},
        {ROLE_SMTPD, KEYS_DKIM, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, 32, false},
        {ROLE_SUBMISSION, KEYS_DKIM, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, 32, true},
        {ROLE_REPORT, KEYS_DKIM, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, 32, true},
        {ROLE_REPORT, KEYS_TLS, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, 32, false},
        {ROLE_SMTPD, KEYS_ARC, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, 32, true},
        {ROLE_SMTPD, KEYS_ARC, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, 32, true},
        {ROLE_SMTPD, KEYS_ARC, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, 32, false},
        {ROLE_SUBMISSION, KEYS_ARC, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA256, 32, false},
        {ROLE_SUBMISSION, KEYS_DKIM, MESSAGE_KEYS_PKCS1, MESSAGE_KEYS_SHA1, 20, false},
        {ROLE_SUBMISSION, KEYS_DKIM, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, 32, false},
        {ROLE_SUBMISSION, KEYS_DKIM, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, 32, true},
        {ROLE_SUBMISSION, KEYS_DKIM, MESSAGE_KEYS_NONE, MESSAGE_KEYS_PURE, 130, false},
        {ROLE_RELAY, KEYS_TLS, MESSAGE_KEYS_PSS, MESSAGE_KEYS_SHA256, 32, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message_keys_sign what = {1, cases[i].padding, cases[i].hash, slice_of(bytes, cases[i].n)};
        if (keys_rules_allow(cases[i].asker, cases[i].purpose, &what) != cases[i].ok)
            fail_msg("case %zu", i);
    }
}

static int make_keys(void **state) {
    (void)state;
    tls_test_key(&ec, TLS_TEST_EC, "mx.example.org", NULL);
    tls_test_key(&rsa, TLS_TEST_RSA, "mx.example.org", NULL);
    tls_test_key(&ed, TLS_TEST_ED25519, "mx.example.org", NULL);
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    tls_test_key_done(&ec);
    tls_test_key_done(&rsa);
    tls_test_key_done(&ed);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_see_and_sign),
        cmocka_unit_test(test_replace), cmocka_unit_test(test_sign_reports),
        cmocka_unit_test(test_managed), cmocka_unit_test(test_tickets_of_several),
        cmocka_unit_test(test_death),   cmocka_unit_test(test_without),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
