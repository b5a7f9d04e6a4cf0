// smtpd_dialogue: the SMTP session against clients that follow a script. A script is lines:
//
//     # a comment
//     > config limit { errors 3 }         added to the configuration; before the first C: or S:, as the next four
//     > client 10.1.2.3                   the client's address; 192.0.2.1 unless said, 10/8 is trusted
//     > submission                        a listener for users; TLS is offered, and there is a password file
//     > implicit                          the handshake comes first
//     > proxied                           the PROXY protocol's header comes first of all
//     > waited                            the client waited for its greeting lately
//     > subject bob                       the user that the client's certificate names
//     > no binding                        TLS without channel binding
//     > offer tls                         STARTTLS is offered; the handshake is played: TRANSPORT_HELLO, no bytes back
//     > uncut                             played in one piece only
//     > no bare | no clean                only {eod} without a bare CR or LF, or only those with one
//     > tls                               the client's part of the handshake
//     > sleep 5000                        milliseconds of the fake clock
//     > stop                              the service is told to stop
//     > close                             the client closes
//     > closed                            the server must close now, saying nothing more
//     > crowded | crowded no more         there are so many sessions that strangers must not be slow
//     > quiet                             the server must say nothing in the next second
//     > by 100                            no more milliseconds have passed since the client connected
//     > auth away | auth locked | auth trouble | auth slow 5000 | auth works     (tests/dialogue/smtpd_auth_fake.h)
//     > policy away | policy refuses TEXT | policy holds | policy works
//     > owner away | owner nobody | owner works
//     > signs example.org                 before the first C: or S:; messages from there are signed
//     > signer away | signer unheard | signer works
//     > gate                              before the first C: or S:; strangers meet the built-in policy; they are only
//                                         accepted else, and the field of results isn't looked at
//     > zone example.net. TXT "v=spf1 -all"      a line of DNS (mail/oracle/oracle_zone.h); there is nothing else
//     > dns slow 5000 | dns works
//     > client-is known | shut out TEXT | too many TEXT | tarpitted 5000 | unknown
//     > greylist passes | greylist waits
//     > rate messages TEXT                there are too many: connections messages recipients unknown errors
//     > memory away | memory works
//     > table a@example.net b.example     what every table has
//     > tags a b                          of the message looked at
//     > seen early error                  what policy was told since this was asked last
//     > recorded content refused 550 ...  the latest record
//     > asked 3                           questions of DNS, so far
//     > user bob                          who authenticated for the message looked at; "nobody"
//     > used 1                            how many messages policy has counted
//     > lookup away | lookup slow 5000 | lookup loops | lookup works
//     > queue away | queue full | queue full after 2 (pieces) | queue slow 5000 | queue works
//     > kept <a@example.net> -> alice@example.org bob@example.org     the next message that the queue got
//     > kept-flags 8bit smtputf8 requiretls tlsoptional hold      of that message
//     > kept-bytes 1000                   of its content, without the Received field
//     > received with ESMTPS              a text that its Received field must have
//     K: Subject: hi                      the next line of its content, escapes as in C|; "K: ..." is all the rest
//     S: 250 what the server must say     may end with "..."; "S: 250-..." is all the rest of a reply
//     C: what the client says             {x*1000} is a thousand x
//     C| the same without CRLF, with \r \n \0 \xNN
//
// {eod} in a C| stands for each sequence of the smuggling corpus: the script is played once for each.
//
// What the client says before it listens again goes out in one piece; then the script is played again byte by byte, and
// again and again cut in two, at every byte as far as that is not too much. The server must say the same.
#include "base/mem.h"
#include "base/num.h"
#include "script.h"
#include "smtpd_backend_fake.h"
#include "smtpd_sign_fake.h"
#include "svc/smtpd/smtpd_proxy.h"
#include "svc/smtpd/smtpd_session.h"
#include "svc/smtpd/smtpd_waited.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TRANSPORT_HELLO "\x16\x03\x01HELLO"

enum {
    PIPE = 64 * 1024,
    PATIENCE_MS = 20 * MS_MINUTE,
    CUTS_MAX = 400,
    CUTS_LONG = 16,
    BYTEWISE_MAX = 4096,
    EOD_BEFORE = 4,
    RECIPIENTS = 64
};

static const char base_config[] =
    "version 1\nhostname mx.example.org\nlisten mx 203.0.113.1:25\n"
    "table people inline { \"alice\" \"bob\" \"postmaster = alice\" \"sales = alice, bob\""
    " \"away = carol@example.com\" \"loop = loop2\" \"loop2 = loop\" \"j\xc3\xbcrgen\" }\n"
    "domain example.org { recipients people; deliver maildir \"/m/{local}\" }\n"
    "domain xn--bcher-kva.example { recipients any; deliver maildir \"/m/{local}\" }\n"
    "domain backup.example { recipients any; deliver relay }\n"
    "relay from 10.0.0.0/8\n";

