// relay_session: from the greeting to a session that takes messages, and its end.
#include "svc/relay/relay_session.h"

#include "base/mem.h"
#include "rt/fiber/loop.h"
#include "svc/relay/relay_reply.h"

#include <stdlib.h>

enum { QUIT_PATIENCE_MS = 5 * MS_SECOND };

static struct relay_session *session_new(struct transport *t, const struct relay_session_setup *setup) {
    struct relay_session *s = MEM_NEW(struct relay_session);
    stream_init(&s->stream, t);
    s->timeouts = setup->timeouts;
    s->hostname = setup->hostname;
    s->stream.write_timeout_ms = setup->timeouts->data_send;
    struct buf remote = {.p = s->remote, .cap = sizeof s->remote, .max = sizeof s->remote};
    buf_add(&remote, slice_upto(setup->host, RELAY_REMOTE_MAX / 2));
    buf_add_char(&remote, '[');
    netaddr_add_ip(&remote, &setup->at);
    buf_addf(&remote, "]:%u", setup->at.port);
    s->remote_n = remote.n;
    return s;
}

void relay_session_free(struct relay_session *s) {
    if (!s)
        return;
    stream_done(&s->stream);
    smtp_reply_free(&s->reply);
    free(s);
}

static void command(struct relay_session *s, const char *verb, struct slice argument) {
    stream_put(&s->stream, slice_str(verb));
    if (argument.n)
        stream_put(&s->stream, SLICE(" "));
    stream_put(&s->stream, argument);
    stream_put(&s->stream, SLICE("\r\n"));
}

static FIBER_FN bool greeting(struct relay_session *s, struct err *e) {
    if (!relay_reply(s, s->timeouts->greeting, e))
        return err_while(e, "waiting for the greeting");
    return smtp_reply_ok(&s->reply) || relay_reply_refused(s, e);
}

// EHLO, and HELO to a server that doesn't know it (RFC 5321 3.2).
static FIBER_FN bool hello(struct relay_session *s, struct err *e) {
    s->ext = (struct smtp_ext){0};
    if (!relay_reply_none(s, e))
        return false;
    command(s, "EHLO", s->hostname);
    if (!relay_reply(s, s->timeouts->greeting, e))
        return err_while(e, "after EHLO");
    if (smtp_reply_ok(&s->reply)) {
        smtp_ext_parse(buf_slice(&s->reply.text), &s->ext);
        return true;
    }
    if (s->reply.code / 100 != 5 || !relay_reply_none(s, e))
        return relay_reply_refused(s, e);
    command(s, "HELO", s->hostname);
    if (!relay_reply(s, s->timeouts->greeting, e))
        return err_while(e, "after HELO");
    return smtp_reply_ok(&s->reply) || relay_reply_refused(s, e);
}

// RFC 5321 4.1.1.1: the first word of the answer is the server's name for itself.
static bool calls_itself(const struct relay_session *s, struct slice name) {
    struct slice word = buf_slice(&s->reply.text), rest;
    slice_cut(word, '\n', &word, &rest);
    slice_cut(word, ' ', &word, &rest);
    return slice_ieq(word, name);
}

// An address alone can be in a certificate, too.
static struct slice name_to_verify(const struct relay_session_setup *setup, char *space, size_t n) {
    struct buf text = {.p = space, .cap = n, .max = n};
    if (setup->host.n || !setup->tls_needed)
        return setup->host;
    netaddr_add_ip(&text, &setup->at);
    return buf_slice(&text);
}

static FIBER_FN enum relay_opened start_tls(struct relay_session *s, const struct relay_session_setup *setup,
                                            struct err *e) {
    struct transport *secure;
    command(s, "STARTTLS", SLICE_EMPTY);
    if (!relay_reply(s, s->timeouts->greeting, e))
        return RELAY_OPENED_TLS_FAILED;
    if (s->reply.code != 220 && !s->broken)
        return RELAY_OPENED; // offered but not given: opportunistic means without, then
    if (s->broken) {
        relay_reply_refused(s, e);
        return RELAY_OPENED_TLS_FAILED;
    }
    // What came behind the 220 was not protected, and must not be taken for what comes after the handshake
    // (RFC 3207 4.2; CVE-2021-33515 and its family).
    if (!relay_reply_none(s, e))
        return RELAY_OPENED_TLS_FAILED;
    struct mono deadline = loop_in_ms(fiber_loop(), s->timeouts->greeting);
    char space[64];
    struct slice name = name_to_verify(setup, space, sizeof space);
    if (!setup->start_tls(setup->tls_arg, s->stream.transport, name, deadline, &secure, e)) {
        err_while(e, "in the TLS handshake");
        return RELAY_OPENED_TLS_FAILED;
    }
    stream_replace(&s->stream, secure);
    s->tls = true;
    return hello(s, e) ? RELAY_OPENED : RELAY_OPENED_TLS_FAILED;
}

// Our own words, about what this host does.
static bool unfit(struct relay_session *s, bool lasting, const char *enhanced, const char *what, struct err *e) {
    err_smtp(e, lasting ? 550 : 450, enhanced, "%.*s %s, which the sender requires (REQUIRETLS)",
             SLICE_ARG(slice_of(s->remote, s->remote_n)), what);
    e->smtp = 0;
    return false;
}

static bool is_fit(struct relay_session *s, const struct relay_session_setup *setup, struct err *e) {
    if (setup->tls_needed && !s->tls)
        return s->ext.starttls && s->reply.code / 100 == 4 ? unfit(s, false, "4.7.10", "has no TLS now", e)
                                                           : unfit(s, true, "5.7.10", "has no TLS", e);
    return !setup->requiretls_needed || s->ext.requiretls || unfit(s, true, "5.7.30", "does not offer REQUIRETLS", e);
}

static FIBER_FN enum relay_opened open_session(struct relay_session *s, const struct relay_session_setup *setup,
                                               struct err *e) {
    if (!greeting(s, e) || !hello(s, e))
        return RELAY_OPENED_NOT;
    if (setup->refuse_self && calls_itself(s, setup->hostname)) {
        err_smtp(e, 554, "5.4.6", "mail loops back to this host");
        e->smtp = 0; // our own words
        return RELAY_OPENED_SELF;
    }
    enum relay_opened opened = s->ext.starttls && setup->start_tls ? start_tls(s, setup, e) : RELAY_OPENED;
    if (opened != RELAY_OPENED || is_fit(s, setup, e))
        return opened;
    relay_session_quit(s);
    return RELAY_OPENED_NOT;
}

enum relay_opened relay_session_open(struct transport *t, const struct relay_session_setup *setup,
                                     struct relay_session **out, struct err *e) {
    struct relay_session *s = session_new(t, setup);
    enum relay_opened opened = open_session(s, setup, e);
    if (opened == RELAY_OPENED)
        *out = s;
    else
        relay_session_free(s);
    return opened;
}

void relay_session_quit(struct relay_session *s) {
    struct err e;
    if (s->broken)
        return;
    s->stream.write_timeout_ms = QUIT_PATIENCE_MS;
    command(s, "QUIT", SLICE_EMPTY);
    if (!relay_reply(s, QUIT_PATIENCE_MS, &e))
        s->broken = true;
}

bool relay_session_is_quiet(struct relay_session *s) {
    char byte;
    size_t got;
    struct err e;
    struct transport *t = s->stream.transport;
    return !s->broken && stream_unread(&s->stream) == 0 && t->ops->read(t, &byte, 1, &got, &e) == TRANSPORT_AGAIN;
}
