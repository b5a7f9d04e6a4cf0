// message: mail on its way: submissions, attempts and their outcomes as bytes and back.
#include "core/message/message_inside.h"

enum {
    RECIPIENT_LEAST = 4 + 4 + 4 + 2 + 6 + 4 + 4 + 1, // bytes of a recipient of WORK whose slices are empty
    OUTCOME_LEAST = 4 + 1 + 2 + 6 + 4,               // likewise of OUTCOME
    REASON_MAX = 500,
};

bool message_unpack_bool(struct unpack *u) {
    uint8_t v = unpack_u8(u);
    u->bad |= v > 1;
    return v == 1 && !u->bad;
}

unsigned message_unpack_enum(struct unpack *u, unsigned last) {
    uint8_t v = unpack_u8(u);
    u->bad |= v > last;
    return u->bad ? 0 : v;
}

void message_pack_enhanced(struct buf *b, const uint16_t enhanced[3]) {
    for (size_t i = 0; i < 3; i++)
        pack_u16(b, enhanced[i]);
}

void message_unpack_enhanced(struct unpack *u, uint16_t enhanced[3]) {
    for (size_t i = 0; i < 3; i++)
        enhanced[i] = unpack_u16(u);
}

void message_pack_ip(struct buf *b, const struct netaddr *a) {
    pack_u8(b, (uint8_t)a->family);
    buf_add(b, slice_of(a->ip, sizeof a->ip));
    pack_u16(b, a->port);
}

struct netaddr message_unpack_ip(struct unpack *u) {
    struct netaddr a = {.family = (enum netaddr_family)message_unpack_enum(u, NETADDR_V6)};
    for (size_t i = 0; i < sizeof a.ip; i++)
        a.ip[i] = unpack_u8(u);
    a.port = unpack_u16(u);
    size_t meant = a.family == NETADDR_V6 ? 16 : a.family == NETADDR_V4 ? 4 : 0;
    for (size_t i = meant; i < sizeof a.ip; i++)
        u->bad |= a.ip[i] != 0;
    return a;
}

void *message_unpack_array(struct unpack *u, struct arena *arena, size_t max, size_t least, size_t size, size_t *n) {
    size_t count = unpack_u32(u);
    *n = 0;
    if (u->bad || count == 0)
        return NULL;
    void *array = count <= max && count <= u->rest.n / least ? arena_alloc(arena, count * size) : NULL;
    if (array)
        *n = count;
    else
        u->bad = true;
    return array;
}

// --- submissions -----------------------------------------------------------------------------------------------------

bool message_submit_pack_head(struct buf *b, const struct message_submit *m) {
    pack_u64(b, m->queue_id);
    pack_u32(b, m->slot);
    envelope_pack(b, &m->envelope);
    return !b->failed;
}

bool message_submit_unpack(struct slice payload, struct arena *arena, struct message_submit *out) {
    struct unpack u = {.rest = payload};
    struct message_submit m = {.queue_id = unpack_u64(&u)};
    m.slot = unpack_u32(&u);
    if (u.bad || m.queue_id == 0 || !envelope_unpack(&u, arena, &m.envelope) || u.rest.n > MESSAGE_INLINE_MAX)
        return false;
    m.content = u.rest;
    *out = m;
    return true;
}

bool message_open_pack(struct buf *b, uint32_t reserve) { return pack_u32(b, reserve); }

bool message_open_unpack(struct slice payload, uint32_t *reserve) {
    struct unpack u = {.rest = payload};
    uint32_t n = payload.n ? unpack_u32(&u) : 0;
    if (!unpack_end(&u) || n > MESSAGE_RESERVE_MAX)
        return false;
    *reserve = n;
    return true;
}

bool message_piece_pack_head(struct buf *b, uint32_t slot) {
    pack_u32(b, slot);
    return message_pack_bool(b, false);
}

bool message_front_pack_head(struct buf *b, uint32_t slot) {
    pack_u32(b, slot);
    return message_pack_bool(b, true);
}

bool message_piece_unpack(struct slice payload, struct message_piece *out) {
    struct unpack u = {.rest = payload};
    uint32_t slot = unpack_u32(&u);
    bool front = message_unpack_bool(&u);
    if (u.bad || slot == 0 || u.rest.n > MESSAGE_INLINE_MAX)
        return false;
    *out = (struct message_piece){.slot = slot, .front = front, .bytes = u.rest};
    return true;
}

bool message_submit_reply_pack(struct buf *b, const struct message_submit_reply *m) {
    message_pack_bool(b, m->ok);
    pack_u32(b, m->slot);
    pack_u16(b, m->smtp);
    message_pack_enhanced(b, m->enhanced);
    return pack_slice(b, m->text);
}

bool message_submit_reply_unpack(struct slice payload, struct message_submit_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_submit_reply m = {.ok = message_unpack_bool(&u)};
    m.slot = unpack_u32(&u);
    m.smtp = unpack_u16(&u);
    message_unpack_enhanced(&u, m.enhanced);
    m.text = unpack_slice(&u);
    if (!unpack_end(&u) || (m.smtp && (m.smtp < 400 || m.smtp > 599)) ||
        (m.enhanced[0] && m.enhanced[0] != m.smtp / 100))
        return false;
    *out = m;
    return true;
}

// --- attempts --------------------------------------------------------------------------------------------------------