// Policy is for the scripts that ask for it.
static const char no_policy[] = "policy connect { accept }\npolicy helo { accept }\npolicy mail { accept }\n"
                                "policy recipient { accept }\npolicy content { accept }\n";

static const char submission_config[] = "listen submission 203.0.113.1:587\ntls certificate \"/c.pem\" key \"/k.pem\"\n"
                                        "auth file \"/users\"\nxclient from 10.1.1.1\n";

// How the client's bytes are cut up.
struct pace {
    bool bytewise;
    size_t cut; // 0: nowhere
};

struct scene {
    struct loop *loop;
    struct fake_backend backend;
    struct smtpd_shared shared;
    struct smtpd_waited waited;
    struct mono connected;
    struct fake_signer signer;
    struct smtpd_session session;
    struct metric metrics;
    struct fiber_group group;
    struct netaddr address;
    struct transport *client, *server;
    bool begun, over, spoken;
    struct pace pace;
    struct buf settings; // configuration
    struct buf unsent, heard, scratch;
    size_t said;          // bytes that were sent
    size_t eod_at;        // how many came before the first {eod}
    size_t looked;        // messages that the script has looked at
    struct slice content; // of the one it looks at
    struct slice received;
    const char *path;
    struct slice rest, eod;
    unsigned line;
    bool uncut, waits, proxied, implicit, no_binding, gate;
    struct slice subject;
    char failure[SCRIPT_FAILURE];
};

static bool fail_script(struct scene *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail_script(struct scene *s, const char *format, ...) {
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!s->failure[0])
        snprintf(s->failure, sizeof s->failure, "%s:%u: %s", s->path, s->line, text);
    return false;
}

// --- the server

static struct scene *scene_now; // for a callback that is given none

static FIBER_FN bool fake_tls(void *arg, struct transport *inner, struct mono deadline, struct transport **out,
                              struct err *e) {
    struct slice want = SLICE(TRANSPORT_HELLO);
    (void)arg;
    while (want.n) {
        char c;
        size_t got;
        enum transport_got how = inner->ops->read(inner, &c, 1, &got, e);
        if (how == TRANSPORT_AGAIN && inner->ops->wait_read(inner, deadline, e))
            continue;
        if (how != TRANSPORT_SOME || c != want.p[0])
            return err_set(e, ERR_TEMPORARY, "no handshake");
        want = slice_from(want, 1);
    }
    *out = inner;
    return true;
}

static void fake_facts(struct transport *t, struct smtpd_tls_facts *out) {
    struct scene *s = scene_now;
    (void)t;
    buf_add(&out->subject, s->subject);
    if (!s->no_binding)
        buf_add_str(&out->exporter, "0123456789abcdef0123456789abcdef");
}

static FIBER_FN bool meet_client(struct scene *s) {
    struct netaddr client = s->address;
    struct err e;
    if (!smtpd_proxy_read(s->server, &client, &s->session.local, &e))
        return false;
    smtpd_session_set_client(&s->session, &client);
    return true;
}

static void serve(void *arg) {
    struct scene *s = arg;
    s->session.tls_implicit = s->implicit;
    if (!s->proxied || meet_client(s))
        smtpd_session_run(&s->session);
    smtpd_session_done(&s->session);
    s->over = true;
}

// A script's configuration is the same each time it is played.
static const struct config *config_of(struct scene *s, struct slice text) {
    static struct buf kept = {.max = 1 << 20};
    static struct config *config;
    struct config_report report = {0};
    if (config && slice_eq(text, buf_slice(&kept)))
        return config;
    config_free(config);
    buf_reset(&kept);
    buf_add(&kept, text);
    config = config_parse(text, SLICE("/"), &report);
    if (!config)
        fail_script(s, "configuration: %.*s", SLICE_ARG(report.mistakes[0].text));
    config_report_done(&report);
    return config;
}

static bool configure(struct scene *s) {
    BUF_AUTO struct buf text = {.max = 1 << 20};
    buf_add_str(&text, base_config);
    if (s->shared.role == ROLE_SUBMISSION)
        buf_add_str(&text, submission_config);
    if (!s->gate)
        buf_add_str(&text, no_policy);
    buf_add(&text, buf_slice(&s->settings));
    s->shared.config = config_of(s, buf_slice(&text));
    return s->shared.config != NULL;
}

