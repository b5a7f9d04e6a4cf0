// inject_own: to whom, into the queue, and again.
#include "svc/inject/inject_own.h"

#include "base/mem.h"
#include "core/message/message.h"
#include "core/queue/queue_id.h"
#include "core/route/route.h"

#include <stdlib.h>

enum { CALL_MS = MS_MINUTE, WAIT_FIRST_MS = MS_SECOND, WAIT_MOST_MS = 5 * MS_MINUTE, GIVE_UP_MS = MS_DAY };

// --- to whom

static FIBER_FN bool ask_lookup(struct inject_own *o, struct slice recipient, struct arena *arena,
                                struct message_expand_reply *out, struct err *e) {
    BUF_AUTO struct buf reply = {.max = LINK_PAYLOAD_MAX};
    enum link_type type;
    if (!peer_call(o->lookup, LINK_EXPAND, recipient, loop_in_ms(o->world->loop, CALL_MS), &type, &reply, e))
        return false;
    return message_expand_reply_unpack(arena_dup(arena, buf_slice(&reply)), arena, out) ||
           err_set(e, ERR_TEMPORARY, "the answer of lookup can't be read");
}

FIBER_FN bool inject_own_address(struct inject_own *o, struct slice recipient, struct arena *arena,
                                 struct envelope *env, struct err *e) {
    bool local = route_is_local(o->config, slice_from(recipient, slice_rfind(recipient, '@') + 1));
    struct message_expand_reply who = {.result = MESSAGE_EXPAND_OK, .addresses = &recipient, .addresses_n = 1};
    if (local && !ask_lookup(o, recipient, arena, &who, e))
        return false;
    if (who.result == MESSAGE_EXPAND_UNKNOWN || (who.result == MESSAGE_EXPAND_OK && who.addresses_n == 0))
        return err_smtp(e, 550, "5.1.1", "%.*s is not known here", SLICE_ARG(recipient));
    if (who.result != MESSAGE_EXPAND_OK)
        return err_smtp(e, 451, who.result == MESSAGE_EXPAND_BROKEN ? "4.3.5" : "4.3.0", "%.*s", SLICE_ARG(who.why));
    env->recipients = arena_alloc(arena, who.addresses_n * sizeof *env->recipients);
    if (!env->recipients)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    env->recipients_n = who.addresses_n;
    for (size_t i = 0; i < who.addresses_n; i++) {
        bool same = slice_ieq(who.addresses[i], recipient);
        env->recipients[i] = (struct envelope_recipient){who.addresses[i], same ? SLICE_EMPTY : recipient};
    }
    return true;
}

// --- into the queue

static FIBER_FN bool ask_queue(struct inject_own *o, struct link *queue, enum link_type type, struct slice head,
                               struct slice rest, uint32_t *slot, struct err *e) {
    BUF_AUTO struct buf bytes = {.max = LINK_PAYLOAD_MAX};
    struct message_submit_reply reply;
    enum link_type reply_type;
    struct slice parts[] = {head, rest};
    struct mono deadline = loop_in_ms(o->world->loop, CALL_MS);
    if (!link_call(queue, type, parts, 2, deadline, &reply_type, &bytes, e))
        return false;
    if (!message_submit_reply_unpack(buf_slice(&bytes), &reply))
        return err_set(e, ERR_TEMPORARY, "the answer of the queue can't be read");
    if (!reply.ok)
        return err_set(e, ERR_TEMPORARY, "the queue refuses it: %.*s", SLICE_ARG(reply.text));
    if (slot)
        *slot = reply.slot;
    return true;
}

