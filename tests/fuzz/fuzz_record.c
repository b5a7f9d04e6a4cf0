// fuzz_record: any bytes are a record or none; what is one packs to the same bytes unless something had to be cut.
#include "fuzz.h"

#include "core/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {.max = 1 << 20};
    struct buf b = {.max = RECORD_MAX}, again = {.max = RECORD_MAX};
    struct record r, second;
    if (record_unpack(slice_of(data, size), &arena, &r)) {
        FUZZ_CHECK(record_pack(&b, &r) && b.n <= size);
        FUZZ_CHECK(record_unpack(buf_slice(&b), &arena, &second));
        FUZZ_CHECK(record_pack(&again, &second) && slice_eq(buf_slice(&b), buf_slice(&again)));
        FUZZ_CHECK(r.stage < RECORD_STAGES && r.outcome < RECORD_OUTCOMES && r.recipients_n <= RECORD_LIST_MAX);
    }
    arena_done(&arena);
    buf_done(&b);
    buf_done(&again);
    return 0;
}