static bool begin(struct scene *s) {
    struct err e;
    if (s->begun)
        return true;
    s->begun = true;
    if (!configure(s))
        return false;
    fake_backend_init(&s->backend, s->shared.config);
    s->shared.backend = &s->backend.backend;
    s->shared.metrics = &s->metrics;
    s->shared.tls_facts = fake_facts;
    smtpd_waited_init(&s->waited, &(struct hash_key){{1, 2}});
    s->shared.waited = &s->waited;
    s->connected = loop_now(s->loop);
    if (s->waits)
        smtpd_waited_note(&s->waited, &s->address, s->connected);
    transport_pair(PIPE, &s->client, &s->server);
    smtpd_session_init(&s->session, &s->shared, s->server, &s->address, 0x123456789);
    return fiber_spawn(&s->group, "session", serve, s, &e) || fail_script(s, "%s", e.text);
}

// --- the client

// Lets the server do what it can without time passing.
static FIBER_FN void settle(void) {
    for (int i = 0; i < 4; i++)
        fiber_yield();
}

static FIBER_FN bool push(struct scene *s, struct slice bytes) {
    struct err e;
    s->said += bytes.n;
    if (!s->client)
        return fail_script(s, "the client has closed");
    return transport_write_all(s->client, bytes, loop_in_ms(s->loop, PATIENCE_MS), &e);
}

// A server that has closed is noticed when it is listened to.
static FIBER_FN void send_unsent(struct scene *s) {
    struct slice rest = buf_slice(&s->unsent);
    while (rest.n) {
        size_t n = rest.n;
        if (s->pace.bytewise)
            n = n <= BYTEWISE_MAX ? 1 : n - BYTEWISE_MAX;
        else if (s->said < s->pace.cut && s->pace.cut < s->said + n)
            n = s->pace.cut - s->said;
        if (!push(s, slice_upto(rest, n)))
            break;
        rest = slice_from(rest, n);
        if (rest.n)
            settle();
    }
    buf_reset(&s->unsent);
}

// More of what the server says. False: it closed, or the patience ended.
static FIBER_FN bool hear(struct scene *s, int64_t patience_ms) {
    struct mono deadline = loop_in_ms(s->loop, patience_ms);
    struct err e;
    while (s->client) {
        char *to = buf_reserve(&s->heard, 4096);
        size_t got;
        switch (s->client->ops->read(s->client, to, 4096, &got, &e)) {
        case TRANSPORT_SOME:
            buf_commit(&s->heard, got);
            return true;
        case TRANSPORT_AGAIN:
            if (!s->client->ops->wait_read(s->client, deadline, &e))
                return false;
            break;
        default:
            return false;
        }
    }
    return false;
}

static FIBER_FN bool hear_line(struct scene *s, struct slice want, struct slice *line) {
    size_t n;
    buf_reset(&s->scratch);
    while ((n = slice_search(buf_slice(&s->heard), SLICE("\r\n"))) == s->heard.n)
        if (!hear(s, PATIENCE_MS))
            return fail_script(s, "the server says nothing more, but \"%.*s\" was expected", SLICE_ARG(want));
    buf_add(&s->scratch, slice_upto(buf_slice(&s->heard), n));
    buf_drop(&s->heard, n + 2);
    *line = buf_slice(&s->scratch);
    if (line->n > 510)
        return fail_script(s, "a line of the reply has %zu bytes (RFC 5321 4.5.3.1.5)", line->n);
    return true;
}

static FIBER_FN bool expect_line(struct scene *s, struct slice want) {
    struct slice got;
    bool rest = want.n == 7 && slice_ends(want, SLICE("-..."));
    do {
        if (!hear_line(s, want, &got))
            return false;
        if (!script_matches(got, rest ? slice_upto(want, 3) : want) &&
            !(rest && slice_starts(got, slice_upto(want, 3))))
            return fail_script(s, "got \"%.*s\", not \"%.*s\"", SLICE_ARG(got), SLICE_ARG(want));
    } while (rest && got.n > 3 && got.p[3] == '-');
    return true;
}

static bool expect_by(struct scene *s, struct slice ms) {
    int64_t passed = mono_ms_between(s->connected, loop_now(s->loop));
    uint64_t most;
    return (num_u64(ms, 10000000, &most) && passed <= (int64_t)most) ||
           fail_script(s, "%lld ms have passed", (long long)passed);
}

static FIBER_FN bool expect_quiet(struct scene *s) {
    return (!s->heard.n && !hear(s, MS_SECOND) && !s->over) ||
           fail_script(s, "the server says \"%.*s\"", SLICE_ARG(buf_slice(&s->heard)));
}

static FIBER_FN bool expect_closed(struct scene *s) {
    struct mono before = loop_now(s->loop);
    bool said = s->heard.n || hear(s, PATIENCE_MS);
    while (!said && !s->over && fiber_sleep(100))
        if (mono_ms_between(before, loop_now(s->loop)) > 10 * MS_SECOND)
            return fail_script(s, "the session does not end");
    return !said || fail_script(s, "the server does not close, says \"%.*s\"", SLICE_ARG(buf_slice(&s->heard)));
}

