// relay_dialogue: the relay service, whole, against servers that follow a script. A script is lines:
//
//     # a comment
//     > dns example.net MX 10 mx.example.net      a line of the resolver's table (svc/resolver/resolver_table.h)
//     > mx example.net | host 192.0.2.1 | port N  where the message goes; host by default, port 25
//     > from a@example.org                        the sender; empty for the null reverse-path
//     > to b@example.net c@example.net            the recipients
//     > flags 8bit smtputf8 requiretls
//     > content Subject: hi                       one line of content; without any: a small message
//     > content-bytes 100000                      that much content in lines of 100, asked of the queue in pieces
//     > send                                      hands the work out
//     > accept 192.0.2.1                          the next connection, which must go there
//     > refuse 192.0.2.1                          the same, but refuses it
//     > tls may                                   anywhere: STARTTLS is used where it is offered; never by default
//     > tls trusted                               the same, and the server's certificate is one to be believed, when
//                                                 it is called mx.example.net, 192.0.2.1 or 192.0.2.3
//     > tls                                       the server's part of the handshake, which must succeed
//     > tls fails                                 the client breaks the handshake off
//     > ignore                                    waits for something from the client, and forgets it
//     > secure yes | no                           whether the outcome says that it went by TLS
//     > close                                     the server closes
//     > quiet                                     nothing more is said by the client in the next second
//     > sleep 6000                                milliseconds
//     > bye                                       the client closes
//     > outcome b@example.net delivered 250 2.0.0 Ok          the result; the text may end with ...
//     > site worked | failed | untried            of the same outcome
//     S: 250 what the server sends                S| the same without CRLF
//     C: what the client must send                may end with ...
//     C* content up to and with the final dot, which must be the message's
#include "script.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/seed.h"
#include "rt/tls/tls_test_keys.h"
#include "svc/relay/relay.h"
#include "svc/resolver/resolver_table.h"
#include "wire/smtp_body.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE = 1 << 20, PATIENCE_MS = 30 * MS_MINUTE, RECIPIENTS = 40 };

// A connection that the relay asks for, until the script accepts or refuses it.
struct caller {
    struct list entry;
    struct netaddr to;
    struct fiber *fiber;
    bool settled;
    struct transport *given; // NULL: refused
};

struct script {
    struct loop *loop;
    struct net net;
    struct world world, resolver_world;
    struct config *config;
    struct resolver_table *table;
    struct resolver_service *resolver;
    struct relay_service *relay;
    struct link *queue;
    struct fiber_group group;
    struct list callers;
    struct fiber_cond called, answered;
    struct transport *server; // our end of the connection that the script is in
    struct tls_server *tls;   // NULL: never
    struct tls_test_key key;  // of that
    char trust[64];           // path of a file; empty: none
    struct buf said;          // by the client, not yet looked at
    struct arena arena;
    // the message
    enum message_work_kind kind;
    struct slice host, from, to[RECIPIENTS];
    size_t to_n;
    uint16_t port;
    uint32_t flags;
    struct buf content;
    // its outcome
    struct buf payload;
    struct message_outcome outcome;
    bool have_outcome;
    struct seed seed;
    // the text
    const char *path;
    struct slice rest;
    unsigned line;
    char failure[SCRIPT_FAILURE];
};

static bool fail_script(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail_script(struct script *s, const char *format, ...) {
    char text[900];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!s->failure[0])
        snprintf(s->failure, sizeof s->failure, "%s:%u: %s", s->path, s->line, text);
    return false;
}

// --- the world

static FIBER_FN bool connect_here(struct net *net, const struct netaddr *to, struct mono deadline,
                                  struct transport **out, struct netaddr *local, struct err *e) {
    struct script *s = LIST_ENTRY(net, struct script, net);
    struct caller caller = {.to = *to, .fiber = fiber_self()};
    list_append(&s->callers, &caller.entry);
    fiber_cond_wake_all(&s->called);
    while (!caller.settled)
        if (!fiber_park_err(deadline, "connecting", e)) {
            list_remove(&caller.entry);
            return false;
        }
    if (!caller.given)
        return err_set(e, ERR_TEMPORARY, "connection refused");
    *out = caller.given;
    return true;
}

