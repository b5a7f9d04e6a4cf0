// master_status: packing of what control asks master.
#include "svc/master/master_status.h"

#include <assert.h>

const char *master_state_name(enum master_state s) {
    static const char *const names[MASTER_STATE_COUNT] = {"down", "starting", "ready", "stopping"};
    assert(s < MASTER_STATE_COUNT);
    return names[s];
}

static void pack_process(struct buf *b, const struct master_status_process *p) {
    pack_u8(b, (uint8_t)p->role);
    pack_u8(b, (uint8_t)p->state);
    pack_u32(b, p->instance);
    pack_i64(b, p->pid);
    pack_i64(b, p->uptime_ms);
    pack_u64(b, p->restarts);
}

static bool unpack_process(struct unpack *u, struct master_status_process *p) {
    uint8_t role = unpack_u8(u), state = unpack_u8(u);
    p->instance = unpack_u32(u);
    p->pid = unpack_i64(u);
    p->uptime_ms = unpack_i64(u);
    p->restarts = unpack_u64(u);
    if (u->bad || role >= ROLE_COUNT || state >= MASTER_STATE_COUNT)
        return false;
    p->role = (enum role)role;
    p->state = (enum master_state)state;
    return true;
}

bool master_status_pack(struct buf *b, const struct master_status *s) {
    pack_i64(b, s->pid);
    pack_i64(b, s->uptime_ms);
    pack_u64(b, s->reloads);
    pack_slice(b, s->path);
    pack_u32(b, (uint32_t)s->listens_n);
    for (size_t i = 0; i < s->listens_n; i++)
        pack_slice(b, s->listens[i]);
    pack_u32(b, (uint32_t)s->processes_n);
    for (size_t i = 0; i < s->processes_n; i++)
        pack_process(b, &s->processes[i]);
    return !b->failed;
}

static bool unpack_listens(struct unpack *u, struct arena *arena, struct master_status *s) {
    s->listens_n = unpack_u32(u);
    if (u->bad || s->listens_n > MASTER_STATUS_LISTENS_MAX)
        return false;
    s->listens = arena_alloc(arena, (s->listens_n + 1) * sizeof *s->listens);
    for (size_t i = 0; s->listens && i < s->listens_n; i++)
        s->listens[i] = unpack_slice(u);
    return s->listens && !u->bad;
}

static bool unpack_processes(struct unpack *u, struct arena *arena, struct master_status *s) {
    s->processes_n = unpack_u32(u);
    if (u->bad || s->processes_n > MASTER_STATUS_PROCESSES_MAX)
        return false;
    s->processes = arena_alloc(arena, (s->processes_n + 1) * sizeof *s->processes);
    bool ok = s->processes != NULL;
    for (size_t i = 0; ok && i < s->processes_n; i++)
        ok = unpack_process(u, &s->processes[i]);
    return ok;
}

bool master_status_unpack(struct slice payload, struct arena *arena, struct master_status *out) {
    struct unpack u = {.rest = payload};
    struct master_status s = {.pid = unpack_i64(&u)};
    s.uptime_ms = unpack_i64(&u);
    s.reloads = unpack_u64(&u);
    s.path = unpack_slice(&u);
    if (!unpack_listens(&u, arena, &s) || !unpack_processes(&u, arena, &s) || !unpack_end(&u))
        return false;
    *out = s;
    return true;
}

bool master_answer_pack(struct buf *b, const struct master_answer *a) {
    pack_u8(b, a->ok);
    return pack_slice(b, a->text);
}

bool master_answer_unpack(struct slice payload, struct master_answer *out) {
    struct unpack u = {.rest = payload};
    uint8_t ok = unpack_u8(&u);
    struct slice text = unpack_slice(&u);
    if (!unpack_end(&u) || ok > 1)
        return false;
    *out = (struct master_answer){.ok = ok, .text = text};
    return true;
}