static void close_client(struct scene *s) {
    if (s->client)
        s->client->ops->close(s->client);
    s->client = NULL;
}

// --- what was kept

// The field that we added: up to the first line that is no continuation of it.
static size_t first_field(struct slice content) {
    size_t at = 0;
    do
        at += slice_find(slice_from(content, at), '\n') + 1;
    while (at < content.n && content.p[at] == '\t');
    return at;
}

static bool same_recipients(const struct fake_message *k, struct slice want) {
    size_t i = 0;
    while (want.n) {
        struct slice one;
        slice_cut(want, ' ', &one, &want);
        if (i == k->recipients_n || !slice_eq(k->recipients[i++], one))
            return false;
    }
    return i == k->recipients_n;
}

static bool content_looked_at(struct scene *s) {
    return !s->content.n || !s->spoken ||
           fail_script(s, "the content goes on: \"%.*s\"", SLICE_ARG(slice_upto(s->content, 200)));
}

// "<a@b> -> c@d e@f"
static bool expect_kept(struct scene *s, struct slice text) {
    size_t arrow = slice_search(text, SLICE(" -> "));
    if (!content_looked_at(s))
        return false;
    s->spoken = false;
    if (s->looked >= s->backend.kept_n)
        return fail_script(s, "the queue got no message");
    const struct fake_message *k = &s->backend.kept[s->looked++];
    if (slice_upto(text, arrow).n < 2 || !slice_eq(slice_of(text.p + 1, arrow - 2), k->sender))
        return fail_script(s, "it is from <%.*s>", SLICE_ARG(k->sender));
    if (!same_recipients(k, slice_from(text, arrow + 4)))
        return fail_script(s, "it is for %zu, first %.*s", k->recipients_n, SLICE_ARG(k->recipients[0]));
    size_t n = first_field(k->content);
    s->received = slice_upto(k->content, n);
    if (!s->gate && slice_starts(slice_from(k->content, n), SLICE("Authentication-Results: mx.example.org;")))
        n += first_field(slice_from(k->content, n));
    s->content = slice_from(k->content, n);
    return slice_starts(s->received, SLICE("Received: from ")) || fail_script(s, "no Received field");
}

static bool expect_flags(struct scene *s, struct slice text) {
    uint32_t want = 0;
    static const struct {
        const char *name;
        uint32_t flag;
    } names[] = {{"8bit", ENVELOPE_8BIT},
                 {"smtputf8", ENVELOPE_SMTPUTF8},
                 {"requiretls", ENVELOPE_REQUIRETLS},
                 {"tlsoptional", ENVELOPE_TLS_OPTIONAL},
                 {"quarantine", ENVELOPE_QUARANTINE},
                 {"hold", ENVELOPE_HOLD}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_search(text, slice_str(names[i].name)) < text.n)
            want |= names[i].flag;
    uint32_t got = s->looked ? s->backend.kept[s->looked - 1].flags : 0;
    return got == want || fail_script(s, "the flags are %u", got);
}

static bool expect_content(struct scene *s, struct slice text) {
    struct slice line;
    s->spoken = true;
    if (slice_eq(text, SLICE("..."))) {
        s->content = SLICE_EMPTY;
        return true;
    }
    buf_reset(&s->scratch);
    BUF_AUTO struct buf repeated = {.max = 1 << 24};
    script_add_repeated(&repeated, text);
    script_add_escaped(&s->scratch, buf_slice(&repeated));
    size_t n = slice_search(s->content, SLICE("\r\n"));
    if (!s->content.n)
        return fail_script(s, "the content has ended");
    line = slice_upto(s->content, n);
    s->content = slice_from(s->content, n + 2);
    return slice_eq(line, buf_slice(&s->scratch)) ||
           fail_script(s, "the content has \"%.*s\"", SLICE_ARG(slice_upto(line, 200)));
}

// --- the lines of a script

static bool act_lookup(struct scene *s, struct slice how) {
    struct slice rest;
    uint64_t n = 0;
    slice_cut(how, ' ', &how, &rest);
    num_u64(rest, 10000000, &n);
    s->backend.expand_fails = slice_eq(how, SLICE("away"));
    s->backend.expand_ms = slice_eq(how, SLICE("slow")) ? (int64_t)n : 0;
    s->backend.says = slice_eq(how, SLICE("loops")) ? MESSAGE_EXPAND_BROKEN : MESSAGE_EXPAND_OK;
    return true;
}

