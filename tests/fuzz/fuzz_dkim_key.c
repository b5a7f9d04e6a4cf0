// fuzz_dkim_key: any bytes as a key record; what can be read is printed as a record that means the same.
#include "fuzz.h"

#include "mail/dkim/dkim_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    BUF_AUTO struct buf text = {.max = 1 << 20};
    struct dkim_key key, again;
    struct err e;
    if (!dkim_key_parse(slice_of(data, size), &arena, &key, &e)) {
        FUZZ_CHECK(e.kind == ERR_PERMANENT);
        return 0;
    }
    FUZZ_CHECK(!key.ed25519 || key.key.n == 0 || key.key.n == DKIM_KEY_ED25519);
    FUZZ_CHECK(dkim_key_print(key.ed25519, key.key, &text));
    if (text.n > DKIM_KEY_MAX) // what is printed names its version and kind
        return 0;
    FUZZ_CHECK(dkim_key_parse(buf_slice(&text), &arena, &again, &e));
    FUZZ_CHECK(again.ed25519 == key.ed25519 && slice_eq(again.key, key.key));
    return 0;
}
