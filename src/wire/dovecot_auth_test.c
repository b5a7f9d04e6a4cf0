// dovecot_auth_test: lines as Dovecot 2.3 writes them, and requests as it reads them.
#include "wire/dovecot_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_slice(struct slice got, struct slice want) {
    if (!slice_eq(got, want))
        fail_msg("got %.*s, want %.*s", SLICE_ARG(got), SLICE_ARG(want));
}

static void reads_lines(void **state) {
    static const struct {
        const char *text;
        enum dovecot_auth_kind kind;
        uint32_t id;
        const char *name, *user, *reason;
        bool temporary, disabled;
    } cases[] = {
        {"VERSION\t1\t2", DOVECOT_AUTH_VERSION, 1, "", "", "", false, false},
        {"MECH\tPLAIN\tplaintext", DOVECOT_AUTH_MECH, 0, "PLAIN", "", "", false, false},
        {"SPID\t99", DOVECOT_AUTH_OTHER, 0, "", "", "", false, false},
        {"COOKIE\t9bd5", DOVECOT_AUTH_OTHER, 0, "", "", "", false, false},
        {"DONE", DOVECOT_AUTH_DONE, 0, "", "", "", false, false},
        {"OK\t7\tuser=alice\toriginal_user=Alice", DOVECOT_AUTH_OK, 7, "", "alice", "", false, false},
        {"FAIL\t7\tuser=alice", DOVECOT_AUTH_FAIL, 7, "", "alice", "", false, false},
        {"FAIL\t7\tuser=alice\ttemp", DOVECOT_AUTH_FAIL, 7, "", "alice", "", true, false},
        {"FAIL\t7\tuser=alice\tcode=temp_fail", DOVECOT_AUTH_FAIL, 7, "", "alice", "", true, false},
        {"FAIL\t7\treason=go away\tuser_disabled", DOVECOT_AUTH_FAIL, 7, "", "", "go away", false, true},
        {"CONT\t4294967295\tYWJj", DOVECOT_AUTH_CONT, UINT32_MAX, "", "", "", false, false},
        {"", DOVECOT_AUTH_OTHER, 0, "", "", "", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dovecot_auth_line got;
        if (!dovecot_auth_parse(slice_str(cases[i].text), &got))
            fail_msg("refused: %s", cases[i].text);
        assert_int_equal(got.kind, cases[i].kind);
        assert_int_equal(got.id, cases[i].id);
        assert_slice(got.name, slice_str(cases[i].name));
        assert_slice(got.user, slice_str(cases[i].user));
        assert_slice(got.reason, slice_str(cases[i].reason));
        assert_int_equal(got.temporary, cases[i].temporary);
        assert_int_equal(got.disabled, cases[i].disabled);
    }
}

static void refuses_lines(void **state) {
    static const char *const cases[] = {"OK",       "OK\t",   "OK\tx",   "OK\t4294967296",
                                        "FAIL\t-1", "CONT\t", "VERSION", "MECH"};
    struct dovecot_auth_line got;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (dovecot_auth_parse(slice_str(cases[i]), &got))
            fail_msg("taken: %s", cases[i]);
}

static void unescapes(void **state) {
    BUF_AUTO struct buf b = {.max = 100};
    assert_true(dovecot_auth_unescape(SLICE("a\1tb\1nc\1"
                                            "1d\1"
                                            "0"),
                                      &b));
    assert_slice(buf_slice(&b), SLICE("a\tb\nc\1d\0"));
    assert_false(dovecot_auth_unescape(SLICE("a\1"), &b));
}

static void writes_requests(void **state) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct dovecot_auth_request r = {.id = 3,
                                     .mechanism = SLICE("PLAIN"),
                                     .session = SLICE("s\t1"),
                                     .client = {.family = NETADDR_V4, .ip = {192, 0, 2, 1}, .port = 4000},
                                     .local = {.family = NETADDR_V6, .ip = {[15] = 1}, .port = 587},
                                     .response = SLICE("\0alice\0secret")};
    assert_true(dovecot_auth_hello(&b, 42));
    assert_true(dovecot_auth_request(&b, &r));
    assert_true(dovecot_auth_cancel(&b, 3));
    assert_slice(buf_slice(&b), SLICE("VERSION\t1\t1\nCPID\t42\nAUTH\t3\tPLAIN\tservice=smtp\tnologin\tsecured\t"
                                      "session=s\1t1\tlip=::1\tlport=587\trip=192.0.2.1\trport=4000\t"
                                      "resp=AGFsaWNlAHNlY3JldA==\nCANCEL\t3\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_lines), cmocka_unit_test(refuses_lines),
                                       cmocka_unit_test(unescapes), cmocka_unit_test(writes_requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
