// fuzz_base64: every value has one form, and every bytes have one.
#include "fuzz.h"

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct buf a BUF_AUTO = {.max = 1 << 22}, b BUF_AUTO = {.max = 1 << 22};
    if (base64_decode(&a, in))
        FUZZ_CHECK(base64_encode(&b, buf_slice(&a)) && slice_eq(buf_slice(&b), in));
    buf_reset(&a);
    buf_reset(&b);
    FUZZ_CHECK(base64_encode(&a, in) && base64_decode(&b, buf_slice(&a)) && slice_eq(buf_slice(&b), in));
    return 0;
}
