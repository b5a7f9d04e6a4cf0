// smtpd_session: reading commands and answering them.
#include "svc/smtpd/smtpd_session.h"

#include "core/queue_id.h"
#include "core/route.h"
#include "rt/loop.h"
#include "wire/smtp_command.h"
#include "wire/smtp_reply.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    REPLY_TEXT = 400,           // bytes of a reply's text
    LINGER_MS = 1000,           // after a last reply: for the client to read it
    LINGER_BYTES = 64 * 1024,   // of input that is dropped meanwhile
    OUT_HIGH = 16 * 1024,       // unsent replies to pipelined commands
    HELO_MAX = 512,
};

// --- replies

static void reply(struct smtpd_session *s, int code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void reply(struct smtpd_session *s, int code, const char *enhanced, const char *format, ...) {
    char text[REPLY_TEXT];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    smtp_reply_format(&s->stream.out, code, enhanced, slice_of(text, length));
}

static void end_session(struct smtpd_session *s, enum metric_label_REASON reason) {
    s->ending = true;
    metric_add_at(s->shared->metrics, METRIC_SESSIONS_REFUSED, reason, 1);
}

// After each command that failed: somebody who only makes mistakes is shown the door.
static void count_error(struct smtpd_session *s) {
    metric_add(s->shared->metrics, METRIC_COMMAND_ERRORS, 1);
    if (++s->errors < s->shared->config->limits.errors || s->ending)
        return;
    reply(s, 421, "4.7.0", "%.*s too many errors, goodbye", SLICE_ARG(s->shared->config->hostname));
    end_session(s, METRIC_REASON_LIMIT);
}

static void refuse(struct smtpd_session *s, int code, const char *enhanced, const char *text) {
    reply(s, code, enhanced, "%s", text);
    count_error(s);
}

static void refuse_err(struct smtpd_session *s, const struct err *e) {
    smtp_reply_format_err(&s->stream.out, e);
    count_error(s);
}

// --- the transaction

static void end_transaction(struct smtpd_session *s) {
    if (s->transaction)
        smtpd_content_done(&s->transaction->content, s);
    s->transaction = NULL;
    arena_reset(&s->arena);
}

static bool begin_transaction(struct smtpd_session *s, struct err *e) {
    s->transaction = ARENA_NEW(&s->arena, struct smtpd_transaction);
    if (!s->transaction)
        return err_smtp(e, 451, "4.3.0", "out of memory");
    s->transaction->envelope.session = arena_dup(&s->arena, slice_of(s->id, sizeof s->id));
    s->transaction->envelope.helo = arena_dup(&s->arena, buf_slice(&s->helo));
    struct buf literal = {.max = 64};
    netaddr_add_literal(&literal, &s->client);
    s->transaction->envelope.client = arena_dup(&s->arena, buf_slice(&literal));
    buf_done(&literal);
    return true;
}

static bool address_in_arena(struct smtpd_session *s, const struct address *a, struct slice *out, struct err *e) {
    struct buf text = {.max = 2 * ADDRESS_MAX + 2};
    address_add(&text, a);
    *out = arena_dup(&s->arena, buf_slice(&text));
    buf_done(&text);
    return out->p || err_smtp(e, 452, "4.5.3", "too many recipients for one transaction");
}

static bool read_address(struct smtpd_session *s, struct slice mailbox, enum address_role role, struct address *a,
                         struct err *e) {
    return address_parse(mailbox, role, &s->arena, a, e) && (a->domain.n == 0 || address_normalize(a, &s->arena, e));
}

// --- HELO, EHLO, STARTTLS

static bool offers_tls(const struct smtpd_session *s) { return s->shared->start_tls && !s->tls; }

static void greet_extended(struct smtpd_session *s) {
    const struct config *c = s->shared->config;
    struct buf lines = {.max = 4096};
    buf_addf(&lines, "%.*s\nPIPELINING\nSIZE %llu\n8BITMIME\nSMTPUTF8\nCHUNKING\nENHANCEDSTATUSCODES",
             SLICE_ARG(c->hostname), (unsigned long long)c->limits.message_size);
    if (offers_tls(s))
        buf_add_str(&lines, "\nSTARTTLS");
    smtp_reply_format(&s->stream.out, 250, NULL, buf_slice(&lines));
    buf_done(&lines);
}

static void do_helo(struct smtpd_session *s, const struct smtp_command *c) {
    end_transaction(s);
    s->esmtp = c->verb == SMTP_EHLO;
    buf_reset(&s->helo);
    buf_add(&s->helo, c->arg);
    if (s->esmtp)
        greet_extended(s);
    else
        reply(s, 250, NULL, "%.*s", SLICE_ARG(s->shared->config->hostname));
}

static void do_starttls(struct smtpd_session *s) {
    struct smtpd_shared *shared = s->shared;
    struct transport *over;
    struct err e;
    if (s->tls || !shared->start_tls) {
        refuse(s, s->tls ? 503 : 502, "5.5.1", s->tls ? "TLS is on already" : "TLS is not offered here");
        return;
    }
    // What came before the handshake in clear text may be an attacker's (RFC 3207 6, CVE-2011-0411): no going on.
    if (stream_unread(&s->stream)) {
        reply(s, 554, "5.5.0", "nothing may follow STARTTLS before the handshake, goodbye");
        end_session(s, METRIC_REASON_SYNTAX);
        return;
    }
    reply(s, 220, "2.0.0", "ready for TLS");
    struct mono deadline = loop_in_ms(fiber_loop(), shared->config->timeouts.command);
    if (!stream_flush(&s->stream, &e) ||
        !shared->start_tls(shared->tls_arg, s->stream.transport, deadline, &over, &e)) {
        metric_add_at(shared->metrics, METRIC_TLS_IN, METRIC_RESULT_FAILED, 1);
        journal_event(shared->journal, JOURNAL_INFO, "tls-failed", JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                      JOURNAL_ERR(&e));
        s->ending = true;
        return;
    }
    metric_add_at(shared->metrics, METRIC_TLS_IN, METRIC_RESULT_OK, 1);
    stream_replace(&s->stream, over);
    s->tls = true;
    s->esmtp = false;
    buf_reset(&s->helo);
    end_transaction(s);
}

// --- MAIL, RCPT

static bool may_begin(struct smtpd_session *s) {
    const struct config_limits *limits = &s->shared->config->limits;
    if (s->helo.n == 0) {
        refuse(s, 503, "5.5.1", "send EHLO first");
        return false;
    }
    if (s->transaction) {
        refuse(s, 503, "5.5.1", "a transaction has begun already; RSET ends it");
        return false;
    }
    if (!s->trusted && s->messages >= limits->messages_per_session) {
        reply(s, 421, "4.7.0", "%.*s enough messages for one session, please connect again",
              SLICE_ARG(s->shared->config->hostname));
        end_session(s, METRIC_REASON_LIMIT);
        return false;
    }
    return true;
}

static bool set_sender(struct smtpd_session *s, const struct smtp_command *c, struct err *e) {
    struct envelope *env = &s->transaction->envelope;
    struct address a;
    uint64_t size_max = s->shared->config->limits.message_size;
    if (c->has_size && c->size > size_max)
        return err_smtp(e, 552, "5.3.4", "the message is larger than %llu bytes", (unsigned long long)size_max);
    env->flags = (c->smtputf8 ? ENVELOPE_SMTPUTF8 : 0u) | (c->body == SMTP_BODY_8BITMIME ? ENVELOPE_8BIT : 0u);
    if (c->path.mailbox.n == 0)
        return true; // the null reverse-path
    return read_address(s, c->path.mailbox, ADDRESS_SENDER, &a, e) && address_in_arena(s, &a, &env->sender, e);
}

static void do_mail(struct smtpd_session *s, const struct smtp_command *c) {
    struct err e;
    if (!may_begin(s))
        return;
    if (!begin_transaction(s, &e) || !set_sender(s, c, &e)) {
        end_transaction(s);
        refuse_err(s, &e);
        return;
    }
    reply(s, 250, "2.1.0", "sender ok");
}

static bool add_recipient(struct smtpd_session *s, struct slice address, struct slice original, struct err *e) {
    struct smtpd_transaction *t = s->transaction;
    struct envelope *env = &t->envelope;
    for (size_t i = 0; i < env->recipients_n; i++)
        if (slice_eq(env->recipients[i].address, address))
            return true; // asked for twice, or reached by two aliases: delivered once
    if (env->recipients_n == ENVELOPE_RECIPIENTS_MAX)
        return err_smtp(e, 452, "4.5.3", "too many recipients for one transaction");
    if (env->recipients_n == t->recipients_cap) {
        size_t cap = t->recipients_cap ? t->recipients_cap * 2 : 2;
        struct envelope_recipient *more = arena_alloc(&s->arena, cap * sizeof *more);
        if (!more)
            return err_smtp(e, 452, "4.5.3", "too many recipients for one transaction");
        if (env->recipients_n)
            memcpy(more, env->recipients, env->recipients_n * sizeof *more);
        env->recipients = more;
        t->recipients_cap = cap;
    }
    env->recipients[env->recipients_n++] = (struct envelope_recipient){
        .address = address,
        .original = slice_eq(address, original) ? SLICE_EMPTY : original,
    };
    return true;
}

static bool refuse_as(struct smtpd_session *s, enum metric_label_REASON reason) {
    metric_add_at(s->shared->metrics, METRIC_RECIPIENTS_REFUSED, reason, 1);
    return false;
}

// A recipient of ours, through the tables.
static bool take_local(struct smtpd_session *s, struct slice address, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    struct message_expand_reply found;
    if (!backend->ops->expand(backend, address, &s->arena, &found, e))
        return refuse_as(s, METRIC_REASON_TEMPORARY);
    if (found.result == MESSAGE_EXPAND_UNKNOWN) {
        err_smtp(e, 550, "5.1.1", "no such recipient here");
        return refuse_as(s, METRIC_REASON_UNKNOWN);
    }
    if (found.result != MESSAGE_EXPAND_OK) {
        err_smtp(e, 451, "4.3.0", "the recipient can't be looked up now, please try again later");
        return refuse_as(s, METRIC_REASON_TEMPORARY);
    }
    size_t before = s->transaction->envelope.recipients_n;
    for (size_t i = 0; i < found.addresses_n; i++)
        if (!add_recipient(s, found.addresses[i], address, e)) {
            s->transaction->envelope.recipients_n = before;
            return refuse_as(s, METRIC_REASON_LIMIT);
        }
    return true;
}

static bool deny_relay(struct smtpd_session *s, struct err *e) {
    err_smtp(e, 550, "5.7.1", "relaying denied: this domain is not served here and your address is not trusted");
    return refuse_as(s, METRIC_REASON_RELAY);
}

// Never an open relay: an address that asks to be routed on is refused from strangers even when its domain is ours,
// since whoever takes it next might follow it.
static bool take_recipient(struct smtpd_session *s, const struct smtp_command *c, struct err *e) {
    struct address a;
    struct slice whole;
    if (!read_address(s, c->path.mailbox, ADDRESS_RECIPIENT, &a, e))
        return refuse_as(s, METRIC_REASON_SYNTAX);
    if (a.utf8 && !(s->transaction->envelope.flags & ENVELOPE_SMTPUTF8)) {
        err_smtp(e, 553, "5.6.7", "the address needs SMTPUTF8");
        return refuse_as(s, METRIC_REASON_SYNTAX);
    }
    if (!s->trusted && (c->path.route.n || address_routing_trick(a.local)))
        return deny_relay(s, e);
    const struct config_domain *domain = a.domain.n ? route_is_local(s->shared->config, a.domain) : NULL;
    if (a.domain.n && !domain && !s->trusted)
        return deny_relay(s, e);
    if (!address_in_arena(s, &a, &whole, e))
        return refuse_as(s, METRIC_REASON_LIMIT);
    if (a.domain.n == 0 || (domain && !(domain->relayed && domain->any_recipient)))
        return take_local(s, whole, e);
    return add_recipient(s, whole, whole, e);
}

static void do_rcpt(struct smtpd_session *s, const struct smtp_command *c) {
    struct smtpd_transaction *t = s->transaction;
    struct err e;
    if (!t || t->chunking) {
        refuse(s, 503, "5.5.1", t ? "content has begun" : "send MAIL first");
        return;
    }
    if (t->accepted >= s->shared->config->limits.recipients) {
        metric_add_at(s->shared->metrics, METRIC_RECIPIENTS_REFUSED, METRIC_REASON_LIMIT, 1);
        refuse(s, 452, "4.5.3", "too many recipients for one transaction");
        return;
    }
    if (!take_recipient(s, c, &e)) {
        struct slice id = slice_of(s->id, sizeof s->id);
        journal_event(s->shared->journal, JOURNAL_INFO, "recipient-refused", JOURNAL_STR("session", id),
                      JOURNAL_STR("client", t->envelope.client), JOURNAL_STR("helo", buf_slice(&s->helo)),
                      JOURNAL_STR("from", t->envelope.sender), JOURNAL_STR("to", c->path.whole),
                      JOURNAL_INT("code", e.smtp), JOURNAL_ERR(&e));
        refuse_err(s, &e);
        return;
    }
    if (++t->accepted == 1)
        t->for_whom = arena_dup(&s->arena, c->path.mailbox);
    reply(s, 250, "2.1.5", "recipient ok");
}

// --- content

static void note_refused_message(struct smtpd_session *s, const struct err *e) {
    enum metric_label_REASON reason = e->smtp == 552   ? METRIC_REASON_SIZE
                                      : e->smtp == 452 ? METRIC_REASON_DISK
                                      : e->smtp == 554 ? METRIC_REASON_CONTENT
                                                       : METRIC_REASON_TEMPORARY;
    metric_add_at(s->shared->metrics, METRIC_MESSAGES_REFUSED, reason, 1);
    journal_event(s->shared->journal, JOURNAL_INFO, "message-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", s->transaction->envelope.client),
                  JOURNAL_STR("from", s->transaction->envelope.sender), JOURNAL_INT("code", e->smtp), JOURNAL_ERR(e));
}

