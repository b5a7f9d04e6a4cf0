// relay_send: one message over a session.
#include "svc/relay/relay_reply.h"

#include "base/utf8.h"
#include "rt/fiber/loop.h"
#include "wire/smtp_body.h"

enum {
    WINDOW = 32 * 1024,        // bytes of commands sent ahead of their replies: fewer than any socket holds
    FLUSH_AT = 64 * 1024,      // bytes of content written at once
    LAST_WORDS_MS = MS_SECOND, // patience for a reply after the server closed while we wrote
};

// --- the envelope

static void put_path(struct relay_session *s, const char *verb, struct slice address) {
    stream_put(&s->stream, slice_str(verb));
    stream_put(&s->stream, address);
    stream_put(&s->stream, SLICE(">"));
}

static void put_mail(struct relay_session *s, const struct relay_mail *m) {
    char size[40];
    struct buf b = {.p = size, .cap = sizeof size, .max = sizeof size};
    put_path(s, "MAIL FROM:<", m->work->sender);
    if (s->ext.size && buf_addf(&b, " SIZE=%llu", (unsigned long long)m->work->size))
        stream_put(&s->stream, buf_slice(&b));
    if (s->ext.eightbit && ((m->work->flags & ENVELOPE_8BIT) || !m->work->content.n || !utf8_ascii(m->work->content)))
        stream_put(&s->stream, SLICE(" BODY=8BITMIME"));
    if (s->ext.smtputf8 && (m->work->flags & ENVELOPE_SMTPUTF8))
        stream_put(&s->stream, SLICE(" SMTPUTF8"));
    if (s->ext.requiretls && s->tls && (m->work->flags & ENVELOPE_REQUIRETLS))
        stream_put(&s->stream, SLICE(" REQUIRETLS"));
    stream_put(&s->stream, SLICE("\r\n"));
}

// Where we are in the list of commands: RSET (when a transaction stands open), MAIL, a RCPT for each undecided
// recipient, DATA. Replies come in the same order.
enum step { STEP_RSET, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_END };

struct place {
    enum step step;
    size_t recipient; // of STEP_RCPT
};

static struct place next_place(const struct relay_mail *m, const bool *skip, struct place at) {
    size_t i = at.step == STEP_RCPT ? at.recipient + 1 : 0;
    if (at.step == STEP_MAIL || at.step == STEP_RCPT) {
        while (i < m->work->recipients_n && skip[i])
            i++;
        return i < m->work->recipients_n ? (struct place){STEP_RCPT, i} : (struct place){.step = STEP_DATA};
    }
    return (struct place){.step = at.step + 1};
}

static bool same_place(struct place a, struct place b) { return a.step == b.step && a.recipient == b.recipient; }

struct talk {
    struct place put, got;
    bool mail_refused;
    bool data;  // 354 was given
    bool *skip; // those decided before
};

static void put_command(struct relay_session *s, struct relay_mail *m, struct talk *t) {
    switch (t->put.step) {
    case STEP_RSET:
        stream_put(&s->stream, SLICE("RSET\r\n"));
        break;
    case STEP_MAIL:
        put_mail(s, m);
        break;
    case STEP_RCPT:
        put_path(s, "RCPT TO:<", m->work->recipients[t->put.recipient].address);
        stream_put(&s->stream, SLICE("\r\n"));
        break;
    case STEP_DATA:
        stream_put(&s->stream, SLICE("DATA\r\n"));
        break;
    case STEP_END:
        break;
    }
    t->put = next_place(m, t->skip, t->put);
}

static int64_t step_timeout(const struct relay_session *s, enum step step) {
    return step == STEP_RCPT ? s->timeouts->rcpt : step == STEP_DATA ? s->timeouts->data_init : s->timeouts->mail;
}

// Takes one reply. False ends the message here: `e` says why another host may be asked.
static bool take_reply(struct relay_session *s, struct relay_mail *m, struct talk *t, struct err *e) {
    bool ok = smtp_reply_ok(&s->reply);
    switch (t->got.step) {
    case STEP_RSET:
        s->unfinished = !ok;
        break;
    case STEP_MAIL:
        s->unfinished = ok;
        t->mail_refused = !ok;
        if (!ok)
            relay_reply_refused(s, e);
        if (s->reply.code / 100 == 5)
            relay_mail_decide_by_reply(m, &s->reply, true);
        break;
    case STEP_RCPT:
        if (!t->mail_refused && !s->broken) // 421: the server leaves, which says nothing about the recipient
            relay_mail_take_rcpt(m, t->got.recipient, &s->reply);
        break;
    case STEP_DATA:
        t->data = s->reply.code == 354;
        if (!t->data && relay_mail_any_accepted(m) && s->reply.code >= 400)
            relay_mail_decide_by_reply(m, &s->reply, false);
        else if (!t->data && s->reply.code < 400)
            s->broken = true; // who says 250 to DATA is out of step
        break;
    case STEP_END:
        break;
    }
    t->got = next_place(m, t->skip, t->got);
    return !s->broken || relay_reply_refused(s, e);
}

// Nothing more is worth sending after what was said so far.
static bool is_pointless(const struct relay_mail *m, const struct talk *t) {
    return t->mail_refused || (t->put.step == STEP_DATA && !relay_mail_any_accepted(m));
}