static const struct net_ops net_here = {.connect = connect_here};

static struct wall wall_here(void *arg) {
    struct script *s = arg;
    return (struct wall){1795257675000 + loop_now(s->loop).ns / 1000000};
}

static void random_here(void *arg, void *to, size_t n) {
    struct script *s = arg;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = (unsigned char)seed_next(&s->seed);
}

static const struct world_ops world_here = {.wall = wall_here, .random = random_here};

// --- the queue's side

static void answer_read(struct script *s, const struct link_frame *frame) {
    struct message_read m;
    if (!message_read_unpack(frame->payload, &m)) {
        fail_script(s, "a malformed READ");
        return;
    }
    struct slice piece = slice_upto(slice_from(buf_slice(&s->content), (size_t)m.offset), m.n);
    link_send1(s->queue, LINK_READ_REPLY, frame->id, piece);
}

static void queue_reader(void *arg) {
    struct script *s = arg;
    struct link_frame frame;
    struct err e;
    while (link_receive(s->queue, MONO_NEVER, &e))
        while (link_next(s->queue, &frame)) {
            if (frame.type == LINK_READ) {
                answer_read(s, &frame);
                continue;
            }
            buf_reset(&s->payload);
            buf_add(&s->payload, frame.payload);
            s->have_outcome = message_outcome_unpack(buf_slice(&s->payload), &s->arena, &s->outcome);
            if (!s->have_outcome)
                fail_script(s, "a malformed OUTCOME");
            fiber_cond_wake_all(&s->answered);
        }
}

static void default_content(struct script *s) {
    if (!s->content.n)
        buf_add_str(&s->content, "Subject: test\r\n\r\nhello\r\n.dot\r\n");
}

static bool send_work(struct script *s) {
    BUF_AUTO struct buf payload = {.max = LINK_PAYLOAD_MAX};
    struct message_work_recipient list[RECIPIENTS] = {0};
    default_content(s);
    for (size_t i = 0; i < s->to_n; i++)
        list[i] = (struct message_work_recipient){.index = (uint32_t)i, .address = s->to[i]};
    struct message_work m = {.kind = s->kind,
                             .queue_id = 42,
                             .host = s->host,
                             .port = s->port,
                             .flags = s->flags,
                             .sender = s->from,
                             .attempt = 1,
                             .recipients = list,
                             .recipients_n = s->to_n,
                             .size = s->content.n};
    bool whole = s->content.n <= MESSAGE_INLINE_MAX;
    m.content = whole ? buf_slice(&s->content) : SLICE_EMPTY;
    s->have_outcome = false;
    if (!message_work_pack_head(&payload, &m))
        return fail_script(s, "the work can't be packed");
    struct slice parts[] = {buf_slice(&payload), m.content};
    return link_send(s->queue, LINK_WORK, 7, parts, 2) || fail_script(s, "the link is down");
}

// --- the server's side

static FIBER_FN struct caller *next_caller(struct script *s, struct slice want) {
    char text[64];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    while (list_empty(&s->callers))
        if (fiber_cond_wait(&s->called, loop_in_ms(s->loop, PATIENCE_MS)) != FIBER_WOKEN) {
            fail_script(s, "no connection to %.*s", SLICE_ARG(want));
            return NULL;
        }
    struct caller *c = LIST_ENTRY(list_shift(&s->callers), struct caller, entry);
    netaddr_add_ip(&b, &c->to);
    if (!slice_eq(buf_slice(&b), want))
        fail_script(s, "connects to %.*s", SLICE_ARG(buf_slice(&b)));
    return c;
}

static FIBER_FN bool accept_caller(struct script *s, struct slice want, bool accept) {
    struct caller *c = next_caller(s, want);
    if (!c)
        return false;
    if (accept) {
        if (s->server)
            s->server->ops->close(s->server);
        buf_reset(&s->said);
        transport_pair(PIPE, &s->server, &c->given);
    }
    c->settled = true;
    fiber_wake(c->fiber);
    return !s->failure[0];
}

