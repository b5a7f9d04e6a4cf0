// message_policy: payloads about lock-outs, quotas and the guard as bytes and back.
#include "core/message/message_policy.h"

#include "core/message/message_inside.h"
#include "wire/link_frame.h"

enum {
    ENTRY_LEAST = 1 + 1 + 4 + 4 + 8 + 4 + 8 + 5 * 4 + 4, // bytes of an entry without text
    ENTRIES_MAX = LINK_PAYLOAD_MAX / ENTRY_LEAST,
};

bool message_try_pack(struct buf *b, const struct message_try *m) {
    message_pack_ip(b, &m->client);
    return pack_slice(b, m->user);
}

bool message_try_unpack(struct slice payload, struct message_try *out) {
    struct unpack u = {.rest = payload};
    struct message_try m = {.client = message_unpack_ip(&u)};
    m.user = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_try_reply_pack(struct buf *b, const struct message_try_reply *m) {
    message_pack_bool(b, m->locked);
    pack_i64(b, m->delay_ms);
    return pack_slice(b, m->why);
}

bool message_try_reply_unpack(struct slice payload, struct message_try_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_try_reply m = {.locked = message_unpack_bool(&u)};
    m.delay_ms = unpack_i64(&u);
    m.why = unpack_slice(&u);
    if (!unpack_end(&u) || m.delay_ms < 0)
        return false;
    *out = m;
    return true;
}

bool message_tried_pack(struct buf *b, const struct message_tried *m) {
    message_pack_ip(b, &m->client);
    pack_slice(b, m->user);
    pack_slice(b, m->secret);
    return message_pack_bool(b, m->ok);
}

bool message_tried_unpack(struct slice payload, struct message_tried *out) {
    struct unpack u = {.rest = payload};
    struct message_tried m = {.client = message_unpack_ip(&u)};
    m.user = unpack_slice(&u);
    m.secret = unpack_slice(&u);
    m.ok = message_unpack_bool(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_use_pack(struct buf *b, const struct message_use *m) {
    pack_slice(b, m->user);
    message_pack_ip(b, &m->client);
    pack_u32(b, m->recipients);
    pack_u32(b, m->refused);
    pack_u64(b, m->size);
    return message_pack_bool(b, m->only_ask);
}

bool message_use_unpack(struct slice payload, struct message_use *out) {
    struct unpack u = {.rest = payload};
    struct message_use m = {.user = unpack_slice(&u)};
    m.client = message_unpack_ip(&u);
    m.recipients = unpack_u32(&u);
    m.refused = unpack_u32(&u);
    m.size = unpack_u64(&u);
    m.only_ask = message_unpack_bool(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_use_reply_pack(struct buf *b, const struct message_use_reply *m) {
    message_pack_bool(b, m->ok);
    message_pack_bool(b, m->hold);
    pack_u16(b, m->smtp);
    message_pack_enhanced(b, m->enhanced);
    pack_slice(b, m->text);
    return pack_slice(b, m->why);
}

bool message_use_reply_unpack(struct slice payload, struct message_use_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_use_reply m = {.ok = message_unpack_bool(&u)};
    m.hold = message_unpack_bool(&u);
    m.smtp = unpack_u16(&u);
    message_unpack_enhanced(&u, m.enhanced);
    m.text = unpack_slice(&u);
    m.why = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_notice_pack(struct buf *b, const struct message_notice *m) {
    pack_slice(b, m->to);
    pack_slice(b, m->subject);
    return pack_slice(b, m->text);
}

bool message_notice_unpack(struct slice payload, struct message_notice *out) {
    struct unpack u = {.rest = payload};
    struct message_notice m = {.to = unpack_slice(&u)};
    m.subject = unpack_slice(&u);
    m.text = unpack_slice(&u);
    if (!unpack_end(&u) || !m.to.n)
        return false;
    *out = m;
    return true;
}

bool message_policy_query_pack(struct buf *b, const struct message_policy_query *m) {
    pack_slice(b, m->what);
    return pack_u32(b, m->limit);
}

bool message_policy_query_unpack(struct slice payload, struct message_policy_query *out) {
    struct unpack u = {.rest = payload};
    struct message_policy_query m = {.what = unpack_slice(&u)};
    m.limit = unpack_u32(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

static void pack_entry(struct buf *b, const struct message_policy_entry *e) {
    pack_u8(b, (uint8_t)e->kind);
    pack_u8(b, (uint8_t)e->state);
    pack_slice(b, e->what);
    pack_u32(b, e->failures);
    pack_i64(b, e->until.ms);
    pack_slice(b, e->secret);
    pack_i64(b, e->used.ms);
    pack_u32(b, e->messages);
    pack_u32(b, e->recipients);
    pack_u32(b, e->messages_bound);
    pack_u32(b, e->recipients_bound);
    pack_u32(b, e->held);
    pack_slice(b, e->why);
}

static void unpack_entry(struct unpack *u, struct message_policy_entry *e) {
    e->kind = (enum message_policy_kind)message_unpack_enum(u, MESSAGE_POLICY_SECRET);
    e->state = (enum message_policy_state)message_unpack_enum(u, MESSAGE_POLICY_BLOCKED);
    e->what = unpack_slice(u);
    e->failures = unpack_u32(u);
    e->until.ms = unpack_i64(u);
    e->secret = unpack_slice(u);
    e->used.ms = unpack_i64(u);
    e->messages = unpack_u32(u);
    e->recipients = unpack_u32(u);
    e->messages_bound = unpack_u32(u);
    e->recipients_bound = unpack_u32(u);
    e->held = unpack_u32(u);
    e->why = unpack_slice(u);
}

bool message_policy_reply_pack(struct buf *b, const struct message_policy_reply *m) {
    pack_u32(b, m->count);
    pack_u32(b, (uint32_t)m->entries_n);
    for (size_t i = 0; i < m->entries_n; i++)
        pack_entry(b, &m->entries[i]);
    return !b->failed;
}

bool message_policy_reply_unpack(struct slice payload, struct arena *arena, struct message_policy_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_policy_reply m = {.count = unpack_u32(&u)};
    m.entries = message_unpack_array(&u, arena, ENTRIES_MAX, ENTRY_LEAST, sizeof *m.entries, &m.entries_n);
    for (size_t i = 0; i < m.entries_n && !u.bad; i++)
        unpack_entry(&u, &m.entries[i]);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}
