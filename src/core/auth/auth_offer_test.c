// auth_offer_test: what is offered with which back ends.
#include "core/auth/auth_offer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum {
    PASSWORDS = 1 << CONFIG_MECHANISM_PLAIN | 1 << CONFIG_MECHANISM_LOGIN,
    SCRAM = 1 << CONFIG_MECHANISM_SCRAM_SHA_256 | 1 << CONFIG_MECHANISM_SCRAM_SHA_256_PLUS,
    TOKENS = 1 << CONFIG_MECHANISM_OAUTHBEARER | 1 << CONFIG_MECHANISM_XOAUTH2,
};

static uint32_t offer(const char *lines) {
    static const char start[] = "version 1\nhostname a.example.org\nlisten mx 127.0.0.1:2525\n";
    struct config_report report = {0};
    BUF_AUTO struct buf text = {.max = 65536};
    buf_add_str(&text, start);
    buf_add_str(&text, lines);
    struct config *c = config_parse(buf_slice(&text), SLICE("/"), &report);
    assert_non_null(c);
    uint32_t bits = auth_mechanisms(c);
    config_report_done(&report);
    config_free(c);
    return bits;
}

static void follows_the_back_ends(void **state) {
    static const struct {
        const char *lines;
        uint32_t bits;
    } cases[] = {
        {"", 0},
        {"auth file /etc/users\n", PASSWORDS | SCRAM},
        {"auth file /etc/users\nauth mechanisms plain scram-sha-1\n",
         1 << CONFIG_MECHANISM_PLAIN | 1 << CONFIG_MECHANISM_SCRAM_SHA_1},
        {"auth pam\n", PASSWORDS},
        {"auth dovecot /run/dovecot/auth\n", PASSWORDS},
        {"auth file /etc/users\nauth pam\n", PASSWORDS},
        {"auth jwt /etc/keys.json\n", TOKENS},
        {"auth file /etc/users\nauth jwt /etc/keys.json\n", PASSWORDS | SCRAM | TOKENS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(offer(cases[i].lines), cases[i].bits);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_back_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