static FIBER_FN bool handshake(struct script *s) {
    struct transport *secure;
    struct err e;
    if (!s->server || !s->tls)
        return fail_script(s, "there is no connection, or no \"> tls may\"");
    if (s->said.n)
        return fail_script(s, "the client says \"%.*s\" before the handshake", SLICE_ARG(buf_slice(&s->said)));
    if (!tls_accept(s->tls, s->server, loop_in_ms(s->loop, PATIENCE_MS), &secure, &e))
        return fail_script(s, "the handshake fails: %s", e.text);
    s->server = secure;
    return true;
}

// The client ends it: TLS 1.3 lets the server think that all is well before the client has said no.
static FIBER_FN bool handshake_fails(struct script *s) {
    struct transport *secure;
    struct err e;
    char byte;
    size_t got;
    if (!tls_accept(s->tls, s->server, loop_in_ms(s->loop, PATIENCE_MS), &secure, &e))
        return true;
    s->server = secure;
    enum transport_got how;
    while ((how = secure->ops->read(secure, &byte, 1, &got, &e)) == TRANSPORT_AGAIN)
        if (!secure->ops->wait_read(secure, loop_in_ms(s->loop, PATIENCE_MS), &e))
            return fail_script(s, "the client waits");
    return how != TRANSPORT_SOME || fail_script(s, "the client goes on after the handshake");
}

// More of what the client says. False: it closed, or the patience ended.
static FIBER_FN bool hear(struct script *s, int64_t patience_ms) {
    struct mono deadline = loop_in_ms(s->loop, patience_ms);
    struct err e;
    for (;;) {
        char *to = buf_reserve(&s->said, 4096);
        size_t got;
        switch (s->server->ops->read(s->server, to, 4096, &got, &e)) {
        case TRANSPORT_SOME:
            buf_commit(&s->said, got);
            return true;
        case TRANSPORT_AGAIN:
            if (!s->server->ops->wait_read(s->server, deadline, &e))
                return false;
            break;
        default:
            return false;
        }
    }
}

static FIBER_FN bool say(struct script *s, struct slice text, bool crlf) {
    struct err e;
    struct mono deadline = loop_in_ms(s->loop, PATIENCE_MS);
    if (!s->server)
        return fail_script(s, "there is no connection");
    return (transport_write_all(s->server, text, deadline, &e) &&
            (!crlf || transport_write_all(s->server, SLICE("\r\n"), deadline, &e))) ||
           fail_script(s, "the client is gone: %s", e.text);
}

static bool matches(struct slice got, struct slice want) {
    if (slice_ends(want, SLICE("...")))
        return slice_starts(got, slice_upto(want, want.n - 3));
    return slice_eq(got, want);
}

static FIBER_FN bool expect_line(struct script *s, struct slice want) {
    size_t n;
    if (!s->server)
        return fail_script(s, "there is no connection");
    while ((n = slice_search(buf_slice(&s->said), SLICE("\r\n"))) == s->said.n)
        if (!hear(s, PATIENCE_MS))
            return fail_script(s, "the client says nothing, but \"%.*s\" was expected", SLICE_ARG(want));
    struct slice got = slice_upto(buf_slice(&s->said), n);
    if (!matches(got, want))
        return fail_script(s, "got \"%.*s\", not \"%.*s\"", SLICE_ARG(got), SLICE_ARG(want));
    buf_drop(&s->said, n + 2);
    return true;
}

static FIBER_FN bool expect_content(struct script *s) {
    struct smtp_body body = {.mode = SMTP_BODY_REFUSE};
    BUF_AUTO struct buf got = {.max = 64 * 1024 * 1024};
    for (;;) {
        size_t used = 0;
        bool end = smtp_body_feed(&body, buf_slice(&s->said), &got, &used);
        buf_drop(&s->said, used);
        if (end)
            break;
        if (!hear(s, PATIENCE_MS))
            return fail_script(s, "the content does not end");
    }
    return (!body.bare_cr && !body.bare_lf && slice_eq(buf_slice(&got), buf_slice(&s->content))) ||
           fail_script(s, "the content is another one: \"%.*s\"", SLICE_ARG(slice_upto(buf_slice(&got), 300)));
}

