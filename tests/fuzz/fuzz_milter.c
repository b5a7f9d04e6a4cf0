// fuzz_milter: what a filter says: packets in a stream, cut anywhere, and what is made of them.
#include "wire/milter.h"

#include "fuzz.h"

static void check_reply(struct slice value) {
    BUF_AUTO struct buf text = {.max = 1 << 18};
    struct milter_reply r;
    if (!milter_reply_read(value, &r, &text))
        return;
    FUZZ_CHECK(r.code >= 400 && r.code <= 599 && text.n <= value.n);
    FUZZ_CHECK(!r.enhanced[0] || r.enhanced[0] == '0' + r.code / 100);
}

static void check_answer(struct slice packet, const struct milter_answer *a) {
    uint32_t action = 0;
    FUZZ_CHECK(fuzz_inside(a->name, packet) && fuzz_inside(a->value, packet) && fuzz_inside(a->args, packet));
    for (size_t i = 0; i < MILTER_STAGE_COUNT; i++)
        FUZZ_CHECK(fuzz_inside(a->options.macros[i], packet));
    if (milter_answer_changes(a, &action))
        FUZZ_CHECK(action & MILTER_ACTIONS);
    FUZZ_CHECK(a->kind == MILTER_REPLACES_BODY || slice_find(a->value, '\0') == a->value.n);
    FUZZ_CHECK(slice_find(a->name, '\0') == a->name.n);
    if (a->kind == MILTER_REPLY)
        check_reply(a->value);
}

// What we write of it is one packet of the right length, whatever it holds.
static void check_writing(struct slice text) {
    BUF_AUTO struct buf b = {.max = 1 << 20};
    milter_put_header(&b, slice_upto(text, 20), slice_from(text, 20), text.n & 1);
    FUZZ_CHECK(!b.failed && b.n >= 7);
    FUZZ_CHECK(b.n == 4 + ((size_t)(uint8_t)b.p[1] << 16 | (size_t)(uint8_t)b.p[2] << 8 | (uint8_t)b.p[3]));
    size_t nuls = 0;
    for (size_t i = 5; i < b.n; i++)
        nuls += b.p[i] == '\0';
    FUZZ_CHECK(nuls == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_of(data, size);
    for (;;) {
        struct milter_answer a, early;
        size_t used, again;
        enum milter_got got = milter_take(rest, &a, &used);
        if (got != MILTER_WHOLE) {
            FUZZ_CHECK(got == MILTER_BAD || used > rest.n);
            break;
        }
        FUZZ_CHECK(used <= rest.n && used > 4);
        FUZZ_CHECK(milter_take(slice_upto(rest, used - 1), &early, &again) == MILTER_MORE);
        check_answer(slice_upto(rest, used), &a);
        rest = slice_from(rest, used);
    }
    check_reply(slice_of(data, size));
    check_writing(slice_of(data, size));
    return 0;
}
