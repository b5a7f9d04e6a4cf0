// smtpd_session: reading commands and running them.
#include "svc/smtpd/smtpd_session.h"

#include "core/message/message_auth.h"
#include "core/queue/queue_id.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_auth.h"
#include "svc/smtpd/smtpd_filter_session.h"
#include "svc/smtpd/smtpd_gate.h"
#include "svc/smtpd/smtpd_message.h"
#include "svc/smtpd/smtpd_reply.h"
#include "svc/smtpd/smtpd_xclient.h"
#include "wire/smtp_reply.h"

enum {
    LINGER_MS = 1000,         // after a last reply: for the client to read it
    LINGER_BYTES = 64 * 1024, // of input that is dropped meanwhile
    OUT_HIGH = 16 * 1024,     // unsent replies to pipelined commands
    HELO_MAX = 512,
    HANDSHAKE_MS = MS_MINUTE, // of implicit TLS, which comes before any word of SMTP
};

// --- HELO, EHLO, STARTTLS

static void greet(struct smtpd_session *s) { smtpd_reply_named(s, SLICE("220 "), SLICE(" ESMTP")); }

static bool offers_tls(const struct smtpd_session *s) { return s->shared->start_tls && !s->tls; }

// RFC 8689 2: over TLS, by who can keep to it further on.
static bool offers_requiretls(const struct smtpd_session *s) {
    return s->tls && s->shared->config->tls_out != CONFIG_TLS_OUT_NEVER;
}

static void greet_extended(struct smtpd_session *s) {
    const struct config *c = s->shared->config;
    struct buf lines = {.max = 4096};
    buf_addf(&lines, "%.*s\nPIPELINING\nSIZE %llu\n8BITMIME\nSMTPUTF8\nCHUNKING", SLICE_ARG(c->hostname),
             (unsigned long long)c->limits.message_size);
    if (offers_tls(s)) // not last: there are clients that look for "250-STARTTLS"
        buf_add_str(&lines, "\nSTARTTLS");
    buf_add_str(&lines, "\nENHANCEDSTATUSCODES");
    if (offers_requiretls(s))
        buf_add_str(&lines, "\nREQUIRETLS");
    smtpd_auth_offer(s, &lines);
    smtpd_xclient_offer(s, &lines);
    smtp_reply_format(&s->stream.out, 250, NULL, buf_slice(&lines));
    buf_done(&lines);
}

static FIBER_FN bool may_greet(struct smtpd_session *s, struct slice name) {
    struct err e;
    if (stream_unread(&s->stream)) // nobody knows yet that PIPELINING is offered (RFC 2920 3.1)
        smtpd_gate_pipelined(s);
    if (smtpd_gate_helo(s, name, &e))
        return true;
    journal_event(s->shared->journal, JOURNAL_INFO, "helo-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", slice_of(s->client_text, s->client_text_n)), JOURNAL_STR("helo", name),
                  JOURNAL_INT("code", e.smtp), JOURNAL_ERR(&e));
    metric_add_at(s->shared->metrics, METRIC_SESSIONS_REFUSED, METRIC_REASON_POLICY, 1);
    smtpd_refuse_err(s, &e);
    return false;
}

// The name is a view into the line, which a wait can take away.
static FIBER_FN void do_helo(struct smtpd_session *s, const struct smtp_command *c) {
    smtpd_transaction_end(s);
    buf_reset(&s->helo);
    buf_add(&s->helo, c->arg);
    s->esmtp = c->verb == SMTP_EHLO;
    if (!may_greet(s, buf_slice(&s->helo))) {
        buf_reset(&s->helo);
        return;
    }
    if (s->esmtp)
        greet_extended(s);
    else
        smtpd_reply_named(s, SLICE("250 "), SLICE_EMPTY);
}

static FIBER_FN bool handshake(struct smtpd_session *s, struct mono deadline, struct err *e) {
    struct smtpd_shared *shared = s->shared;
    struct transport *over;
    s->handshaking = true;
    s->waits_since = loop_now(fiber_loop());
    bool done = shared->start_tls(shared->tls_arg, s->stream.transport, deadline, &over, e);
    s->waits_since = (struct mono){0};
    s->handshaking = false;
    if (done)
        stream_replace(&s->stream, over);
    return done;
}

