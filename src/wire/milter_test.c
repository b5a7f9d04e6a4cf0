// milter_test: packets as Sendmail's library reads and writes them.
#include "wire/milter.h"

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

static void writes_packets(void **state) {
    struct buf b BUF_AUTO = {.max = 4096};
    struct netaddr v4, v6;
    struct milter_options o = {.version = 6, .actions = 0x1ff, .steps = 0x1fffff};
    assert_true(netaddr_parse_endpoint(SLICE("192.0.2.1:2525"), &v4));
    assert_true(netaddr_parse_ip(SLICE("2001:db8::1"), &v6));
    assert_true(milter_put_options(&b, &o));
    assert_slice(buf_slice(&b), SLICE("\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff"));
    buf_reset(&b);
    assert_true(milter_put_connect(&b, SLICE("host"), &v4));
    assert_slice(buf_slice(&b), SLICE("\0\0\0\x13"
                                      "Chost\0"
                                      "4\x09\xdd"
                                      "192.0.2.1\0"));
    buf_reset(&b);
    assert_true(milter_put_connect(&b, SLICE("h"), &v6));
    assert_slice(buf_slice(&b), SLICE("\0\0\0\x17"
                                      "Ch\0"
                                      "6\0\0"
                                      "IPv6:2001:db8::1\0"));
    buf_reset(&b);
    assert_true(milter_put_connect(&b, SLICE("h"), &(struct netaddr){0}));
    assert_slice(buf_slice(&b), SLICE("\0\0\0\4Ch\0U"));
    buf_reset(&b);
    assert_true(milter_put_path(&b, MILTER_MAIL, SLICE("<a@b>"), SLICE("SIZE=1  BODY=8BITMIME")));
    assert_slice(buf_slice(&b), SLICE("\0\0\0\x1cM<a@b>\0SIZE=1\0BODY=8BITMIME\0"));
    buf_reset(&b);
    assert_true(milter_put_text(&b, MILTER_HELO, SLICE("evil\0x")));
    assert_slice(buf_slice(&b), SLICE("\0\0\0\6Hevil\0"));
    buf_reset(&b);
    size_t at = milter_macros_begin(&b, MILTER_MAIL);
    milter_macro(&b, SLICE("i"), SLICE("Q1"));
    milter_macro(&b, SLICE("{auth_type}"), SLICE("PLAIN"));
    milter_macros_end(&b, at);
    assert_slice(buf_slice(&b), SLICE("\0\0\0\x19"
                                      "DMi\0Q1\0{auth_type}\0PLAIN\0"));
}

