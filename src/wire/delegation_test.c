// delegation_test: questions and answers as Postfix has them.
#include "wire/delegation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void asks(void **state) {
    struct buf b BUF_AUTO = {.max = 4096};
    delegation_put(&b, SLICE("request"), SLICE("smtpd_access_policy"));
    delegation_put(&b, SLICE("helo_name"), SLICE("a\nsender=evil\0"));
    assert_true(delegation_end(&b));
    assert_true(slice_eq(buf_slice(&b), SLICE("request=smtpd_access_policy\nhelo_name=a?sender=evil?\n\n")));
}

static void reads(void **state) {
    static const struct {
        const char *text;
        enum delegation_got got;
        const char *action;
        size_t used;
    } cases[] = {
        {"action=DUNNO\n\n", DELEGATION_WHOLE, "DUNNO", 14},
        {"action=DUNNO\r\n\r\n", DELEGATION_WHOLE, "DUNNO", 16},
        {"action= 550 5.7.1 no \n\nmore", DELEGATION_WHOLE, "550 5.7.1 no", 23},
        {"x=y\naction=OK\n\n", DELEGATION_WHOLE, "OK", 15},
        {"action=\n\n", DELEGATION_WHOLE, "", 9},
        {"action=DUNNO\n", DELEGATION_MORE, "", 0},
        {"action=DUN", DELEGATION_MORE, "", 0},
        {"", DELEGATION_MORE, "", 0},
        {"x=y\n\n", DELEGATION_BAD, "", 0},
        {"\n", DELEGATION_BAD, "", 0},
        {"HTTP/1.1 400 no\n\n", DELEGATION_BAD, "", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice action;
        size_t used = 0;
        enum delegation_got got = delegation_take(slice_str(cases[i].text), &action, &used);
        if (got != cases[i].got)
            fail_msg("case %zu: %d", i, (int)got);
        if (got != DELEGATION_WHOLE)
            continue;
        assert_true(slice_eq(action, slice_str(cases[i].action)));
        assert_int_equal(used, cases[i].used);
    }
}

static void is_bounded(void **state) {
    struct buf b BUF_AUTO = {.max = 1 << 16};
    struct slice action;
    size_t used;
    buf_add_str(&b, "action=");
    while (b.n < DELEGATION_ANSWER_MAX)
        buf_add_char(&b, 'x');
    assert_int_equal(delegation_take(buf_slice(&b), &action, &used), DELEGATION_BAD);
    buf_add_str(&b, "\n\n");
    assert_int_equal(delegation_take(buf_slice(&b), &action, &used), DELEGATION_BAD);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(asks), cmocka_unit_test(reads), cmocka_unit_test(is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
