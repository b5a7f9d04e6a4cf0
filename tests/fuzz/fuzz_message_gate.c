// fuzz_message_gate: every payload about strangers; the first byte chooses which. What is taken is the same when it is
// written again.
#include "core/message_gate.h"

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

static void match_reply(struct buf *b, struct slice payload) {
    enum message_match_result r;
    bool got = message_match_reply_unpack(payload, &r);
    same(got, got && message_match_reply_pack(b, r), b, payload);
}

static void dmarc_seen(struct buf *b, struct slice payload) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct message_dmarc_seen m;
    bool got = message_dmarc_seen_unpack(payload, &arena, &m);
    same(got, got && message_dmarc_seen_pack(b, &m), b, payload);
}

static void records(struct buf *b, struct slice payload) {
    struct slice rest = payload, one;
    while (message_records_next(&rest, &one))
        pack_slice(b, one);
    same(rest.n == 0, true, b, payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    BUF_AUTO struct buf b = {.max = 1 << 20};
    struct slice payload = slice_of(data + 1, size - 1);
    switch (data[0] % 12) {
    case 0: THERE_AND_BACK(client); break;
    case 1: THERE_AND_BACK(client_reply); break;
    case 2: THERE_AND_BACK(tally); break;
    case 3: THERE_AND_BACK(tally_reply); break;
    case 4: THERE_AND_BACK(greylist); break;
    case 5: THERE_AND_BACK(greylist_reply); break;
    case 6: THERE_AND_BACK(seen); break;
    case 7: THERE_AND_BACK(match); break;
    case 8: match_reply(&b, payload); break;
    case 9: dmarc_seen(&b, payload); break;
    case 10: THERE_AND_BACK(post); break;
    default: records(&b, payload);
    }
    return 0;
}
