// smtpd_waited_test: who waited is known for a day, until it talks early or others came since.
#include "svc/smtpd/smtpd_waited.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct hash_key key = {{1, 2}};

static struct netaddr ip(const char *text) {
    struct netaddr a;
    assert_true(netaddr_parse_ip(slice_str(text), &a));
    return a;
}

static struct mono at(int64_t ms) { return mono_add_ms((struct mono){1}, ms); }

static void remembers_for_a_day(void **state) {
    struct smtpd_waited w;
    struct netaddr a = ip("192.0.2.1"), b = ip("192.0.2.2");
    smtpd_waited_init(&w, &key);
    assert_false(smtpd_waited_knows(&w, &a, at(0)));
    smtpd_waited_note(&w, &a, at(0));
    assert_true(smtpd_waited_knows(&w, &a, at(MS_DAY - 1)));
    assert_false(smtpd_waited_knows(&w, &b, at(1)));
    assert_false(smtpd_waited_knows(&w, &a, at(MS_DAY)));
    assert_int_equal(w.clients.map.n, 0);
    smtpd_waited_done(&w);
}

static void forgets_who_talks_early(void **state) {
    struct smtpd_waited w;
    struct netaddr a = ip("192.0.2.1");
    smtpd_waited_init(&w, &key);
    smtpd_waited_forget(&w, &a);
    smtpd_waited_note(&w, &a, at(0));
    smtpd_waited_forget(&w, &a);
    assert_false(smtpd_waited_knows(&w, &a, at(1)));
    smtpd_waited_done(&w);
}

// One host has a whole /64.
static void takes_a_64_for_one(void **state) {
    struct smtpd_waited w;
    struct netaddr a = ip("2001:db8::1"), b = ip("2001:db8::ffff:2"), c = ip("2001:db8:0:1::1");
    smtpd_waited_init(&w, &key);
    smtpd_waited_note(&w, &a, at(0));
    assert_true(smtpd_waited_knows(&w, &b, at(1)));
    assert_false(smtpd_waited_knows(&w, &c, at(1)));
    smtpd_waited_done(&w);
}

static void is_bounded(void **state) {
    struct smtpd_waited w;
    smtpd_waited_init(&w, &key);
    for (unsigned i = 0; i < SMTPD_WAITED_MAX + 10; i++) {
        struct netaddr a = {.family = NETADDR_V4, .ip = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        smtpd_waited_note(&w, &a, at(i));
    }
    assert_int_equal(w.clients.map.n, SMTPD_WAITED_MAX);
    struct netaddr first = ip("10.0.0.0"), last = ip("10.0.195.89");
    assert_false(smtpd_waited_knows(&w, &first, at(60000)));
    assert_true(smtpd_waited_knows(&w, &last, at(60000)));
    smtpd_waited_done(&w);
}

static void does_without(void **state) {
    struct smtpd_waited w;
    struct netaddr a = ip("192.0.2.1"), nobody = {.family = NETADDR_NONE};
    assert_false(smtpd_waited_knows(NULL, &a, at(0)));
    smtpd_waited_note(NULL, &a, at(0));
    smtpd_waited_forget(NULL, &a);
    smtpd_waited_init(&w, &key);
    smtpd_waited_note(&w, &nobody, at(0));
    assert_false(smtpd_waited_knows(&w, &nobody, at(0)));
    smtpd_waited_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_for_a_day), cmocka_unit_test(forgets_who_talks_early),
        cmocka_unit_test(takes_a_64_for_one),  cmocka_unit_test(is_bounded),
        cmocka_unit_test(does_without),
    };
    return cmocka_run_group_tests_name("svc/smtpd_waited", tests, NULL, NULL);
}
