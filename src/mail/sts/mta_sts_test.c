// mta_sts_test: records and policies of MTA-STS, records of TLSRPT.
#include "mail/sts/mta_sts.h"

#include "mail/sts/tlsrpt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct row {
    const char *text, *why; // NULL: nothing is wrong
};

static const struct row records[] = {
    {"v=STSv1; id=20160831085700Z;", NULL},
    {"v=STSv1; \t id=a  \t;", NULL},
    {"v=STSv1;id=a;more=a;ext-._1=2", NULL},
    {"v=STSv1; id=12345678901234567890123456789012", NULL},
    {"v=STSv1; id=123456789012345678901234567890123", "column 45: an id has up to 32"},
    {"v=STSv1", "column 8: a semicolon and more is missing"},
    {"v=STSv1;", "column 9: id= is missing"},
    {"v=STSv2; id=a", "column 1: a record begins with v=STSv1"},
    {" v=STSv1; id=a", "column 1: "},
    {"V=STSv1; id=a", "column 1: "},
    {"", "column 1: "},
    {"v=STSv1; id=", "column 13: a value is missing"},
    {"v=STSv1; id=a-b", "column 14: an id has letters"},
    {"v=STSv1; id=a; id=b", "column 16: id= comes twice"},
    {"v=STSv1; id=a; test==", "column 21: this can't stand in a value"},
    {"v=STSv1; id=a; _x=1", "column 16: a field's name"},
    {"v=STSv1; id=a; x y", "column 16: a field and = are wanted"},
    {"v=STSv1;; id=a", "column 9: a field and = are wanted"},
};

static const struct row policies[] = {
    {"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n", NULL},
    {"version:STSv1\nmode:none\nmax_age:0", NULL},
    {"mode:none\nmax_age:31557600\nversion:STSv1\nmax_age:x\nmode:y", NULL},
    {"version:STSv1\nmode:testing\nmax_age:0\nmx:b\xc3\xbc"
     "cher.example\nmore:ext e  ns ion",
     NULL},
    {"version: STSv2\nmode:none\nmax_age:0", "line 1, column 10: the version is STSv1"},
    {"version:STSv1\nmode:off\nmax_age:0", "line 2, column 6: a mode is"},
    {"version:STSv1\nmode:none\nmax_age:31557601", "line 3, column 9: max_age is at most"},
    {"version:STSv1\nmode:none\nmax_age:01234567890", "line 3, column 9: max_age is a number"},
    {"version:STSv1\nmode:enforce\nmax_age:1\nmx:*.*.example", "line 4, column 4: an mx is"},
    {"version:STSv1\nmode:enforce\nmax_age:1\nmx: a b", "line 4, column 5: an mx is"},
    {"version:STSv1\nmode:enforce\nmax_age:1", "line 3, column 10: mx: is missing"},
    {"version:STSv1\nmode:enforce\nmx:a", "line 3, column 5: max_age: is missing"},
    {"version:STSv1\nmax_age:1\nmx:a", "line 3, column 5: mode: is missing"},
    {"mode:none\nmax_age:1\n", "line 2, column 10: version: STSv1 is missing"},
    {"version:STSv1\n\nmode:none\nmax_age:1", "line 2, column 1: a field and : are wanted"},
    {"version:STSv1\nmode:none\nmax_age:1\n_x:y", "line 4, column 1: a field's name"},
    {"version:STSv1\nmode:none\nmax_age:1\nx:a\tb", "line 4, column 4: this can't stand"},
    {"version:STSv1\nmode:\nmax_age:1", "line 2, column 1: a value is missing"},
    {"", "line 0, column 1: version: STSv1 is missing"},
};

static const struct row reports[] = {
    {"v=TLSRPTv1; rua=mailto:tlsrpt@example.org;", NULL},
    {"v=TLSRPTv1 ;rua=mailto:a@b.example , \t https://x.example/r  ; rua=mailto:c@d.example; x=1", NULL},
    {"v=TLSRPTv1; rua=tel:1", NULL},
    {"v=TLSRPTv1;", "column 12: rua= is missing"},
    {"v=TLSRPTv1; rua=noscheme", "column 17: this is no URI"},
    {"v=TLSRPTv1; rua=mailto:a@b.example,", "column 36: this is no URI"},
    {"v=TLSRPTv1; rua=mailto:a@b.example other", "column 17: this is no URI"},
    {"v=TLSRPTv1; rua=mailto:a", "column 17: this is no mailto:"},
    {"v=TLSRPTv1; rua=https://x.example/%2C", NULL},
    {"v=TLSRPTv1; rua=https://x.example/%", "column 17: this is no URI"},
    {"v=TLSRPTv1; rua=mailto:a%4g@b.example", "column 17: this is no URI"},
    {"v=TLSRPTv1; rua=https://", "column 17: this is no https:"},
    {"v=TLSRPTv1; rua=https:/x", "column 17: this is no https:"},
    {"v=TLSRPTv1; rua=https:///x", "column 17: this is no https:"},
    {"v=STSv1; rua=https://x", "column 1: a record begins with v=TLSRPTv1"},
    {"v=TLSRPTv1; rua=mailto:a@b.example; 1%=a", "column 37: a field's name"},
    {"v=TLSRPTv2; rua=mailto:a@b.example", "column 1: a record begins with v=TLSRPTv1"},
};

static void compare(const struct row *row, bool ok, const struct err *e) {
    if (ok != (row->why == NULL) || (!ok && !slice_starts(slice_str(e->text), slice_str(row->why))))
        fail_msg("%s: %s, not %s", row->text, ok ? "valid" : e->text, row->why ? row->why : "valid");
}

static void test_records(void **state) {
    (void)state;
    struct mta_sts_record r;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct err e = {0};
        compare(&records[i], mta_sts_record_parse(slice_str(records[i].text), &r, &e), &e);
    }
}

static void test_policies(void **state) {
    (void)state;
    static struct mta_sts_policy p;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct err e = {0};
        compare(&policies[i], mta_sts_policy_parse(slice_str(policies[i].text), &p, &e), &e);
    }
    struct err e;
    assert_true(mta_sts_policy_parse(slice_str(policies[0].text), &p, &e));
    assert_true(p.mode == MTA_STS_ENFORCE && p.max_age == 604800 && p.mx_n == 2);
    assert_true(slice_eq(p.mx[1], SLICE("*.example.net")));
}

static void test_reports(void **state) {
    (void)state;
    struct tlsrpt_record r;
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        struct err e = {0};
        compare(&reports[i], tlsrpt_record_parse(slice_str(reports[i].text), &r, &e), &e);
    }
    struct err e;
    assert_true(tlsrpt_record_parse(slice_str(reports[1].text), &r, &e));
    assert_int_equal(r.rua_n, 3);
    assert_true(slice_eq(r.rua[1], SLICE("https://x.example/r")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