// The end of content was read: 250 only once the queue says that it is durable.
static void finish_message(struct smtpd_session *s) {
    struct smtpd_transaction *t = s->transaction;
    struct metric *m = s->shared->metrics;
    struct mono begun = loop_now(fiber_loop());
    struct err e;
    if (smtpd_content_submit(&t->content, s, &e)) {
        char id[QUEUE_ID_TEXT];
        queue_id_print(t->content.queue_id, id);
        reply(s, 250, "2.0.0", "queued as %.*s", QUEUE_ID_TEXT, id);
        s->messages++;
        metric_add(m, METRIC_MESSAGES_ACCEPTED, 1);
        metric_add(m, METRIC_BYTES_ACCEPTED, t->content.body.size);
        metric_add(m, METRIC_RECIPIENTS_ACCEPTED, t->envelope.recipients_n);
        metric_observe(m, METRIC_ACCEPT_SECONDS, 0, loop_now(fiber_loop()).ns - begun.ns);
    } else {
        note_refused_message(s, &e);
        refuse_err(s, &e);
    }
    end_transaction(s);
}

static void lost(struct smtpd_session *s, const struct err *e) {
    s->ending = true;
    journal_event(s->shared->journal, JOURNAL_INFO, "session-lost",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_ERR(e));
    if (e->kind == ERR_TIMEOUT)
        reply(s, 421, "4.4.2", "%.*s timed out, goodbye", SLICE_ARG(s->shared->config->hostname));
    else if (e->kind == ERR_CANCELLED)
        reply(s, 421, "4.3.2", "%.*s is going down, please connect again later",
              SLICE_ARG(s->shared->config->hostname));
}

