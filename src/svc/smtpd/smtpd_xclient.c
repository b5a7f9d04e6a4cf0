// smtpd_xclient: attributes, and what they change.
#include "svc/smtpd/smtpd_xclient.h"

#include "base/num.h"
#include "base/utf8.h"
#include "svc/smtpd/smtpd_reply.h"
#include "wire/xtext.h"

enum { VALUE_MAX = 512 };

// What the attributes say; `has_*` where something was said.
struct claims {
    struct netaddr client, local;
    bool no_address; // the proxy doesn't know it
    struct buf helo, login;
    bool has_helo, has_login, has_esmtp, esmtp;
};

void smtpd_xclient_offer(const struct smtpd_session *s, struct buf *lines) {
    if (s->xclient)
        buf_add_str(lines, "\nXCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
}

static bool unavailable(struct slice value) {
    return slice_ieq(value, SLICE("[UNAVAILABLE]")) || slice_ieq(value, SLICE("[TEMPUNAVAIL]"));
}

static bool take_ip(struct slice value, struct netaddr *out) {
    struct netaddr found;
    if (slice_istarts(value, SLICE("IPV6:")))
        value = slice_from(value, 5);
    if (!netaddr_parse_ip(value, &found))
        return false;
    found.port = out->port;
    *out = found;
    return true;
}

static bool take_port(struct slice value, struct netaddr *out) {
    uint64_t port;
    if (!num_u64(value, UINT16_MAX, &port))
        return false;
    out->port = (uint16_t)port;
    return true;
}

static bool take_proto(struct slice value, struct claims *c) {
    c->has_esmtp = true;
    c->esmtp = slice_ieq(value, SLICE("ESMTP"));
    return c->esmtp || slice_ieq(value, SLICE("SMTP"));
}

static bool take(struct slice name, struct slice value, struct claims *c) {
    bool none = unavailable(value);
    if (slice_ieq(name, SLICE("ADDR"))) {
        c->no_address = none;
        return none || take_ip(value, &c->client);
    }
    if (slice_ieq(name, SLICE("HELO"))) {
        c->has_helo = true;
        return none || (value.n <= SMTP_NAME_MAX && slice_find(value, ' ') == value.n && buf_add(&c->helo, value));
    }
    if (slice_ieq(name, SLICE("LOGIN"))) {
        c->has_login = true;
        return none || (value.n <= MESSAGE_USER_MAX && buf_add(&c->login, value));
    }
    if (none)
        return true;
    if (slice_ieq(name, SLICE("PORT")))
        return take_port(value, &c->client);
    if (slice_ieq(name, SLICE("DESTADDR")))
        return take_ip(value, &c->local);
    if (slice_ieq(name, SLICE("DESTPORT")))
        return take_port(value, &c->local);
    return slice_ieq(name, SLICE("PROTO")) ? take_proto(value, c) : slice_ieq(name, SLICE("NAME"));
}

static bool read_all(struct slice rest, struct claims *c) {
    while (rest.n) {
        BUF_AUTO struct buf value = {.max = VALUE_MAX};
        struct slice word, name, text;
        slice_cut(rest, ' ', &word, &rest);
        if (word.n == 0)
            continue;
        if (!slice_cut(word, '=', &name, &text) || !xtext_decode(text, &value) || !take(name, buf_slice(&value), c))
            return false;
    }
    return true;
}

static void note(const struct smtpd_session *s) {
    BUF_AUTO struct buf client = {.max = 64};
    netaddr_add_endpoint(&client, &s->client);
    journal_event(s->shared->journal, JOURNAL_INFO, "xclient", JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", buf_slice(&client)), JOURNAL_OPT("user", buf_slice(&s->user)),
                  JOURNAL_OPT("helo", buf_slice(&s->helo)));
}

static void apply(struct smtpd_session *s, const struct claims *c) {
    smtpd_session_forget(s);
    smtpd_session_set_client(s, &c->client);
    if (c->no_address)
        s->trusted = false; // the proxy's own trust is not its clients'
    s->local = c->local;
    if (c->has_helo)
        buf_add(&s->helo, buf_slice(&c->helo));
    s->esmtp = c->has_esmtp && c->esmtp;
    for (size_t i = 0; smtpd_is_submission(s) && i < c->login.n; i++)
        buf_add_char(&s->user, ascii_lower(c->login.p[i]));
    note(s);
}

bool smtpd_xclient(struct smtpd_session *s, const struct smtp_command *command) {
    struct claims c = {.client = s->client, .local = s->local, .helo = {.max = VALUE_MAX}, .login = {.max = VALUE_MAX}};
    bool done = false;
    if (!s->xclient)
        smtpd_refuse(s, SLICE("550 5.7.1 XCLIENT is not for you\r\n"));
    else if (s->transaction)
        smtpd_refuse(s, SLICE("503 5.5.1 XCLIENT can't come inside a transaction\r\n"));
    else if (!read_all(command->arg, &c))
        smtpd_refuse(s, SLICE("501 5.5.4 an attribute of XCLIENT is malformed or not known\r\n"));
    else {
        apply(s, &c);
        done = true;
    }
    buf_done(&c.helo);
    buf_done(&c.login);
    return done;
}
