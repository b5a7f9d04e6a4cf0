// fuzz_tlsrpt: any bytes as a TLSRPT record.
#include "fuzz.h"

#include "mail/dmarc/report_uri.h"
#include "mail/sts/tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_of(data, size);
    struct tlsrpt_record r;
    struct err e = {0};
    if (!tlsrpt_record_parse(text, &r, &e)) {
        FUZZ_CHECK(slice_starts(slice_str(e.text), SLICE("column ")));
        return 0;
    }
    FUZZ_CHECK(r.rua_n <= TLSRPT_URIS_MAX);
    for (size_t i = 0; i < r.rua_n; i++)
        FUZZ_CHECK(report_uri_ok(r.rua[i]) && r.rua[i].p >= text.p && r.rua[i].p + r.rua[i].n <= text.p + text.n);
    return 0;
}