static void do_data(struct smtpd_session *s) {
    struct smtpd_transaction *t = s->transaction;
    struct err e;
    if (!t || t->chunking) {
        refuse(s, 503, "5.5.1", t ? "DATA can't follow BDAT" : "send MAIL first");
        return;
    }
    if (t->envelope.recipients_n == 0) {
        refuse(s, 554, "5.5.1", "no valid recipients");
        return;
    }
    smtpd_content_begin(&t->content, s);
    reply(s, 354, NULL, "end with <CRLF>.<CRLF>");
    if (smtpd_content_read_data(&t->content, s, &e))
        finish_message(s);
    else
        lost(s, &e);
}

// A chunk that has no place is read all the same: its bytes must never be taken for commands (RFC 3030 4.2).
static bool skip_chunk(struct smtpd_session *s, uint64_t n) {
    struct slice view;
    struct err e;
    while (n) {
        if (!stream_peek(&s->stream, loop_in_ms(fiber_loop(), s->shared->config->timeouts.data_block), &view, &e)) {
            lost(s, &e);
            return false;
        }
        size_t take = n < view.n ? (size_t)n : view.n;
        stream_consume(&s->stream, take);
        n -= take;
    }
    return true;
}

static void do_bdat(struct smtpd_session *s, const struct smtp_command *c) {
    struct smtpd_transaction *t = s->transaction;
    struct err e;
    if (!t || t->spoilt || t->envelope.recipients_n == 0) {
        bool none = t && !t->spoilt;
        if (t)
            t->spoilt = true;
        if (skip_chunk(s, c->chunk))
            refuse(s, none ? 554 : 503, "5.5.1", none ? "no valid recipients" : "send MAIL first");
        return;
    }
    if (!t->chunking)
        smtpd_content_begin(&t->content, s);
    t->chunking = true;
    if (!smtpd_content_read_chunk(&t->content, s, c->chunk, c->last, &e)) {
        lost(s, &e);
        return;
    }
    if (c->last) {
        finish_message(s);
    } else if (t->content.refused) {
        t->spoilt = true;
        note_refused_message(s, &t->content.why);
        refuse_err(s, &t->content.why);
    } else {
        reply(s, 250, "2.0.0", "%llu bytes received", (unsigned long long)c->chunk);
    }
}

