// smtpd_auth: reading responses, asking, telling.
#include "svc/smtpd/smtpd_auth.h"

#include "base/base64.h"
#include "core/auth/auth_offer.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_reply.h"

#include <string.h>

enum { FAILURES_MAX = 3, SPACE_MAX = 64 * 1024 };

#define BIT(name) (1u << CONFIG_MECHANISM_##name)

// One AUTH command from its line to its last reply.
struct exchange {
    struct smtpd_session *session;
    size_t mechanism;          // enum config_mechanism
    struct smtpd_asked *asked; // NULL: no conversation stands open
    struct buf response;       // decoded; wiped
    struct buf space;          // what `reply` looks into
    struct message_auth_reply reply;
    struct smtpd_tls_facts facts;
};

// --- what is offered

static void tls_facts(const struct smtpd_session *s, struct smtpd_tls_facts *out) {
    *out = (struct smtpd_tls_facts){{.max = 256}, {.max = 256}, {.max = MESSAGE_USER_MAX}};
    if (s->tls && s->shared->tls_facts)
        s->shared->tls_facts(s->stream.transport, out);
}

static void tls_facts_done(struct smtpd_tls_facts *f) {
    buf_done(&f->exporter);
    buf_done(&f->end_point);
    buf_done(&f->subject);
}

uint32_t smtpd_auth_mechanisms(struct smtpd_session *s) {
    if (!smtpd_is_submission(s) || !s->tls)
        return 0;
    struct smtpd_tls_facts facts;
    uint32_t can = auth_mechanisms(s->shared->config);
    tls_facts(s, &facts);
    if (facts.exporter.n + facts.end_point.n == 0)
        can &= ~BIT(SCRAM_SHA_256_PLUS);
    if (facts.subject.n == 0)
        can &= ~BIT(EXTERNAL);
    tls_facts_done(&facts);
    return can;
}

static void add_upper(struct buf *to, const char *text) {
    for (; *text; text++)
        buf_add_char(to, (char)(*text >= 'a' && *text <= 'z' ? *text - ('a' - 'A') : *text));
}

void smtpd_auth_offer(struct smtpd_session *s, struct buf *lines) {
    uint32_t can = s->user.n ? 0 : smtpd_auth_mechanisms(s); // once in a session
    if (!can)
        return;
    buf_add_str(lines, "\nAUTH");
    for (size_t i = CONFIG_MECHANISM_COUNT; i-- > 0;) // the better ones first: some clients take the first they know
        if (can & 1u << i) {
            buf_add_char(lines, ' ');
            add_upper(lines, config_mechanism_names[i]);
        }
}

// --- how it ends

static void write_event(struct journal *j, enum metric_label_LOGIN how, const struct journal_field *fields, size_t n) {
    switch (how) {
    case METRIC_LOGIN_OK:
        journal_write(j, JOURNAL_INFO, SLICE("auth-ok"), fields, n);
        break;
    case METRIC_LOGIN_CANCELLED:
        journal_write(j, JOURNAL_INFO, SLICE("auth-cancelled"), fields, n);
        break;
    case METRIC_LOGIN_TROUBLE:
        journal_write(j, JOURNAL_WARNING, SLICE("auth-trouble"), fields, n);
        break;
    default:
        journal_write(j, JOURNAL_WARNING, SLICE("auth-failed"), fields, n);
        break;
    }
}

// contrib/fail2ban reads these lines: the client stands before anything that it said.
static void note(const struct exchange *x, enum metric_label_LOGIN how, struct slice why) {
    struct smtpd_session *s = x->session;
    bool ok = how == METRIC_LOGIN_OK;
    metric_add_at(s->shared->metrics, METRIC_LOGINS, how, 1);
    if (how != METRIC_LOGIN_CANCELLED)
        metric_add_at(s->shared->metrics, ok ? METRIC_LOGINS_OK : METRIC_LOGINS_REFUSED, (unsigned)x->mechanism, 1);
    BUF_AUTO struct buf client = {.max = 64};
    netaddr_add_endpoint(&client, &s->client);
    const struct journal_field fields[] = {
        JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
        JOURNAL_STR("client", buf_slice(&client)),
        JOURNAL_OPT("user", ok ? buf_slice(&s->user) : x->reply.user),
        JOURNAL_Z("mechanism", config_mechanism_names[x->mechanism]),
        JOURNAL_OPT("secret", x->reply.secret),
        JOURNAL_OPT("why", why),
    };
    write_event(s->shared->journal, how, fields, sizeof fields / sizeof *fields);
}

