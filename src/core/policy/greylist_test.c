// greylist_test: first sights and returns, by domain and by network; whom we wrote to; lists, and what is kept.
#include "core/policy/greylist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct hash_key key = {{1, 2}};
enum { WAIT = 120000, WINDOW = MS_DAY };
static const int64_t keep_ms = 35LL * MS_DAY;
static const struct config_greylist usual = {.wait = WAIT, .window = WINDOW, .keep = 35LL * MS_DAY};

static struct wall at(int64_t ms) { return (struct wall){1700000000000 + ms}; }

static struct message_greylist message(const char *domain, const char *client, const char *sender,
                                       const char *recipient) {
    struct message_greylist m = {
        .domain = slice_str(domain), .sender = slice_str(sender), .recipient = slice_str(recipient)};
    assert_true(netaddr_parse_ip(slice_str(client), &m.client));
    return m;
}

static enum message_proven ask(struct greylist *g, const char *domain, const char *client, const char *sender,
                               const char *recipient, int64_t ms) {
    struct message_greylist m = message(domain, client, sender, recipient);
    return greylist_ask(g, &m, at(ms)).proven;
}

static enum message_proven only_ask(struct greylist *g, const char *domain, const char *client, const char *sender,
                                    const char *recipient, int64_t ms) {
    struct message_greylist m = message(domain, client, sender, recipient);
    m.only_ask = true;
    return greylist_ask(g, &m, at(ms)).proven;
}

#define NET "192.0.2.1", "bob@example.net", "ann@example.org"
#define DOM "example.net", NET

static void test_comes_back(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    struct message_greylist m = message("", NET);
    assert_int_equal(greylist_ask(&g, &m, at(0)).wait_ms, WAIT);
    assert_int_equal(greylist_ask(&g, &m, at(1000)).wait_ms, WAIT - 1000);
    assert_int_equal(ask(&g, "", NET, WAIT - 1), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "", NET, WAIT), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(ask(&g, "", NET, WAIT + 1), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(ask(&g, "example.com", NET, WAIT), MESSAGE_PROVEN_CAME_BACK); // of which more is known now
    // From its network, of its domain, to anybody.
    assert_int_equal(ask(&g, "", "192.0.2.99", "eve@example.net", "joe@example.org", WAIT), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(ask(&g, "", "192.0.3.1", "bob@example.net", "ann@example.org", WAIT), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "", "192.0.2.1", "bob@example.com", "ann@example.org", WAIT), MESSAGE_PROVEN_NO);
    greylist_done(&g);
}

static void test_another_recipient_is_no_return(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    for (int i = 0; i < 100; i++) {
        char to[32];
        snprintf(to, sizeof to, "u%d@example.org", i);
        assert_int_equal(ask(&g, "", "192.0.2.1", "bob@example.net", to, i * (int64_t)WAIT), MESSAGE_PROVEN_NO);
    }
    greylist_done(&g);
}

static void test_too_late(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    assert_int_equal(ask(&g, "", NET, 0), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "", NET, WINDOW), MESSAGE_PROVEN_NO); // first sight again
    assert_int_equal(ask(&g, "", NET, WINDOW + WAIT - 1), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "", NET, WINDOW + WAIT), MESSAGE_PROVEN_CAME_BACK);
    greylist_done(&g);
}

static void test_by_domain(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    assert_int_equal(ask(&g, DOM, 0), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "example.net", "198.51.100.1", "x@example.net", "ann@example.org", WAIT),
                     MESSAGE_PROVEN_CAME_BACK);                  // another of its hosts
    assert_int_equal(ask(&g, "", NET, WAIT), MESSAGE_PROVEN_NO); // not proven: it is another
    assert_int_equal(ask(&g, "", "198.51.100.1", "", "ann@example.org", WAIT), MESSAGE_PROVEN_NO); // null sender
    assert_int_equal(ask(&g, "", "198.51.100.1", "", "ann@example.org", 2 * WAIT), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(ask(&g, "example.com", NET, WAIT), MESSAGE_PROVEN_NO);
    // At content there is no recipient.
    assert_int_equal(ask(&g, "a.example", "192.0.2.1", "x@a.example", "", 0), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "a.example", "192.0.2.1", "x@a.example", "", WAIT), MESSAGE_PROVEN_CAME_BACK);
    greylist_done(&g);
}

