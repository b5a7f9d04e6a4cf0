// fuzz_record_file: any bytes as a segment of history: every record that comes out lies within it and was summed up.
#include "fuzz.h"

#include "core/history/record_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = slice_of(data, size), rest = all, packed;
    struct buf again = {.max = 1 << 20};
    struct wall begun = {0};
    if (record_file_open(&rest, &begun)) {
        FUZZ_CHECK(record_file_begin(&again, begun));
        while (record_file_next(&rest, &packed)) {
            FUZZ_CHECK(fuzz_inside(packed, all) && packed.n > 0 && packed.n <= RECORD_MAX);
            FUZZ_CHECK(record_file_add(&again, packed));
        }
        FUZZ_CHECK(slice_starts(all, buf_slice(&again)) && again.n == size - rest.n);
    }
    buf_done(&again);
    return 0;
}
