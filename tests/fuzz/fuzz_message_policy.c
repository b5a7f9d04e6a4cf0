// fuzz_message_policy: every payload about lock-outs, quotas, the guard and senders; the first byte chooses which. What
// is taken is the same when it is written again.
#include "core/message_policy.h"
#include "core/message_sender.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Where nothing is dropped by reading, writing gives the bytes that were read.
static void same(bool taken, bool packed, struct buf *b, struct slice payload) {
    if (taken && (!packed || !slice_eq(buf_slice(b), payload)))
        abort();
}

#define THERE_AND_BACK(name)                                                                                           \
    do {                                                                                                               \
        struct message_##name m;                                                                                       \
        bool got = message_##name##_unpack(payload, &m);                                                               \
        same(got, got && message_##name##_pack(&b, &m), &b, payload);                                                  \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    BUF_AUTO struct buf b = {.max = 1 << 20};
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct slice payload = slice_of(data + 1, size - 1);
    struct message_policy_reply reply;
    struct message_sender_reply senders;
    bool taken;
    switch (data[0] % 9) {
    case 0: THERE_AND_BACK(try); break;
    case 1: THERE_AND_BACK(try_reply); break;
    case 2: THERE_AND_BACK(tried); break;
    case 3: THERE_AND_BACK(use); break;
    case 4: THERE_AND_BACK(use_reply); break;
    case 5: THERE_AND_BACK(notice); break;
    case 6: THERE_AND_BACK(policy_query); break;
    case 7:
        taken = message_sender_reply_unpack(payload, &arena, &senders);
        same(taken, taken && message_sender_reply_pack(&b, &senders), &b, payload);
        break;
    default:
        taken = message_policy_reply_unpack(payload, &arena, &reply);
        same(taken, taken && message_policy_reply_pack(&b, &reply), &b, payload);
    }
    return 0;
}