// --- all commands

static void do_quit(struct smtpd_session *s) {
    reply(s, 221, "2.0.0", "%.*s goodbye", SLICE_ARG(s->shared->config->hostname));
    s->ending = true;
}

static void do_rset(struct smtpd_session *s) {
    end_transaction(s);
    reply(s, 250, "2.0.0", "ok");
}

static void run_command(struct smtpd_session *s, const struct smtp_command *c) {
    switch (c->verb) {
    case SMTP_HELO:
    case SMTP_EHLO:
        do_helo(s, c);
        break;
    case SMTP_STARTTLS:
        do_starttls(s);
        break;
    case SMTP_MAIL:
        do_mail(s, c);
        break;
    case SMTP_RCPT:
        do_rcpt(s, c);
        break;
    case SMTP_DATA:
        do_data(s);
        break;
    case SMTP_BDAT:
        do_bdat(s, c);
        break;
    case SMTP_RSET:
        do_rset(s);
        break;
    case SMTP_NOOP:
        reply(s, 250, "2.0.0", "ok");
        break;
    case SMTP_VRFY: // RFC 5321 3.5.3: neither yes nor no, so that nobody's existence is told
        reply(s, 252, "2.0.0", "send some mail and see");
        break;
    case SMTP_HELP:
        reply(s, 214, "2.0.0", "HELO EHLO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 5321)");
        break;
    case SMTP_QUIT:
        do_quit(s);
        break;
    case SMTP_EXPN:
    case SMTP_AUTH:
    default:
        refuse(s, 502, "5.5.1", "not offered here");
        break;
    }
}

