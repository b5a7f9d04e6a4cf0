// queue_id: making, printing and reading a message's name.
#include "core/queue/queue_id.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

uint64_t queue_id_make(struct wall now, uint32_t counter) {
    uint64_t id = ((uint64_t)now.ms & ((1ull << 40) - 1)) << 24 | (counter & 0xffffff);
    return id ? id : 1;
}

void queue_id_print(uint64_t id, char to[QUEUE_ID_TEXT]) {
    for (size_t i = QUEUE_ID_TEXT; i-- > 0; id >>= 5)
        to[i] = digits[id & 31];
}

bool queue_id_add(struct buf *b, uint64_t id) {
    char text[QUEUE_ID_TEXT];
    queue_id_print(id, text);
    return buf_add(b, slice_of(text, sizeof text));
}

bool queue_id_parse(struct slice text, uint64_t *out) {
    if (text.n != QUEUE_ID_TEXT)
        return false;
    uint64_t id = 0;
    for (size_t i = 0; i < text.n; i++) {
        char upper = ascii_alpha(text.p[i]) ? (char)(ascii_lower(text.p[i]) - 32) : text.p[i];
        const char *at = upper ? strchr(digits, upper) : NULL;
        if (!at || (i == 0 && at - digits > 15)) // 13 letters hold 65 bits: the first one must not reach the last
            return false;
        id = id << 5 | (uint64_t)(at - digits);
    }
    if (id == 0)
        return false;
    *out = id;
    return true;
}
