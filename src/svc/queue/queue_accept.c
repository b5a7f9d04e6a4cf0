// queue_accept: submissions. What fits one frame goes from the link's memory to the log in the next batch; a larger
// message grows in a file of its own, which is durable before the record that names it.
#include "svc/queue/queue_inside.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_SLACK = 1024 * 1024 }; // over the largest message: what our own fields add

static void reply(struct queue_peer *p, uint64_t frame_id, const struct message_submit_reply *r) {
    BUF_AUTO struct buf b = {.max = 1024};
    message_submit_reply_pack(&b, r);
    link_send1(p->base.link, LINK_SUBMIT_REPLY, frame_id, buf_slice(&b));
}

static void refuse(struct queue_peer *p, uint64_t frame_id, const struct err *e) {
    struct message_submit_reply r = {.smtp = (uint16_t)(e->smtp ? e->smtp : 451),
                                     .text = slice_upto(slice_str(e->text), 500)};
    if (e->smtp)
        memcpy(r.enhanced, e->enhanced, sizeof r.enhanced);
    reply(p, frame_id, &r);
}

void queue_accept_answer(const struct queue_submit *s, const struct err *e) {
    struct queue_peer *p = s->peer;
    if (e)
        refuse(p, s->frame_id, e);
    else
        reply(p, s->frame_id, &(struct message_submit_reply){.ok = true});
    if (--p->waits == 0 && p->reader)
        fiber_wake(p->reader);
}

// --- slots

static struct slice slot_key(const uint32_t *number) { return slice_of(number, sizeof *number); }

void queue_big_name(char to[QUEUE_NAME], uint64_t file) {
    (void)snprintf(to, QUEUE_NAME, "queue/big/%016llx", (unsigned long long)file);
}

void queue_big_remove(struct queue_service *q, uint64_t file) {
    char name[QUEUE_NAME];
    struct err e;
    queue_big_name(name, file);
    if (!disk_remove(q->world->disk, name, &e) && e.kind != ERR_CANCELLED && e.sys != ENOENT)
        journal_event(q->world->journal, JOURNAL_WARNING, "file-not-removed", JOURNAL_ERR(&e));
}

void queue_accept_free_slot(struct queue_service *q, struct queue_slot *slot, bool remove) {
    disk_file_close(slot->open);
    if (remove)
        queue_big_remove(q, slot->file);
    free(slot);
}

// Mail that comes in faster than it leaves stays with its senders. Our own notifications are few, and may come.
static bool has_room(const struct queue_peer *p, struct err *e) {
    uint32_t most = p->q->config->gate.queue_messages;
    bool full = most && p->q->index.messages.n >= most && p->role != ROLE_INJECT;
    return !full || err_smtp(e, 451, "4.3.2", "too much mail is waiting here, please try again later");
}

static bool open_slot(struct queue_peer *p, uint32_t reserve, struct queue_slot **out, struct err *e) {
    struct queue_service *q = p->q;
    char name[QUEUE_NAME];
    struct disk_file *file;
    uint64_t number = world_random_u64(q->world) | 1;
    if (q->low || q->stopping)
        return err_smtp(e, 452, "4.3.1", "no room on the disk for more mail");
    if (!has_room(p, e))
        return false;
    if (p->slots.n >= QUEUE_SLOTS_MAX)
        return err_smtp(e, 452, "4.3.1", "too many large messages at once");
    queue_big_name(name, number);
    if (!disk_open(q->world->disk, name, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, &file, e))
        return false;
    struct queue_slot *slot = MEM_NEW(struct queue_slot);
    *slot = (struct queue_slot){.number = ++p->last_slot, .file = number, .open = file, .start = reserve};
    map_set(&p->slots, slot_key(&slot->number), slot);
    *out = slot;
    return true;
}

