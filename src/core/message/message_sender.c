// message_sender: what is remembered of senders as bytes and back.
#include "core/message/message_sender.h"

#include "core/message/message_inside.h"
#include "wire/link_frame.h"

enum {
    ENTRY_LEAST = 2 + 4 * 4 + 2 * 4 + 2 * 8, // bytes of an entry without text
    ENTRIES_MAX = LINK_PAYLOAD_MAX / ENTRY_LEAST,
};

const char *const message_sender_kind_names[MESSAGE_SENDER_KINDS + 1] = {"address", "network", "domain", "mailbox",
                                                                         NULL};
const char *const message_sender_state_names[MESSAGE_SENDER_STATES + 1] = {
    "blocked", "allowed", "shut-out", "counted", "known", "seen", "waiting", "proven", "wrote-to", NULL};

static void pack_entry(struct buf *b, const struct message_sender_entry *e) {
    pack_u8(b, (uint8_t)e->kind);
    pack_u8(b, (uint8_t)e->state);
    pack_slice(b, e->what);
    pack_slice(b, e->sender);
    pack_slice(b, e->recipient);
    pack_u32(b, e->points);
    pack_u32(b, e->good);
    pack_i64(b, e->since.ms);
    pack_i64(b, e->until.ms);
    pack_slice(b, e->why);
}

static void unpack_entry(struct unpack *u, struct message_sender_entry *e) {
    e->kind = (enum message_sender_kind)message_unpack_enum(u, MESSAGE_SENDER_KINDS - 1);
    e->state = (enum message_sender_state)message_unpack_enum(u, MESSAGE_SENDER_STATES - 1);
    e->what = unpack_slice(u);
    e->sender = unpack_slice(u);
    e->recipient = unpack_slice(u);
    e->points = unpack_u32(u);
    e->good = unpack_u32(u);
    e->since.ms = unpack_i64(u);
    e->until.ms = unpack_i64(u);
    e->why = unpack_slice(u);
}

bool message_sender_reply_pack(struct buf *b, const struct message_sender_reply *m) {
    message_pack_bool(b, m->ok);
    pack_u32(b, m->count);
    pack_u32(b, (uint32_t)m->entries_n);
    for (size_t i = 0; i < m->entries_n; i++)
        pack_entry(b, &m->entries[i]);
    return !b->failed;
}

bool message_sender_reply_unpack(struct slice payload, struct arena *arena, struct message_sender_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_sender_reply m = {.ok = message_unpack_bool(&u)};
    m.count = unpack_u32(&u);
    m.entries = message_unpack_array(&u, arena, ENTRIES_MAX, ENTRY_LEAST, sizeof *m.entries, &m.entries_n);
    for (size_t i = 0; i < m.entries_n && !u.bad; i++)
        unpack_entry(&u, &m.entries[i]);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}