static bool act_queue(struct scene *s, struct slice how) {
    struct slice rest;
    uint64_t n = 0;
    bool after = slice_starts(how, SLICE("full after "));
    slice_cut(how, ' ', &how, &rest);
    num_u64(after ? slice_from(rest, 6) : rest, 10000000, &n);
    s->backend.queue_down = slice_eq(how, SLICE("away"));
    s->backend.disk_full = slice_eq(how, SLICE("full")) && !after;
    s->backend.pieces_left = after ? (int)n : -1;
    s->backend.submit_ms = slice_eq(how, SLICE("slow")) ? (int64_t)n : 0;
    return true;
}

static bool act_auth(struct scene *s, struct slice how) {
    struct fake_auth *a = &s->backend.auth;
    struct slice rest;
    uint64_t n = 0;
    slice_cut(how, ' ', &how, &rest);
    num_u64(rest, 10000000, &n);
    a->away = slice_eq(how, SLICE("away"));
    a->locked = slice_eq(how, SLICE("locked"));
    a->trouble = slice_eq(how, SLICE("trouble"));
    a->slow_ms = slice_eq(how, SLICE("slow")) ? (int64_t)n : 0;
    return true;
}

static bool act_policy(struct scene *s, struct slice how) {
    struct fake_backend *b = &s->backend;
    struct slice rest;
    slice_cut(how, ' ', &how, &rest);
    b->policy_away = slice_eq(how, SLICE("away"));
    b->hold = slice_eq(how, SLICE("holds"));
    b->quota = slice_eq(how, SLICE("refuses")) ? rest : SLICE_EMPTY;
    return true;
}

static bool act_owner(struct scene *s, struct slice how) {
    s->backend.owns_away = slice_eq(how, SLICE("away"));
    s->backend.owns_none = slice_eq(how, SLICE("nobody"));
    return true;
}

static bool act_signer(struct scene *s, struct slice how) {
    s->signer.away = slice_eq(how, SLICE("away"));
    s->signer.unheard = slice_eq(how, SLICE("unheard"));
    return true;
}

static bool expect_user(struct scene *s, struct slice want) {
    struct slice got = s->looked ? s->backend.kept[s->looked - 1].user : SLICE_EMPTY;
    if (slice_eq(want, SLICE("nobody")))
        want = SLICE_EMPTY;
    return slice_eq(got, want) || fail_script(s, "it is \"%.*s\"", SLICE_ARG(got));
}

// --- the gate

static bool act_client_is(struct scene *s, struct slice how) {
    struct fake_gate *g = &s->backend.gate;
    uint64_t n = 0;
    g->known = slice_eq(how, SLICE("known"));
    g->shut_out = slice_starts(how, SLICE("shut out ")) ? slice_from(how, 9) : SLICE_EMPTY;
    g->crowd = slice_starts(how, SLICE("too many ")) ? slice_from(how, 9) : SLICE_EMPTY;
    if (slice_starts(how, SLICE("tarpitted ")))
        num_u64(slice_from(how, 10), 1000000, &n);
    g->tarpit_ms = (int64_t)n;
    return true;
}

static bool act_rate(struct scene *s, struct slice rest) {
    static const char *const names[CONFIG_RATE_WHATS] = {"connections", "messages", "recipients", "unknown", "errors"};
    struct slice what;
    slice_cut(rest, ' ', &what, &rest);
    for (size_t i = 0; i < CONFIG_RATE_WHATS; i++)
        if (slice_eq(what, slice_str(names[i])))
            s->backend.gate.rates[i] = rest;
    return true;
}

static bool expect_buf(struct scene *s, struct buf *got, struct slice want) {
    bool same = script_matches(buf_slice(got), want);
    if (!same)
        fail_script(s, "it is \"%.*s\"", SLICE_ARG(buf_slice(got)));
    buf_reset(got);
    return same;
}

static bool expect_tags(struct scene *s, struct slice want) {
    const struct fake_message *k = &s->backend.kept[s->looked ? s->looked - 1 : 0];
    BUF_AUTO struct buf got = {.max = 4096};
    for (size_t i = 0; s->looked && i < k->tags_n; i++) {
        if (i)
            buf_add_char(&got, ' ');
        buf_add(&got, k->tags[i]);
    }
    return expect_buf(s, &got, want);
}

static bool act_dns(struct scene *s, struct slice rest) {
    uint64_t n = 0;
    if (slice_starts(rest, SLICE("slow ")))
        num_u64(slice_from(rest, 5), 1000000, &n);
    s->backend.gate.dns_ms = (int64_t)n;
    return true;
}

