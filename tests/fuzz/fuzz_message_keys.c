// fuzz_message_keys: every payload of the links to keys; the first byte chooses which. What is taken is packed as it
// came.
#include "core/message_keys.h"

#include "fuzz.h"

static void set(struct slice payload) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    BUF_AUTO struct buf b = {.max = 1 << 22};
    struct message_keys_set m;
    if (message_keys_set_unpack(payload, &arena, &m))
        FUZZ_CHECK(message_keys_set_pack(&b, &m) && slice_eq(buf_slice(&b), payload));
}

static void sign(struct slice payload) {
    BUF_AUTO struct buf b = {.max = 1 << 22};
    struct message_keys_sign m;
    if (message_keys_sign_unpack(payload, &m))
        FUZZ_CHECK(message_keys_sign_pack(&b, &m) && slice_eq(buf_slice(&b), payload));
}

static void answer(struct slice payload) {
    BUF_AUTO struct buf b = {.max = 1 << 22};
    struct message_keys_signed m;
    if (message_keys_signed_unpack(payload, &m))
        FUZZ_CHECK(message_keys_signed_pack(&b, &m) && slice_eq(buf_slice(&b), payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    void (*const kinds[])(struct slice) = {set, sign, answer};
    kinds[fuzz_choose(&in, 3)](in);
    return 0;
}