// --- the outcome

static const char *const results[] = {"delivered", "deferred", "failed"};

static FIBER_FN bool wait_outcome(struct script *s) {
    while (!s->have_outcome)
        if (fiber_cond_wait(&s->answered, loop_in_ms(s->loop, PATIENCE_MS)) != FIBER_WOKEN)
            return fail_script(s, "no outcome came");
    return true;
}

static FIBER_FN bool expect_outcome(struct script *s, struct slice text) {
    char got[900];
    struct slice address, want;
    slice_cut(text, ' ', &address, &want);
    if (!wait_outcome(s))
        return false;
    for (size_t i = 0; i < s->outcome.recipients_n; i++) {
        const struct message_outcome_recipient *r = &s->outcome.recipients[i];
        if (r->index >= s->to_n || !slice_eq(s->to[r->index], address))
            continue;
        int n = snprintf(got, sizeof got, "%s %u %u.%u.%u %.*s", results[r->result], r->smtp, r->enhanced[0],
                         r->enhanced[1], r->enhanced[2], SLICE_ARG(r->reason));
        return matches(slice_of(got, (size_t)n), want) || fail_script(s, "the outcome is \"%s\"", got);
    }
    return fail_script(s, "%.*s is not in the outcome", SLICE_ARG(address));
}

static FIBER_FN bool expect_site(struct script *s, struct slice want) {
    static const char *const sites[] = {"worked", "failed", "untried"};
    return wait_outcome(s) &&
           (slice_eq(want, slice_str(sites[s->outcome.site])) || fail_script(s, "the site %s", sites[s->outcome.site]));
}

static FIBER_FN bool expect_secure(struct script *s, struct slice want) {
    return wait_outcome(s) && (s->outcome.tls == slice_eq(want, SLICE("yes")) ||
                               fail_script(s, "it went %s TLS", s->outcome.tls ? "by" : "without"));
}

// --- the lines of a script

static void add_recipients(struct script *s, struct slice text) {
    s->to_n = 0;
    while (text.n && s->to_n < RECIPIENTS) {
        slice_cut(text, ' ', &s->to[s->to_n], &text);
        s->to_n++;
    }
}

static void add_flags(struct script *s, struct slice text) {
    s->flags = 0;
    if (slice_search(text, SLICE("8bit")) < text.n)
        s->flags |= ENVELOPE_8BIT;
    if (slice_search(text, SLICE("smtputf8")) < text.n)
        s->flags |= ENVELOPE_SMTPUTF8;
    if (slice_search(text, SLICE("requiretls")) < text.n)
        s->flags |= ENVELOPE_REQUIRETLS;
}

static void add_much_content(struct script *s, struct slice text) {
    uint64_t n = 0;
    num_u64(text, 100000000, &n);
    buf_reset(&s->content);
    buf_add_str(&s->content, "Subject: much\r\n\r\n");
    for (uint64_t i = 0; s->content.n < n; i++)
        buf_addf(&s->content, "%s line %080llu\r\n", i % 3 ? "a" : ".", (unsigned long long)i);
}

static FIBER_FN bool expect_quiet(struct script *s) {
    return (!s->said.n && !hear(s, MS_SECOND)) ||
           fail_script(s, "the client says \"%.*s\"", SLICE_ARG(buf_slice(&s->said)));
}

static FIBER_FN bool expect_bye(struct script *s) {
    struct mono before = loop_now(s->loop);
    bool said = s->said.n || hear(s, PATIENCE_MS);
    return (!said && mono_ms_between(before, loop_now(s->loop)) < PATIENCE_MS) ||
           fail_script(s, "the client does not close, says \"%.*s\"", SLICE_ARG(buf_slice(&s->said)));
}

