// fuzz_message: every payload of the links; the first byte chooses which.
#include "core/message/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(uint8_t which, struct slice payload, struct arena *arena) {
    union {
        struct message_submit submit;
        struct message_piece piece;
        struct message_submit_reply submit_reply;
        struct message_work work;
        struct message_read read;
        struct message_outcome outcome;
        struct message_resolve resolve;
        struct message_resolve_reply resolve_reply;
        struct message_expand_reply expand_reply;
        struct message_queue_query query;
        struct message_queue_reply reply;
        struct message_owns owns;
        enum message_ownership ownership;
        uint32_t reserve;
    } m;
    switch (which) {
    case 0: (void)message_submit_unpack(payload, arena, &m.submit); break;
    case 1: (void)message_piece_unpack(payload, &m.piece); break;
    case 2: (void)message_submit_reply_unpack(payload, &m.submit_reply); break;
    case 3: (void)message_work_unpack(payload, arena, &m.work); break;
    case 4: (void)message_read_unpack(payload, &m.read); break;
    case 5: (void)message_outcome_unpack(payload, arena, &m.outcome); break;
    case 6: (void)message_resolve_unpack(payload, &m.resolve); break;
    case 7: (void)message_resolve_reply_unpack(payload, arena, &m.resolve_reply); break;
    case 8: (void)message_expand_reply_unpack(payload, arena, &m.expand_reply); break;
    case 9: (void)message_queue_query_unpack(payload, &m.query); break;
    case 10: (void)message_queue_reply_unpack(payload, arena, &m.reply); break;
    case 11: (void)message_owns_unpack(payload, &m.owns); break;
    case 12: (void)message_owns_reply_unpack(payload, &m.ownership); break;
    default: (void)message_open_unpack(payload, &m.reserve); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct arena arena ARENA_AUTO = {.max = 1 << 20};
    unpack(data[0] % 14, slice_of(data + 1, size - 1), &arena);
    return 0;
}