static void writes_headers(void **state) {
    static const struct {
        const char *value;
        bool space;
        const char *want;
    } cases[] = {
        {" hello", false, "hello"},
        {" hello", true, " hello"},
        {"  two", false, " two"},
        {"none", false, "none"},
        {"", false, ""},
        {" a\r\n\tb\r\n c", false, "a\n\tb\n c"},
        {" bare\rcr", true, " bare\rcr"},
        {" lf\n x", true, " lf\n x"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b BUF_AUTO = {.max = 4096};
        assert_true(milter_put_header(&b, SLICE("Subject"), slice_str(cases[i].value), cases[i].space));
        struct slice got = slice_from(buf_slice(&b), 4 + 1 + 8);
        assert_slice(slice_upto(got, got.n - 1), slice_str(cases[i].want));
    }
}

static void reads_answers(void **state) {
    const struct {
        struct slice packet;
        enum milter_got got;
        enum milter_answer_kind kind;
        uint32_t index;
        const char *name, *value, *args;
    } cases[] = {
        {SLICE("\0\0\0\1c"), MILTER_WHOLE, MILTER_CONTINUE, 0, "", "", ""},
        {SLICE("\0\0\0\3cxy"), MILTER_WHOLE, MILTER_CONTINUE, 0, "", "", ""},
        {SLICE("\0\0\0\7hX-A\0b\0"), MILTER_WHOLE, MILTER_ADDS_HEADER, 0, "X-A", "b", ""},
        {SLICE("\0\0\0\7hX-A\0bc"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\0\0\0\x8hX-A\0b\0c"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\0\0\0\x0bm\0\0\0\2X-A\0b\0"), MILTER_WHOLE, MILTER_CHANGES_HEADER, 2, "X-A", "b", ""},
        {SLICE("\0\0\0\x0am\0\0\0\2X-A\0\0"), MILTER_WHOLE, MILTER_CHANGES_HEADER, 2, "X-A", "", ""},
        {SLICE("\0\0\0\4m\0\0\0"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\0\0\0\x0bi\0\0\1\0X-A\0b\0"), MILTER_WHOLE, MILTER_INSERTS_HEADER, 256, "X-A", "b", ""},
        {SLICE("\0\0\0\7+<a@b>\0"), MILTER_WHOLE, MILTER_ADDS_RECIPIENT, 0, "", "<a@b>", ""},
        {SLICE("\0\0\0\x0b+<a@b>\0NOT\0"), MILTER_WHOLE, MILTER_ADDS_RECIPIENT, 0, "", "<a@b>", "NOT"},
        {SLICE("\0\0\0\7e<a@b>\0"), MILTER_WHOLE, MILTER_CHANGES_SENDER, 0, "", "<a@b>", ""},
        {SLICE("\0\0\0\4babc"), MILTER_WHOLE, MILTER_REPLACES_BODY, 0, "", "abc", ""},
        {SLICE("\0\0\0\5qwhy\0"), MILTER_WHOLE, MILTER_QUARANTINES, 0, "", "why", ""},
        {SLICE("\0\0\0\4qwhy"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\0\0\0\1?"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\0\0\0\1l"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\0\0\0\0"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\0\2\0\1c"), MILTER_BAD, 0, 0, "", "", ""},
        {SLICE("\xff\xff\xff\xff"), MILTER_BAD, 0, 0, "", "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct milter_answer a;
        size_t used;
        for (size_t n = 0; n < cases[i].packet.n; n++) {
            enum milter_got early = milter_take(slice_upto(cases[i].packet, n), &a, &used);
            assert_true(early == MILTER_MORE || (early == cases[i].got && n >= 4));
        }
        enum milter_got got = milter_take(cases[i].packet, &a, &used);
        if (got != cases[i].got)
            fail_msg("case %zu: got %d", i, (int)got);
        if (got != MILTER_WHOLE)
            continue;
        assert_int_equal(used, cases[i].packet.n);
        assert_int_equal(a.kind, cases[i].kind);
        assert_int_equal(a.index, cases[i].index);
        assert_slice(a.name, slice_str(cases[i].name));
        assert_slice(a.value, slice_str(cases[i].value));
        assert_slice(a.args, slice_str(cases[i].args));
    }
}

static void reads_options(void **state) {
    struct milter_answer a;
    size_t used;
    struct slice packet = SLICE("\0\0\0\x1bO\0\0\0\6\0\0\0\x11\0\x10\0\x40\0\0\0\2i {x}\0\0\0\0\tz\0");
    assert_int_equal(milter_take(packet, &a, &used), MILTER_BAD);
    packet = SLICE("\0\0\0\x1dO\0\0\0\6\0\0\0\x11\0\x10\0\x40\0\0\0\2i {x}\0\0\0\0\tz\0");
    assert_int_equal(milter_take(packet, &a, &used), MILTER_WHOLE);
    assert_int_equal(a.options.version, 6);
    assert_int_equal(a.options.actions, MILTER_ADD_HEADERS | MILTER_CHANGE_HEADERS);
    assert_int_equal(a.options.steps, MILTER_LEADING_SPACE | MILTER_NO_EOH);
    assert_slice(a.options.macros[MILTER_STAGE_MAIL], SLICE("i {x}"));
    assert_null(a.options.macros[MILTER_STAGE_HELO].p);
    assert_int_equal(milter_take(SLICE("\0\0\0\5O\0\0\0\6"), &a, &used), MILTER_BAD);
}

static void reads_replies(void **state) {
    static const struct {
        const char *value;
        int code;
        const char *enhanced, *text;
    } cases[] = {
        {"550 5.7.1 spam", 550, "5.7.1", "spam"},
        {"550 spam", 550, "", "spam"},
        {"451", 451, "", ""},
        {"451 4.7.1", 451, "4.7.1", ""},
        {"550 4.7.1 spam", 550, "", "4.7.1 spam"},
        {"550 05.07.001 spam", 550, "5.7.1", "spam"},
        {"550 5.7 spam", 550, "", "5.7 spam"},
        {"550-5.7.1 one\r\n550 5.7.1 two\r\n", 550, "5.7.1", "one\ntwo"},
        {"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three", 550, "5.7.1", "one\ntwo\nthree"},
        {"550 5.7.1 100%% sure", 550, "5.7.1", "100% sure"},
        {"550 5.7.1 caf\xc3\xa9 \xff\xfe", 550, "5.7.1", "caf? ??"},
        {"550 5.7.1 one\r\n250 2.0.0 two", 0, "", ""},
        {"550-5.7.1 one", 0, "", ""},
        {"550-5.7.1 one\r\n450 4.7.1 two", 0, "", ""},
        {"250 2.0.0 fine", 0, "", ""},
        {"354 go", 0, "", ""},
        {"550x", 0, "", ""},
        {"55", 0, "", ""},
        {"", 0, "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf text BUF_AUTO = {.max = 1024};
        struct milter_reply r;
        bool ok = milter_reply_read(slice_str(cases[i].value), &r, &text);
        if (ok != (cases[i].code != 0))
            fail_msg("case %zu", i);
        if (!ok)
            continue;
        assert_int_equal(r.code, cases[i].code);
        assert_string_equal(r.enhanced, cases[i].enhanced);
        assert_slice(buf_slice(&text), slice_str(cases[i].text));
    }
}

static void knows_changes(void **state) {
    uint32_t action;
    assert_true(milter_answer_changes(&(struct milter_answer){.kind = MILTER_REPLACES_BODY}, &action));
    assert_int_equal(action, MILTER_CHANGE_BODY);
    assert_false(milter_answer_changes(&(struct milter_answer){.kind = MILTER_CONTINUE}, &action));
    assert_false(milter_answer_changes(&(struct milter_answer){.kind = MILTER_PROGRESS}, &action));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_packets), cmocka_unit_test(writes_headers), cmocka_unit_test(reads_answers),
        cmocka_unit_test(reads_options),  cmocka_unit_test(reads_replies),  cmocka_unit_test(knows_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
