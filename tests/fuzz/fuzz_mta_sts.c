// fuzz_mta_sts: any bytes as a record and as a policy of MTA-STS.
#include "fuzz.h"

#include "mail/sts/mta_sts.h"

static bool inside(struct slice s, struct slice text) { return s.p >= text.p && s.p + s.n <= text.p + text.n; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mta_sts_policy p;
    struct slice text = slice_of(data, size);
    struct mta_sts_record r;
    struct err e = {0}, wrong = {0};
    if (mta_sts_record_parse(text, &r, &e))
        FUZZ_CHECK(inside(r.id, text) && r.id.n && r.id.n <= MTA_STS_ID_MAX);
    else
        FUZZ_CHECK(slice_starts(slice_str(e.text), SLICE("column ")));
    if (!mta_sts_policy_parse(text, &p, &wrong)) {
        FUZZ_CHECK(slice_starts(slice_str(wrong.text), SLICE("line ")));
        return 0;
    }
    FUZZ_CHECK(p.max_age <= MTA_STS_AGE_MAX && p.mx_n <= MTA_STS_MX_MAX && (p.mx_n || p.mode == MTA_STS_NONE));
    for (size_t i = 0; i < p.mx_n; i++)
        FUZZ_CHECK(inside(p.mx[i], text));
    return 0;
}