// Without TLS the session ends: there is nobody to talk to any more.
static FIBER_FN void start_tls(struct smtpd_session *s, int64_t ms) {
    struct smtpd_shared *shared = s->shared;
    struct err e;
    s->tls = stream_flush(&s->stream, &e) && handshake(s, smtpd_session_patience(s, ms), &e);
    metric_add_at(shared->metrics, METRIC_TLS_IN, s->tls ? METRIC_RESULT_OK : METRIC_RESULT_FAILED, 1);
    if (s->tls)
        return;
    journal_event(shared->journal, JOURNAL_INFO, "tls-failed", JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", slice_of(s->client_text, s->client_text_n)), JOURNAL_ERR(&e));
    s->ending = true;
}

static FIBER_FN void do_starttls(struct smtpd_session *s) {
    struct smtpd_shared *shared = s->shared;
    if (s->tls || !shared->start_tls) {
        smtpd_refuse(s, s->tls ? SLICE("503 5.5.1 TLS is on already\r\n")
                               : SLICE("502 5.5.1 TLS is not offered here\r\n"));
        return;
    }
    // What came before the handshake in clear text may be an attacker's (RFC 3207 6, CVE-2011-0411): no going on.
    if (stream_unread(&s->stream)) {
        smtpd_reply(s, SLICE("554 5.5.0 nothing may follow STARTTLS before the handshake, goodbye\r\n"));
        smtpd_end(s, METRIC_REASON_SYNTAX);
        return;
    }
    smtpd_reply(s, SLICE("220 2.0.0 ready for TLS\r\n"));
    start_tls(s, shared->config->timeouts.command);
    // RFC 3207 4.2: what the client said before is forgotten.
    smtpd_session_forget(s);
    smtpd_gate_tls(s);
}

// --- all commands

static void do_rset(struct smtpd_session *s) {
    smtpd_transaction_end(s);
    smtpd_reply(s, SLICE("250 2.0.0 ok\r\n"));
}

static void refuse_verb(struct smtpd_session *s) { smtpd_refuse(s, SLICE("502 5.5.1 not offered here\r\n")); }

// Parameters belong to what is offered (RFC 5321 4.1.1.11).
static FIBER_FN void do_mail(struct smtpd_session *s, const struct smtp_command *c) {
    bool outside = !s->transaction;
    if (c->requiretls && !offers_requiretls(s))
        smtpd_refuse(s, s->tls ? SLICE("555 5.5.4 REQUIRETLS is not offered here\r\n")
                               : SLICE("555 5.5.4 REQUIRETLS only over TLS\r\n"));
    else if (c->submitter.n && !smtpd_is_submission(s))
        smtpd_refuse(s, SLICE("555 5.5.4 a parameter of MAIL is not known here\r\n"));
    else
        smtpd_mail(s, c);
    if (outside && s->transaction && c->requiretls)
        s->transaction->envelope.flags |= ENVELOPE_REQUIRETLS;
}

// Submission is for users (RFC 6409 4.3).
static bool must_log_in(const struct smtpd_session *s, enum smtp_verb verb) {
    bool use = verb == SMTP_MAIL || verb == SMTP_RCPT || verb == SMTP_DATA || verb == SMTP_BDAT || verb == SMTP_VRFY;
    return use && smtpd_is_submission(s) && s->user.n == 0;
}

static FIBER_FN void ask_to_log_in(struct smtpd_session *s, const struct smtp_command *c) {
    if (c->verb == SMTP_BDAT && !smtpd_skip_chunk(s, c->chunk))
        return;
    smtpd_refuse(s, s->tls || !s->shared->start_tls ? SLICE("530 5.7.0 authentication required\r\n")
                                                    : SLICE("530 5.7.0 must issue a STARTTLS command first\r\n"));
}

static FIBER_FN void run_command(struct smtpd_session *s, const struct smtp_command *c) {
    if (must_log_in(s, c->verb)) {
        ask_to_log_in(s, c);
        return;
    }
    switch (c->verb) {
    case SMTP_HELO:
    case SMTP_EHLO:
        do_helo(s, c);
        break;
    case SMTP_STARTTLS:
        do_starttls(s);
        break;
    case SMTP_AUTH:
        if (smtpd_is_submission(s))
            smtpd_auth(s, c);
        else
            refuse_verb(s);
        break;
    case SMTP_XCLIENT:
        if (smtpd_xclient(s, c) && smtpd_gate_connect(s))
            greet(s);
        break;
    case SMTP_MAIL:
        do_mail(s, c);
        break;
    case SMTP_RCPT:
        smtpd_rcpt(s, c);
        break;
    case SMTP_DATA:
        smtpd_data(s);
        break;
    case SMTP_BDAT:
        smtpd_bdat(s, c);
        break;
    case SMTP_RSET:
        do_rset(s);
        break;
    case SMTP_NOOP:
        smtpd_reply(s, SLICE("250 2.0.0 ok\r\n"));
        break;
    case SMTP_VRFY: // RFC 5321 3.5.3: neither yes nor no, so that nobody's existence is told
        smtpd_reply(s, SLICE("252 2.0.0 send some mail and see\r\n"));
        break;
    case SMTP_HELP:
        smtpd_reply(s,
                    SLICE("214 2.0.0 HELO EHLO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 5321)\r\n"));
        break;
    case SMTP_QUIT:
        smtpd_reply_named(s, SLICE("221 2.0.0 "), SLICE(" goodbye"));
        s->ending = true;
        break;
    case SMTP_EXPN:
    default:
        refuse_verb(s);
        break;
    }
}

// A line that is no command. After a BDAT that can't be read nobody knows where the content ends: no going on.
static FIBER_FN void refuse_line(struct smtpd_session *s, struct slice line, const struct err *e) {
    struct err words;
    if (smtp_command_verb(line) == SMTP_UNKNOWN && !smtpd_filter_unknown(s, line, &words)) {
        smtpd_refuse_err(s, &words);
        return;
    }
    if (smtp_command_verb(line) != SMTP_BDAT) {
        smtpd_refuse_err(s, e);
        return;
    }
    smtp_reply_format_err(&s->stream.out, e);
    smtpd_end(s, METRIC_REASON_SYNTAX);
}

static struct slice without_line_end(struct slice line) {
    line.n -= line.n && line.p[line.n - 1] == '\n';
    line.n -= line.n && line.p[line.n - 1] == '\r';
    return line;
}

static FIBER_FN void take_line(struct smtpd_session *s, struct slice line, bool too_long) {
    struct smtp_command command;
    struct err e;
    line = without_line_end(line);
    if (too_long) {
        bool auth = smtpd_is_submission(s) && smtp_command_verb(line) == SMTP_AUTH;
        err_smtp(&e, 500, auth ? "5.5.6" : "5.5.2", "the line is too long");
        refuse_line(s, line, &e);
    } else if (!smtp_command_parse(line, &command, &e)) {
        refuse_line(s, line, &e);
    } else {
        run_command(s, &command);
    }
}

static void note_silence(struct smtpd_session *s, const struct err *e) {
    if (e->kind == ERR_TIMEOUT || e->kind == ERR_CANCELLED || s->transaction)
        smtpd_lost(s, e);
    s->ending = true;
}

// An initial response may be long (RFC 4954 4), and only on submission is there any.
static size_t command_max(const struct smtpd_session *s) {
    uint32_t most = s->shared->config->limits.command_line;
    return most < STREAM_IN && !smtpd_is_submission(s) ? most : STREAM_IN;
}

static FIBER_FN bool wait_line(struct smtpd_session *s, struct slice *line, bool *too_long) {
    const struct config *config = s->shared->config;
    size_t line_max = command_max(s);
    struct err e;
    struct mono since = loop_now(fiber_loop());
    s->idle = !s->transaction;
    s->waits_since = since;
    bool got = stream_line(&s->stream, line_max, smtpd_pace_patience(s), line, too_long, &e) &&
               smtpd_pace_command(s, since, &e);
    s->idle = false;
    s->waits_since = (struct mono){0};
    if (!got)
        note_silence(s, &e);
    else if (line->n > config->limits.command_line && smtp_command_verb(*line) != SMTP_AUTH) {
        *too_long = true;
        *line = slice_upto(*line, STREAM_HEAD);
    }
    return got;
}

// A close while input is unread makes the kernel send a reset, which can take the last reply away from the client.
static FIBER_FN void linger(struct smtpd_session *s) {
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
        .helo = {.max = HELO_MAX},
        .user = {.max = MESSAGE_USER_MAX},
        .name = {.max = ADDRESS_MAX},
        .arena = {.max = SMTPD_TRANSACTION_MAX},
    };
    stream_init(&s->stream, t);
    queue_id_print(id, s->id);
    smtpd_session_set_client(s, client);
}

