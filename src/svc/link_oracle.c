// link_oracle: questions as frames, answers as values.
#include "svc/link_oracle.h"

#include "core/message/oracle_reply.h"

#include <stdlib.h>

enum { NAME_MAX_BYTES = 1024, REPLY_MAX = 128 * 1024 };

// Questions and their answers on the way; too much for a fiber's stack.
struct round {
    struct link_question questions[ORACLE_AT_ONCE_MAX];
    struct buf packed[ORACLE_AT_ONCE_MAX], replies[ORACLE_AT_ONCE_MAX];
    size_t place[ORACLE_AT_ONCE_MAX]; // of the answer
    size_t n;
};

static bool askable(const struct oracle_question *q, struct buf *packed) {
    return q->name.n && q->name.n < NAME_MAX_BYTES && slice_find(q->name, '\0') == q->name.n &&
           message_resolve_pack(packed, &(struct message_resolve){.type = (uint16_t)q->type, .name = q->name});
}

static void pack_all(struct round *r, const struct oracle_question *questions, size_t n,
                     struct oracle_answer *answers) {
    for (size_t i = 0; i < n; i++) {
        struct buf *packed = &r->packed[r->n], *reply = &r->replies[r->n];
        *packed = (struct buf){.max = NAME_MAX_BYTES + 64};
        *reply = (struct buf){.max = REPLY_MAX};
        answers[i] = (struct oracle_answer){.status = ORACLE_FAILED, .why = SLICE("no name that can be asked for")};
        if (askable(&questions[i], packed)) {
            r->questions[r->n] = (struct link_question){.payload = buf_slice(packed), .reply = reply};
            r->place[r->n++] = i;
        } else {
            buf_done(packed);
        }
    }
}

static FIBER_FN void ask_all(struct peer *resolver, struct round *r, struct mono link_deadline, struct mono deadline) {
    struct peer_link *link;
    struct err e;
    for (bool broken = true; broken && (link = peer_wait(resolver, link_deadline, &e));) {
        link_call_all(link->link, LINK_RESOLVE, r->questions, r->n, deadline);
        broken = !link_is_up(link->link);
        peer_drop(link);
        if (broken)
            fiber_yield(); // the reader of the broken link has to end before the next can come
    }
}

static void take(struct slice payload, struct arena *arena, struct oracle_answer *out) {
    ARENA_AUTO struct arena scratch = {.max = 64 * 1024};
    struct message_resolve_reply r;
    if (message_resolve_reply_unpack(payload, &scratch, &r))
        oracle_reply(&r, arena, out);
    else
        *out = (struct oracle_answer){.status = ORACLE_FAILED, .why = SLICE("the resolver's answer can't be read")};
}

static bool take_all(struct round *r, struct arena *arena, struct oracle_answer *answers) {
    bool good = false;
    for (size_t i = 0; i < r->n; i++) {
        struct oracle_answer *a = &answers[r->place[i]];
        if (r->questions[i].answered)
            take(buf_slice(&r->replies[i]), arena, a);
        else
            *a = (struct oracle_answer){.status = ORACLE_TIMEOUT, .why = SLICE("no answer in time")};
        good = good || a->status < ORACLE_FAILED;
        buf_done(&r->packed[i]);
        buf_done(&r->replies[i]);
    }
    return good || r->n == 0;
}

bool link_oracle_ask(struct peer *resolver, const struct oracle_question *questions, size_t n,
                     struct mono link_deadline, struct mono deadline, struct arena *arena,
                     struct oracle_answer *answers) {
    struct round *r = malloc(sizeof *r); // zeroed would cost more than all of it
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_FAILED, .why = SLICE("out of memory")};
    if (!r)
        return true;
    r->n = 0;
    pack_all(r, questions, n, answers);
    ask_all(resolver, r, link_deadline, deadline);
    bool good = take_all(r, arena, answers);
    free(r);
    return good;
}
