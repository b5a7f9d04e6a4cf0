// fuzz_delegation: what a server of policy answers, cut anywhere; and what we ask, which no value can bend.
#include "wire/delegation.h"

#include "fuzz.h"

static void check_question(struct slice value) {
    BUF_AUTO struct buf b = {.max = 1 << 20};
    delegation_put(&b, SLICE("name"), value);
    FUZZ_CHECK(b.n == value.n + 6 && slice_find(buf_slice(&b), '\n') == b.n - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = slice_of(data, size), action, early;
    size_t used, n;
    enum delegation_got got = delegation_take(all, &action, &used);
    check_question(all);
    if (got == DELEGATION_WHOLE) {
        FUZZ_CHECK(used <= size && used <= DELEGATION_ANSWER_MAX && fuzz_inside(action, all));
        FUZZ_CHECK(slice_find(action, '\n') == action.n);
        FUZZ_CHECK(delegation_take(slice_upto(all, used - 1), &early, &n) == DELEGATION_MORE);
    }
    if (got == DELEGATION_MORE)
        FUZZ_CHECK(size < DELEGATION_ANSWER_MAX);
    return 0;
}
