// relay_mail: results of a message's recipients, and what a server must be able to take.
#include "svc/relay/relay_mail.h"

#include "base/utf8.h"

bool relay_mail_init(struct relay_mail *m, const struct message_work *work, struct arena *arena) {
    size_t n = work->recipients_n;
    m->work = work;
    m->arena = arena;
    m->results = arena_alloc(arena, n * sizeof *m->results);
    m->decided = arena_alloc(arena, n * sizeof *m->decided);
    m->accepted = arena_alloc(arena, n * sizeof *m->accepted);
    if (!m->results || !m->decided || !m->accepted)
        return false;
    for (size_t i = 0; i < n; i++)
        m->results[i] = (struct message_outcome_recipient){
            .index = work->recipients[i].index, .result = MESSAGE_DEFERRED, .reason = SLICE("not tried")};
    return true;
}

static void decide(struct relay_mail *m, size_t i, enum message_result result, int smtp, const uint16_t enhanced[3],
                   struct slice reason) {
    struct message_outcome_recipient *r = &m->results[i];
    if (m->decided[i])
        return;
    m->decided[i] = true;
    r->result = result;
    r->smtp = (uint16_t)smtp;
    memcpy(r->enhanced, enhanced, sizeof r->enhanced);
    r->reason = reason;
}

void relay_mail_decide(struct relay_mail *m, enum message_result result, int smtp, const uint16_t enhanced[3],
                       struct slice reason) {
    struct slice kept = arena_dup(m->arena, utf8_upto(reason, RELAY_REASON_MAX));
    for (size_t i = 0; i < m->work->recipients_n; i++)
        decide(m, i, result, smtp, enhanced, kept);
}

// --- what a reply means for recipients

// RFC 5321 4.5.3.1.10: 552 to RCPT without a better word means "too many", and is for now.
static enum message_result verdict(const struct smtp_reply *r, bool rcpt) {
    if (smtp_reply_ok(r))
        return MESSAGE_DELIVERED;
    if (rcpt && r->code == 552 && (r->enhanced[0] == 0 || r->enhanced[1] == 5))
        return MESSAGE_DEFERRED;
    return r->code / 100 == 5 ? MESSAGE_FAILED : MESSAGE_DEFERRED;
}

// The reply's text on one line, in the arena; line breaks are spaces.
static struct slice reason_of(const struct smtp_reply *r, struct arena *arena) {
    struct slice kept = arena_dup(arena, utf8_upto(buf_slice(&r->text), RELAY_REASON_MAX));
    for (size_t i = 0; i < kept.n; i++)
        if ((unsigned char)kept.p[i] < ' ' || kept.p[i] == 0x7f)
            ((char *)kept.p)[i] = ' ';
    return kept;
}

static void enhanced_of(const struct smtp_reply *r, enum message_result result, uint16_t out[3]) {
    static const uint16_t classes[] = {[MESSAGE_DELIVERED] = 2, [MESSAGE_DEFERRED] = 4, [MESSAGE_FAILED] = 5};
    memcpy(out, r->enhanced, sizeof r->enhanced);
    out[0] = classes[result];
}

void relay_mail_decide_by_reply(struct relay_mail *m, const struct smtp_reply *reply, bool all) {
    enum message_result result = verdict(reply, false);
    uint16_t enhanced[3];
    enhanced_of(reply, result, enhanced);
    struct slice reason = reason_of(reply, m->arena);
    for (size_t i = 0; i < m->work->recipients_n; i++)
        if (all || m->accepted[i])
            decide(m, i, result, reply->code, enhanced, reason);
}

bool relay_mail_all_decided(const struct relay_mail *m) {
    for (size_t i = 0; i < m->work->recipients_n; i++)
        if (!m->decided[i])
            return false;
    return true;
}

bool relay_mail_any_accepted(const struct relay_mail *m) {
    for (size_t i = 0; i < m->work->recipients_n; i++)
        if (m->accepted[i])
            return true;
    return false;
}

void relay_mail_take_rcpt(struct relay_mail *m, size_t i, const struct smtp_reply *reply) {
    enum message_result result = verdict(reply, true);
    uint16_t enhanced[3];
    m->accepted[i] = result == MESSAGE_DELIVERED;
    if (m->accepted[i])
        return;
    enhanced_of(reply, result, enhanced);
    decide(m, i, result, reply->code, enhanced, reason_of(reply, m->arena));
}

