// dkim_key_test: key records, and lists of tags.
#include "mail/dkim/dkim_key.h"

#include "mail/dkim/dkim_tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ED "yi50DjK5O9pqbFpNHklsv9lqaS0ArSYu02qp1S0DW1Y="

static void test_good(void **state) {
    static const struct {
        const char *record;
        size_t n;
        bool ed25519, sha256, email, testing, same_domain;
    } table[] = {
        {"v=DKIM1; k=ed25519; p=" ED, 32, true, true, true, false, false},
        {"k=ed25519; p=" ED ";", 32, true, true, true, false, false},
        {"p=AAAA", 3, false, true, true, false, false},
        {" v = DKIM1 ;\tp = AA AA\r\n AAAA ; ", 6, false, true, true, false, false},
        {"v=DKIM1; p=", 0, false, true, true, false, false},
        {"v=DKIM1; h=sha1; p=AAAA", 3, false, false, true, false, false},
        {"v=DKIM1; h=sha1 : SHA256; s=tlsrpt; t=y:s; n=a note; g=*; x_y=1; p=AAAA", 3, false, true, false, true, true},
        {"v=DKIM1; s=other:*; t=z; p=AAAA", 3, false, true, true, false, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        struct dkim_key k;
        struct err e;
        if (!dkim_key_parse(slice_str(table[i].record), &arena, &k, &e))
            fail_msg("%s: %s", table[i].record, e.text);
        assert_int_equal(k.key.n, table[i].n);
        assert_int_equal(k.ed25519, table[i].ed25519);
        assert_int_equal(k.sha256, table[i].sha256);
        assert_int_equal(k.email, table[i].email);
        assert_int_equal(k.testing, table[i].testing);
        assert_int_equal(k.same_domain, table[i].same_domain);
    }
}

static void test_bad(void **state) {
    static const struct {
        const char *record, *why;
    } table[] = {
        {"", "no tag"},
        {"v=spf1 -all", "v=DKIM1"},
        {"v=DKIM2; p=AAAA", "v=DKIM1"},
        {"v=dkim1; p=AAAA", "v=DKIM1"},
        {"p=AAAA; v=DKIM1", "v=DKIM1"},
        {"v=DKIM1; k=rsa", "no key"},
        {"v=DKIM1; k=dsa; p=AAAA", "neither"},
        {"v=DKIM1; p=A*AA", "base64"},
        {"v=DKIM1; p=AAA", "base64"},
        {"v=DKIM1; k=ed25519; p=AAAA", "3 bytes"},
        {"v=DKIM1; p=AAAA; p=AAAA", "twice"},
        {"v=DKIM1;; p=AAAA", "no tag"},
        {"v=DKIM1; p=AAAA;;", "no tag"},
        {"v=DKIM1 p=AAAA", "v=DKIM1"},
        {"v=DKIM1; 2=x; p=AAAA", "no tag"},
        {"v=DKIM1; n=\x01; p=AAAA", "control"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ARENA_AUTO struct arena arena = {.max = 65536};
        struct dkim_key k;
        struct err e;
        if (dkim_key_parse(slice_str(table[i].record), &arena, &k, &e) || !strstr(e.text, table[i].why))
            fail_msg("%s: not refused for \"%s\"", table[i].record, table[i].why);
        assert_int_equal(e.kind, ERR_PERMANENT);
    }
}

static void test_print(void **state) {
    ARENA_AUTO struct arena arena = {.max = 65536};
    BUF_AUTO struct buf text = {.max = 65536};
    struct dkim_key k;
    struct err e;
    assert_true(dkim_key_parse(SLICE("k=ed25519; p=" ED), &arena, &k, &e));
    assert_true(dkim_key_print(true, k.key, &text));
    assert_true(slice_eq(buf_slice(&text), SLICE("v=DKIM1; k=ed25519; p=" ED)));
    buf_reset(&text);
    assert_true(dkim_key_print(false, SLICE("abc"), &text));
    assert_true(slice_eq(buf_slice(&text), SLICE("v=DKIM1; k=rsa; p=YWJj")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
