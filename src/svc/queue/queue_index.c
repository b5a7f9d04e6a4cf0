// queue_index: messages and reasons in memory.
#include "svc/queue/queue_index.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { REASON_KEY_MAX = 2 * LOG_REASON_MAX + 16 };

void queue_index_init(struct queue_index *x, const struct world *w) {
    *x = (struct queue_index){0};
    world_random(w, &x->messages.key, sizeof x->messages.key);
    world_random(w, &x->reasons.key, sizeof x->reasons.key);
    list_init(&x->all);
}

static struct slice id_key(const uint64_t *id) { return slice_of(id, sizeof *id); }

struct queue_message *queue_index_find(const struct queue_index *x, uint64_t id) {
    return map_get(&x->messages, id_key(&id));
}

struct queue_message *queue_index_add(struct queue_index *x, uint64_t id, size_t recipients_n, size_t groups_n) {
    size_t groups = groups_n * sizeof(struct queue_group);
    size_t head = sizeof(struct queue_message) + groups;
    struct queue_message *m = mem_new(1, head + recipients_n * sizeof(struct queue_recipient));
    m->id = id;
    m->recipients = (struct queue_recipient *)(void *)((char *)m + head);
    m->recipients_n = m->open = (uint32_t)recipients_n;
    m->groups_n = (uint16_t)groups_n;
    for (size_t i = 0; i < groups_n; i++)
        m->groups[i] = (struct queue_group){.message = m, .number = (uint16_t)i};
    map_set(&x->messages, id_key(&m->id), m);
    list_append(&x->all, &m->entry);
    return m;
}

static void leave_segment(struct queue_message *m) {
    if (!m->place.segment)
        return;
    m->place.segment->live -= log_record_size(m->place.length);
    list_remove(&m->by_segment);
    m->place.segment = NULL;
}

void queue_index_place(struct queue_message *m, const struct queue_place *place) {
    leave_segment(m);
    m->place = *place;
    m->place.segment->live += log_record_size(place->length);
    list_append(&m->place.segment->messages, &m->by_segment);
}

void queue_index_remove(struct queue_index *x, struct queue_message *m) {
    assert(m->pins == 0);
    leave_segment(m);
    list_remove(&m->entry);
    map_remove(&x->messages, id_key(&m->id));
    x->bytes -= m->size;
    for (size_t i = 0; i < m->recipients_n; i++)
        queue_reason_put(x, m->recipients[i].reason);
    free(m->notify);
    free(m);
}

void queue_index_done(struct queue_index *x) {
    while (!list_empty(&x->all)) {
        struct queue_message *m = LIST_ENTRY(x->all.next, struct queue_message, entry);
        m->pins = 0;
        queue_index_remove(x, m);
    }
    map_done(&x->messages);
    map_done(&x->reasons);
}

// --- reasons

static struct slice reason_key(struct buf *b, const struct log_recipient *r) {
    struct slice remote = slice_upto(r->remote, LOG_REASON_MAX);
    pack_u16(b, r->smtp);
    for (size_t i = 0; i < 3; i++)
        pack_u16(b, r->enhanced[i]);
    pack_u8(b, r->expired);
    pack_u16(b, (uint16_t)remote.n);
    buf_add(b, remote);
    buf_add(b, slice_upto(r->reason, LOG_REASON_MAX));
    return buf_slice(b);
}

struct queue_reason *queue_reason_get(struct queue_index *x, const struct log_recipient *r) {
    BUF_AUTO struct buf b = {.max = REASON_KEY_MAX};
    struct slice key = reason_key(&b, r);
    struct queue_reason *found = map_get(&x->reasons, key);
    if (!found) {
        size_t remote_n = r->remote.n < LOG_REASON_MAX ? r->remote.n : LOG_REASON_MAX, fixed = 2 + 6 + 1 + 2;
        found = mem_new(1, sizeof *found + key.n);
        memcpy(found->key, key.p, key.n);
        found->key_n = (uint32_t)key.n;
        found->smtp = r->smtp;
        memcpy(found->enhanced, r->enhanced, sizeof found->enhanced);
        found->expired = r->expired;
        found->remote = slice_of(found->key + fixed, remote_n);
        found->text = slice_of(found->key + fixed + remote_n, key.n - fixed - remote_n);
        map_set(&x->reasons, slice_of(found->key, key.n), found);
    }
    found->refs++;
    return found;
}

void queue_reason_put(struct queue_index *x, struct queue_reason *r) {
    if (!r || --r->refs)
        return;
    map_remove(&x->reasons, slice_of(r->key, r->key_n));
    free(r);
}

void queue_reason_set(struct queue_index *x, struct queue_reason **to, const struct log_recipient *r) {
    struct queue_reason *old = *to;
    bool any = r->reason.n || r->remote.n || r->smtp || r->enhanced[0] || r->expired;
    *to = any ? queue_reason_get(x, r) : NULL;
    queue_reason_put(x, old);
}

struct log_recipient queue_recipient_log(const struct queue_message *m, uint32_t index) {
    const struct queue_recipient *r = &m->recipients[index];
    const struct queue_group *g = &m->groups[r->group];
    struct log_recipient l = {
        .index = index, .state = (enum log_recipient_state)r->state, .attempts = g->attempts, .next = g->next};
    if (!r->reason || r->state == LOG_RECIPIENT_DONE)
        return l;
    l.smtp = r->reason->smtp;
    memcpy(l.enhanced, r->reason->enhanced, sizeof l.enhanced);
    l.expired = r->reason->expired;
    l.reason = r->reason->text;
    l.remote = r->reason->remote;
    return l;
}