// All but the last MESSAGE_INLINE_MAX bytes go ahead in pieces.
static FIBER_FN bool send_pieces(struct inject_own *o, struct link *queue, struct message_submit *m, struct err *e) {
    if (m->content.n <= MESSAGE_INLINE_MAX)
        return true;
    if (!ask_queue(o, queue, LINK_SUBMIT_OPEN, SLICE_EMPTY, SLICE_EMPTY, &m->slot, e))
        return false;
    while (m->content.n > MESSAGE_INLINE_MAX) {
        BUF_AUTO struct buf head = {.max = 64};
        if (!message_piece_pack_head(&head, m->slot))
            return err_set(e, ERR_TEMPORARY, "out of memory");
        struct slice piece = slice_upto(m->content, MESSAGE_INLINE_MAX);
        if (!ask_queue(o, queue, LINK_SUBMIT_PIECE, buf_slice(&head), piece, NULL, e))
            return false;
        m->content = slice_from(m->content, piece.n);
    }
    return true;
}

FIBER_FN bool inject_own_submit(struct inject_own *o, struct link *queue, const struct envelope *env,
                                struct slice content, uint64_t *id, struct err *e) {
    BUF_AUTO struct buf head = {.max = LINK_PAYLOAD_MAX};
    struct message_submit m = {.envelope = *env, .content = content};
    m.queue_id = *id = queue_id_make(env->arrived, o->counter++);
    if (!send_pieces(o, queue, &m, e))
        return false;
    if (!message_submit_pack_head(&head, &m))
        return err_set(e, ERR_TEMPORARY, "it is too large");
    return ask_queue(o, queue, LINK_SUBMIT, buf_slice(&head), m.content, NULL, e);
}

// --- where nobody waits

struct run {
    struct inject_own *own;
    struct inject_errand m; // its bytes in `arena`
    struct arena arena;
};

static FIBER_FN bool try_once(struct run *r, uint64_t *id, struct err *e) {
    struct world *w = r->own->world;
    struct envelope env = {.flags = r->m.flags, .sender = r->m.sender, .arrived = world_wall(w)};
    if (!inject_own_address(r->own, r->m.recipient, &r->arena, &env, e))
        return false;
    struct peer_link *queue = peer_wait(r->own->queue, loop_in_ms(w->loop, CALL_MS), e);
    bool ok = queue && inject_own_submit(r->own, queue->link, &env, r->m.content, id, e);
    peer_drop(queue);
    return ok;
}

static FIBER_FN bool try_for_a_day(struct run *r, uint64_t *id, struct err *e) {
    struct loop *loop = r->own->world->loop;
    struct mono until = loop_in_ms(loop, GIVE_UP_MS);
    struct arena_mark mark = arena_mark(&r->arena);
    int64_t wait = WAIT_FIRST_MS;
    while (!try_once(r, id, e)) {
        if ((err_is_permanent(e) && !r->m.insists) || !mono_before(loop_now(loop), until) || !fiber_sleep(wait))
            return false;
        arena_rewind(&r->arena, mark);
        *e = (struct err){0};
        wait = wait < WAIT_MOST_MS / 2 ? 2 * wait : WAIT_MOST_MS;
    }
    return true;
}

static void run_free(struct run *r) {
    arena_done(&r->arena);
    free(r);
}

static void run(void *arg) {
    struct run *r = arg;
    struct err e = {0};
    char text[QUEUE_ID_TEXT];
    uint64_t id = 0;
    bool ok = try_for_a_day(r, &id, &e);
    queue_id_print(id, text);
    r->m.end(r->m.service, &r->m, slice_of(text, sizeof text), ok ? NULL : &e);
    run_free(r);
}

void inject_own_run(struct inject_own *o, const struct inject_errand *m) {
    struct run *r = MEM_NEW(struct run);
    struct err e = {0};
    *r = (struct run){.own = o, .m = *m, .arena = {.max = m->content.n + 1024 * 1024}};
    r->m.sender = arena_dup(&r->arena, m->sender);
    r->m.recipient = arena_dup(&r->arena, m->recipient);
    r->m.subject = arena_dup(&r->arena, m->subject);
    r->m.content = arena_dup(&r->arena, m->content);
    if ((r->m.content.p || err_set(&e, ERR_TEMPORARY, "it is too large")) && fiber_spawn(o->group, "own", run, r, &e))
        return;
    m->end(m->service, m, SLICE_EMPTY, &e);
    run_free(r);
}
