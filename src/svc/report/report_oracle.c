// report_oracle: a question as a frame, an answer as a value.
#include "svc/report/report_oracle.h"

#include "core/message.h"

enum { ANSWER_MS = 30 * MS_SECOND, REPLY_MAX = 128 * 1024, NAME_MAX_BYTES = 1024 };

static bool copy_records(const struct message_resolve_reply *r, struct arena *arena, struct oracle_answer *out) {
    out->records = arena_alloc(arena, (r->records_n + 1) * sizeof *out->records);
    if (!out->records)
        return false;
    for (size_t i = 0; i < r->records_n; i++) {
        struct slice text = arena_dup(arena, r->records[i].text);
        if (r->records[i].text.n && !text.p)
            return false;
        out->records[out->n++] = (struct oracle_record){r->records[i].preference, r->records[i].ip, text};
    }
    return true;
}

static void take(struct slice payload, struct arena *arena, struct oracle_answer *out) {
    static const enum oracle_status status[] = {
        [MESSAGE_DNS_OK] = ORACLE_OK,
        [MESSAGE_DNS_NODATA] = ORACLE_NODATA,
        [MESSAGE_DNS_NXDOMAIN] = ORACLE_NXDOMAIN,
        [MESSAGE_DNS_FAILED] = ORACLE_FAILED,
    };
    ARENA_AUTO struct arena scratch = {.max = 256 * 1024};
    struct message_resolve_reply r;
    if (!message_resolve_reply_unpack(payload, &scratch, &r) || r.security == MESSAGE_DNS_BOGUS ||
        !copy_records(&r, arena, out))
        return;
    out->status = status[r.status];
    out->ttl = r.ttl;
    out->secure = r.security == MESSAGE_DNS_SECURE;
}

static FIBER_FN void ask_one(struct report_oracle *o, const struct oracle_question *q, struct arena *arena,
                             struct oracle_answer *out) {
    BUF_AUTO struct buf packed = {.max = NAME_MAX_BYTES + 64}, reply = {.max = REPLY_MAX};
    struct message_resolve m = {.type = (uint16_t)q->type, .name = q->name};
    enum link_type type;
    struct err e;
    *out = (struct oracle_answer){.status = ORACLE_FAILED};
    if (!q->name.n || q->name.n > NAME_MAX_BYTES || slice_find(q->name, '\0') < q->name.n ||
        !message_resolve_pack(&packed, &m))
        return;
    if (peer_call(o->resolver, LINK_RESOLVE, buf_slice(&packed), loop_in_ms(o->loop, ANSWER_MS), &type, &reply, &e))
        take(buf_slice(&reply), arena, out);
    else
        out->status = ORACLE_TIMEOUT;
}

static void ask(struct oracle *oracle, const struct oracle_question *questions, size_t n, struct arena *arena,
                struct oracle_answer *answers) {
    for (size_t i = 0; i < n; i++)
        ask_one((struct report_oracle *)(void *)oracle, &questions[i], arena, &answers[i]);
}

void report_oracle_init(struct report_oracle *o, struct peer *resolver, struct loop *loop) {
    *o = (struct report_oracle){.oracle = {.ask = ask}, .resolver = resolver, .loop = loop};
}