static bool write_piece(struct queue_slot *slot, struct slice bytes, uint64_t offset, struct err *e) {
    if (bytes.n && !disk_file_write_slice(slot->open, bytes, offset, e)) {
        bool full = e->sys == ENOSPC || e->sys == EDQUOT;
        slot->failed = true;
        e->smtp = full ? 452 : 451;
        memcpy(e->enhanced, (const uint16_t[]){4, 3, full}, sizeof e->enhanced);
        return err_while(e, "writing a large message");
    }
    slot->size += bytes.n;
    return true;
}

// What stands in front is written towards the file's beginning, so that the content stays in one piece.
static bool grow_slot(struct queue_service *q, struct queue_slot *slot, bool front, struct slice bytes, struct err *e) {
    if (slot->failed)
        return err_set(e, ERR_TEMPORARY, "an earlier piece could not be written");
    if (slot->size + bytes.n > q->config->limits.message_size + SIZE_SLACK)
        return err_smtp(e, 552, "5.3.4", "the message is too large");
    if (!front)
        return write_piece(slot, bytes, slot->start + slot->size, e);
    if (bytes.n > slot->start)
        return err_set(e, ERR_TEMPORARY, "too little room in front of a large message");
    if (!write_piece(slot, bytes, slot->start - bytes.n, e))
        return false;
    slot->start -= (uint32_t)bytes.n;
    return true;
}

static struct queue_slot *find_slot(const struct queue_peer *p, uint32_t number) {
    return map_get(&p->slots, slot_key(&number));
}

static void forget_slot(struct queue_peer *p, struct queue_slot *slot) {
    map_remove(&p->slots, slot_key(&slot->number));
    queue_accept_free_slot(p->q, slot, true);
}

void queue_accept_open(struct queue_peer *p, const struct link_frame *f) {
    struct queue_slot *slot = NULL;
    uint32_t reserve;
    struct err e;
    if (!message_open_unpack(f->payload, &reserve))
        link_break(p->base.link, "a malformed SUBMIT_OPEN");
    else if (open_slot(p, reserve, &slot, &e))
        reply(p, f->id, &(struct message_submit_reply){.ok = true, .slot = slot->number});
    else
        refuse(p, f->id, &e);
}

void queue_accept_piece(struct queue_peer *p, const struct link_frame *f) {
    struct message_piece m;
    struct err e;
    struct queue_slot *slot = message_piece_unpack(f->payload, &m) ? find_slot(p, m.slot) : NULL;
    if (!slot)
        link_break(p->base.link, "a piece for no slot");
    else if (grow_slot(p->q, slot, m.front, m.bytes, &e))
        reply(p, f->id, &(struct message_submit_reply){.ok = true, .slot = slot->number});
    else
        refuse(p, f->id, &e);
}

void queue_accept_abort(struct queue_peer *p, const struct link_frame *f) {
    struct message_piece m;
    if (!message_piece_unpack(f->payload, &m)) {
        link_break(p->base.link, "a malformed SUBMIT_ABORT");
        return;
    }
    struct queue_slot *slot = find_slot(p, m.slot);
    if (slot) // else it was refused already
        forget_slot(p, slot);
}

// --- whole messages

static bool id_is_taken(const struct queue_service *q, uint64_t id) {
    LIST_EACH(at, &q->submits) if (LIST_ENTRY(at, struct queue_submit, entry)->m.queue_id == id) return true;
    return queue_index_find(&q->index, id) != NULL;
}

// What a large message's record says before its envelope.
static bool name_file(struct queue_peer *p, struct queue_submit *s, struct slice payload, struct err *e) {
    struct queue_slot *slot = find_slot(p, s->m.slot);
    char *room = arena_alloc(&p->arena, 64);
    BUF_AUTO struct buf b = {.max = 64};
    if (!slot || !room)
        return err_smtp(e, 451, "4.3.0", "no such large message");
    if (!grow_slot(p->q, slot, false, s->m.content, e))
        return false;
    log_state_pack(&b, &(struct log_state){.file = slot->file, .size = slot->size, .start = slot->start});
    memcpy(room, b.p, b.n);
    map_remove(&p->slots, slot_key(&slot->number));
    s->slot = slot;
    s->record.type = LOG_RECORD_STATE;
    s->record.prefix = slice_of(room, b.n);
    s->record.payload = slice_upto(payload, payload.n - s->m.content.n);
    return true;
}