// After a BDAT that can't be read nobody knows where the content ends.
static void refuse_line(struct smtpd_session *s, struct slice line, const struct err *e) {
    if (smtp_command_verb(line) != SMTP_BDAT) {
        refuse_err(s, e);
        return;
    }
    smtp_reply_format_err(&s->stream.out, e);
    end_session(s, METRIC_REASON_SYNTAX);
}

static struct slice without_line_end(struct slice line) {
    line.n -= line.n && line.p[line.n - 1] == '\n';
    line.n -= line.n && line.p[line.n - 1] == '\r';
    return line;
}

static bool next_command(struct smtpd_session *s) {
    const struct config *config = s->shared->config;
    struct smtp_command command;
    struct slice line;
    struct err e;
    bool too_long;
    s->idle = !s->transaction;
    bool got = stream_line(&s->stream, config->limits.command_line, loop_in_ms(fiber_loop(), config->timeouts.command),
                           &line, &too_long, &e);
    s->idle = false;
    if (!got) {
        if (e.kind == ERR_TIMEOUT || e.kind == ERR_CANCELLED || s->transaction)
            lost(s, &e);
        s->ending = true;
        return false;
    }
    line = without_line_end(line);
    if (too_long)
        refuse(s, 500, "5.5.2", "the line is too long");
    else if (!smtp_command_parse(line, &command, &e))
        refuse_line(s, line, &e);
    else
        run_command(s, &command);
    return true;
}

