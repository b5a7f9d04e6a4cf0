// fuzz_record: any bytes are a record or none; what is one packs to the same bytes unless something had to be cut, and
// can be told on a terminal.
#include "fuzz.h"

#include "base/printable.h"
#include "core/history/story.h"

static void tell(const struct record *r) {
    struct buf b = {.max = 4 << 20}, key = {.max = STORY_KEY};
    struct story_style style = {"", "", "", "", SLICE("c"), true};
    const struct record *twice[] = {r, r};
    struct story_wish w;
    FUZZ_CHECK(story_tell(&b, twice, 2, &style));
    for (struct slice rest = buf_slice(&b); rest.n;) {
        uint32_t code;
        size_t n = printable_decode(rest, &code);
        FUZZ_CHECK(n && (code == '\n' || printable_safe(code)));
        rest = slice_from(rest, n);
    }
    story_key(r, &key);
    FUZZ_CHECK(!key.failed);
    story_wish_parse(r->sender, &w);
    FUZZ_CHECK(!r->sender.n || w.has_net || w.text.n != r->sender.n || story_matches(&w, r));
    buf_done(&b);
    buf_done(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {.max = 1 << 20};
    struct buf b = {.max = RECORD_MAX}, again = {.max = RECORD_MAX};
    struct record r, second;
    if (record_unpack(slice_of(data, size), &arena, &r)) {
        FUZZ_CHECK(record_pack(&b, &r) && b.n <= size);
        FUZZ_CHECK(record_unpack(buf_slice(&b), &arena, &second));
        FUZZ_CHECK(record_pack(&again, &second) && slice_eq(buf_slice(&b), buf_slice(&again)));
        tell(&r);
        FUZZ_CHECK(r.stage < RECORD_STAGES && r.outcome < RECORD_OUTCOMES && r.recipients_n <= RECORD_LIST_MAX);
    }
    arena_done(&arena);
    buf_done(&b);
    buf_done(&again);
    return 0;
}
