// smtpd_filter_macros: what Sendmail calls macros: names with values that a filter is told at each stage, by the lists
// it wished for, or by those that filters expect.
#include "svc/smtpd/smtpd_filter_inside.h"

#include "core/route/route.h"
#include "mail/header/header.h"

enum { VALUE_MAX = 1024 };

// What a macro is made from.
struct known {
    const struct smtpd_filters *f;
    const struct smtpd_filter_facts *facts;
    const struct err *why; // of a recipient that is refused
};

static const char *const usual[MILTER_STAGE_COUNT] = {
    [MILTER_STAGE_CONNECT] = "j _ v {daemon_name} {daemon_addr} {daemon_port} {if_name} {if_addr} {client_addr} "
                             "{client_name} {client_port} {client_ptr}",
    [MILTER_STAGE_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    [MILTER_STAGE_MAIL] = "i {auth_type} {auth_authen} {auth_ssf} {auth_author} {mail_addr} {mail_host} {mail_mailer} "
                          "{tls_version} {cipher} {cipher_bits} {client_addr}",
    [MILTER_STAGE_RCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    [MILTER_STAGE_DATA] = "i",
    [MILTER_STAGE_EOH] = "i",
    [MILTER_STAGE_EOM] = "i {msg_id} {nrcpts} {auth_type} {auth_authen}",
};

static void ip(struct buf *to, const struct netaddr *a) {
    if (a->family != NETADDR_NONE)
        netaddr_add_ip(to, a);
}

static void port(struct buf *to, const struct netaddr *a) {
    if (a->family != NETADDR_NONE)
        buf_add_u64(to, a->port);
}

static struct slice inside(struct slice path) {
    return path.n >= 2 && path.p[0] == '<' ? slice_of(path.p + 1, path.n - 2) : path;
}

static struct slice host_of(struct slice path) {
    struct slice mailbox = inside(path);
    return slice_from(mailbox, slice_rfind(mailbox, '@') + 1);
}

// Sendmail has more of them; filters ask whether it is ours.
static const char *mailer_of(const struct known *k, struct slice path) {
    struct slice host = host_of(path);
    return host.n == 0 || route_is_local(k->f->config, host) ? "local" : "smtp";
}

static struct slice or_unknown(struct slice name) { return name.n ? name : SLICE("unknown"); }

static void add_i(struct buf *to, const struct known *k) { buf_add(to, k->facts->queue_id); }
static void add_j(struct buf *to, const struct known *k) { buf_add(to, k->f->config->hostname); }
static void add_v(struct buf *to, const struct known *k) { buf_add_str(to, "Posthouse"); }
static void add_r(struct buf *to, const struct known *k) { buf_add_str(to, k->facts->esmtp ? "ESMTP" : "SMTP"); }
static void add_s(struct buf *to, const struct known *k) { buf_add(to, k->facts->helo); }

// As Sendmail and Postfix tell of a client.
static void marked_ip(struct buf *to, const struct netaddr *a) {
    if (a->family == NETADDR_V6)
        buf_add_str(to, "IPv6:");
    ip(to, a);
}

static void add_underscore(struct buf *to, const struct known *k) {
    buf_add(to, or_unknown(k->facts->ptr));
    buf_add_str(to, " [");
    marked_ip(to, &k->facts->client);
    buf_add_char(to, ']');
    if (k->facts->ptr.n && k->facts->name.n == 0)
        buf_add_str(to, " (may be forged)");
}

static void add_daemon(struct buf *to, const struct known *k) {
    buf_add_str(to, k->f->submission ? "submission" : "mx");
}
static void add_local_ip(struct buf *to, const struct known *k) { ip(to, &k->facts->local); }
static void add_local_port(struct buf *to, const struct known *k) { port(to, &k->facts->local); }
static void add_client_ip(struct buf *to, const struct known *k) { marked_ip(to, &k->facts->client); }
static void add_client_port(struct buf *to, const struct known *k) { port(to, &k->facts->client); }
static void add_client_name(struct buf *to, const struct known *k) { buf_add(to, or_unknown(k->facts->name)); }
static void add_client_ptr(struct buf *to, const struct known *k) { buf_add(to, or_unknown(k->facts->ptr)); }

static void add_client_resolve(struct buf *to, const struct known *k) {
    buf_add_str(to, k->facts->name.n ? "OK" : k->facts->ptr.n ? "FORGED" : "FAIL");
}

static void add_tls(struct buf *to, const struct known *k) { buf_add(to, k->facts->tls_version); }
static void add_cipher(struct buf *to, const struct known *k) { buf_add(to, k->facts->cipher); }
static void add_bits(struct buf *to, const struct known *k) { buf_add(to, k->facts->cipher_bits); }
static void add_subject(struct buf *to, const struct known *k) { buf_add(to, k->facts->cert_subject); }
static void add_issuer(struct buf *to, const struct known *k) { buf_add(to, k->facts->cert_issuer); }
static void add_auth_type(struct buf *to, const struct known *k) { buf_add(to, k->facts->auth_type); }
static void add_user(struct buf *to, const struct known *k) { buf_add(to, k->facts->user); }
static void add_author(struct buf *to, const struct known *k) { buf_add(to, k->facts->author); }

// No mechanism here has a security layer of its own.
static void add_ssf(struct buf *to, const struct known *k) { buf_add_str(to, k->facts->user.n ? "0" : ""); }

static void add_sender(struct buf *to, const struct known *k) { buf_add(to, inside(k->f->sender)); }
static void add_sender_host(struct buf *to, const struct known *k) { buf_add(to, host_of(k->f->sender)); }
static void add_sender_mailer(struct buf *to, const struct known *k) { buf_add_str(to, mailer_of(k, k->f->sender)); }

static void add_recipient(struct buf *to, const struct known *k) {
    if (k->why)
        buf_add_str(to, k->why->text);
    else
        buf_add(to, inside(k->f->recipient));
}

static void add_recipient_host(struct buf *to, const struct known *k) {
    if (k->why && k->why->enhanced[0])
        buf_addf(to, "%u.%u.%u", k->why->enhanced[0], k->why->enhanced[1], k->why->enhanced[2]);
    else if (!k->why)
        buf_add(to, host_of(k->f->recipient));
}

static void add_recipient_mailer(struct buf *to, const struct known *k) {
    buf_add_str(to, k->why ? "error" : mailer_of(k, k->f->recipient));
}

static void add_recipients(struct buf *to, const struct known *k) { buf_add_u64(to, k->f->recipients); }

static void add_message_id(struct buf *to, const struct known *k) {
    struct header_field id;
    if (header_find(buf_slice(&k->f->header), SLICE("Message-ID"), &id))
        buf_add(to, slice_trim(id.value));
}

static const struct {
    const char *name;
    void (*add)(struct buf *to, const struct known *k);
} table[] = {
    {"i", add_i},
    {"j", add_j},
    {"v", add_v},
    {"r", add_r},
    {"s", add_s},
    {"f", add_sender},
    {"_", add_underscore},
    {"{daemon_name}", add_daemon},
    {"{daemon_addr}", add_local_ip},
    {"{daemon_port}", add_local_port},
    {"{if_name}", add_j},
    {"{if_addr}", add_local_ip},
    {"{client_addr}", add_client_ip},
    {"{client_name}", add_client_name},
    {"{client_port}", add_client_port},
    {"{client_ptr}", add_client_ptr},
    {"{client_resolve}", add_client_resolve},
    {"{tls_version}", add_tls},
    {"{cipher}", add_cipher},
    {"{cipher_bits}", add_bits},
    {"{cert_subject}", add_subject},
    {"{cert_issuer}", add_issuer},
    {"{auth_type}", add_auth_type},
    {"{auth_authen}", add_user},
    {"{auth_ssf}", add_ssf},
    {"{auth_author}", add_author},
    {"{mail_addr}", add_sender},
    {"{mail_host}", add_sender_host},
    {"{mail_mailer}", add_sender_mailer},
    {"{rcpt_addr}", add_recipient},
    {"{rcpt_host}", add_recipient_host},
    {"{rcpt_mailer}", add_recipient_mailer},
    {"{nrcpts}", add_recipients},
    {"{msg_id}", add_message_id},
};

static struct slice bare(struct slice name) {
    if (name.n > 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
        return slice_of(name.p + 1, name.n - 2);
    return name;
}

static void add_macro(struct buf *to, struct slice name, const struct known *k) {
    char space[VALUE_MAX];
    struct buf value = {.p = space, .cap = sizeof space, .max = sizeof space};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (slice_eq(bare(name), bare(slice_str(table[i].name)))) {
            table[i].add(&value, k);
            if (value.n)
                milter_macro(to, slice_str(table[i].name), buf_slice(&value));
            return;
        }
}

void smtpd_filter_macros(struct smtpd_filters *f, struct smtpd_milter *m, enum milter_stage stage,
                         enum milter_command of, const struct err *why) {
    struct known k = {.f = f, .facts = &f->facts, .why = why};
    struct slice names = m->options.macros[stage].p ? m->options.macros[stage] : slice_str(usual[stage]);
    size_t begun = milter_macros_begin(&m->out, of);
    while (names.n) {
        size_t n = 0;
        while (n < names.n && names.p[n] != ' ' && names.p[n] != ',')
            n++;
        if (n)
            add_macro(&m->out, slice_upto(names, n), &k);
        names = slice_from(names, n + 1);
    }
    milter_macros_end(&m->out, begun);
}
