// pam: a fiber and a child for each question.
#include "svc/pam/pam.h"

#include "base/mem.h"
#include "core/message/message_auth.h"
#include "rt/child.h"
#include "rt/journal.h"
#include "svc/metrics.h"
#include "svc/pam/pam_check.h"

#include <assert.h>
#include <stdlib.h>

enum { REPLY_MAX = 1024 };

struct pam_service {
    struct world *world;
    const char *directory;
    struct fiber_group group;
    struct peer auth, control;
    struct metric metric;
    size_t children, waiting;
    struct fiber_cond freed;
};

struct question {
    struct pam_service *service;
    struct peer_link *from; // held
    uint64_t id;
    struct buf payload; // wiped
    struct message_pam_check m;
};

static void reply(struct peer_link *to, uint64_t id, enum message_pam_result result, struct slice why) {
    BUF_AUTO struct buf packed = {.max = REPLY_MAX};
    if (message_pam_reply_pack(&packed, &(struct message_pam_reply){.result = result, .why = slice_upto(why, 200)}))
        link_send1(to->link, LINK_PAM_REPLY, id, buf_slice(&packed));
}

// In the child: its answer is the reply's bytes.
static bool check(void *arg, struct buf *out) {
    const struct question *q = arg;
    BUF_AUTO struct buf why = {.max = 200};
    enum message_pam_result result;
    pam_check(&q->m, q->service->directory, &result, &why);
    return message_pam_reply_pack(out, &(struct message_pam_reply){.result = result, .why = buf_slice(&why)});
}

static FIBER_FN bool take_turn(struct pam_service *s, struct mono deadline) {
    bool ok = true;
    s->waiting++;
    while (ok && s->children >= PAM_CHILDREN_MAX)
        ok = fiber_cond_wait(&s->freed, deadline) == FIBER_WOKEN;
    s->waiting--;
    s->children += ok;
    return ok;
}

static FIBER_FN void ask(struct question *q) {
    struct pam_service *s = q->service;
    BUF_AUTO struct buf answer = {.max = REPLY_MAX};
    struct message_pam_reply said;
    struct err e;
    bool ok = child_run(check, q, loop_in_ms(s->world->loop, PAM_CHECK_MS), &answer, &e);
    if (ok && !message_pam_reply_unpack(buf_slice(&answer), &said))
        ok = err_set(&e, ERR_TEMPORARY, "a child gave no answer");
    if (ok) {
        reply(q->from, q->id, said.result, said.why);
        return;
    }
    if (e.kind != ERR_CANCELLED)
        journal_event(s->world->journal, JOURNAL_WARNING, "pam-trouble", JOURNAL_STR("service", q->m.service),
                      JOURNAL_STR("user", q->m.user), JOURNAL_ERR(&e));
    reply(q->from, q->id, MESSAGE_PAM_TROUBLE, slice_str(e.text));
}

static void question_free(struct question *q) {
    if (q->payload.p)
        explicit_bzero(q->payload.p, q->payload.cap);
    buf_done(&q->payload);
    peer_drop(q->from);
    free(q);
}

static void run(void *arg) {
    struct question *q = arg;
    struct pam_service *s = q->service;
    if (take_turn(s, loop_in_ms(s->world->loop, PAM_CHECK_MS))) {
        ask(q);
        s->children--;
        fiber_cond_wake_one(&s->freed);
    } else {
        reply(q->from, q->id, MESSAGE_PAM_TROUBLE, SLICE("too many questions at once"));
    }
    question_free(q);
}

static void take_question(struct pam_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct question *q = MEM_NEW(struct question);
    struct err e;
    *q =
        (struct question){.service = s, .from = peer_hold(from), .id = frame->id, .payload = {.max = LINK_PAYLOAD_MAX}};
    buf_add(&q->payload, frame->payload);
    if (!message_pam_check_unpack(buf_slice(&q->payload), &q->m)) {
        link_break(from->link, "malformed question");
    } else if (s->waiting >= PAM_WAITING_MAX) {
        reply(from, frame->id, MESSAGE_PAM_TROUBLE, SLICE("too many questions wait"));
    } else if (!fiber_spawn(&s->group, "pam", run, q, &e)) {
        reply(from, frame->id, MESSAGE_PAM_TROUBLE, slice_str(e.text));
    } else {
        return;
    }
    question_free(q);
}

static void from_auth(void *service, struct peer_link *from, const struct link_frame *frame) {
    if (frame->type == LINK_PAM_CHECK)
        take_question(service, from, frame);
    else
        link_break(from->link, "not for pam");
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct pam_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

struct pam_service *pam_new(struct world *w, const char *directory) {
    struct pam_service *s = MEM_NEW(struct pam_service);
    *s = (struct pam_service){.world = w, .directory = directory};
    fiber_group_init(&s->group, w->loop, "pam");
    s->auth = (struct peer){.group = &s->group, .handle = from_auth, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    metrics_begin(&s->metric, w);
    return s;
}

void pam_attach(struct pam_service *s, struct link *link, enum role peer) {
    peer_attach(peer == ROLE_CONTROL ? &s->control : &s->auth, link);
}

void pam_stop(struct pam_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *pam_fibers(struct pam_service *s) {
    return &s->group;
}

void pam_free(struct pam_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    free(s);
}
