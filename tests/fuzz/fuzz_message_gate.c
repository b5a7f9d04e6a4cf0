// fuzz_message_gate: every payload about strangers; the first byte chooses which.
#include "core/message/message_gate.h"
#include "message.h"

static void match_reply(struct slice in, struct buf *again) {
    enum message_match_result r;
    if (message_match_reply_unpack(in, &r))
        FUZZ_CHECK(message_match_reply_pack(again, r) && slice_eq(buf_slice(again), in));
}

static void records(struct slice in, struct buf *again) {
    struct slice rest = in, one;
    while (message_records_next(&rest, &one))
        pack_slice(again, one);
    FUZZ_CHECK(rest.n || slice_eq(buf_slice(again), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf again = {.max = 1 << 20};
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct slice in = slice_of(data, size);
    switch (fuzz_choose(&in, 12)) {
        MESSAGE(0, client)
        MESSAGE(1, client_reply)
        MESSAGE(2, tally)
        MESSAGE(3, tally_reply)
        MESSAGE(4, greylist)
        MESSAGE(5, greylist_reply)
        MESSAGE(6, seen)
        MESSAGE(7, match)
    case 8:
        match_reply(in, &again);
        break;
        MESSAGE_IN_ARENA(9, dmarc_seen)
        MESSAGE(10, post)
    default:
        records(in, &again);
    }
    return 0;
}
