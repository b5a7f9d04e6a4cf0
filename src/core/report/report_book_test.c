// report_book_test: messages counted, reports filled, and all of it kept elsewhere and read again.
#include "core/report/report_book.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct hash_key key = {{1, 2}};
static const int64_t day = MS_DAY, start = 20778 * (int64_t)MS_DAY;

static struct message_dmarc_auth auths[2];

static struct message_dmarc_seen seen(const char *domain, int64_t at, const char *ip) {
    auths[0] = (struct message_dmarc_auth){false, SLICE("b.example"), SLICE_EMPTY, SLICE("pass")};
    auths[1] = (struct message_dmarc_auth){true, SLICE("c.example"), SLICE("s1"), SLICE("fail")};
    struct message_dmarc_seen m = {.when = {at},
                                   .from_domain = SLICE("mail.example.org"),
                                   .record_domain = slice_str(domain),
                                   .envelope_from = SLICE("b.example"),
                                   .envelope_to = SLICE("ours.example"),
                                   .record = SLICE("v=DMARC1; p=reject; sp=none; rua=mailto:a@example.org"),
                                   .policy = SLICE("reject"),
                                   .disposition = SLICE("none"),
                                   .spf_aligned = true,
                                   .auths = auths,
                                   .auths_n = 2};
    assert_true(netaddr_parse_ip(slice_str(ip), &m.client));
    m.client.port = (uint16_t)at; // another one each time
    return m;
}

static void add(struct report_book *b, const char *domain, int64_t at, const char *ip) {
    struct message_dmarc_seen m = seen(domain, at, ip);
    assert_true(report_book_add(b, &m));
}

static void fill(struct report_book *b) {
    report_book_init(b, day, &key);
    add(b, "example.org", start + 5, "192.0.2.1");
    add(b, "example.org", start + 6, "192.0.2.1");
    add(b, "example.org", start + 7, "192.0.2.2");
    add(b, "example.net", start + 8, "192.0.2.1");
    add(b, "example.org", start + day, "192.0.2.1"); // the next day
}

static struct report_domain *due(struct report_book *b, int64_t at, const char *name) {
    struct report_domain *d = report_book_due(b, (struct wall){at});
    if (d && !slice_eq(report_domain_name(d), slice_str(name))) {
        report_book_remove(b, d);
        d = report_book_due(b, (struct wall){at});
    }
    return d;
}

static void check_org(struct report_book *b) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct dmarc_report r;
    assert_null(report_book_due(b, (struct wall){start + day - 1}));
    struct report_domain *d = due(b, start + day + MS_HOUR, "example.org");
    assert_non_null(d);
    assert_true(report_book_fill(b, d, &arena, &r));
    assert_true(r.begin == start / 1000 && r.end == (start + day) / 1000 - 1);
    assert_true(slice_eq(r.domain, SLICE("example.org")) && slice_eq(r.sp, SLICE("none")) && r.id.n > 20);
    assert_true(slice_eq(r.fo, SLICE("0")) && slice_eq(r.adkim, SLICE("r")) && slice_eq(r.testing, SLICE("n")));
    assert_int_equal(r.rows_n, 2);
    assert_int_equal(r.rows[0].count + r.rows[1].count, 3);
    assert_true(slice_starts(r.rows[0].source, SLICE("192.0.2.")));
    assert_true(slice_eq(r.rows[0].disposition, SLICE("pass")) && slice_eq(r.rows[0].spf, SLICE("pass")));
    assert_true(slice_eq(r.rows[0].dkim, SLICE("fail")) && r.rows[0].auths_n == 2);
    report_book_remove(b, d);
    d = due(b, start + day + MS_HOUR, "example.net");
    assert_true(!d || slice_eq(report_domain_name(d), SLICE("example.net")));
    if (d)
        report_book_remove(b, d);
    assert_null(report_book_due(b, (struct wall){start + day + MS_HOUR}));
    d = report_book_due(b, (struct wall){start + 2 * day + MS_HOUR});
    assert_non_null(d);
    assert_true(report_book_fill(b, d, &arena, &r) && r.rows_n == 1 && r.rows[0].count == 1);
}

static void test_reports(void **state) {
    (void)state;
    struct report_book b;
    fill(&b);
    check_org(&b);
    report_book_done(&b);
}

static void test_later(void **state) {
    (void)state;
    struct report_book b;
    report_book_init(&b, day, &key);
    add(&b, "example.org", start, "192.0.2.1");
    int64_t now = start + day + MS_HOUR;
    for (int i = 1; i < REPORT_BOOK_TRIES; i++) {
        struct report_domain *d = report_book_due(&b, (struct wall){now});
        assert_non_null(d);
        assert_true(report_book_later(&b, d, (struct wall){now}));
        assert_null(report_book_due(&b, (struct wall){now}));
        now += MS_HOUR;
    }
    assert_false(report_book_later(&b, report_book_due(&b, (struct wall){now}), (struct wall){now}));
    assert_null(report_book_due(&b, (struct wall){now + day}));
    report_book_done(&b);
}

static void test_kept(void **state) {
    (void)state;
    struct report_book b, again;
    fill(&b);
    report_book_init(&again, day, &key);
    BUF_AUTO struct buf k = {.max = 64}, v = {.max = 8192};
    size_t n = 0;
    for (; report_book_next_change(&b, &k, &v); n++) {
        assert_true(report_book_load(&again, buf_slice(&k), buf_slice(&v)));
        for (size_t cut = 0; cut < v.n; cut++)
            (void)report_book_load(&again, buf_slice(&k), slice_upto(buf_slice(&v), cut));
        buf_reset(&k);
        buf_reset(&v);
    }
    assert_int_equal(n, 4 + 3);
    assert_false(report_book_load(&again, SLICE("x"), SLICE("y")));
    check_org(&again);
    size_t gone = 0;
    for (; report_book_next_change(&again, &k, &v); gone += v.n == 0, buf_reset(&k), buf_reset(&v))
        ;
    assert_true(gone >= 3);
    report_book_done(&b);
    report_book_done(&again);
}

static void test_bounds(void **state) {
    (void)state;
    struct report_book b;
    report_book_init(&b, day, &key);
    for (unsigned i = 0; i < REPORT_BOOK_ROWS + 1000; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        add(&b, "example.org", start, ip);
    }
    assert_int_equal(b.rows.map.n, REPORT_BOOK_ROWS);
    struct message_dmarc_seen m = seen("", start, "192.0.2.1");
    assert_false(report_book_add(&b, &m));
    report_book_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
