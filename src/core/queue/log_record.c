// log_record: the log's bytes written and read.
#include "core/queue/log_record.h"

#include "base/hash.h"
#include "core/queue/envelope.h"

enum {
    VERSION = 1,
    HAS_START = 63, // bit of a state's size: `start` follows; a content that begins at 0 is written as it ever was
    RECIPIENT_LEAST = 4 + 1 + 4 + 8 + 2 + 6 + 1 + 4 + 4, // bytes of a recipient without reason and remote
};

static const char magic[8] = "PHQLOG\r\n";

static uint64_t get(const char *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

static void put(char *p, uint64_t v, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(uint8_t)(v >> (8 * i));
}

void log_segment_pack(char to[LOG_HEADER], const struct log_segment *s) {
    memset(to, 0, LOG_HEADER);
    memcpy(to, magic, sizeof magic);
    put(to + 8, VERSION, 4);
    put(to + 16, s->number, 8);
    put(to + 24, s->salt, 8);
    put(to + 32, s->previous, 8);
    put(to + 40, s->previous_end, 8);
    put(to + 48, s->first_seq, 8);
    put(to + 56, hash_crc32c(0, slice_of(to, 56)), 4);
}

bool log_segment_unpack(const char from[LOG_HEADER], struct log_segment *out) {
    if (memcmp(from, magic, sizeof magic) != 0 || get(from + 8, 4) != VERSION ||
        get(from + 56, 4) != hash_crc32c(0, slice_of(from, 56)))
        return false;
    *out = (struct log_segment){.number = get(from + 16, 8),
                                .salt = get(from + 24, 8),
                                .previous = get(from + 32, 8),
                                .previous_end = get(from + 40, 8),
                                .first_seq = get(from + 48, 8)};
    return true;
}

static uint32_t checksum(const struct log_segment *s, struct slice header, struct slice prefix, struct slice payload) {
    char seed[16];
    put(seed, s->number, 8);
    put(seed + 8, s->salt, 8);
    uint32_t crc = hash_crc32c(0, slice_of(seed, sizeof seed));
    crc = hash_crc32c(crc, slice_from(header, 4));
    crc = hash_crc32c(crc, prefix);
    return hash_crc32c(crc, payload);
}

void log_record_header(char to[LOG_RECORD_HEADER], const struct log_segment *s, const struct log_record *r,
                       struct slice prefix) {
    put(to + 4, prefix.n + r->payload.n, 4);
    put(to + 8, (uint64_t)r->type, 2);
    put(to + 10, 0, 2);
    put(to + 12, prefix.n, 4);
    put(to + 16, r->seq, 8);
    put(to + 24, r->synced, 8);
    put(to, checksum(s, slice_of(to, LOG_RECORD_HEADER), prefix, r->payload), 4);
}

enum log_record_got log_record_parse(struct slice in, const struct log_segment *s, uint64_t after,
                                     struct log_record *out, size_t *size) {
    if (in.n < LOG_RECORD_HEADER) {
        *size = LOG_RECORD_HEADER;
        return LOG_RECORD_MORE;
    }
    size_t n = get(in.p + 4, 4), prefix = get(in.p + 12, 4);
    uint64_t type = get(in.p + 8, 2), seq = get(in.p + 16, 8), synced = get(in.p + 24, 8);
    if (type == 0 || type >= LOG_RECORD_TYPE_END || get(in.p + 10, 2) != 0 || n > LOG_PAYLOAD_MAX || prefix > n ||
        seq <= after || synced >= seq)
        return LOG_RECORD_BAD;
    *size = log_record_size(n);
    if (in.n < *size)
        return LOG_RECORD_MORE;
    struct slice payload = slice_of(in.p + LOG_RECORD_HEADER, n);
    if (get(in.p, 4) != checksum(s, slice_upto(in, LOG_RECORD_HEADER), SLICE_EMPTY, payload))
        return LOG_RECORD_BAD;
    *out = (struct log_record){.type = (enum log_record_type)type,
                               .seq = seq,
                               .synced = synced,
                               .prefix = (uint32_t)prefix,
                               .payload = payload};
    return LOG_RECORD_WHOLE;
}

// --- payloads

static void pack_recipients(struct buf *b, const struct log_recipient *recipients, size_t n) {
    pack_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        const struct log_recipient *r = &recipients[i];
        pack_u32(b, r->index);
        pack_u8(b, (uint8_t)r->state);
        pack_u32(b, r->attempts);
        pack_i64(b, r->next.ms);
        pack_u16(b, r->smtp);
        for (size_t k = 0; k < 3; k++)
            pack_u16(b, r->enhanced[k]);
        pack_u8(b, r->expired);
        pack_slice(b, slice_upto(r->reason, LOG_REASON_MAX));
        pack_slice(b, slice_upto(r->remote, LOG_REASON_MAX));
    }
}

static void unpack_recipient(struct unpack *u, struct log_recipient *r) {
    r->index = unpack_u32(u);
    uint8_t state = unpack_u8(u);
    u->bad |= state > LOG_RECIPIENT_DONE;
    r->state = (enum log_recipient_state)state;
    r->attempts = unpack_u32(u);
    r->next.ms = unpack_i64(u);
    r->smtp = unpack_u16(u);
    for (size_t k = 0; k < 3; k++)
        r->enhanced[k] = unpack_u16(u);
    uint8_t expired = unpack_u8(u);
    u->bad |= expired > 1;
    r->expired = expired == 1;
    r->reason = unpack_slice(u);
    r->remote = unpack_slice(u);
}

static struct log_recipient *unpack_recipients(struct unpack *u, struct arena *arena, size_t *n) {
    size_t count = unpack_u32(u);
    *n = 0;
    if (u->bad || count == 0)
        return NULL;
    struct log_recipient *r = NULL;
    if (count <= ENVELOPE_RECIPIENTS_MAX && count <= u->rest.n / RECIPIENT_LEAST)
        r = arena_alloc(arena, count * sizeof *r);
    if (!r)
        u->bad = true;
    for (size_t i = 0; i < count && !u->bad; i++)
        unpack_recipient(u, &r[i]);
    *n = u->bad ? 0 : count;
    return u->bad ? NULL : r;
}

bool log_outcome_pack(struct buf *b, const struct log_outcome *m) {
    pack_u64(b, m->queue_id);
    pack_recipients(b, m->recipients, m->recipients_n);
    return !b->failed;
}

bool log_outcome_unpack(struct slice payload, struct arena *arena, struct log_outcome *out) {
    struct unpack u = {.rest = payload};
    struct log_outcome m = {.queue_id = unpack_u64(&u)};
    m.recipients = unpack_recipients(&u, arena, &m.recipients_n);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool log_state_pack(struct buf *b, const struct log_state *m) {
    pack_u64(b, m->file);
    pack_u64(b, m->size | (uint64_t)(m->start > 0) << HAS_START);
    if (m->start)
        pack_u32(b, m->start);
    pack_recipients(b, m->recipients, m->recipients_n);
    return !b->failed;
}

bool log_state_unpack(struct slice prefix, struct arena *arena, struct log_state *out) {
    struct unpack u = {.rest = prefix};
    struct log_state m = {.file = unpack_u64(&u)};
    m.size = unpack_u64(&u);
    if (m.size >> HAS_START) {
        m.size ^= 1ull << HAS_START;
        m.start = unpack_u32(&u);
        u.bad |= m.start == 0;
    }
    m.recipients = unpack_recipients(&u, arena, &m.recipients_n);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}
