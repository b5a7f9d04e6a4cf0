// fuzz_message_keys: every payload of the links to keys; the first byte chooses which.
#include "core/message/message_keys.h"
#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf again = {.max = 1 << 22};
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct slice in = slice_of(data, size);
    switch (fuzz_choose(&in, 3)) {
        MESSAGE_IN_ARENA(0, keys_set)
        MESSAGE(1, keys_sign)
        MESSAGE(2, keys_signed)
    }
    return 0;
}