static bool act_gate(struct scene *s, struct slice verb, struct slice rest, bool *known) {
    struct fake_gate *g = &s->backend.gate;
    uint64_t n;
    struct err e;
    *known = true;
    if (slice_eq(verb, SLICE("zone")))
        return oracle_zone_add(g->zone, rest, &e) || fail_script(s, "%s", e.text);
    if (slice_eq(verb, SLICE("dns")))
        return act_dns(s, rest);
    if (slice_eq(verb, SLICE("client-is")))
        return act_client_is(s, rest);
    if (slice_eq(verb, SLICE("rate")))
        return act_rate(s, rest);
    if (slice_eq(verb, SLICE("tags")))
        return expect_tags(s, rest);
    if (slice_eq(verb, SLICE("seen")))
        return expect_buf(s, &g->seen, rest);
    if (slice_eq(verb, SLICE("recorded")))
        return expect_buf(s, &g->recorded, rest);
    if (slice_eq(verb, SLICE("asked")) && num_u64(rest, 100000, &n))
        return g->questions == n || fail_script(s, "%u were", g->questions);
    if (slice_eq(verb, SLICE("greylist")))
        g->proven = slice_eq(rest, SLICE("passes"));
    else if (slice_eq(verb, SLICE("memory")))
        g->away = slice_eq(rest, SLICE("away"));
    else if (slice_eq(verb, SLICE("table")))
        g->table = rest;
    else
        *known = false;
    return true;
}

static bool act_users(struct scene *s, struct slice verb, struct slice rest, bool *known) {
    uint64_t n;
    *known = true;
    if (slice_eq(verb, SLICE("auth")))
        return act_auth(s, rest);
    if (slice_eq(verb, SLICE("policy")))
        return act_policy(s, rest);
    if (slice_eq(verb, SLICE("owner")))
        return act_owner(s, rest);
    if (slice_eq(verb, SLICE("signer")))
        return act_signer(s, rest);
    if (slice_eq(verb, SLICE("user")))
        return expect_user(s, rest);
    if (slice_eq(verb, SLICE("used")) && num_u64(rest, 1000, &n))
        return s->backend.used == n || fail_script(s, "%llu were", (unsigned long long)s->backend.used);
    *known = false;
    return true;
}

static bool act_before(struct scene *s, struct slice verb, struct slice rest, bool *known) {
    *known = true;
    if (slice_eq(verb, SLICE("config"))) {
        buf_add(&s->settings, rest);
        buf_add_char(&s->settings, '\n');
    } else if (slice_eq(verb, SLICE("client"))) {
        return netaddr_parse_ip(rest, &s->address) || fail_script(s, "no address");
    } else if (slice_eq(verb, SLICE("offer"))) {
        s->shared.start_tls = fake_tls;
    } else if (slice_eq(verb, SLICE("submission"))) {
        s->shared.role = ROLE_SUBMISSION;
        s->shared.start_tls = fake_tls;
    } else if (slice_eq(verb, SLICE("implicit"))) {
        s->implicit = true;
    } else if (slice_eq(verb, SLICE("proxied"))) {
        s->proxied = true;
    } else if (slice_eq(verb, SLICE("subject"))) {
        s->subject = rest;
    } else if (slice_eq(verb, SLICE("signs"))) {
        fake_signer_begin(&s->signer, rest, &s->shared);
    } else if (slice_eq(verb, SLICE("uncut"))) {
        s->uncut = true;
    } else if (slice_eq(verb, SLICE("waited"))) {
        s->waits = true;
    } else if (slice_eq(verb, SLICE("gate"))) {
        s->gate = true;
    } else if (slice_eq(verb, SLICE("no"))) {
        s->no_binding = s->no_binding || slice_eq(rest, SLICE("binding"));
    } else {
        *known = false;
    }
    return true;
}

static FIBER_FN bool act_after(struct scene *s, struct slice verb, struct slice rest) {
    uint64_t n = 0;
    if (slice_eq(verb, SLICE("tls")))
        return push(s, SLICE(TRANSPORT_HELLO)) || fail_script(s, "the server is gone");
    if (slice_eq(verb, SLICE("sleep")) && num_u64(rest, 1000000000, &n))
        return fiber_sleep((int64_t)n);
    if (slice_eq(verb, SLICE("stop"))) {
        settle();
        s->shared.stopping = true;
        fiber_cond_wake_all(&s->shared.stopped);
        smtpd_session_stop(&s->session);
    } else if (slice_eq(verb, SLICE("close"))) {
        settle();
        close_client(s);
    } else if (slice_eq(verb, SLICE("closed"))) {
        return expect_closed(s);
    } else if (slice_eq(verb, SLICE("crowded"))) {
        s->shared.stress = rest.n == 0;
    } else if (slice_eq(verb, SLICE("quiet"))) {
        return expect_quiet(s);
    } else if (slice_eq(verb, SLICE("by"))) {
        return expect_by(s, rest);
    } else if (slice_eq(verb, SLICE("lookup"))) {
        return act_lookup(s, rest);
    } else if (slice_eq(verb, SLICE("queue"))) {
        return act_queue(s, rest);
    } else if (slice_eq(verb, SLICE("kept"))) {
        return expect_kept(s, rest);
    } else if (slice_eq(verb, SLICE("kept-flags"))) {
        return expect_flags(s, rest);
    } else if (slice_eq(verb, SLICE("kept-bytes")) && num_u64(rest, 1 << 30, &n)) {
        size_t got = s->content.n;
        s->content = SLICE_EMPTY;
        return got == n || fail_script(s, "there are %zu", got);
    } else if (slice_eq(verb, SLICE("received"))) {
        return slice_search(s->received, rest) < s->received.n ||
               fail_script(s, "it is \"%.*s\"", SLICE_ARG(s->received));
    } else {
        return fail_script(s, "what is \"%.*s\"?", SLICE_ARG(verb));
    }
    return true;
}