void smtpd_session_set_client(struct smtpd_session *s, const struct netaddr *client) {
    const struct config *c = s->shared->config;
    s->client = *client;
    s->name_asked = s->name_confirmed = false;
    buf_reset(&s->name);
    s->trusted = !smtpd_is_submission(s) && config_trusts(c, client);
    struct buf text = {.p = s->client_text, .cap = sizeof s->client_text, .max = sizeof s->client_text};
    netaddr_add_literal(&text, client);
    s->client_text_n = (uint8_t)text.n;
}

bool smtpd_session_gives_way(const struct smtpd_session *s) {
    return s->shared->stress && !s->trusted && s->user.n == 0;
}

struct mono smtpd_session_patience(const struct smtpd_session *s, int64_t ms) {
    return loop_in_ms(fiber_loop(), smtpd_session_gives_way(s) && ms > SMTPD_STRESS_MS ? SMTPD_STRESS_MS : ms);
}

void smtpd_session_forget(struct smtpd_session *s) {
    smtpd_transaction_end(s);
    s->esmtp = false;
    buf_reset(&s->helo);
    buf_reset(&s->user);
}

void smtpd_session_run(struct smtpd_session *s) {
    struct slice line;
    bool too_long;
    const struct config *c = s->shared->config;
    struct err e;
    s->xclient = config_in_nets(c->xclient_from, c->xclient_from_n, &s->client);
    if (s->tls_implicit && !s->shared->start_tls)
        s->ending = true;
    else if (s->tls_implicit)
        start_tls(s, HANDSHAKE_MS);
    if (!s->ending && smtpd_gate_connect(s))
        greet(s);
    while (!s->ending) {
        uint32_t errors = s->errors;
        s->misdeed = MESSAGE_SEEN_ERROR;
        if (s->shared->stopping && !s->transaction)
            smtpd_goodbye(s);
        else if (s->stream.out.n > OUT_HIGH && !stream_flush(&s->stream, &e))
            s->ending = true;
        else if (wait_line(s, &line, &too_long))
            take_line(s, line, too_long);
        if (s->errors > errors)
            smtpd_gate_misdeed(s, s->misdeed);
    }
    if (stream_flush(&s->stream, &e))
        linger(s);
}

void smtpd_session_stop(struct smtpd_session *s) {
    struct transport *t = s->stream.transport;
    if (s->handshaking)
        t->ops->shutdown(t);
    if (!s->idle)
        return;
    if (s->stream.out.n == 0) {
        size_t put;
        smtpd_goodbye(s);
        t->ops->write(t, buf_slice(&s->stream.out), &put, NULL); // as much as fits: nobody waits for more
        buf_reset(&s->stream.out);
    }
    t->ops->shutdown(t);
}

void smtpd_session_done(struct smtpd_session *s) {
    smtpd_transaction_end(s);
    smtpd_filter_done(s);
    smtpd_gate_done(s);
    arena_done(&s->arena);
    buf_done(&s->helo);
    buf_done(&s->name);
    buf_done(&s->user);
    stream_done(&s->stream);
}