static void say_goodbye_when_stopping(struct smtpd_session *s) {
    if (!s->shared->stopping || s->ending || s->transaction)
        return;
    reply(s, 421, "4.3.2", "%.*s is going down, please connect again later", SLICE_ARG(s->shared->config->hostname));
    s->ending = true;
}

// A close while input is unread makes the kernel send a reset, which can take the last reply away from the client.
static void linger(struct smtpd_session *s) {
    struct mono until = loop_in_ms(fiber_loop(), LINGER_MS);
    size_t dropped = 0;
    struct slice view;
    struct err e;
    if (!stream_unread(&s->stream))
        return;
    while (dropped < LINGER_BYTES && stream_peek(&s->stream, until, &view, &e)) {
        stream_consume(&s->stream, view.n);
        dropped += view.n;
    }
}

void smtpd_session_init(struct smtpd_session *s, struct smtpd_shared *shared, struct transport *t,
                        const struct netaddr *client, uint64_t id) {
    *s = (struct smtpd_session){
        .shared = shared,
        .client = *client,
        .trusted = config_trusts(shared->config, client),
        .helo = {.max = HELO_MAX},
        .arena = {.max = SMTPD_TRANSACTION_MAX},
    };
    stream_init(&s->stream, t);
    queue_id_print(id, s->id);
}

void smtpd_session_run(struct smtpd_session *s) {
    struct err e;
    reply(s, 220, NULL, "%.*s ESMTP", SLICE_ARG(s->shared->config->hostname));
    while (!s->ending && next_command(s)) {
        say_goodbye_when_stopping(s);
        if (s->stream.out.n > OUT_HIGH && !stream_flush(&s->stream, &e))
            s->ending = true;
    }
    if (stream_flush(&s->stream, &e))
        linger(s);
}

void smtpd_session_stop(struct smtpd_session *s) {
    struct transport *t = s->stream.transport;
    struct slice line = SLICE("421 4.3.2 going down, please connect again later\r\n");
    size_t put;
    if (!s->idle)
        return;
    if (s->stream.out.n == 0)
        t->ops->write(t, line, &put, NULL);
    t->ops->shutdown(t);
}

void smtpd_session_done(struct smtpd_session *s) {
    end_transaction(s);
    arena_done(&s->arena);
    buf_done(&s->helo);
    stream_done(&s->stream);
}
