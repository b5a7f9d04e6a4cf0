// fuzz_dkim_store: any bytes as the list of a domain's keys; what can be read is printed as a list that means the same,
// and no selector leads out of the directory.
#include "fuzz.h"

#include "core/keys/dkim_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf text = {.max = 1 << 20};
    struct dkim_store s, again;
    struct err e;
    if (!dkim_store_parse(slice_of(data, size), &s, &e))
        return 0;
    FUZZ_CHECK(dkim_store_print(&s, &text));
    FUZZ_CHECK(text.n <= DKIM_STORE_TEXT_MAX && dkim_store_parse(buf_slice(&text), &again, &e) && again.n == s.n);
    for (size_t i = 0; i < s.n; i++) {
        struct slice selector = s.keys[i].selector;
        FUZZ_CHECK(selector.n && slice_find(selector, '/') == selector.n && selector.p[0] != '.');
        FUZZ_CHECK(slice_eq(selector, again.keys[i].selector) && s.keys[i].state == again.keys[i].state);
        FUZZ_CHECK(s.keys[i].since.ms == again.keys[i].since.ms);
    }
    return 0;
}