static FIBER_FN bool act(struct scene *s, struct slice text) {
    struct slice verb, rest;
    bool known;
    slice_cut(text, ' ', &verb, &rest);
    rest = slice_trim(rest);
    if (!act_before(s, verb, rest, &known))
        return false;
    if (known)
        return !s->begun || slice_eq(verb, SLICE("uncut")) || fail_script(s, "too late for this");
    if (!begin(s))
        return false;
    send_unsent(s);
    return act_users(s, verb, rest, &known) && (known || act_gate(s, verb, rest, &known)) &&
           (known || act_after(s, verb, rest));
}

static void queue_bytes(struct scene *s, struct slice text, bool raw) {
    BUF_AUTO struct buf repeated = {.max = 1 << 27};
    size_t at = slice_search(text, SLICE("{eod}"));
    if (at < text.n) {
        script_add_escaped(&s->unsent, slice_upto(text, at));
        s->eod_at = s->eod_at ? s->eod_at : s->said + s->unsent.n;
        buf_add(&s->unsent, s->eod);
        text = slice_from(text, at + 5);
    }
    script_add_repeated(&repeated, text);
    if (raw)
        script_add_escaped(&s->unsent, buf_slice(&repeated));
    else
        buf_add(&s->unsent, buf_slice(&repeated));
    if (!raw)
        buf_add_str(&s->unsent, "\r\n");
}

static FIBER_FN bool do_line(struct scene *s, struct slice line) {
    if (slice_starts(line, SLICE("#")) || !slice_trim(line).n)
        return true;
    if (slice_starts(line, SLICE("> ")))
        return act(s, slice_from(line, 2));
    if (!begin(s))
        return false;
    if (slice_starts(line, SLICE("C:")) || slice_starts(line, SLICE("C|"))) {
        queue_bytes(s, slice_from(line, 3), line.p[1] == '|');
        return true;
    }
    send_unsent(s);
    if (slice_starts(line, SLICE("K:")))
        return expect_content(s, slice_from(line, 3));
    if (slice_starts(line, SLICE("S: ")))
        return expect_line(s, slice_from(line, 3));
    return fail_script(s, "not a line of a script");
}

// After the last line: nothing unsaid on either side, and the session ends with its input.
static FIBER_FN bool finish(struct scene *s) {
    send_unsent(s);
    if (!content_looked_at(s))
        return false;
    if (!s->over && s->client && (s->heard.n || hear(s, 10)))
        return fail_script(s, "the server says more: \"%.*s\"", SLICE_ARG(slice_upto(buf_slice(&s->heard), 300)));
    close_client(s);
    for (int i = 0; i < 100 && !s->over; i++)
        fiber_sleep(100);
    if (!s->over)
        return fail_script(s, "the session does not end with its input");
    if (s->backend.kept_n != s->looked)
        return fail_script(s, "the queue got %zu messages that were not expected", s->backend.kept_n - s->looked);
    if (s->backend.auth.open)
        return fail_script(s, "%d conversations of SASL are still open", s->backend.auth.open);
    return s->backend.slots == 0 || fail_script(s, "%d slots are still open", s->backend.slots);
}

static void play(void *arg) {
    struct scene *s = arg;
    bool ok = true;
    while (ok && s->rest.n) {
        struct slice line = script_line(&s->rest);
        s->line++;
        ok = do_line(s, line);
    }
    if (ok && begin(s))
        finish(s);
    close_client(s);
    fiber_group_cancel(&s->group);
}

// --- the whole

struct result {
    size_t said, eod_at;
    bool uncut;
    char failure[SCRIPT_FAILURE];
};

