// message_answer: questions about mail and their answers: the resolver's, the tables', the administrator's (message.h).
#include "core/message/message_inside.h"
#include "wire/link_frame.h"

enum {
    DNS_RECORD_LEAST = 2 + 1 + 16 + 2 + 4,             // bytes of a record without text
    QUEUE_RECIPIENT_LEAST = 4 + 4 + 1 + 4 + 8 + 4 + 4, // likewise of a recipient
    QUEUE_ENTRY_LEAST = 8 + 8 + 8 + 4 + 4 + 4,         // and of an entry without recipients
    QUEUE_ENTRIES_MAX = LINK_PAYLOAD_MAX / QUEUE_ENTRY_LEAST,
};

bool message_resolve_pack(struct buf *b, const struct message_resolve *m) {
    pack_u16(b, m->type);
    return pack_slice(b, m->name);
}

bool message_resolve_unpack(struct slice payload, struct message_resolve *out) {
    struct unpack u = {.rest = payload};
    struct message_resolve m = {.type = unpack_u16(&u)};
    m.name = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_resolve_reply_pack(struct buf *b, const struct message_resolve_reply *m) {
    pack_u8(b, (uint8_t)m->status);
    pack_u8(b, (uint8_t)m->security);
    pack_u32(b, m->ttl);
    pack_slice(b, m->why);
    pack_slice(b, m->canonical);
    pack_u32(b, (uint32_t)m->records_n);
    for (size_t i = 0; i < m->records_n; i++) {
        pack_u16(b, m->records[i].preference);
        message_pack_ip(b, &m->records[i].ip);
        pack_slice(b, m->records[i].text);
    }
    return !b->failed;
}

bool message_resolve_reply_unpack(struct slice payload, struct arena *arena, struct message_resolve_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_resolve_reply m = {.status = (enum message_dns_status)message_unpack_enum(&u, MESSAGE_DNS_FAILED)};
    m.security = (enum message_dns_security)message_unpack_enum(&u, MESSAGE_DNS_BOGUS);
    m.ttl = unpack_u32(&u);
    m.why = unpack_slice(&u);
    m.canonical = unpack_slice(&u);
    m.records =
        message_unpack_array(&u, arena, MESSAGE_DNS_RECORDS_MAX, DNS_RECORD_LEAST, sizeof *m.records, &m.records_n);
    for (size_t i = 0; i < m.records_n; i++) {
        m.records[i].preference = unpack_u16(&u);
        m.records[i].ip = message_unpack_ip(&u);
        m.records[i].text = unpack_slice(&u);
    }
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_expand_reply_pack(struct buf *b, const struct message_expand_reply *m) {
    pack_u8(b, (uint8_t)m->result);
    pack_slice(b, m->why);
    pack_u32(b, (uint32_t)m->addresses_n);
    for (size_t i = 0; i < m->addresses_n; i++)
        pack_slice(b, m->addresses[i]);
    return !b->failed;
}

bool message_expand_reply_unpack(struct slice payload, struct arena *arena, struct message_expand_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_expand_reply m = {.result = (enum message_expansion)message_unpack_enum(&u, MESSAGE_EXPAND_FAILED)};
    m.why = unpack_slice(&u);
    m.addresses = message_unpack_array(&u, arena, ENVELOPE_RECIPIENTS_MAX, 4, sizeof *m.addresses, &m.addresses_n);
    for (size_t i = 0; i < m.addresses_n; i++)
        m.addresses[i] = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_owns_pack(struct buf *b, const struct message_owns *m) {
    pack_slice(b, m->user);
    return pack_slice(b, m->address);
}

bool message_owns_unpack(struct slice payload, struct message_owns *out) {
    struct unpack u = {.rest = payload};
    struct message_owns m = {.user = unpack_slice(&u)};
    m.address = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_owns_reply_pack(struct buf *b, enum message_ownership result) { return pack_u8(b, (uint8_t)result); }

bool message_owns_reply_unpack(struct slice payload, enum message_ownership *out) {
    struct unpack u = {.rest = payload};
    unsigned result = message_unpack_enum(&u, MESSAGE_OWNS_FAILED);
    if (!unpack_end(&u))
        return false;
    *out = (enum message_ownership)result;
    return true;
}

bool message_queue_query_pack(struct buf *b, const struct message_queue_query *m) {
    pack_u64(b, m->queue_id);
    pack_u32(b, m->limit);
    pack_slice(b, m->destination);
    return pack_slice(b, m->user);
}

bool message_queue_query_unpack(struct slice payload, struct message_queue_query *out) {
    struct unpack u = {.rest = payload};
    struct message_queue_query m = {.queue_id = unpack_u64(&u)};
    m.limit = unpack_u32(&u);
    m.destination = unpack_slice(&u);
    m.user = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

static void pack_queue_recipient(struct buf *b, const struct message_queue_recipient *r) {
    pack_slice(b, r->address);
    pack_slice(b, r->original);
    pack_u8(b, (uint8_t)r->state);
    pack_u32(b, r->attempts);
    pack_i64(b, r->next_attempt.ms);
    pack_slice(b, r->reason);
    pack_slice(b, r->destination);
}

static void unpack_queue_recipient(struct unpack *u, struct message_queue_recipient *r) {
    r->address = unpack_slice(u);
    r->original = unpack_slice(u);
    r->state = (enum message_recipient_state)message_unpack_enum(u, MESSAGE_RECIPIENT_DONE);
    r->attempts = unpack_u32(u);
    r->next_attempt.ms = unpack_i64(u);
    r->reason = unpack_slice(u);
    r->destination = unpack_slice(u);
}

bool message_queue_reply_pack(struct buf *b, const struct message_queue_reply *m) {
    pack_u64(b, m->count);
    message_pack_bool(b, m->more);
    pack_slice(b, m->header);
    pack_u32(b, (uint32_t)m->entries_n);
    for (size_t i = 0; i < m->entries_n; i++) {
        const struct message_queue_entry *e = &m->entries[i];
        pack_u64(b, e->queue_id);
        pack_u64(b, e->size);
        pack_i64(b, e->arrived.ms);
        pack_slice(b, e->sender);
        pack_u32(b, (uint32_t)e->tags_n);
        for (size_t k = 0; k < e->tags_n; k++)
            pack_slice(b, e->tags[k]);
        pack_u32(b, (uint32_t)e->recipients_n);
        for (size_t k = 0; k < e->recipients_n; k++)
            pack_queue_recipient(b, &e->recipients[k]);
    }
    return !b->failed;
}

static void unpack_queue_entry(struct unpack *u, struct arena *arena, struct message_queue_entry *e) {
    e->queue_id = unpack_u64(u);
    e->size = unpack_u64(u);
    e->arrived.ms = unpack_i64(u);
    e->sender = unpack_slice(u);
    e->tags = message_unpack_array(u, arena, ENVELOPE_TAGS_MAX, 4, sizeof *e->tags, &e->tags_n);
    for (size_t k = 0; k < e->tags_n; k++)
        e->tags[k] = unpack_slice(u);
    e->recipients = message_unpack_array(u, arena, ENVELOPE_RECIPIENTS_MAX, QUEUE_RECIPIENT_LEAST,
                                         sizeof *e->recipients, &e->recipients_n);
    for (size_t k = 0; k < e->recipients_n; k++)
        unpack_queue_recipient(u, &e->recipients[k]);
}

bool message_queue_reply_unpack(struct slice payload, struct arena *arena, struct message_queue_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_queue_reply m = {.count = unpack_u64(&u)};
    m.more = message_unpack_bool(&u);
    m.header = unpack_slice(&u);
    m.entries = message_unpack_array(&u, arena, QUEUE_ENTRIES_MAX, QUEUE_ENTRY_LEAST, sizeof *m.entries, &m.entries_n);
    for (size_t i = 0; i < m.entries_n && !u.bad; i++)
        unpack_queue_entry(&u, arena, &m.entries[i]);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}