static void test_only_asking(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    assert_int_equal(only_ask(&g, "", NET, 0), MESSAGE_PROVEN_NO);
    assert_int_equal(g.by[GREYLIST_WAITING].map.n, 0);
    ask(&g, "", NET, 0);
    assert_int_equal(only_ask(&g, "", NET, WAIT), MESSAGE_PROVEN_NO); // the rule that greylists makes it so
    assert_int_equal(ask(&g, "", NET, WAIT), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(only_ask(&g, "", NET, WAIT), MESSAGE_PROVEN_CAME_BACK);
    greylist_done(&g);
}

static void test_kept_from_the_last_use(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    int64_t t = WAIT;
    ask(&g, "", NET, 0);
    ask(&g, "", NET, t);
    for (int i = 0; i < 10; i++)
        assert_int_equal(only_ask(&g, "", NET, t += 30LL * MS_DAY), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(only_ask(&g, "", NET, t + keep_ms - 1), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(only_ask(&g, "", NET, t + 2 * keep_ms), MESSAGE_PROVEN_NO);
    greylist_done(&g);
}

// A busy sender costs a write an hour.
static void test_few_writes(void **state) {
    struct greylist g;
    unsigned writes = 0;
    greylist_init(&g, &usual, &key);
    ask(&g, "", NET, 0);
    for (int i = 0; i < 240; i++) {
        BUF_AUTO struct buf k = {.max = 512}, v = {.max = 64};
        ask(&g, "", NET, WAIT + i * (int64_t)MS_MINUTE);
        while (buf_reset(&k), buf_reset(&v), greylist_next_change(&g, &k, &v))
            writes++;
    }
    assert_in_range(writes, 4, 6);
    greylist_done(&g);
}

static void test_wrote_to(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    greylist_wrote(&g, SLICE("bob@example.net"), at(0));
    greylist_wrote(&g, SLICE("nobody"), at(0));
    greylist_wrote(&g, SLICE(""), at(0));
    greylist_wrote(&g, SLICE("x@"), at(0));
    assert_int_equal(g.by[GREYLIST_DOMAIN].map.n, 1);
    assert_int_equal(ask(&g, "", NET, 1), MESSAGE_PROVEN_WROTE_TO);
    assert_int_equal(ask(&g, "", "192.0.2.1", "eve@example.net", "ann@example.org", 1), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "example.net", "192.0.2.1", "eve@example.net", "ann@example.org", 1),
                     MESSAGE_PROVEN_WROTE_TO);
    assert_int_equal(only_ask(&g, DOM, 2), MESSAGE_PROVEN_WROTE_TO);
    assert_int_equal(ask(&g, "", NET, 3 * keep_ms), MESSAGE_PROVEN_NO);
    greylist_done(&g);
}

static void test_clock_steps_back(void **state) {
    struct greylist g;
    greylist_init(&g, &usual, &key);
    ask(&g, "", NET, 0);
    assert_int_equal(ask(&g, "", NET, -MS_HOUR), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "", NET, -MS_HOUR + WAIT), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(ask(&g, "", NET, -2LL * MS_HOUR), MESSAGE_PROVEN_CAME_BACK);
    assert_int_equal(ask(&g, "", NET, -2LL * MS_HOUR + keep_ms), MESSAGE_PROVEN_NO); // no longer than that
    greylist_done(&g);
}

// --- lists, what is kept

struct text {
    char p[1024];
};

static void note(void *arg, const struct greylist_line *l) {
    static const char *const kinds[GREYLIST_KINDS] = {"waiting", "proven", "wrote-to", "wrote-to"};
    struct text *t = arg;
    size_t n = strlen(t->p);
    snprintf(t->p + n, sizeof t->p - n, "%s %.*s [%.*s] [%.*s] %lld\n", kinds[l->kind], SLICE_ARG(l->who),
             SLICE_ARG(l->sender), SLICE_ARG(l->recipient), (long long)(l->until.ms - l->since.ms));
}

static void assert_list(const struct greylist *g, const char *what, const char *want) {
    struct text t = {""};
    greylist_list(g, slice_str(what), at(WAIT), note, &t);
    assert_string_equal(t.p, want);
}

static void some(struct greylist *g) {
    greylist_init(g, &usual, &key);
    ask(g, "", NET, 0);
    ask(g, "example.com", "198.51.100.1", "x@example.com", "ann@example.org", 0);
    ask(g, "example.com", "198.51.100.1", "x@example.com", "ann@example.org", WAIT);
    greylist_wrote(g, SLICE("joe@example.edu"), at(0));
}

static const char all[] = "waiting 192.0.2.0/24 [example.net] [ann@example.org] 120000\n"
                          "proven example.com [] [] 3024000000\n"
                          "wrote-to joe@example.edu [] [] 3024000000\n"
                          "wrote-to example.edu [] [] 3024000000\n";

static void test_list_and_clear(void **state) {
    static const char waits[] = "waiting 192.0.2.0/24 [example.net] [ann@example.org] 120000\n";
    struct greylist g;
    some(&g);
    assert_list(&g, "", all);
    assert_list(&g, "192.0.2.77", waits);
    assert_list(&g, "192.0.2.0/24", waits);
    assert_list(&g, "example.net", waits);
    assert_list(&g, "ann@example.org", waits);
    assert_list(&g, "example.com", "proven example.com [] [] 3024000000\n");
    assert_list(&g, "nobody", "");
    assert_int_equal(greylist_clear(&g, SLICE("nobody")), 0);
    assert_int_equal(greylist_clear(&g, SLICE("example.edu")), 1);
    assert_int_equal(greylist_clear(&g, SLICE("")), 1); // what waits
    assert_list(&g, "", "proven example.com [] [] 3024000000\nwrote-to joe@example.edu [] [] 3024000000\n");
    greylist_done(&g);
}

static void test_kept(void **state) {
    struct greylist g, again;
    size_t changes = 0;
    some(&g);
    greylist_init(&again, &usual, &key);
    for (;; changes++) {
        BUF_AUTO struct buf k = {.max = 512}, v = {.max = 64};
        if (!greylist_next_change(&g, &k, &v))
            break;
        assert_true(greylist_load(&again, buf_slice(&k), buf_slice(&v)));
        for (size_t cut = 0; cut < v.n; cut++)
            assert_false(greylist_load(&again, buf_slice(&k), slice_of(v.p, cut)));
    }
    assert_int_equal(changes, 4);
    assert_list(&again, "", all);
    assert_int_equal(ask(&again, "", NET, WAIT), MESSAGE_PROVEN_CAME_BACK);
    BUF_AUTO struct buf k = {.max = 512}, v = {.max = 64};
    assert_true(greylist_next_change(&again, &k, &v));
    assert_true(k.p[0] == 'p' && v.n > 0);
    buf_reset(&k);
    buf_reset(&v);
    assert_true(greylist_next_change(&again, &k, &v)); // what waited is to be forgotten
    assert_true(k.p[0] == 'w' && v.n == 0);
    greylist_change_all(&again);
    assert_false(greylist_load(&again, SLICE(""), SLICE("")));
    assert_false(greylist_load(&again, SLICE("?x"), SLICE("12345678")));
    greylist_done(&g);
    greylist_done(&again);
}

static void test_names_too_long(void **state) {
    char sender[1000], to[1000];
    struct greylist g;
    greylist_init(&g, &usual, &key);
    memset(sender, 'a', sizeof sender);
    memset(to, 'b', sizeof to);
    sender[0] = '@';
    sender[999] = to[999] = 0;
    BUF_AUTO struct buf k = {.max = 512}, v = {.max = 64};
    assert_int_equal(ask(&g, "", "2001:db8:aaaa:bbbb::1", sender, to, 0), MESSAGE_PROVEN_NO);
    assert_int_equal(ask(&g, "", "2001:db8:aaaa:bbbb::1", sender, to, WAIT), MESSAGE_PROVEN_CAME_BACK);
    while (greylist_next_change(&g, &k, &v))
        assert_true(!k.failed && k.n <= 511);
    greylist_done(&g);
}

static void test_sweep(void **state) {
    struct greylist g;
    some(&g);
    greylist_sweep(&g, at(WAIT));
    assert_list(&g, "", all);
    greylist_sweep(&g, at(WINDOW));
    assert_int_equal(g.by[GREYLIST_WAITING].map.n, 0);
    assert_int_equal(g.by[GREYLIST_PROVEN].map.n, 1);
    greylist_sweep(&g, at(2 * keep_ms));
    for (int k = 0; k < GREYLIST_KINDS; k++)
        assert_int_equal(g.by[k].map.n, 0);
    greylist_done(&g);
}

// A flood of first sights pushes out none who came back.
static void test_bounded(void **state) {
    struct greylist g;
    some(&g);
    for (int i = 0; i < GREYLIST_ENTRIES + 100; i++) {
        char client[32];
        snprintf(client, sizeof client, "%d.%d.%d.1", 20 + (i >> 16), i >> 8 & 255, i & 255);
        ask(&g, "", client, "x@example.info", "ann@example.org", WAIT);
    }
    assert_int_equal(g.by[GREYLIST_WAITING].map.n, GREYLIST_ENTRIES);
    assert_int_equal(only_ask(&g, "example.com", "192.0.2.1", "", "", WAIT), MESSAGE_PROVEN_CAME_BACK);
    greylist_done(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_another_recipient_is_no_return),
        cmocka_unit_test(test_too_late),
        cmocka_unit_test(test_by_domain),
        cmocka_unit_test(test_only_asking),
        cmocka_unit_test(test_kept_from_the_last_use),
        cmocka_unit_test(test_few_writes),
        cmocka_unit_test(test_wrote_to),
        cmocka_unit_test(test_clock_steps_back),
        cmocka_unit_test(test_list_and_clear),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_names_too_long),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
