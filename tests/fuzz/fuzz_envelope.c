// fuzz_envelope: what is read as an envelope is written as the same bytes.
#include "fuzz.h"

#include "core/queue/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct unpack u = {.rest = slice_of(data, size)};
    struct arena arena ARENA_AUTO = {.max = 1 << 20};
    struct buf again BUF_AUTO = {.max = 1 << 22};
    struct envelope env;
    if (!envelope_unpack(&u, &arena, &env))
        return 0;
    FUZZ_CHECK(env.recipients_n >= 1 && env.recipients_n <= ENVELOPE_RECIPIENTS_MAX);
    FUZZ_CHECK(envelope_pack(&again, &env));
    FUZZ_CHECK(slice_eq(buf_slice(&again), slice_of(data, size - u.rest.n)));
    return 0;
}
