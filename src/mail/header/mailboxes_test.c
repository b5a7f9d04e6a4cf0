// mailboxes_test: fields as they are met, and those that two readers would read differently.
#include "mail/header/mailboxes.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
    const char *value, *want; // want: addresses with blanks between, or "!" and a part of the reason
} cases[] = {
    {"alice@example.org", "alice@example.org"},
    {" Alice <alice@Example.ORG>", "alice@example.org"},
    {"\"Doe, Alice\" <alice@example.org>", "alice@example.org"},
    {"\"a \\\" b\" <alice@example.org>", "alice@example.org"},
    {"Alice (in the office (first floor)) Doe <alice@example.org> (she)", "alice@example.org"},
    {"(\\)) alice@example.org (\\()", "alice@example.org"},
    {"alice@example.org, Bob <bob@example.org>,\r\n carol@example.com",
     "alice@example.org bob@example.org carol@example.com"},
    {", alice@example.org,, bob@example.org,", "alice@example.org bob@example.org"},
    {"Dr. A. Doe [staff] <alice@example.org>", "alice@example.org"},
    {"=?utf-8?q?J=C3=BCrgen?= <j@example.org>", "j@example.org"},
    {"J\xc3\xbcrgen <j\xc3\xbcrgen@b\xc3\xbc"
     "cher.example>",
     "j\xc3\xbcrgen@xn--bcher-kva.example"},
    {"<alice@example.org>", "alice@example.org"},
    {" < alice @ example . org > ", "alice@example.org"},
    {"alice . doe @ example.org", "alice.doe@example.org"},
    {"\"alice doe\"@example.org", "\"alice doe\"@example.org"},
    {"\"alice\"@example.org", "alice@example.org"},
    {"\"alice@evil.example\"@example.org", "\"alice@evil.example\"@example.org"},
    {"alice@[192.0.2.1]", "alice@[192.0.2.1]"},
    {"<@a.example,@b.example:alice@example.org>", "alice@example.org"},
    {"Team: alice@example.org, Bob <bob@example.org>;", "alice@example.org bob@example.org"},
    {"Team:;, alice@example.org", "alice@example.org"},
    {"undisclosed-recipients:;", ""},
    {"", ""},
    {" \r\n ", ""},
    {"alice@example.org <alice@example.org>", "alice@example.org"},
    {"Alice@example.org <alice@Example.org>", "alice@example.org"},
    // what isn't clear
    {"boss@example.org <alice@evil.example>", "!in quotes"},
    {"The boss@example.org <alice@evil.example>", "!in quotes"},
    {"<alice@example.org> <bob@example.org>", "!behind an address"},
    {"alice@example.org bob@example.org", "!behind an address"},
    {"alice@example.org Alice", "!behind an address"},
    {"alice", "!without a domain"},
    {"alice, bob@example.org", "!without a domain"},
    {"Alice <alice>", "!between < and >"},
    {"Alice <>", "!between < and >"},
    {"Alice <alice@example.org", "!between < and >"},
    {"<alice@example.org, bob@example.org>", "!between < and >"},
    {"alice@example.org; bob@example.org", "!behind an address"},
    {"Team: alice@example.org", "!doesn't end"},
    {"A: B: alice@example.org;;", "!no address"},
    {": alice@example.org;", "!no address"},
    {"(alice@example.org", "!comment"},
    {"\"Alice <alice@example.org>", "!quoted name"},
    {"a..b@example.org", "!@ where"},
    {"alice@", "!@ where"},
    {"alice@-x-.example", "!domain"},
    {"alice\x01@example.org", "!no address"},
    {"\xff\xfe@example.org", "!UTF-8"},
    {"alice@example.org\\", "!behind an address"},
};

static void table(void **state) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        BUF_AUTO struct buf got = {.max = 4096};
        struct mailboxes found;
        struct err e = {0};
        if (mailboxes_parse(slice_str(cases[i].value), &arena, &found, &e)) {
            for (size_t k = 0; k < found.n; k++) {
                buf_add_str(&got, k ? " " : "");
                buf_add(&got, found.list[k]);
            }
        } else {
            assert_int_equal(e.smtp, 550);
            assert_int_equal(e.enhanced[1], 6);
            buf_addf(&got, "!%s", e.text);
        }
        struct slice want = slice_str(cases[i].want), is = buf_slice(&got);
        bool refused = slice_starts(want, SLICE("!"));
        bool ok =
            refused ? slice_starts(is, SLICE("!")) && slice_search(is, slice_from(want, 1)) < is.n : slice_eq(is, want);
        if (!ok)
            fail_msg("%s: %.*s", cases[i].value, SLICE_ARG(is));
    }
}

static void too_many(void **state) {
    ARENA_AUTO struct arena arena = {.max = 1 << 22};
    BUF_AUTO struct buf value = {.max = 1 << 20};
    struct mailboxes found;
    struct err e = {0};
    for (size_t i = 0; i < MAILBOXES_MAX; i++)
        buf_add_str(&value, "a@b.example,");
    assert_true(mailboxes_parse(buf_slice(&value), &arena, &found, &e));
    assert_int_equal(found.n, MAILBOXES_MAX);
    buf_add_str(&value, "a@b.example");
    assert_false(mailboxes_parse(buf_slice(&value), &arena, &found, &e));
    assert_int_equal(e.smtp, 550);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
