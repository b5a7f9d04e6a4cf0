// fuzz_dmarc_record: any bytes as a DMARC record: who writes one is told of no mistake only where receivers can use it.
#include "fuzz.h"

#include "mail/dmarc/dmarc_record.h"
#include "mail/dmarc/report_uri.h"

static void check_uris(const struct slice *list, size_t n, struct slice text) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    for (size_t i = 0; i < n; i++) {
        struct slice mailbox;
        FUZZ_CHECK(list[i].p >= text.p && list[i].p + list[i].n <= text.p + text.n);
        FUZZ_CHECK(report_uri_ok(list[i]) && report_uri_mailbox(list[i], &arena, &mailbox));
        FUZZ_CHECK(slice_find(mailbox, '\n') == mailbox.n && slice_find(mailbox, '\r') == mailbox.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_of(data, size);
    struct dmarc_record r, again;
    struct err e = {0}, wrong = {0};
    enum dmarc_text what = dmarc_record_read(text, &r, &e);
    bool used = dmarc_record_parse(text, &again, NULL);
    FUZZ_CHECK(used == (what == DMARC_TEXT_POLICY));
    FUZZ_CHECK(used || e.text[0]);
    if (dmarc_record_check(text, &wrong))
        FUZZ_CHECK(used);
    else
        FUZZ_CHECK(slice_starts(slice_str(wrong.text), SLICE("column ")));
    if (what == DMARC_TEXT_FOREIGN)
        return 0;
    FUZZ_CHECK(r.rua_n <= DMARC_URIS_MAX && r.ruf_n <= DMARC_URIS_MAX);
    check_uris(r.rua, r.rua_n, text);
    check_uris(r.ruf, r.ruf_n, text);
    return 0;
}
