// dns_words_test: answers to words and back.
#include "core/gate/dns_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_back_and_forth(void **state) {
    static const struct {
        enum oracle_type type;
        const char *words;
        bool readable;
    } cases[] = {
        {ORACLE_A, "OK 192.0.2.1", true},
        {ORACLE_A, "OK 192.0.2.1 | 192.0.2.2", true},
        {ORACLE_AAAA, "OK 2001:db8::1", true},
        {ORACLE_MX, "OK 10 mx1.example.org | 20 mx2.example.org", true},
        {ORACLE_MX, "OK 0 .", true},
        {ORACLE_TXT, "OK v=spf1 -all | other text", true},
        {ORACLE_PTR, "OK mail.example.org", true},
        {ORACLE_TXT, "NODATA", true},
        {ORACLE_TXT, "NXDOMAIN", true},
        {ORACLE_TXT, "FAILED SERVFAIL", true},
        {ORACLE_TXT, "TIMEOUT no answer in time", true},
        {ORACLE_A, "OK mail.example.org", false},
        {ORACLE_MX, "OK mail.example.org", false},
        {ORACLE_MX, "OK 70000 mail.example.org", false},
        {ORACLE_A, "perhaps", false},
        {ORACLE_A, "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        BUF_AUTO struct buf b = {.max = 4096};
        struct oracle_answer a;
        bool read = dns_words_read(cases[i].type, slice_str(cases[i].words), &arena, &a);
        if (read != cases[i].readable)
            fail_msg("%s", cases[i].words);
        if (!read)
            continue;
        assert_true(dns_words_answer(&b, cases[i].type, &a));
        if (!slice_eq(buf_slice(&b), slice_str(cases[i].words)))
            fail_msg("%s: %.*s", cases[i].words, SLICE_ARG(buf_slice(&b)));
    }
}

static void test_cut(void **state) {
    static char name[2000];
    memset(name, 'a', sizeof name);
    ARENA_AUTO struct arena arena = {.max = 65536};
    BUF_AUTO struct buf b = {.max = 4096};
    struct oracle_record r = {.text = slice_of(name, sizeof name)};
    struct oracle_answer a = {.records = &r, .n = 1}, back;
    struct oracle_question q = {ORACLE_TXT, r.text};
    assert_true(dns_words_answer(&b, ORACLE_TXT, &a));
    assert_int_equal(b.n, DNS_WORDS_MAX);
    assert_false(dns_words_read(ORACLE_TXT, buf_slice(&b), &arena, &back));
    buf_reset(&b);
    assert_true(dns_words_question(&b, &q));
    assert_int_equal(b.n, DNS_WORDS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_back_and_forth), cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
