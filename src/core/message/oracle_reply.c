// oracle_reply: copies, and says what counts as no answer.
#include "core/message/oracle_reply.h"

static enum oracle_status status_of(const struct message_resolve_reply *r) {
    static const enum oracle_status status[] = {
        [MESSAGE_DNS_OK] = ORACLE_OK,
        [MESSAGE_DNS_NODATA] = ORACLE_NODATA,
        [MESSAGE_DNS_NXDOMAIN] = ORACLE_NXDOMAIN,
        [MESSAGE_DNS_FAILED] = ORACLE_FAILED,
    };
    if (r->security == MESSAGE_DNS_BOGUS)
        return ORACLE_FAILED;
    return r->status == MESSAGE_DNS_FAILED && slice_ieq(r->why, SLICE("timeout")) ? ORACLE_TIMEOUT : status[r->status];
}

static bool copy_records(const struct message_resolve_reply *r, struct arena *arena, struct oracle_answer *out) {
    out->records = arena_alloc(arena, r->records_n * sizeof *out->records);
    for (; out->records && out->n < r->records_n; out->n++) {
        const struct message_dns_record *from = &r->records[out->n];
        struct slice text = arena_dup(arena, from->text);
        if (!text.p && from->text.n)
            break;
        out->records[out->n] = (struct oracle_record){from->preference, from->ip, text};
    }
    return out->n == r->records_n;
}

void oracle_reply(const struct message_resolve_reply *r, struct arena *arena, struct oracle_answer *out) {
    struct slice why = arena_dup(arena, r->why);
    *out = (struct oracle_answer){
        .status = status_of(r), .secure = r->security == MESSAGE_DNS_SECURE, .ttl = r->ttl, .why = why};
    if (out->status == ORACLE_OK && !copy_records(r, arena, out))
        *out = (struct oracle_answer){.status = ORACLE_FAILED, .why = SLICE("too much data")};
}
