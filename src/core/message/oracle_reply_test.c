// oracle_reply_test: what evaluators are told of each answer, and that a full arena is an answer too.
#include "core/message/oracle_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct message_dns_record records[] = {{.preference = 10, .text = {"mx1.example.org", 15}},
                                              {.preference = 20, .text = {"mx2.example.org", 15}}};

static void test_status(void **state) {
    const struct {
        struct message_resolve_reply reply;
        enum oracle_status status;
        bool secure;
        size_t n;
    } rows[] = {
        {{.status = MESSAGE_DNS_OK, .records = records, .records_n = 2}, ORACLE_OK, false, 2},
        {{.status = MESSAGE_DNS_OK, .security = MESSAGE_DNS_SECURE, .records = records, .records_n = 1},
         ORACLE_OK,
         true,
         1},
        {{.status = MESSAGE_DNS_OK, .security = MESSAGE_DNS_BOGUS, .records = records, .records_n = 2},
         ORACLE_FAILED,
         false,
         0},
        {{.status = MESSAGE_DNS_NODATA}, ORACLE_NODATA, false, 0},
        {{.status = MESSAGE_DNS_NXDOMAIN, .security = MESSAGE_DNS_SECURE}, ORACLE_NXDOMAIN, true, 0},
        {{.status = MESSAGE_DNS_FAILED, .why = SLICE("SERVFAIL")}, ORACLE_FAILED, false, 0},
        {{.status = MESSAGE_DNS_FAILED, .why = SLICE("timeout")}, ORACLE_TIMEOUT, false, 0},
        {{.status = MESSAGE_DNS_FAILED, .security = MESSAGE_DNS_BOGUS, .why = SLICE("timeout")},
         ORACLE_FAILED,
         false,
         0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 4096};
        struct oracle_answer a;
        oracle_reply(&rows[i].reply, &arena, &a);
        assert_int_equal(a.status, rows[i].status);
        assert_int_equal(a.secure, rows[i].secure);
        assert_int_equal(a.n, rows[i].n);
        assert_true(slice_eq(a.why, rows[i].reply.why));
        for (size_t k = 0; k < a.n; k++)
            assert_true(slice_eq(a.records[k].text, records[k].text) && a.records[k].text.p != records[k].text.p &&
                        a.records[k].preference == records[k].preference);
    }
}

static void test_full_arena(void **state) {
    const struct message_resolve_reply reply = {.status = MESSAGE_DNS_OK, .records = records, .records_n = 2};
    size_t failed = 0;
    for (size_t max = 0; max < 256; max++) {
        ARENA_AUTO struct arena arena = {.max = max};
        struct oracle_answer a;
        oracle_reply(&reply, &arena, &a);
        assert_true(a.status == ORACLE_OK ? a.n == 2 : a.status == ORACLE_FAILED && a.n == 0);
        failed += a.status == ORACLE_FAILED;
    }
    assert_true(failed > 0 && failed < 256);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_status), cmocka_unit_test(test_full_arena)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
