// inject_notice: a fiber for each notice.
#include "svc/inject/inject_notice.h"

#include "base/mem.h"
#include "core/message.h"
#include "core/message_policy.h"
#include "core/queue_id.h"
#include "core/route.h"
#include "mail/notice.h"
#include "rt/journal.h"

#include <stdlib.h>

enum { CALL_MS = 30 * MS_SECOND, WAIT_FIRST_MS = MS_SECOND, WAIT_MOST_MS = 5 * MS_MINUTE, GIVE_UP_MS = MS_DAY };

struct notice_work {
    struct inject_notices *s;
    struct message_notice m; // in `payload`
    struct arena arena;      // of one attempt
    char *payload;
};

// Whom the address stands for where its domain is ours.
static FIBER_FN bool find_recipients(struct notice_work *w, struct message_expand_reply *out, struct err *e) {
    struct inject_notices *s = w->s;
    BUF_AUTO struct buf reply = {.max = LINK_PAYLOAD_MAX};
    enum link_type type;
    *out = (struct message_expand_reply){.addresses = &w->m.to, .addresses_n = 1};
    if (!route_is_local(s->config, slice_from(w->m.to, slice_rfind(w->m.to, '@') + 1)))
        return true;
    if (!peer_call(s->lookup, LINK_EXPAND, w->m.to, loop_in_ms(s->world->loop, CALL_MS), &type, &reply, e))
        return false;
    struct slice kept = arena_dup(&w->arena, buf_slice(&reply));
    if (!message_expand_reply_unpack(kept, &w->arena, out))
        return err_set(e, ERR_TEMPORARY, "the answer of lookup can't be read");
    if (out->result == MESSAGE_EXPAND_UNKNOWN)
        return err_set(e, ERR_TEMPORARY, "%.*s is not known here", SLICE_ARG(w->m.to));
    return (out->result == MESSAGE_EXPAND_OK && out->addresses_n) ||
           err_set(e, ERR_TEMPORARY, "%.*s", SLICE_ARG(out->why));
}

static bool make_envelope(struct notice_work *w, const struct message_expand_reply *who, struct envelope *env,
                          struct err *e) {
    *env = (struct envelope){.flags = ENVELOPE_NOTICE, .arrived = world_wall(w->s->world)};
    env->recipients = arena_alloc(&w->arena, who->addresses_n * sizeof *env->recipients);
    if (!env->recipients)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    env->recipients_n = who->addresses_n;
    for (size_t i = 0; i < who->addresses_n; i++)
        env->recipients[i].address = who->addresses[i];
    return true;
}

static FIBER_FN bool submit(struct notice_work *w, const struct envelope *env, struct slice content, uint64_t *id,
                            struct err *e) {
    struct inject_notices *s = w->s;
    BUF_AUTO struct buf frame = {.max = LINK_PAYLOAD_MAX}, bytes = {.max = LINK_PAYLOAD_MAX};
    struct mono deadline = loop_in_ms(s->world->loop, CALL_MS);
    struct message_submit m = {.envelope = *env, .queue_id = queue_id_make(env->arrived, (*s->counter)++)};
    struct message_submit_reply reply;
    enum link_type type;
    if (!message_submit_pack_head(&frame, &m) || !buf_add(&frame, content))
        return err_set(e, ERR_TEMPORARY, "the notice is too large");
    struct peer_link *queue = peer_wait(s->queue, deadline, e);
    struct slice part = buf_slice(&frame);
    bool ok = queue && link_call(queue->link, LINK_SUBMIT, &part, 1, deadline, &type, &bytes, e);
    peer_drop(queue);
    if (!ok)
        return false;
    if (!message_submit_reply_unpack(buf_slice(&bytes), &reply))
        return err_set(e, ERR_TEMPORARY, "the answer of the queue can't be read");
    *id = m.queue_id;
    return reply.ok || err_set(e, ERR_TEMPORARY, "the queue refuses it: %.*s", SLICE_ARG(reply.text));
}

static FIBER_FN bool try_once(struct notice_work *w, uint64_t *id, struct err *e) {
    BUF_AUTO struct buf content = {.max = MESSAGE_INLINE_MAX};
    struct notice n = {.hostname = w->s->config->hostname,
                       .to = w->m.to,
                       .subject = w->m.subject,
                       .text = slice_upto(w->m.text, 8192),
                       .random = world_random_u64(w->s->world),
                       .now = world_wall(w->s->world)};
    struct message_expand_reply who;
    struct envelope env;
    if (!notice_write(&n, &content))
        return err_set(e, ERR_TEMPORARY, "the notice is too large");
    return find_recipients(w, &who, e) && make_envelope(w, &who, &env, e) &&
           submit(w, &env, buf_slice(&content), id, e);
}

static void tell(const struct notice_work *w, uint64_t id, const struct err *e) {
    char text[QUEUE_ID_TEXT];
    queue_id_print(id, text);
    if (!e)
        journal_event(w->s->world->journal, JOURNAL_INFO, "notice-queued",
                      JOURNAL_STR("queue", slice_of(text, sizeof text)), JOURNAL_STR("to", w->m.to),
                      JOURNAL_STR("subject", w->m.subject));
    else
        journal_event(w->s->world->journal, JOURNAL_WARNING, "notice-failed", JOURNAL_STR("to", w->m.to),
                      JOURNAL_STR("subject", w->m.subject), JOURNAL_ERR(e));
}

static void run(void *arg) {
    struct notice_work *w = arg;
    struct loop *loop = w->s->world->loop;
    struct mono until = loop_in_ms(loop, GIVE_UP_MS);
    struct err e = {0};
    uint64_t id = 0;
    bool done = try_once(w, &id, &e);
    for (int64_t wait = WAIT_FIRST_MS; !done && mono_before(loop_now(loop), until) && fiber_sleep(wait);) {
        arena_reset(&w->arena);
        e = (struct err){0};
        done = try_once(w, &id, &e);
        wait = wait < WAIT_MOST_MS / 2 ? 2 * wait : WAIT_MOST_MS;
    }
    tell(w, id, done ? NULL : &e);
    w->s->n--;
    arena_done(&w->arena);
    free(w->payload);
    free(w);
}

void inject_notice_begin(struct inject_notices *s, struct peer_link *from, const struct link_frame *frame) {
    struct notice_work *w = MEM_NEW(struct notice_work);
    struct err e = {0};
    *w = (struct notice_work){.s = s, .arena = {.max = 1024 * 1024}, .payload = mem_new(frame->payload.n + 1, 1)};
    if (frame->payload.n)
        memcpy(w->payload, frame->payload.p, frame->payload.n);
    bool good = frame->type == LINK_NOTICE && message_notice_unpack(slice_of(w->payload, frame->payload.n), &w->m);
    if (!good)
        link_break(from->link, "a malformed NOTICE");
    else if (s->n >= INJECT_NOTICES_MAX)
        err_set(&e, ERR_TEMPORARY, "too many notices at once");
    else if (fiber_spawn(s->group, "notice", run, w, &e)) {
        s->n++;
        return;
    }
    if (good)
        tell(w, 0, &e);
    free(w->payload);
    free(w);
}