// Sends the envelope and takes the replies. False: `e` says why another host may be asked.
static FIBER_FN bool envelope(struct relay_session *s, struct relay_mail *m, struct talk *t, struct err *e) {
    while (t->got.step != STEP_END && !is_pointless(m, t)) {
        if (!relay_reply_none(s, e))
            return false;
        do
            put_command(s, m, t);
        while (s->ext.pipelining && t->put.step != STEP_END && s->stream.out.n < WINDOW);
        do
            if (!relay_reply(s, step_timeout(s, t->got.step), e) || !take_reply(s, m, t, e))
                return false;
        while (!same_place(t->put, t->got)); // never more under way than a window, or both sides could wait to write
    }
    return true;
}

// --- the content

static FIBER_FN bool put_content(struct relay_session *s, struct relay_mail *m, struct err *e) {
    struct smtp_encode encode = {0};
    BUF_AUTO struct buf space = {.max = 2 * MESSAGE_INLINE_MAX};
    for (uint64_t at = 0; at < m->work->size;) {
        struct slice piece;
        if (!relay_mail_piece(m, at, &space, &piece, e))
            return false;
        buf_reserve(&s->stream.out, piece.n + piece.n / 32 + 64); // so that it grows once
        if (!smtp_body_encode(piece, &encode, &s->stream.out))
            return err_set(e, ERR_TEMPORARY, "out of memory");
        if (s->stream.out.n >= FLUSH_AT && at + piece.n < m->work->size && !stream_flush(&s->stream, e))
            return false;
        at += piece.n;
    }
    if (m->wanted && !m->wanted(m->arg)) // the queue will hand it out again: better not to deliver twice
        return err_set(e, ERR_TEMPORARY, "the queue is gone");
    return smtp_body_encode_end(&encode, &s->stream.out) || err_set(e, ERR_TEMPORARY, "out of memory");
}

// A server that refuses content in the middle says so and closes: writing fails, but its words may have arrived.
static FIBER_FN bool last_words(struct relay_session *s, struct relay_mail *m) {
    struct err ignored;
    buf_reset(&s->stream.out);
    bool said = relay_reply(s, LAST_WORDS_MS, &ignored) && s->reply.code >= 400 && s->reply.code != 421;
    s->broken = true;
    if (said)
        relay_mail_decide_by_reply(m, &s->reply, false);
    return said;
}

static FIBER_FN enum relay_sent content(struct relay_session *s, struct relay_mail *m, struct err *e) {
    if (!relay_reply_none(s, e))
        return RELAY_SENT_NOT;
    if (!put_content(s, m, e)) {
        bool decided = e->kind == ERR_TEMPORARY && e->sys && last_words(s, m);
        s->broken = true; // in the middle of content nothing else can be said
        return decided && relay_mail_all_decided(m) ? RELAY_SENT : RELAY_SENT_NOT;
    }
    if (!stream_flush(&s->stream, e)) {
        bool said = e->kind != ERR_CANCELLED && last_words(s, m);
        s->broken = true;
        return said ? RELAY_SENT : RELAY_SENT_UNKNOWN;
    }
    if (!relay_reply(s, s->timeouts->data_end, e)) {
        s->broken = true;
        err_while(e, "after the end of the content");
        return RELAY_SENT_UNKNOWN;
    }
    s->unfinished = false;
    relay_mail_decide_by_reply(m, &s->reply, false);
    if (s->reply.code / 100 == 3)
        s->broken = true;
    return RELAY_SENT;
}

// RFC 2920 3.1: DATA was pipelined behind recipients that were all refused, and the server wants content all the same.
static FIBER_FN void no_content(struct relay_session *s) {
    struct err ignored;
    stream_put(&s->stream, SLICE(".\r\n"));
    if (relay_reply(s, s->timeouts->data_end, &ignored))
        s->unfinished = false;
}

enum relay_sent relay_session_send(struct relay_session *s, struct relay_mail *m, struct err *e) {
    if (!relay_mail_addresses(m))
        return RELAY_SENT;
    if (!relay_mail_check(m, &s->ext, slice_of(s->remote, s->remote_n), e))
        return RELAY_SENT_NOT;
    if (relay_mail_all_decided(m))
        return RELAY_SENT;
    struct talk t = {.put = {.step = s->unfinished ? STEP_RSET : STEP_MAIL}};
    t.got = t.put;
    t.skip = arena_alloc(m->arena, m->work->recipients_n * sizeof *t.skip);
    if (!t.skip) {
        err_set(e, ERR_TEMPORARY, "out of memory");
        return RELAY_SENT_NOT;
    }
    memcpy(t.skip, m->decided, m->work->recipients_n * sizeof *t.skip);
    memset(m->accepted, 0, m->work->recipients_n * sizeof *m->accepted);
    s->messages++;
    if (!envelope(s, m, &t, e))
        return RELAY_SENT_NOT;
    if (t.data && relay_mail_any_accepted(m))
        return content(s, m, e);
    if (t.data)
        no_content(s);
    return relay_mail_all_decided(m) ? RELAY_SENT : RELAY_SENT_NOT;
}
