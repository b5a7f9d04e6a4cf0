// fuzz_dmarc_report: any bytes as what comes to an address of reports: unpacked, read, and written as a report that
// says the same.
#include "fuzz.h"

#include "mail/dmarc/dmarc_report.h"
#include "mail/dmarc/report_unpack.h"

static void check_same(const struct dmarc_report *a, const struct dmarc_report *b) {
    FUZZ_CHECK(a->rows_n == b->rows_n && a->errors_n == b->errors_n && a->begin == b->begin && a->end == b->end);
    for (size_t i = 0; i < a->rows_n; i++) {
        const struct dmarc_report_row *x = &a->rows[i], *y = &b->rows[i];
        FUZZ_CHECK(x->count == y->count || x->count > INT64_MAX);
        FUZZ_CHECK(x->reasons_n == y->reasons_n);
        FUZZ_CHECK(x->auths_n == y->auths_n || x->auths_n > DMARC_REPORT_AUTHS);
    }
}

static void read_and_write(struct slice xml) {
    ARENA_AUTO struct arena arena = {.max = 16 << 20}, other = {.max = 32 << 20};
    BUF_AUTO struct buf out = {.max = 32 << 20};
    struct dmarc_report r, again;
    struct err e = {0};
    if (!dmarc_report_read(xml, &arena, &r, &e)) {
        FUZZ_CHECK(e.text[0]);
        return;
    }
    FUZZ_CHECK(dmarc_report_write(&r, &out));
    if (!dmarc_report_read(buf_slice(&out), &other, &again, &e))
        FUZZ_CHECK(false);
    check_same(&r, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf xml = {.max = 1 << 20};
    struct slice file = slice_of(data, size);
    struct err e = {0};
    read_and_write(file);
    if (report_unpack(file, &xml, &e))
        read_and_write(buf_slice(&xml));
    else
        FUZZ_CHECK(e.text[0]);
    return 0;
}