static FIBER_FN bool act(struct script *s, struct slice text) {
    struct slice verb, rest;
    uint64_t n = 0;
    slice_cut(text, ' ', &verb, &rest);
    rest = slice_trim(rest);
    if (slice_eq(verb, SLICE("dns")))
        return resolver_table_add(s->table, rest) || fail_script(s, "not a line of DNS");
    if (slice_eq(verb, SLICE("mx")) || slice_eq(verb, SLICE("host"))) {
        s->kind = verb.n == 2 ? MESSAGE_WORK_RELAY_MX : MESSAGE_WORK_RELAY_HOST;
        s->host = rest;
    } else if (slice_eq(verb, SLICE("from"))) {
        s->from = rest;
    } else if (slice_eq(verb, SLICE("to"))) {
        add_recipients(s, rest);
    } else if (slice_eq(verb, SLICE("flags"))) {
        add_flags(s, rest);
    } else if (slice_eq(verb, SLICE("content"))) {
        buf_add(&s->content, rest);
        buf_add_str(&s->content, "\r\n");
    } else if (slice_eq(verb, SLICE("content-bytes"))) {
        add_much_content(s, rest);
    } else if (slice_eq(verb, SLICE("port")) && num_u64(rest, 65535, &n)) {
        s->port = (uint16_t)n;
    } else if (slice_eq(verb, SLICE("send"))) {
        return send_work(s);
    } else if (slice_eq(verb, SLICE("accept"))) {
        return accept_caller(s, rest, true);
    } else if (slice_eq(verb, SLICE("refuse"))) {
        return accept_caller(s, rest, false);
    } else if (slice_eq(verb, SLICE("tls"))) {
        return slice_eq(rest, SLICE("fails")) ? handshake_fails(s) : rest.n > 0 || handshake(s);
    } else if (slice_eq(verb, SLICE("ignore"))) {
        bool said = s->said.n || hear(s, PATIENCE_MS);
        buf_reset(&s->said);
        return said || fail_script(s, "the client says nothing");
    } else if (slice_eq(verb, SLICE("secure"))) {
        return expect_secure(s, rest);
    } else if (slice_eq(verb, SLICE("close"))) {
        s->server->ops->close(s->server);
        s->server = NULL;
    } else if (slice_eq(verb, SLICE("sleep")) && num_u64(rest, 100000000, &n)) {
        fiber_sleep((int64_t)n);
    } else if (slice_eq(verb, SLICE("quiet"))) {
        return expect_quiet(s);
    } else if (slice_eq(verb, SLICE("bye"))) {
        return expect_bye(s);
    } else if (slice_eq(verb, SLICE("outcome"))) {
        return expect_outcome(s, rest);
    } else if (slice_eq(verb, SLICE("site"))) {
        return expect_site(s, rest);
    } else {
        return fail_script(s, "what is \"%.*s\"?", SLICE_ARG(verb));
    }
    return true;
}

static FIBER_FN bool say_line(struct script *s, struct slice text, bool crlf) {
    BUF_AUTO struct buf out = {.max = 1 << 24};
    script_add_repeated(&out, text);
    return say(s, buf_slice(&out), crlf);
}

static FIBER_FN bool do_line(struct script *s, struct slice line) {
    if (slice_starts(line, SLICE("#")) || !slice_trim(line).n)
        return true;
    if (slice_starts(line, SLICE("> ")))
        return act(s, slice_from(line, 2));
    if (slice_starts(line, SLICE("S: ")))
        return say_line(s, slice_from(line, 3), true);
    if (slice_starts(line, SLICE("S| ")))
        return say_line(s, slice_from(line, 3), false);
    if (slice_starts(line, SLICE("C: ")))
        return expect_line(s, slice_from(line, 3));
    if (slice_starts(line, SLICE("C*")))
        return expect_content(s);
    return fail_script(s, "not a line of a script");
}

static void play(void *arg) {
    struct script *s = arg;
    bool ok = true;
    while (ok && s->rest.n) {
        struct slice line = script_line(&s->rest);
        s->line++;
        ok = do_line(s, line);
    }
    LIST_EACH(at, &s->callers) {
        struct caller *c = LIST_ENTRY(at, struct caller, entry);
        list_remove(&c->entry);
        c->settled = true;
        fiber_wake(c->fiber);
    }
    if (s->server)
        s->server->ops->close(s->server);
    relay_stop(s->relay);
    fiber_group_join(relay_fibers(s->relay));
    resolver_stop(s->resolver);
    fiber_group_join(resolver_fibers(s->resolver));
    fiber_group_cancel(&s->group);
}