static bool take(struct queue_peer *p, struct queue_submit *s, struct slice payload, struct err *e) {
    s->record = (struct queue_entry){.type = LOG_RECORD_MESSAGE, .payload = payload};
    if (id_is_taken(p->q, s->m.queue_id))
        return err_smtp(e, 451, "4.3.0", "the queue id is in use");
    return s->m.slot ? name_file(p, s, payload, e) : has_room(p, e);
}

void queue_accept_submit(struct queue_peer *p, const struct link_frame *f) {
    struct queue_submit *s = ARENA_NEW(&p->arena, struct queue_submit);
    struct err e;
    if (!s || !message_submit_unpack(f->payload, &p->arena, &s->m)) {
        link_break(p->base.link, "a malformed SUBMIT");
        return;
    }
    s->peer = p;
    s->frame_id = f->id;
    if (!take(p, s, f->payload, &e)) {
        struct queue_slot *slot = find_slot(p, s->m.slot);
        if (slot)
            forget_slot(p, slot);
        refuse(p, f->id, &e);
        return;
    }
    p->waits++;
    list_append(&p->q->submits, &s->entry);
    loop_task_set(p->q->world->loop, &p->q->commit);
}

bool queue_accept_seal(struct queue_service *q, struct queue_submit *s, struct err *e) {
    if (!s->slot)
        return true;
    if (disk_file_sync(s->slot->open, e) && disk_sync_dir(q->world->disk, "queue/big", e))
        return true;
    e->smtp = 451;
    return err_while(e, "syncing a large message");
}

void queue_accept_end(struct queue_peer *p) {
    struct queue_slot *slot;
    LIST_EACH(at, &p->q->submits) {
        struct queue_submit *s = LIST_ENTRY(at, struct queue_submit, entry);
        if (s->peer != p)
            continue;
        list_remove(&s->entry);
        if (s->slot)
            queue_accept_free_slot(p->q, s->slot, true);
    }
    for (size_t at = 0; (slot = map_next(&p->slots, &at));)
        queue_accept_free_slot(p->q, slot, true);
    map_done(&p->slots);
}

// --- files that no message names

struct orphans {
    struct queue_service *q;
    struct map named; // by the eight bytes of the number
    char (*names)[QUEUE_NAME];
    size_t n;
};

static void note_orphan(void *arg, const char *entry) {
    struct orphans *o = arg;
    char *end;
    uint64_t file = strtoull(entry, &end, 16);
    if (*end || strlen(entry) != 16 || map_get(&o->named, slice_of(&file, sizeof file)))
        return;
    o->names = mem_grow(o->names, o->n + 1, sizeof *o->names);
    (void)snprintf(o->names[o->n++], QUEUE_NAME, "queue/big/%.16s", entry);
}

void queue_big_remove_orphans(struct queue_service *q) {
    struct orphans o = {.q = q};
    struct err e;
    world_random(q->world, &o.named.key, sizeof o.named.key);
    LIST_EACH(at, &q->index.all) {
        struct queue_message *m = LIST_ENTRY(at, struct queue_message, entry);
        if (m->file)
            map_set(&o.named, slice_of(&m->file, sizeof m->file), m);
    }
    bool ok = disk_list(q->world->disk, "queue/big", note_orphan, &o, &e);
    for (size_t i = 0; i < o.n && ok; i++)
        ok = disk_remove(q->world->disk, o.names[i], &e);
    if (!ok)
        journal_event(q->world->journal, JOURNAL_WARNING, "orphans-not-removed", JOURNAL_ERR(&e));
    map_done(&o.named);
    free(o.names);
}