// Somebody who only guesses is shown the door.
static void refuse(const struct exchange *x, struct slice line) {
    struct smtpd_session *s = x->session;
    if (++s->auth_failures < FAILURES_MAX) {
        smtpd_refuse(s, line);
        return;
    }
    smtpd_reply(s, line);
    metric_add(s->shared->metrics, METRIC_COMMAND_ERRORS, 1);
    s->errors++;
    smtpd_reply_named(s, SLICE("421 4.7.0 "), SLICE(" too many failed log-ins, goodbye"));
    smtpd_end(s, METRIC_REASON_LIMIT);
}

static void end_trouble(struct exchange *x, const struct err *e) {
    if (e->kind == ERR_CANCELLED) {
        smtpd_lost(x->session, e);
        return;
    }
    note(x, METRIC_LOGIN_TROUBLE, slice_str(e->text));
    smtpd_refuse_err(x->session, e);
}

static void end_by_reply(struct exchange *x) {
    struct smtpd_session *s = x->session;
    switch (x->reply.result) {
    case MESSAGE_AUTH_OK:
        buf_add(&s->user, x->reply.user);
        s->auth_type = config_mechanism_names[x->mechanism];
        note(x, METRIC_LOGIN_OK, SLICE_EMPTY);
        smtpd_reply(s, SLICE("235 2.7.0 welcome\r\n"));
        break;
    case MESSAGE_AUTH_FAILED:
        note(x, METRIC_LOGIN_FAILED, x->reply.why);
        refuse(x, SLICE("535 5.7.8 the user name or the password is wrong\r\n"));
        break;
    case MESSAGE_AUTH_LOCKED:
        note(x, METRIC_LOGIN_LOCKED, x->reply.why);
        refuse(x, SLICE("454 4.7.0 too many failed log-ins, please try again later\r\n"));
        break;
    case MESSAGE_AUTH_BAD:
        note(x, METRIC_LOGIN_MALFORMED, x->reply.why);
        refuse(x, SLICE("501 5.5.2 the response is against the mechanism's rules\r\n"));
        break;
    case MESSAGE_AUTH_TROUBLE:
    case MESSAGE_AUTH_CHALLENGE:
        note(x, METRIC_LOGIN_TROUBLE, x->reply.why);
        smtpd_refuse(s, SLICE("454 4.7.0 log-ins are not possible now, please try again later\r\n"));
        break;
    }
}

// --- responses

static void wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_reset(b);
}

static bool decode(struct exchange *x, struct slice text) {
    wipe(&x->response);
    buf_reserve(&x->response, text.n); // growing would leave copies
    if (base64_decode(&x->response, text))
        return true;
    x->reply.user = SLICE_EMPTY;
    note(x, METRIC_LOGIN_MALFORMED, SLICE("no base64"));
    refuse(x, SLICE("501 5.5.2 the response is no base64\r\n"));
    return false;
}

static void put_challenge(struct smtpd_session *s, struct slice challenge) {
    stream_put(&s->stream, SLICE("334 "));
    base64_encode(&s->stream.out, challenge);
    stream_put(&s->stream, SLICE("\r\n"));
}

static struct slice without_line_end(struct slice line) {
    line.n -= line.n && line.p[line.n - 1] == '\n';
    line.n -= line.n && line.p[line.n - 1] == '\r';
    return line;
}

// The client's next line. False: the exchange has ended, with its reply.
static FIBER_FN bool read_response(struct exchange *x) {
    struct smtpd_session *s = x->session;
    struct mono deadline = smtpd_session_patience(s, s->shared->config->timeouts.command);
    struct slice line;
    bool too_long;
    struct err e;
    s->waits_since = loop_now(fiber_loop());
    bool got = stream_line(&s->stream, STREAM_IN, deadline, &line, &too_long, &e);
    s->waits_since = (struct mono){0};
    if (!got) {
        note(x, METRIC_LOGIN_CANCELLED, slice_str(e.text));
        smtpd_lost(s, &e);
        return false;
    }
    line = without_line_end(line);
    x->reply.user = SLICE_EMPTY;
    bool ok = false;
    if (too_long) { // RFC 4954 4
        note(x, METRIC_LOGIN_MALFORMED, SLICE("the response is too long"));
        refuse(x, SLICE("500 5.5.6 the response is too long\r\n"));
    } else if (slice_eq(line, SLICE("*"))) {
        note(x, METRIC_LOGIN_CANCELLED, SLICE_EMPTY);
        smtpd_refuse(s, SLICE("501 5.7.0 cancelled\r\n"));
    } else {
        ok = decode(x, line);
    }
    stream_wipe(&s->stream);
    return ok;
}

