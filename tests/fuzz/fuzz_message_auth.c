// fuzz_message_auth: the payloads about who a user is; the first byte chooses which. What is taken packs to the same
// bytes.
#include "core/message_auth.h"

#include "fuzz.h"

#define SAME(kind)                                                                                                     \
    do {                                                                                                               \
        struct message_##kind m;                                                                                       \
        if (message_##kind##_unpack(in, &m))                                                                           \
            FUZZ_CHECK(message_##kind##_pack(&again, &m) && slice_eq(buf_slice(&again), in));                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf again = {.max = 1 << 20};
    struct slice in = slice_of(data, size);
    switch (fuzz_choose(&in, 7)) {
    case 0:
        SAME(auth_begin);
        break;
    case 1:
        SAME(auth_continue);
        break;
    case 2:
        SAME(auth_reply);
        break;
    case 3:
        SAME(pam_check);
        break;
    case 4:
        SAME(pam_reply);
        break;
    case 5:
        SAME(fetch);
        break;
    default:
        SAME(fetch_reply);
        break;
    }
    return 0;
}
