// message_gate: payloads about strangers as bytes and back.
#include "core/message/message_gate.h"

#include "core/message/message_inside.h"

enum {
    AUTHS_MAX = 100,            // results of one message that go into a report
    AUTH_LEAST = 1 + 4 + 4 + 4, // bytes of one whose slices are empty
};

// --- CLIENT

bool message_client_pack(struct buf *b, const struct message_client *m) {
    message_pack_ip(b, &m->client);
    return message_pack_bool(b, m->local);
}

bool message_client_unpack(struct slice payload, struct message_client *out) {
    struct unpack u = {.rest = payload};
    struct message_client m = {.client = message_unpack_ip(&u)};
    m.local = message_unpack_bool(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_client_reply_pack(struct buf *b, const struct message_client_reply *m) {
    message_pack_bool(b, m->ok);
    message_pack_bool(b, m->known);
    message_pack_bool(b, m->shut_out);
    pack_i64(b, m->until_ms);
    pack_i64(b, m->tarpit_ms);
    message_pack_bool(b, m->asks_senders);
    return pack_slice(b, m->text);
}

bool message_client_reply_unpack(struct slice payload, struct message_client_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_client_reply m = {.ok = message_unpack_bool(&u)};
    m.known = message_unpack_bool(&u);
    m.shut_out = message_unpack_bool(&u);
    m.until_ms = unpack_i64(&u);
    m.tarpit_ms = unpack_i64(&u);
    m.asks_senders = message_unpack_bool(&u);
    m.text = unpack_slice(&u);
    if (!unpack_end(&u) || m.until_ms < 0 || m.tarpit_ms < 0)
        return false;
    *out = m;
    return true;
}

// --- TALLY

bool message_tally_pack(struct buf *b, const struct message_tally *m) {
    pack_u8(b, (uint8_t)m->what);
    message_pack_ip(b, &m->client);
    message_pack_bool(b, m->local);
    pack_slice(b, m->helo);
    pack_slice(b, m->sender_domain);
    return pack_slice(b, m->recipient);
}

bool message_tally_unpack(struct slice payload, struct message_tally *out) {
    struct unpack u = {.rest = payload};
    struct message_tally m = {.what = (enum config_rate_what)message_unpack_enum(&u, CONFIG_RATE_WHATS - 1)};
    m.client = message_unpack_ip(&u);
    m.local = message_unpack_bool(&u);
    m.helo = unpack_slice(&u);
    m.sender_domain = unpack_slice(&u);
    m.recipient = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_tally_reply_pack(struct buf *b, const struct message_tally_reply *m) {
    message_pack_bool(b, m->ok);
    pack_u32(b, m->line);
    pack_u32(b, m->tarpit_ms);
    return pack_slice(b, m->text);
}

bool message_tally_reply_unpack(struct slice payload, struct message_tally_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_tally_reply m = {.ok = message_unpack_bool(&u)};
    m.line = unpack_u32(&u);
    m.tarpit_ms = unpack_u32(&u);
    m.text = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

// --- GREYLIST

bool message_greylist_pack(struct buf *b, const struct message_greylist *m) {
    pack_slice(b, m->domain);
    message_pack_ip(b, &m->client);
    pack_slice(b, m->sender);
    pack_slice(b, m->recipient);
    return message_pack_bool(b, m->only_ask);
}

bool message_greylist_unpack(struct slice payload, struct message_greylist *out) {
    struct unpack u = {.rest = payload};
    struct message_greylist m = {.domain = unpack_slice(&u)};
    m.client = message_unpack_ip(&u);
    m.sender = unpack_slice(&u);
    m.recipient = unpack_slice(&u);
    m.only_ask = message_unpack_bool(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_greylist_reply_pack(struct buf *b, const struct message_greylist_reply *m) {
    pack_u8(b, (uint8_t)m->proven);
    message_pack_bool(b, m->blocked);
    return pack_i64(b, m->wait_ms);
}

bool message_greylist_reply_unpack(struct slice payload, struct message_greylist_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_greylist_reply m = {.proven = (enum message_proven)message_unpack_enum(&u, MESSAGE_PROVEN_WROTE_TO)};
    m.blocked = message_unpack_bool(&u);
    m.wait_ms = unpack_i64(&u);
    if (!unpack_end(&u) || m.wait_ms < 0)
        return false;
    *out = m;
    return true;
}

// --- SEEN

bool message_seen_pack(struct buf *b, const struct message_seen *m) {
    pack_u8(b, (uint8_t)m->what);
    message_pack_ip(b, &m->client);
    message_pack_bool(b, m->local);
    pack_slice(b, m->domain);
    return pack_slice(b, m->recipient);
}

bool message_seen_unpack(struct slice payload, struct message_seen *out) {
    struct unpack u = {.rest = payload};
    struct message_seen m = {.what = (enum message_seen_what)message_unpack_enum(&u, MESSAGE_SEEN_WHATS - 1)};
    m.client = message_unpack_ip(&u);
    m.local = message_unpack_bool(&u);
    m.domain = unpack_slice(&u);
    m.recipient = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

// --- MATCH

bool message_match_pack(struct buf *b, const struct message_match *m) {
    pack_slice(b, m->table);
    return pack_slice(b, m->value);
}

bool message_match_unpack(struct slice payload, struct message_match *out) {
    struct unpack u = {.rest = payload};
    struct message_match m = {.table = unpack_slice(&u)};
    m.value = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_match_reply_pack(struct buf *b, enum message_match_result r) { return pack_u8(b, (uint8_t)r); }

bool message_match_reply_unpack(struct slice payload, enum message_match_result *out) {
    struct unpack u = {.rest = payload};
    unsigned r = message_unpack_enum(&u, MESSAGE_MATCH_FAILED);
    if (!unpack_end(&u))
        return false;
    *out = (enum message_match_result)r;
    return true;
}

// --- DMARC_SEEN

static void pack_auth(struct buf *b, const struct message_dmarc_auth *a) {
    message_pack_bool(b, a->dkim);
    pack_slice(b, a->domain);
    pack_slice(b, a->selector);
    pack_slice(b, a->result);
}

bool message_dmarc_seen_pack(struct buf *b, const struct message_dmarc_seen *m) {
    size_t n = m->auths_n < AUTHS_MAX ? m->auths_n : AUTHS_MAX;
    pack_i64(b, m->when.ms);
    message_pack_ip(b, &m->client);
    pack_slice(b, m->from_domain);
    pack_slice(b, m->record_domain);
    pack_slice(b, m->envelope_from);
    pack_slice(b, m->envelope_to);
    pack_slice(b, m->record);
    pack_slice(b, m->policy);
    pack_slice(b, m->disposition);
    pack_slice(b, m->override);
    pack_slice(b, m->override_comment);
    message_pack_bool(b, m->dkim_aligned);
    message_pack_bool(b, m->spf_aligned);
    pack_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        pack_auth(b, &m->auths[i]);
    return !b->failed;
}

bool message_dmarc_seen_unpack(struct slice payload, struct arena *arena, struct message_dmarc_seen *out) {
    struct unpack u = {.rest = payload};
    struct message_dmarc_seen m = {.when = {unpack_i64(&u)}};
    m.client = message_unpack_ip(&u);
    m.from_domain = unpack_slice(&u);
    m.record_domain = unpack_slice(&u);
    m.envelope_from = unpack_slice(&u);
    m.envelope_to = unpack_slice(&u);
    m.record = unpack_slice(&u);
    m.policy = unpack_slice(&u);
    m.disposition = unpack_slice(&u);
    m.override = unpack_slice(&u);
    m.override_comment = unpack_slice(&u);
    m.dkim_aligned = message_unpack_bool(&u);
    m.spf_aligned = message_unpack_bool(&u);
    m.auths = message_unpack_array(&u, arena, AUTHS_MAX, AUTH_LEAST, sizeof *m.auths, &m.auths_n);
    for (size_t i = 0; i < m.auths_n; i++) {
        m.auths[i].dkim = message_unpack_bool(&u);
        m.auths[i].domain = unpack_slice(&u);
        m.auths[i].selector = unpack_slice(&u);
        m.auths[i].result = unpack_slice(&u);
    }
    if (!unpack_end(&u) || m.when.ms < 0)
        return false;
    *out = m;
    return true;
}

// --- POST

bool message_post_pack(struct buf *b, const struct message_post *m) {
    pack_slice(b, m->sender);
    pack_slice(b, m->recipient);
    return pack_slice(b, m->content);
}

bool message_post_unpack(struct slice payload, struct message_post *out) {
    struct unpack u = {.rest = payload};
    struct message_post m = {.sender = unpack_slice(&u)};
    m.recipient = unpack_slice(&u);
    m.content = unpack_slice(&u);
    if (!unpack_end(&u) || !m.recipient.n)
        return false;
    *out = m;
    return true;
}

// --- RECORDS: each with its length in front

bool message_records_next(struct slice *rest, struct slice *packed) {
    struct unpack u = {.rest = *rest};
    struct slice one = unpack_slice(&u);
    if (u.bad || one.n == 0 || one.n > RECORD_MAX)
        return false;
    *packed = one;
    *rest = u.rest;
    return true;
}