static void run_once(const char *path, struct slice text, struct slice eod, struct pace pace, struct result *out) {
    struct err e;
    struct scene *s = MEM_NEW(struct scene);
    s->path = path;
    s->rest = text;
    s->eod = eod;
    s->pace = pace;
    s->loop = loop_new(true);
    s->settings.max = s->heard.max = 1 << 20;
    s->unsent.max = s->scratch.max = 1 << 27;
    netaddr_parse_ip(SLICE("192.0.2.1"), &s->address);
    s->shared.role = ROLE_SMTPD;
    scene_now = s;
    fiber_group_init(&s->group, s->loop, "dialogue");
    if (!fiber_spawn(&s->group, "script", play, s, &e))
        abort();
    loop_run(s->loop);
    *out = (struct result){.said = s->said, .eod_at = s->eod_at, .uncut = s->uncut};
    memcpy(out->failure, s->failure, sizeof s->failure);
    fake_backend_done(&s->backend);
    if (s->shared.waited)
        smtpd_waited_done(&s->waited);
    buf_done(&s->settings);
    buf_done(&s->unsent);
    buf_done(&s->heard);
    buf_done(&s->scratch);
    loop_free(s->loop);
    free(s);
}

static bool failed_so(struct result *r, const char *how, size_t at, struct slice eod) {
    if (!r->failure[0])
        return false;
    BUF_AUTO struct buf more = {.max = 512};
    buf_addf(&more, " (%s", how);
    if (at)
        buf_addf(&more, " at byte %zu", at);
    for (size_t i = 0; i < eod.n; i++)
        buf_addf(&more, "%s%02x", i ? "" : ", sequence ", (unsigned char)eod.p[i]);
    buf_add_str(&more, ")");
    buf_add_char(&more, '\0');
    size_t n = strlen(r->failure);
    snprintf(r->failure + n, sizeof r->failure - n, "%s", more.p);
    return true;
}

// What comes before a sequence is the same for each: `again`, only its last bytes are cut.
static void run_paces(const char *path, struct slice text, struct slice eod, bool again, struct result *out) {
    run_once(path, text, eod, (struct pace){0}, out);
    if (failed_so(out, "in one piece", 0, eod) || out->uncut)
        return;
    size_t all = out->said, first = again && out->eod_at > EOD_BEFORE ? out->eod_at - EOD_BEFORE : 1;
    run_once(path, text, eod, (struct pace){.bytewise = true}, out);
    if (failed_so(out, "byte by byte", 0, eod))
        return;
    // What is long is so by one message: its end is of interest.
    size_t dense = all > 20 * CUTS_MAX ? all - CUTS_MAX : 0, dense_step = (all - dense) / CUTS_MAX + 1;
    for (size_t at = first; at < all; at += at < dense ? dense / CUTS_LONG : dense_step) {
        run_once(path, text, eod, (struct pace){.cut = at}, out);
        if (failed_so(out, "cut", at, eod))
            return;
    }
}

// Sequences that some server or other takes for the end of data (CVE-2023-51764 and its family; the corpora of
// SMTP-Smuggling-Tools and smtpsmug, and a few more). None of them is.
static const struct slice sequences[] = {
    {"\n.\n", 3},       {"\n.\r", 3},         {"\r.\n", 3},         {"\r.\r", 3},         {"\n.\r\n", 4},
    {"\r.\r\n", 4},     {"\r\n.\n", 4},       {"\r\n.\r", 4},       {"\r\n\0.\r\n", 6},   {"\r\n.\0\r\n", 6},
    {"\r\n.\r\r\n", 6}, {"\r\r\n.\r\r\n", 7}, {"\r\n..\r\n", 6},    {"\r\n. \r\n", 6},    {"\n\n.\r\n", 5},
    {"\r\n.\n\r\n", 6}, {"\r\n\r.\r\n", 6},   {"\r\n.\x0b\r\n", 6}, {"\r\n\x85.\r\n", 6}, {"\x0a\x0d.\x0a\x0d", 5},
};

static bool bare(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        bool cr = s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n');
        bool lf = s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r');
        if (cr || lf)
            return true;
    }
    return false;
}

static bool has(struct slice text, struct slice what) { return slice_search(text, what) < text.n; }

static void play_all(const char *path, struct slice text, struct result *out) {
    bool no_bare = has(text, SLICE("> no bare")), no_clean = has(text, SLICE("> no clean"));
    if (!has(text, SLICE("{eod}"))) {
        run_paces(path, text, SLICE_EMPTY, false, out);
        return;
    }
    bool again = false;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        if (bare(sequences[i]) ? no_bare : no_clean)
            continue;
        run_paces(path, text, sequences[i], again, out);
        again = true;
        if (out->failure[0])
            return;
    }
}

static void run_script(const char *path, struct slice text, char failure[SCRIPT_FAILURE]) {
    struct result r = {0};
    play_all(path, text, &r);
    memcpy(failure, r.failure, sizeof r.failure);
}

int main(int argc, char **argv) { return script_main(argc, argv, run_script); }