// --- whether the server can take it at all

bool relay_mail_piece(struct relay_mail *m, uint64_t offset, struct buf *to, struct slice *piece, struct err *e) {
    if (m->work->content.n) {
        *piece = slice_from(m->work->content, (size_t)offset);
        return true;
    }
    buf_reset(to);
    if (!m->read(m->arg, offset, to, e))
        return false;
    *piece = buf_slice(to);
    return to->n > 0 || err_set(e, ERR_TEMPORARY, "the message's content ended early");
}

static FIBER_FN bool content_is_7bit(struct relay_mail *m, bool header_only, bool *out, struct err *e) {
    BUF_AUTO struct buf space = {.max = 2 * MESSAGE_INLINE_MAX};
    for (uint64_t at = 0; at < m->work->size;) {
        struct slice piece;
        if (!relay_mail_piece(m, at, &space, &piece, e))
            return false;
        size_t header = header_only ? slice_search(piece, SLICE("\r\n\r\n")) : piece.n;
        *out = utf8_ascii(slice_upto(piece, header));
        if (!*out || header < piece.n)
            return true;
        at += piece.n;
    }
    return true;
}

static FIBER_FN bool needs_smtputf8(struct relay_mail *m, bool *out, struct err *e) {
    bool ascii = utf8_ascii(m->work->sender);
    for (size_t i = 0; i < m->work->recipients_n; i++)
        ascii = ascii && utf8_ascii(m->work->recipients[i].address);
    bool ok = !ascii || content_is_7bit(m, true, &ascii, e);
    *out = !ascii;
    return ok;
}

static void cannot(struct relay_mail *m, uint16_t subject, uint16_t detail, struct slice reason) {
    relay_mail_decide(m, MESSAGE_FAILED, 0, (const uint16_t[]){5, subject, detail}, reason);
}

bool relay_mail_check(struct relay_mail *m, const struct smtp_ext *ext, struct slice remote, struct err *e) {
    bool needed = false, is_7bit = true;
    if (ext->size_max && m->work->size > ext->size_max)
        cannot(m, 3, 4,
               arena_printf(m->arena, "the message of %llu bytes is larger than %.*s takes: %llu bytes",
                            (unsigned long long)m->work->size, SLICE_ARG(remote), (unsigned long long)ext->size_max));
    if ((m->work->flags & ENVELOPE_SMTPUTF8) && !ext->smtputf8 && !needs_smtputf8(m, &needed, e))
        return false;
    if (needed)
        cannot(
            m, 6, 7,
            arena_printf(m->arena, "%.*s takes no international addresses or headers (SMTPUTF8)", SLICE_ARG(remote)));
    if (!ext->eightbit && !content_is_7bit(m, false, &is_7bit, e))
        return false;
    if (!is_7bit)
        cannot(m, 6, 3, arena_printf(m->arena, "%.*s takes no 8-bit content (8BITMIME)", SLICE_ARG(remote)));
    return true;
}

// What our own parsers let through is sound; this is the fence against a command smuggled in an address anyhow.
static bool address_is_sound(struct slice a) {
    bool quoted = false;
    for (size_t i = 0; i < a.n; i++) {
        unsigned char c = (unsigned char)a.p[i];
        if (c < ' ' || c == 0x7f || (!quoted && (c == ' ' || c == '<' || c == '>')))
            return false;
        if (c == '\\' && quoted && i + 1 < a.n && (unsigned char)a.p[i + 1] >= ' ')
            i++;
        else if (c == '"')
            quoted = !quoted;
    }
    return !quoted;
}

bool relay_mail_addresses(struct relay_mail *m) {
    if (!address_is_sound(m->work->sender)) {
        relay_mail_decide(m, MESSAGE_FAILED, 0, (const uint16_t[]){5, 1, 7},
                          SLICE("the sender's address is malformed"));
        return false;
    }
    for (size_t i = 0; i < m->work->recipients_n; i++)
        if (!address_is_sound(m->work->recipients[i].address))
            decide(m, i, MESSAGE_FAILED, 0, (const uint16_t[]){5, 1, 3}, SLICE("the address is malformed"));
    return !relay_mail_all_decided(m);
}
