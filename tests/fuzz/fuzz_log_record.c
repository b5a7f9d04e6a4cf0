// fuzz_log_record: a segment's header, a record whose checksum is made right, and what it says.
#include "core/queue/log_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void payload(struct slice in) {
    struct arena arena ARENA_AUTO = {.max = 1 << 20};
    struct log_outcome outcome;
    struct log_state state;
    (void)log_outcome_unpack(in, &arena, &outcome);
    (void)log_state_unpack(in, &arena, &state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct log_segment segment = {.number = 1};
    struct log_record record;
    size_t used = 0;
    if (size >= LOG_HEADER)
        (void)log_segment_unpack((const char *)data, &segment);
    if (log_record_parse(slice_of(data, size), &segment, 0, &record, &used) == LOG_RECORD_WHOLE)
        payload(record.payload);
    payload(slice_of(data, size));
    return 0;
}
