// smtpd_links_gate: questions with a short patience, and news that nobody answers.
#include "svc/smtpd/smtpd_links_gate.h"

#include "svc/smtpd/smtpd_links.h"

enum {
    GATE_MS = 2 * MS_SECOND,
    PACKED_MAX = 64 * 1024,
    RECORDS_MS = 100,          // that a record waits for others
    RECORDS_FULL = 32 * 1024,  // bytes that don't wait
    RECORDS_MAX = 1024 * 1024, // bytes
};

void smtpd_links_ask(struct smtpd_backend *b, const struct oracle_question *questions, size_t n, struct mono deadline,
                     struct arena *arena, struct oracle_answer *answers) {
    smtpd_oracle_ask(&smtpd_links_of(b)->oracle, questions, n, deadline, arena, answers);
}

// Whoever isn't there at all isn't waited for.
static FIBER_FN bool ask(struct smtpd_links *l, struct peer *who, enum link_type type, const struct buf *payload,
                         enum link_type want, struct buf *reply) {
    struct mono deadline = loop_in_ms(l->world->loop, GATE_MS);
    enum link_type got;
    struct err ignored;
    return who->now && !payload->failed && peer_call(who, type, buf_slice(payload), deadline, &got, reply, &ignored) &&
           got == want;
}

bool smtpd_links_client(struct smtpd_backend *b, const struct message_client *m, struct arena *arena,
                        struct message_client_reply *out) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    BUF_AUTO struct buf reply = {.max = PACKED_MAX};
    struct smtpd_links *l = smtpd_links_of(b);
    message_client_pack(&packed, m);
    return ask(l, &l->policy, LINK_CLIENT, &packed, LINK_CLIENT_REPLY, &reply) &&
           message_client_reply_unpack(arena_dup(arena, buf_slice(&reply)), out);
}

bool smtpd_links_tally(struct smtpd_backend *b, const struct message_tally *m, struct arena *arena,
                       struct message_tally_reply *out) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    BUF_AUTO struct buf reply = {.max = PACKED_MAX};
    struct smtpd_links *l = smtpd_links_of(b);
    message_tally_pack(&packed, m);
    return ask(l, &l->policy, LINK_TALLY, &packed, LINK_TALLY_REPLY, &reply) &&
           message_tally_reply_unpack(arena_dup(arena, buf_slice(&reply)), out);
}

bool smtpd_links_greylist(struct smtpd_backend *b, const struct message_greylist *m,
                          struct message_greylist_reply *out) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    BUF_AUTO struct buf reply = {.max = PACKED_MAX};
    struct smtpd_links *l = smtpd_links_of(b);
    message_greylist_pack(&packed, m);
    return ask(l, &l->policy, LINK_GREYLIST, &packed, LINK_GREYLIST_REPLY, &reply) &&
           message_greylist_reply_unpack(buf_slice(&reply), out);
}

bool smtpd_links_match(struct smtpd_backend *b, struct slice table, struct slice value, bool *out) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    BUF_AUTO struct buf reply = {.max = PACKED_MAX};
    struct smtpd_links *l = smtpd_links_of(b);
    enum message_match_result result;
    message_match_pack(&packed, &(struct message_match){.table = table, .value = value});
    if (!ask(l, &l->lookup, LINK_MATCH, &packed, LINK_MATCH_REPLY, &reply) ||
        !message_match_reply_unpack(buf_slice(&reply), &result) || result == MESSAGE_MATCH_FAILED)
        return false;
    *out = result == MESSAGE_MATCH_YES;
    return true;
}

// --- not answered

static void tell(struct peer *who, enum link_type type, const struct buf *payload) {
    if (who->now && !payload->failed)
        link_send1(who->now->link, type, 0, buf_slice(payload));
}

void smtpd_links_seen(struct smtpd_backend *b, const struct message_seen *m) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    message_seen_pack(&packed, m);
    tell(&smtpd_links_of(b)->policy, LINK_SEEN, &packed);
}

void smtpd_links_dmarc_seen(struct smtpd_backend *b, const struct message_dmarc_seen *m) {
    BUF_AUTO struct buf packed = {.max = PACKED_MAX};
    message_dmarc_seen_pack(&packed, m);
    tell(&smtpd_links_of(b)->report, LINK_DMARC_SEEN, &packed);
}

static void send_records(struct smtpd_links *l) {
    loop_timer_stop(l->world->loop, &l->records.timer);
    tell(&l->history, LINK_RECORDS, &l->records.waiting);
    buf_done(&l->records.waiting);
}

// At a reload history is away for a moment: what was decided meanwhile waits for its successor.
static void on_timer(struct loop_timer *t) {
    struct smtpd_records *r = LIST_ENTRY(t, struct smtpd_records, timer);
    struct smtpd_links *l = LIST_ENTRY(r, struct smtpd_links, records);
    if (peer_is_up(&l->history))
        send_records(l);
    else
        loop_timer_set(l->world->loop, t, loop_in_ms(l->world->loop, RECORDS_MS));
}

void smtpd_links_record(struct smtpd_backend *b, const struct record *r) {
    struct smtpd_links *l = smtpd_links_of(b);
    bool first = l->records.waiting.n == 0;
    message_records_add(&l->records.waiting, r);
    if (l->records.waiting.failed || (l->records.waiting.n >= RECORDS_FULL && peer_is_up(&l->history)))
        send_records(l);
    else if (first)
        loop_timer_set(l->world->loop, &l->records.timer, loop_in_ms(l->world->loop, RECORDS_MS));
}

void smtpd_links_records_init(struct smtpd_links *l) {
    l->records = (struct smtpd_records){.waiting = {.max = RECORDS_MAX}, .timer = {.fire = on_timer}};
}

void smtpd_links_records_done(struct smtpd_links *l) { send_records(l); }
