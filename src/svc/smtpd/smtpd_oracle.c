// smtpd_oracle: questions as frames, answers as values, and whether DNS is there.
#include "svc/smtpd/smtpd_oracle.h"

#include "core/message.h"
#include "rt/journal.h"

#include <stdlib.h>

enum {
    HEARD_MS = 30 * MS_SECOND, // a good answer tells of DNS for so long
    UNSURE_MS = 2 * MS_SECOND, // for answers where there was none
    LOOK_MS = 1500,            // for the answer that tells whether DNS is there
    AGAIN_MS = 5 * MS_SECOND,  // between looks while it is away
    LINK_MS = 500,             // for a resolver that is just being started again
    NAME_MAX_BYTES = 1024,
    REPLY_MAX = 128 * 1024,
};

void smtpd_oracle_init(struct smtpd_oracle *o, struct world *w, struct slice hostname, const struct peer *like) {
    *o = (struct smtpd_oracle){.world = w, .hostname = hostname, .resolver = *like};
}

static struct mono earlier(struct mono a, struct mono b) { return a.ns < b.ns ? a : b; }

// --- answers

static bool read_record(const struct message_dns_record *from, struct arena *arena, struct oracle_record *to) {
    *to = (struct oracle_record){.preference = from->preference, .ip = from->ip, .text = arena_dup(arena, from->text)};
    return to->text.p || from->text.n == 0;
}

static const enum oracle_status status_of[] = {
    [MESSAGE_DNS_OK] = ORACLE_OK,
    [MESSAGE_DNS_NODATA] = ORACLE_NODATA,
    [MESSAGE_DNS_NXDOMAIN] = ORACLE_NXDOMAIN,
    [MESSAGE_DNS_FAILED] = ORACLE_FAILED,
};

static void read_reply(struct slice payload, struct arena *arena, struct oracle_answer *out) {
    ARENA_AUTO struct arena scratch = {.max = 64 * 1024};
    struct message_resolve_reply r;
    *out = (struct oracle_answer){.status = ORACLE_FAILED};
    if (!message_resolve_reply_unpack(payload, &scratch, &r))
        return;
    out->records = r.records_n ? arena_alloc(arena, r.records_n * sizeof *out->records) : NULL;
    for (size_t i = 0; out->records && i < r.records_n; i++) {
        if (!read_record(&r.records[i], arena, &out->records[i]))
            return;
        out->n = i + 1;
    }
    bool whole = out->n == r.records_n && r.security != MESSAGE_DNS_BOGUS;
    out->status = !whole                                                                 ? ORACLE_FAILED
                  : r.status == MESSAGE_DNS_FAILED && slice_ieq(r.why, SLICE("timeout")) ? ORACLE_TIMEOUT
                                                                                         : status_of[r.status];
    out->n = out->status == ORACLE_OK ? out->n : 0;
    out->secure = r.security == MESSAGE_DNS_SECURE;
    out->ttl = r.ttl;
    out->why = arena_dup(arena, r.why);
}

// --- questions

static bool askable(const struct oracle_question *q, struct buf *packed) {
    return q->name.n && q->name.n < NAME_MAX_BYTES && slice_find(q->name, '\0') == q->name.n &&
           message_resolve_pack(packed, &(struct message_resolve){.type = (uint16_t)q->type, .name = q->name});
}

// Questions and their answers on the way; too much for a fiber's stack.
struct round {
    struct link_question questions[ORACLE_AT_ONCE_MAX];
    struct buf packed[ORACLE_AT_ONCE_MAX], replies[ORACLE_AT_ONCE_MAX];
    size_t place[ORACLE_AT_ONCE_MAX]; // of the answer
    size_t n;
};

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

// Whether DNS gave any answer of its own.
static bool take_all(struct round *r, struct arena *arena, struct oracle_answer *answers) {
    bool good = false;
    for (size_t i = 0; i < r->n; i++) {
        struct oracle_answer *a = &answers[r->place[i]];
        if (r->questions[i].answered)
            read_reply(buf_slice(&r->replies[i]), arena, a);
        else
            *a = (struct oracle_answer){.status = ORACLE_TIMEOUT, .why = SLICE("no answer in time")};
        good = good || a->status < ORACLE_FAILED;
        buf_done(&r->packed[i]);
        buf_done(&r->replies[i]);
    }
    return good || r->n == 0;
}

static FIBER_FN bool ask_link(struct smtpd_oracle *o, const struct oracle_question *questions, size_t n,
                              struct mono deadline, struct arena *arena, struct oracle_answer *answers) {
    struct loop *loop = o->world->loop;
    struct round *r = malloc(sizeof *r); // zeroed would cost more than all of it
    struct err e;
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_FAILED, .why = SLICE("out of memory")};
    if (!r)
        return true;
    r->n = 0;
    pack_all(r, questions, n, answers);
    struct peer_link *link = peer_wait(&o->resolver, earlier(deadline, loop_in_ms(loop, LINK_MS)), &e);
    if (link)
        link_call_all(link->link, LINK_RESOLVE, r->questions, r->n, deadline);
    peer_drop(link);
    bool good = take_all(r, arena, answers);
    free(r);
    return good;
}

// --- whether DNS is there

static FIBER_FN bool look(struct smtpd_oracle *o) {
    ARENA_AUTO struct arena arena = {.max = 64 * 1024};
    struct oracle_answer answer;
    struct slice name =
        arena_printf(&arena, "%016llx.%.*s", (unsigned long long)world_random_u64(o->world), SLICE_ARG(o->hostname));
    struct oracle_question q = {.type = ORACLE_A, .name = name};
    return ask_link(o, &q, 1, loop_in_ms(o->world->loop, LOOK_MS), &arena, &answer);
}

static void look_until_back(void *arg) {
    struct smtpd_oracle *o = arg;
    bool back = look(o);
    if (back) {
        o->ever = true;
        o->heard = loop_now(o->world->loop);
    }
    while (!back && !fiber_cancelled()) {
        if (!o->away)
            journal_mark(o->world->journal, JOURNAL_WARNING, "dns-away");
        o->away = true;
        back = fiber_sleep(AGAIN_MS) && look(o);
    }
    if (o->away && back)
        journal_mark(o->world->journal, JOURNAL_WARNING, "dns-back");
    o->away = o->looking = false;
}

static bool unsure(const struct smtpd_oracle *o) {
    return !o->ever || mono_ms_between(o->heard, loop_now(o->world->loop)) > HEARD_MS;
}

void smtpd_oracle_begin(struct smtpd_oracle *o) {
    struct err e;
    if (!o->looking && unsure(o))
        o->looking = fiber_spawn(o->resolver.group, "dns look", look_until_back, o, &e);
}

void smtpd_oracle_ask(struct smtpd_oracle *o, const struct oracle_question *questions, size_t n, struct mono deadline,
                      struct arena *arena, struct oracle_answer *answers) {
    struct loop *loop = o->world->loop;
    for (size_t i = 0; o->away && i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_TIMEOUT, .why = SLICE("DNS is away")};
    if (o->away)
        return;
    if (unsure(o))
        deadline = earlier(deadline, loop_in_ms(loop, o->looking ? LOOK_MS : UNSURE_MS));
    if (!ask_link(o, questions, n, deadline, arena, answers)) {
        smtpd_oracle_begin(o);
        return;
    }
    o->ever = true;
    o->heard = loop_now(loop);
}
