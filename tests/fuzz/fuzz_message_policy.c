// fuzz_message_policy: every payload about lock-outs, quotas, the guard and senders; the first byte chooses which.
#include "core/message/message_policy.h"
#include "core/message/message_sender.h"
#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf again = {.max = 1 << 20};
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct slice in = slice_of(data, size);
    switch (fuzz_choose(&in, 9)) {
        MESSAGE(0, try)
        MESSAGE(1, try_reply)
        MESSAGE(2, tried)
        MESSAGE(3, use)
        MESSAGE(4, use_reply)
        MESSAGE(5, notice)
        MESSAGE(6, policy_query)
        MESSAGE_IN_ARENA(7, sender_reply)
        MESSAGE_IN_ARENA(8, policy_reply)
    }
    return 0;
}
