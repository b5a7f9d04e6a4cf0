// inject_post: a fiber for each message.
#include "svc/inject/inject_post.h"

#include "base/mem.h"
#include "core/message.h"
#include "core/message_gate.h"
#include "core/queue_id.h"
#include "core/route.h"
#include "rt/journal.h"

#include <stdlib.h>

enum { CALL_MS = 30 * MS_SECOND, WAIT_FIRST_MS = MS_SECOND, WAIT_MOST_MS = 5 * MS_MINUTE, GIVE_UP_MS = MS_DAY };

struct post {
    struct inject_posts *s;
    struct message_post m; // in `payload`
    struct arena arena;    // of one attempt
    char *payload;
    size_t payload_n;
};

// --- to whom

// Whom the address stands for where its domain is ours.
static FIBER_FN bool find_recipients(struct post *p, struct message_expand_reply *out, struct err *e) {
    struct inject_notices *n = p->s->notices;
    BUF_AUTO struct buf reply = {.max = LINK_PAYLOAD_MAX};
    enum link_type type;
    *out = (struct message_expand_reply){.addresses = &p->m.recipient, .addresses_n = 1};
    if (!route_is_local(n->config, slice_from(p->m.recipient, slice_rfind(p->m.recipient, '@') + 1)))
        return true;
    if (!peer_call(n->lookup, LINK_EXPAND, p->m.recipient, loop_in_ms(n->world->loop, CALL_MS), &type, &reply, e))
        return false;
    struct slice kept = arena_dup(&p->arena, buf_slice(&reply));
    if (!message_expand_reply_unpack(kept, &p->arena, out))
        return err_set(e, ERR_TEMPORARY, "the answer of lookup can't be read");
    if (out->result == MESSAGE_EXPAND_UNKNOWN)
        return err_set(e, ERR_PERMANENT, "%.*s is not known here", SLICE_ARG(p->m.recipient));
    return (out->result == MESSAGE_EXPAND_OK && out->addresses_n) ||
           err_set(e, ERR_TEMPORARY, "%.*s", SLICE_ARG(out->why));
}

static bool make_envelope(struct post *p, const struct message_expand_reply *who, struct envelope *env, struct err *e) {
    *env = (struct envelope){.sender = p->m.sender, .arrived = world_wall(p->s->notices->world)};
    env->recipients = arena_alloc(&p->arena, who->addresses_n * sizeof *env->recipients);
    if (!env->recipients)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    env->recipients_n = who->addresses_n;
    for (size_t i = 0; i < who->addresses_n; i++)
        env->recipients[i].address = who->addresses[i];
    return true;
}

// --- into the queue

static FIBER_FN bool ask_queue(struct post *p, struct link *queue, enum link_type type, struct slice head,
                               struct slice rest, uint32_t *slot, struct err *e) {
    BUF_AUTO struct buf bytes = {.max = LINK_PAYLOAD_MAX};
    struct message_submit_reply reply;
    enum link_type reply_type;
    struct slice parts[] = {head, rest};
    struct mono deadline = loop_in_ms(p->s->notices->world->loop, CALL_MS);
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
static FIBER_FN bool send_pieces(struct post *p, struct link *queue, struct message_submit *m, struct err *e) {
    if (m->content.n <= MESSAGE_INLINE_MAX)
        return true;
    if (!ask_queue(p, queue, LINK_SUBMIT_OPEN, SLICE_EMPTY, SLICE_EMPTY, &m->slot, e))
        return false;
    while (m->content.n > MESSAGE_INLINE_MAX) {
        BUF_AUTO struct buf head = {.max = 64};
        struct slice piece = slice_upto(m->content, MESSAGE_INLINE_MAX);
        if (!message_piece_pack_head(&head, m->slot) ||
            !ask_queue(p, queue, LINK_SUBMIT_PIECE, buf_slice(&head), piece, NULL, e))
            return false;
        m->content = slice_from(m->content, piece.n);
    }
    return true;
}

static FIBER_FN bool submit(struct post *p, const struct envelope *env, uint64_t *id, struct err *e) {
    struct inject_notices *n = p->s->notices;
    BUF_AUTO struct buf head = {.max = LINK_PAYLOAD_MAX};
    struct message_submit m = {.envelope = *env, .content = p->m.content};
    m.queue_id = *id = queue_id_make(env->arrived, (*n->counter)++);
    struct peer_link *queue = peer_wait(n->queue, loop_in_ms(n->world->loop, CALL_MS), e);
    bool ok = queue && send_pieces(p, queue->link, &m, e) &&
              (message_submit_pack_head(&head, &m) || err_set(e, ERR_TEMPORARY, "it is too large")) &&
              ask_queue(p, queue->link, LINK_SUBMIT, buf_slice(&head), m.content, NULL, e);
    peer_drop(queue);
    return ok;
}

static FIBER_FN bool try_once(struct post *p, uint64_t *id, struct err *e) {
    struct message_expand_reply who;
    struct envelope env;
    return find_recipients(p, &who, e) && make_envelope(p, &who, &env, e) && submit(p, &env, id, e);
}

// --- one of them

static void tell(const struct post *p, uint64_t id, const struct err *e) {
    struct journal *j = p->s->notices->world->journal;
    char text[QUEUE_ID_TEXT];
    queue_id_print(id, text);
    if (!e)
        journal_event(j, JOURNAL_INFO, "post-queued", JOURNAL_STR("queue", slice_of(text, sizeof text)),
                      JOURNAL_STR("from", p->m.sender), JOURNAL_STR("to", p->m.recipient));
    else
        journal_event(j, JOURNAL_WARNING, "post-failed", JOURNAL_STR("to", p->m.recipient), JOURNAL_ERR(e));
}

static void post_free(struct post *p) {
    p->s->bytes -= p->payload_n;
    arena_done(&p->arena);
    free(p->payload);
    free(p);
}

static void run(void *arg) {
    struct post *p = arg;
    struct loop *loop = p->s->notices->world->loop;
    struct mono until = loop_in_ms(loop, GIVE_UP_MS);
    struct err e = {0};
    uint64_t id = 0;
    bool done = try_once(p, &id, &e);
    for (int64_t wait = WAIT_FIRST_MS;
         !done && !err_is_permanent(&e) && mono_before(loop_now(loop), until) && fiber_sleep(wait);) {
        arena_reset(&p->arena);
        e = (struct err){0};
        done = try_once(p, &id, &e);
        wait = wait < WAIT_MOST_MS / 2 ? 2 * wait : WAIT_MOST_MS;
    }
    tell(p, id, done ? NULL : &e);
    post_free(p);
}

void inject_post_begin(struct inject_posts *s, struct peer_link *from, const struct link_frame *frame) {
    struct post *p = MEM_NEW(struct post);
    struct err e = {0};
    *p = (struct post){.s = s, .arena = {.max = 1024 * 1024}, .payload_n = frame->payload.n};
    p->payload = mem_new(frame->payload.n + 1, 1);
    s->bytes += p->payload_n;
    if (frame->payload.n)
        memcpy(p->payload, frame->payload.p, frame->payload.n);
    bool good = frame->type == LINK_POST && message_post_unpack(slice_of(p->payload, p->payload_n), &p->m);
    if (!good)
        link_break(from->link, "a malformed POST");
    else if (s->bytes > INJECT_POSTS_BYTES)
        err_set(&e, ERR_TEMPORARY, "too many messages at once");
    else if (fiber_spawn(s->notices->group, "post", run, p, &e))
        return;
    if (good)
        tell(p, 0, &e);
    post_free(p);
}