static void pack_recipient(struct buf *b, const struct message_work_recipient *r) {
    pack_u32(b, r->index);
    pack_slice(b, r->address);
    pack_slice(b, r->original);
    pack_u16(b, r->smtp);
    message_pack_enhanced(b, r->enhanced);
    pack_slice(b, r->reason);
    pack_slice(b, r->remote);
    message_pack_bool(b, r->expired);
}

static void unpack_recipient(struct unpack *u, struct message_work_recipient *r) {
    r->index = unpack_u32(u);
    r->address = unpack_slice(u);
    r->original = unpack_slice(u);
    r->smtp = unpack_u16(u);
    message_unpack_enhanced(u, r->enhanced);
    r->reason = unpack_slice(u);
    r->remote = unpack_slice(u);
    r->expired = message_unpack_bool(u);
}

bool message_work_pack_head(struct buf *b, const struct message_work *m) {
    pack_u8(b, (uint8_t)m->kind);
    pack_u64(b, m->queue_id);
    pack_slice(b, m->host);
    pack_u16(b, m->port);
    pack_u32(b, m->flags);
    pack_slice(b, m->sender);
    pack_slice(b, m->session);
    pack_i64(b, m->arrived.ms);
    pack_u32(b, m->attempt);
    pack_u64(b, m->size);
    pack_u32(b, (uint32_t)m->recipients_n);
    for (size_t i = 0; i < m->recipients_n; i++)
        pack_recipient(b, &m->recipients[i]);
    return !b->failed;
}

bool message_work_unpack(struct slice payload, struct arena *arena, struct message_work *out) {
    struct unpack u = {.rest = payload};
    struct message_work m = {.kind = (enum message_work_kind)message_unpack_enum(&u, MESSAGE_WORK_NOTIFY)};
    m.queue_id = unpack_u64(&u);
    m.host = unpack_slice(&u);
    m.port = unpack_u16(&u);
    m.flags = unpack_u32(&u);
    m.sender = unpack_slice(&u);
    m.session = unpack_slice(&u);
    m.arrived.ms = unpack_i64(&u);
    m.attempt = unpack_u32(&u);
    m.size = unpack_u64(&u);
    m.recipients = message_unpack_array(&u, arena, ENVELOPE_RECIPIENTS_MAX, RECIPIENT_LEAST, sizeof *m.recipients,
                                        &m.recipients_n);
    for (size_t i = 0; i < m.recipients_n; i++)
        unpack_recipient(&u, &m.recipients[i]);
    if (u.bad || m.queue_id == 0 || m.recipients_n == 0 || u.rest.n > MESSAGE_INLINE_MAX)
        return false;
    m.content = u.rest;
    *out = m;
    return true;
}

bool message_read_pack(struct buf *b, const struct message_read *m) {
    pack_u64(b, m->queue_id);
    pack_u64(b, m->offset);
    return pack_u32(b, m->n);
}

bool message_read_unpack(struct slice payload, struct message_read *out) {
    struct unpack u = {.rest = payload};
    struct message_read m = {.queue_id = unpack_u64(&u)};
    m.offset = unpack_u64(&u);
    m.n = unpack_u32(&u);
    if (!unpack_end(&u) || m.n > MESSAGE_INLINE_MAX)
        return false;
    *out = m;
    return true;
}

bool message_outcome_pack(struct buf *b, const struct message_outcome *m) {
    pack_u8(b, (uint8_t)m->site);
    pack_slice(b, slice_upto(m->remote, REASON_MAX));
    pack_u32(b, m->connection_use);
    pack_u32(b, m->ms_connect);
    pack_u32(b, m->ms_transfer);
    message_pack_bool(b, m->tls);
    pack_u32(b, (uint32_t)m->recipients_n);
    for (size_t i = 0; i < m->recipients_n; i++) {
        const struct message_outcome_recipient *r = &m->recipients[i];
        pack_u32(b, r->index);
        pack_u8(b, (uint8_t)r->result);
        pack_u16(b, r->smtp);
        message_pack_enhanced(b, r->enhanced);
        pack_slice(b, slice_upto(r->reason, REASON_MAX));
    }
    return !b->failed;
}

static void unpack_outcome_recipient(struct unpack *u, struct message_outcome_recipient *r) {
    r->index = unpack_u32(u);
    r->result = (enum message_result)message_unpack_enum(u, MESSAGE_FAILED);
    r->smtp = unpack_u16(u);
    message_unpack_enhanced(u, r->enhanced);
    r->reason = unpack_slice(u);
    u->bad |= r->reason.n > REASON_MAX;
}

bool message_outcome_unpack(struct slice payload, struct arena *arena, struct message_outcome *out) {
    struct unpack u = {.rest = payload};
    struct message_outcome m = {.site = (enum message_site)message_unpack_enum(&u, MESSAGE_SITE_UNTRIED)};
    m.remote = unpack_slice(&u);
    m.connection_use = unpack_u32(&u);
    m.ms_connect = unpack_u32(&u);
    m.ms_transfer = unpack_u32(&u);
    m.tls = message_unpack_bool(&u);
    m.recipients =
        message_unpack_array(&u, arena, ENVELOPE_RECIPIENTS_MAX, OUTCOME_LEAST, sizeof *m.recipients, &m.recipients_n);
    for (size_t i = 0; i < m.recipients_n; i++)
        unpack_outcome_recipient(&u, &m.recipients[i]);
    if (!unpack_end(&u) || m.recipients_n == 0 || m.remote.n > REASON_MAX)
        return false;
    *out = m;
    return true;
}
