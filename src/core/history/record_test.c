// record_test: there and back, and records that are larger than anything may be.
#include "core/history/record.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_there_and_back(void **state) {
    struct slice recipients[] = {SLICE("bob@example.org"), SLICE("alice@example.org")}, tags[] = {SLICE("junk")};
    struct record_rule rules[] = {{SLICE("accept when trusted"), 0, false},
                                  {SLICE("reject when spf = fail \"no\""), 12, true}};
    struct record_fact facts[] = {{SLICE("spf"), SLICE("fail")}};
    struct record_dns dns[] = {{SLICE("TXT example.net"), SLICE("OK v=spf1 -all")}};
    struct record_filter filters[] = {{SLICE("rspamd"), SLICE("accept")}};
    struct record r = {.when = {1234567890123},
                       .stage = RECORD_RECIPIENT,
                       .outcome = RECORD_REFUSED,
                       .session = SLICE("s1"),
                       .queue_id = 77,
                       .client = {NETADDR_V4, {192, 0, 2, 1}, 1025},
                       .helo = SLICE("h"),
                       .user = SLICE("u"),
                       .sender = SLICE("x@example.net"),
                       .recipients = recipients,
                       .recipients_n = 2,
                       .code = 550,
                       .enhanced = {5, 7, 1},
                       .text = SLICE("no"),
                       .remote = SLICE("mx.example.com"),
                       .rules = rules,
                       .rules_n = 2,
                       .facts = facts,
                       .facts_n = 1,
                       .dns = dns,
                       .dns_n = 1,
                       .filters = filters,
                       .filters_n = 1,
                       .tags = tags,
                       .tags_n = 1};
    BUF_AUTO struct buf b = {.max = RECORD_MAX}, again = {.max = RECORD_MAX};
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct record got;
    assert_true(record_pack(&b, &r));
    assert_true(record_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.when.ms, r.when.ms);
    assert_int_equal(got.stage, RECORD_RECIPIENT);
    assert_int_equal(got.outcome, RECORD_REFUSED);
    assert_int_equal(got.code, 550);
    assert_int_equal(got.client.port, 1025);
    assert_true(slice_eq(got.recipients[1], recipients[1]));
    assert_true(slice_eq(got.rules[1].source, rules[1].source));
    assert_int_equal(got.rules[1].line, 12);
    assert_true(slice_eq(got.dns[0].answer, dns[0].answer));
    assert_true(slice_eq(got.tags[0], tags[0]));
    assert_true(record_pack(&again, &got));
    assert_true(slice_eq(buf_slice(&b), buf_slice(&again)));
    for (size_t n = 0; n < b.n; n++)
        assert_false(record_unpack(slice_of(b.p, n), &arena, &got));
    struct buf small = {.max = b.n - 1};
    assert_false(record_pack(&small, &r));
    buf_done(&small);
}

// All lists at their longest, all texts beyond theirs: it fits, and the rule that decided is there.
static void test_large(void **state) {
    enum { MANY = 1000, LONG = 5000 };
    char *text = mem_new(1, LONG);
    memset(text, 'x', LONG);
    struct slice whole = slice_of(text, LONG);
    struct slice *slices = mem_new(MANY, sizeof *slices);
    struct record_rule *rules = mem_new(MANY, sizeof *rules);
    struct record_fact *facts = mem_new(MANY, sizeof *facts);
    struct record_dns *dns = mem_new(MANY, sizeof *dns);
    struct record_filter *filters = mem_new(MANY, sizeof *filters);
    for (size_t i = 0; i < MANY; i++) {
        slices[i] = whole;
        rules[i] = (struct record_rule){whole, (uint32_t)i, i == MANY - 1};
        facts[i] = (struct record_fact){whole, whole};
        dns[i] = (struct record_dns){whole, whole};
        filters[i] = (struct record_filter){whole, whole};
    }
    struct record r = {.session = whole, .helo = whole, .user = whole, .sender = whole, .text = whole, .remote = whole};
    r.recipients = r.tags = slices;
    r.rules = rules;
    r.facts = facts;
    r.dns = dns;
    r.filters = filters;
    r.recipients_n = r.tags_n = r.rules_n = r.facts_n = r.dns_n = r.filters_n = MANY;
    struct buf b = {.max = RECORD_MAX};
    struct arena arena = {.max = 1 << 20};
    struct record got;
    assert_true(record_pack(&b, &r));
    assert_true(record_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.rules[got.rules_n - 1].line, MANY - 1);
    assert_true(got.rules[got.rules_n - 1].matched);
    assert_true(got.dns_n > 10 && got.dns[0].answer.n == 300);
    for (size_t i = 0; i < MANY; i++)
        rules[i].source = slices[i] = SLICE_EMPTY;
    buf_reset(&b);
    assert_true(record_pack(&b, &r));
    assert_true(record_unpack(buf_slice(&b), &arena, &got));
    assert_int_equal(got.recipients_n, RECORD_LIST_MAX);
    assert_int_equal(got.rules_n, RECORD_LIST_MAX);
    assert_int_equal(got.rules[RECORD_LIST_MAX - 1].line, MANY - 1);
    buf_done(&b);
    arena_done(&arena);
    free(text);
    free(slices);
    free(rules);
    free(facts);
    free(dns);
    free(filters);
}

static void test_names(void **state) {
    for (size_t i = 0; i < RECORD_STAGES; i++)
        assert_non_null(record_stage_names[i]);
    for (size_t i = 0; i < RECORD_OUTCOMES; i++)
        assert_non_null(record_outcome_names[i]);
    assert_null(record_stage_names[RECORD_STAGES]);
    assert_null(record_outcome_names[RECORD_OUTCOMES]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
