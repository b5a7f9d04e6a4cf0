// simulate_run: a session, stage by stage.
#include "cmd/simulate.h"

#include "mail/address.h"
#include "mail/header/header.h"

#include <stdlib.h>

enum { DNS_SHOWN = 1000, RESULTS_MAX = 64 * 1024 };

struct running {
    struct simulate *s;
    const struct simulate_session *session;
    struct gate *gate;
    bool stranger; // no user, of no trusted network
};

static struct simulate_step *begin_step(struct simulate *s, enum config_stage stage) {
    struct simulate_step *step = ARENA_NEW(&s->arena, struct simulate_step);
    if (!step)
        abort();
    step->stage = stage;
    step->dns = arena_alloc(&s->arena, DNS_SHOWN * sizeof *step->dns);
    step->dns_room = step->dns ? DNS_SHOWN : 0;
    if (s->last)
        s->last->next = step;
    else
        s->first = step;
    s->last = step;
    return step;
}

// The rules; where they tell it to come again, as they are when it does. False: refused.
static bool decide(struct running *r, enum config_stage stage, struct slice recipient) {
    struct simulate_step *step = begin_step(r->s, stage);
    struct gate_verdict v;
    step->recipient = recipient;
    if (!r->stranger) // nobody else has a gate
        return true;
    gate_decide(r->gate, stage, &v);
    if (!step->greylisted || r->s->came_back || r->s->once)
        return v.outcome != GATE_REFUSE;
    r->s->came_back = true;
    if (stage == CONFIG_STAGE_RECIPIENT)
        gate_recipient(r->gate, recipient, r->s->accepted + 1);
    bool taken = decide(r, stage, recipient);
    r->s->last->again = true;
    return taken;
}

// --- recipients: what the server says before any rule

static bool refuse(struct running *r, struct slice address, const struct err *e) {
    struct simulate_step *step = begin_step(r->s, CONFIG_STAGE_RECIPIENT);
    step->recipient = address;
    step->outcome = GATE_REFUSE;
    step->by_server = true;
    step->why = *e;
    return false;
}

static bool is_known(struct running *r, struct slice address, struct err *e) {
    struct recipients found;
    ARENA_AUTO struct arena arena = {.max = SIMULATE_MEMORY};
    if (!recipient_expand(r->s->config, lookup_tables_now(r->s->tables), address, &arena, &found, e))
        return false;
    return found.kind == RECIPIENT_KNOWN || err_smtp(e, 550, "5.1.1", "no such recipient here");
}

static bool may_be_named(struct running *r, struct slice address, struct err *e) {
    const struct simulate_session *session = r->session;
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct address a;
    if (!address_parse(address, ADDRESS_RECIPIENT, &arena, &a, e) || !address_normalize(&a, &arena, e))
        return false;
    bool trusted = session->user.n || config_trusts(r->s->config, &session->client);
    if (a.domain.n && !route_is_local(r->s->config, a.domain))
        return trusted || err_smtp(e, 550, "5.7.1", "relaying denied");
    return is_known(r, address, e);
}

static void take_recipient(struct running *r, struct slice address) {
    struct err e = {0};
    if (!r->s->any_recipient && !may_be_named(r, address, &e)) {
        refuse(r, address, &e);
        return;
    }
    gate_recipient(r->gate, address, r->s->accepted + 1);
    r->s->accepted += decide(r, CONFIG_STAGE_RECIPIENT, address);
    r->s->discarded += r->s->last->outcome == GATE_DISCARD;
}

// --- content

static struct slice body_of(struct slice content, struct slice header) {
    struct slice rest = slice_from(content, header.n);
    return slice_starts(rest, SLICE("\r\n")) ? slice_from(rest, 2) : rest;
}

struct signatures {
    struct dkim_verify dkim;
    struct arc_verify arc;
};

static bool read_signatures(struct running *r, struct slice header, struct slice body, struct signatures *out) {
    if (!dkim_verify_begin(&out->dkim, header, r->s->now, &r->s->arena) ||
        !arc_verify_begin(&out->arc, header, r->s->now, &r->s->arena))
        return false;
    dkim_verify_body(&out->dkim, body);
    arc_verify_body(&out->arc, body);
    return true;
}

static unsigned count_hops(struct slice header) {
    struct header_field f;
    unsigned n = 0;
    while (header_next(&header, &f))
        n += slice_ieq(f.name, SLICE("Received"));
    return n;
}

static void write_results(struct running *r) {
    BUF_AUTO struct buf b = {.max = RESULTS_MAX};
    if (gate_results(r->gate, &b))
        r->s->results = arena_dup(&r->s->arena, buf_slice(&b));
}

static void take_content(struct running *r) {
    const struct simulate_session *session = r->session;
    struct slice header = header_section(session->content);
    struct signatures found = {0};
    struct gate_content c = {.size = session->size ? session->size : session->content.n,
                             .header = header,
                             .hops = count_hops(header),
                             .recipients = session->recipients,
                             .recipients_n = session->recipients_n};
    if (read_signatures(r, header, body_of(session->content, header), &found)) {
        c.dkim = &found.dkim;
        c.arc = &found.arc;
    }
    gate_content(r->gate, &c);
    if (decide(r, CONFIG_STAGE_CONTENT, SLICE_EMPTY) && session->content.n)
        write_results(r);
    gate_told(r->gate, NULL);
    dkim_verify_done(&found.dkim);
    arc_verify_done(&found.arc);
}

// --- all

static void greet(struct running *r) {
    struct gate_client_facts f = {.ip = r->session->client,
                                  .session = r->session->session,
                                  .user = r->session->user,
                                  .trusted = config_trusts(r->s->config, &r->session->client),
                                  .tls = r->session->tls};
    for (size_t i = 0; i < r->s->config->listens_n && f.local.family == NETADDR_NONE; i++)
        if (r->s->config->listens[i].role == CONFIG_LISTEN_MX)
            f.local = r->s->config->listens[i].at;
    gate_client(r->gate, &f);
}

static void run(struct running *r, enum config_stage until) {
    const struct simulate_session *session = r->session;
    greet(r);
    if (!decide(r, CONFIG_STAGE_CONNECT, SLICE_EMPTY) || until == CONFIG_STAGE_CONNECT)
        return;
    gate_helo(r->gate, session->helo);
    if (session->helo_said && !decide(r, CONFIG_STAGE_HELO, SLICE_EMPTY))
        return;
    if (until == CONFIG_STAGE_HELO)
        return;
    gate_mail(r->gate, session->sender);
    if (!decide(r, CONFIG_STAGE_MAIL, SLICE_EMPTY) || until == CONFIG_STAGE_MAIL)
        return;
    for (size_t i = 0; i < session->recipients_n; i++)
        take_recipient(r, session->recipients[i]);
    if (r->s->accepted && session->has_content && until == CONFIG_STAGE_CONTENT)
        take_content(r);
}

void simulate_run(struct simulate *s, const struct simulate_session *session, enum config_stage until) {
    struct running r = {.s = s, .session = session};
    r.stranger = !session->user.n && !config_trusts(s->config, &session->client);
    bool came_back = s->came_back;
    arena_reset(&s->arena);
    s->first = s->last = NULL;
    s->accepted = s->discarded = 0;
    s->results = SLICE_EMPTY;
    gate_free(s->gate);
    r.gate = s->gate = gate_new(s->config, &s->outside, &s->spy, s);
    if (!s->gate)
        abort();
    run(&r, until);
    s->came_back = came_back;
}