// --- the whole

static void wire(struct script *s) {
    struct transport *a, *b;
    transport_pair(PIPE, &a, &b);
    s->queue = link_new(s->loop, a, ROLE_QUEUE, ROLE_RELAY);
    relay_attach(s->relay, link_new(s->loop, b, ROLE_RELAY, ROLE_QUEUE), ROLE_QUEUE);
    transport_pair(PIPE, &a, &b);
    resolver_attach(s->resolver, link_new(s->loop, a, ROLE_RESOLVER, ROLE_RELAY), ROLE_RELAY);
    relay_attach(s->relay, link_new(s->loop, b, ROLE_RELAY, ROLE_RESOLVER), ROLE_RESOLVER);
}

static struct config *config_here(bool tls) {
    struct config_report report = {0};
    struct slice text = SLICE("version 1\nhostname relay.example.org\nlisten mx 203.0.113.1:25\n"
                              "domain example.org { recipients any; deliver relay }\n");
    struct config *c = config_parse(text, SLICE("/"), &report);
    assert(c);
    c->tls_out = tls ? CONFIG_TLS_OUT_MAY : CONFIG_TLS_OUT_NEVER;
    config_report_done(&report);
    return c;
}

// A file for `tls ca`, gone as soon as it was read.
static void write_trust(struct script *s, const struct buf *pem) {
    snprintf(s->trust, sizeof s->trust, "/tmp/relay_dialogue.XXXXXX");
    int fd = mkstemp(s->trust);
    if (fd < 0 || write(fd, pem->p, pem->n) != (ssize_t)pem->n || close(fd))
        abort();
}

static void make_server(struct script *s, struct slice text) {
    bool trusted = slice_search(text, SLICE("> tls trusted\n")) < text.n;
    bool tls = trusted || slice_search(text, SLICE("> tls may\n")) < text.n;
    s->config = config_here(tls);
    if (!tls)
        return;
    tls_test_key(&s->key, TLS_TEST_EC, "mx.example.net,IP:192.0.2.1,IP:192.0.2.3", NULL);
    s->tls = tls_test_server("dialogue", false, &s->key, 1);
    if (!trusted)
        return;
    write_trust(s, &s->key.chain);
    s->config->tls_ca = slice_str(s->trust);
}

static void run_script(const char *path, struct slice text, char failure[SCRIPT_FAILURE]) {
    struct err e;
    struct script *s = MEM_NEW(struct script);
    *s = (struct script){.path = path, .rest = text, .net = {&net_here}, .loop = loop_new(true), .port = 25};
    s->kind = MESSAGE_WORK_RELAY_HOST;
    s->host = SLICE("192.0.2.1");
    s->from = SLICE("alice@example.org");
    s->to[0] = SLICE("bob@example.net");
    s->to_n = 1;
    s->said.max = s->content.max = s->payload.max = s->arena.max = 64 * 1024 * 1024;
    s->world = (struct world){.loop = s->loop, .net = &s->net, .ops = &world_here, .ops_arg = s};
    make_server(s, text);
    list_init(&s->callers);
    fiber_group_init(&s->group, s->loop, "script");
    s->table = resolver_table_new(s->loop);
    s->resolver = resolver_new(&s->world, resolver_table_backend(s->table));
    s->relay = relay_new(&s->world, s->config);
    if (s->trust[0])
        unlink(s->trust);
    wire(s);
    if (!fiber_spawn(&s->group, "queue", queue_reader, s, &e) || !fiber_spawn(&s->group, "script", play, s, &e))
        abort();
    loop_run(s->loop);
    memcpy(failure, s->failure, sizeof s->failure);
    relay_free(s->relay);
    resolver_free(s->resolver);
    link_free(s->queue);
    tls_server_free(s->tls);
    if (s->tls)
        tls_test_key_done(&s->key);
    config_free(s->config);
    buf_done(&s->said);
    buf_done(&s->content);
    buf_done(&s->payload);
    arena_done(&s->arena);
    loop_free(s->loop);
    free(s);
}

int main(int argc, char **argv) { return script_main(argc, argv, run_script); }
