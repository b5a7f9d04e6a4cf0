// message_records: records for history, many in one payload.
#include "core/message/message_gate.h"

bool message_records_add(struct buf *b, const struct record *r) {
    size_t at = b->n;
    if (pack_u32(b, 0) && record_pack(b, r)) {
        pack_patch_u32(b, at, (uint32_t)(b->n - at - 4));
        return true;
    }
    b->n = at; // what was before it is whole, and can be sent
    return false;
}
