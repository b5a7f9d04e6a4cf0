// dmarc_destination_test: where reports may go, and the mail they go in.
#include "mail/dmarc/dmarc_destination.h"

#include "mail/dmarc/dmarc_report_mail.h"
#include "mail/oracle/oracle_zone.h"
#include "mail/dmarc/report_unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct row {
    const char *zone, *uri;
    enum dmarc_destination want;
    const char *to; // or the start of why not
} rows[] = {
    {"", "mailto:a@example.org", DMARC_DESTINATION_GOOD, "a@example.org"},
    {"", "mailto:a@Example.Org", DMARC_DESTINATION_GOOD, "a@Example.Org"},
    {"_dmarc.example.org. TXT \"v=DMARC1; p=none\"", "mailto:a@reports.example.org", DMARC_DESTINATION_GOOD,
     "a@reports.example.org"},
    {"", "mailto:a@other.example", DMARC_DESTINATION_REFUSED, "the destination does not say"},
    {"example.org._report._dmarc.other.example. TXT \"v=DMARC1\"", "mailto:a@other.example", DMARC_DESTINATION_GOOD,
     "a@other.example"},
    {"*._report._dmarc.other.example. TXT \"v=DMARC1;\"", "mailto:a@other.example", DMARC_DESTINATION_GOOD,
     "a@other.example"},
    {"example.org._report._dmarc.other.example. TXT \"hello\"", "mailto:a@other.example", DMARC_DESTINATION_REFUSED,
     "the destination does not say"},
    {"example.org._report._dmarc.other.example. TXT \"v=DMARC1; rua=mailto:b@other.example\"", "mailto:a@other.example",
     DMARC_DESTINATION_GOOD, "b@other.example"},
    {"example.org._report._dmarc.other.example. TXT \"v=DMARC1; rua=mailto:b@victim.example\"",
     "mailto:a@other.example", DMARC_DESTINATION_REFUSED, "the destination names an address of yet another host"},
    {"example.org._report._dmarc.other.example. SERVFAIL", "mailto:a@other.example", DMARC_DESTINATION_LATER,
     "DNS does not say whether"},
    {"_dmarc.other.example. TIMEOUT", "mailto:a@other.example", DMARC_DESTINATION_LATER, "DNS does not say whose"},
    {"", "https://example.org/", DMARC_DESTINATION_REFUSED, "it is no address"},
};

static void test_destinations(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 1 << 20};
        struct err e = {0};
        struct slice to = SLICE_EMPTY;
        struct oracle_zone *zone = oracle_zone_new(slice_str(rows[i].zone), &e);
        assert_non_null(zone);
        enum dmarc_destination got = dmarc_destination_check(SLICE("example.org"), slice_str(rows[i].uri),
                                                             oracle_zone_oracle(zone), &arena, &to, &e);
        struct slice text = got == DMARC_DESTINATION_GOOD ? to : slice_str(e.text);
        if (got != rows[i].want || !slice_starts(text, slice_str(rows[i].to)))
            fail_msg("row %zu: %d %.*s", i, (int)got, SLICE_ARG(text));
        oracle_zone_free(zone);
    }
}

static void test_mail(void **state) {
    (void)state;
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    BUF_AUTO struct buf mail = {.max = 1 << 20}, xml = {.max = 1 << 20};
    struct dmarc_report r = {.id = SLICE("17952192000a1b"),
                             .begin = 1795219200,
                             .end = 1795305599,
                             .domain = SLICE("example.org"),
                             .p = SLICE("none")},
                        read;
    struct dmarc_report_mail m = {.hostname = SLICE("mx.example.net"),
                                  .from = SLICE("dmarc@example.net"),
                                  .to = SLICE("a@example.org"),
                                  .report = &r,
                                  .now = {1795257675000}};
    struct err e = {0};
    assert_true(dmarc_report_mail_write(&m, &mail));
    struct slice text = buf_slice(&mail);
    assert_true(slice_starts(text, SLICE("From: <dmarc@example.net>\r\nTo: <a@example.org>\r\n"
                                         "Subject: Report Domain: example.org\r\n Submitter: mx.example.net\r\n"
                                         " Report-ID: <17952192000a1b>\r\n")));
    assert_true(slice_search(text, SLICE("filename=\"mx.example.net!example.org!1795219200!1795305599!"
                                         "17952192000a1b.xml.gz\"\r\n")) < text.n);
    assert_true(report_unpack(text, &xml, &e) && dmarc_report_read(buf_slice(&xml), &arena, &read, &e));
    assert_true(slice_eq(read.domain, r.domain) && slice_eq(read.id, r.id));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_destinations), cmocka_unit_test(test_mail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