// --- the exchange

static FIBER_FN bool begin(struct exchange *x, bool has_initial, struct err *e) {
    struct smtpd_session *s = x->session;
    struct smtpd_backend *b = s->shared->backend;
    BUF_AUTO struct buf name = {.max = 64};
    add_upper(&name, config_mechanism_names[x->mechanism]);
    struct message_auth_begin m = {
        .mechanism = buf_slice(&name),
        .session = slice_of(s->id, sizeof s->id),
        .client = s->client,
        .local = s->local,
        .has_initial = has_initial,
        .initial = buf_slice(&x->response),
        .tls_exporter = buf_slice(&x->facts.exporter),
        .tls_end_point = buf_slice(&x->facts.end_point),
        .client_subject = buf_slice(&x->facts.subject),
    };
    return b->ops->auth_begin(b, &m, &x->asked, &x->space, &x->reply, e);
}

static FIBER_FN void run(struct exchange *x, bool has_initial) {
    struct smtpd_backend *b = x->session->shared->backend;
    struct err e;
    bool told = begin(x, has_initial, &e);
    while (told && x->reply.result == MESSAGE_AUTH_CHALLENGE) {
        put_challenge(x->session, x->reply.challenge);
        if (!read_response(x)) {
            b->ops->auth_cancel(b, x->asked);
            return;
        }
        told = b->ops->auth_continue(b, &x->asked, buf_slice(&x->response), &x->space, &x->reply, &e);
    }
    if (told)
        end_by_reply(x);
    else
        end_trouble(x, &e);
}

// "mechanism [initial-response]"; "=" is an empty one. The words are views into the session's input.
static FIBER_FN void exchange(struct smtpd_session *s, size_t mechanism, struct slice initial) {
    struct exchange x = {
        .session = s,
        .mechanism = mechanism,
        .response = {.max = STREAM_IN},
        .space = {.max = SPACE_MAX},
    };
    tls_facts(s, &x.facts);
    bool ok = initial.n == 0 || slice_eq(initial, SLICE("=")) || decode(&x, initial);
    stream_wipe(&s->stream);
    if (ok)
        run(&x, initial.n > 0);
    wipe(&x.response);
    buf_done(&x.response);
    buf_done(&x.space);
    tls_facts_done(&x.facts);
}

static size_t find_mechanism(struct slice name, uint32_t offered) {
    for (size_t i = 0; i < CONFIG_MECHANISM_COUNT; i++)
        if ((offered & 1u << i) && slice_ieq(name, slice_str(config_mechanism_names[i])))
            return i;
    return CONFIG_MECHANISM_COUNT;
}

void smtpd_auth(struct smtpd_session *s, const struct smtp_command *c) {
    struct slice name, initial;
    slice_cut(c->arg, ' ', &name, &initial);
    initial = slice_trim(initial);
    size_t mechanism = find_mechanism(name, smtpd_auth_mechanisms(s));
    if (!s->tls)
        smtpd_refuse(s, SLICE("538 5.7.11 AUTH only over TLS: send STARTTLS first\r\n"));
    else if (!s->esmtp)
        smtpd_refuse(s, SLICE("503 5.5.1 send EHLO first\r\n"));
    else if (s->user.n)
        smtpd_refuse(s, SLICE("503 5.5.1 you have logged in already\r\n"));
    else if (s->transaction)
        smtpd_refuse(s, SLICE("503 5.5.1 AUTH can't come inside a transaction\r\n"));
    else if (mechanism == CONFIG_MECHANISM_COUNT)
        smtpd_refuse(s, SLICE("504 5.5.4 this mechanism is not offered\r\n"));
    else
        exchange(s, mechanism, initial);
    stream_wipe(&s->stream);
}
