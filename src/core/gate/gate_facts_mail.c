// gate_facts_mail: facts of the reverse-path and of a recipient.
#include "core/gate/gate_inside.h"

#include "core/route/route.h"

// --- SPF

static struct slice keep(struct gate *g, struct slice s) { return s.n ? arena_dup(&g->mail.arena, s) : SLICE_EMPTY; }

static void check_spf(struct gate *g, struct spf_verdict *out) {
    struct gate_message *m = g->message;
    ARENA_AUTO struct arena scratch = {.max = GATE_SCRATCH_MEMORY};
    struct spf_query q = {.ip = g->who.ip,
                          .helo = g->helo_name,
                          .sender = m->sender,
                          .receiver = g->config->hostname,
                          .now = g->outside->now(g->arg)};
    struct spf_verdict v = {0};
    spf_check(&q, &g->oracle, &scratch, &v);
    v.domain = keep(g, v.domain);
    v.mechanism = keep(g, v.mechanism);
    v.explanation = keep(g, v.explanation);
    v.problem = keep(g, v.problem);
    *out = v;
}

static struct slice given_text(struct gate *g, enum fact which) {
    struct fact_value v = {0};
    bool given = g->outside->fact && g->outside->fact(g->arg, which, SLICE_EMPTY, &v);
    return given ? keep(g, v.text) : SLICE_EMPTY;
}

// As it was, for who replays.
static bool take_given(struct gate *g, struct spf_verdict *out) {
    struct slice result = given_text(g, FACT_SPF);
    for (enum spf_result r = SPF_NONE; r <= SPF_PERMERROR; r++)
        if (slice_ieq(result, slice_str(spf_result_name(r)))) {
            *out = (struct spf_verdict){.result = r,
                                        .helo = g->message->sender.n == 0,
                                        .domain = given_text(g, FACT_SPF_DOMAIN),
                                        .explanation = given_text(g, FACT_SPF_EXPLANATION)};
            return true;
        }
    return false;
}

const struct spf_verdict *gate_find_spf(struct gate *g) {
    static const struct spf_verdict none = {.result = SPF_NONE};
    struct gate_message *m = g->message;
    if (!m)
        return &none;
    if (m->spf || g->telling)
        return m->spf ? m->spf : &none;
    struct spf_verdict *v = ARENA_NEW(&g->mail.arena, struct spf_verdict);
    if (!v)
        return &none;
    if (!take_given(g, v))
        check_spf(g, v);
    m->spf = v;
    gate_mark_seen(g, FACT_SPF);
    gate_mark_seen(g, FACT_SPF_DOMAIN);
    return v;
}

// --- the sender's domain

static bool answers(const struct oracle_answer *a) { return a->status == ORACLE_OK; }

static bool is_gone(const struct oracle_answer *a) {
    return a->status == ORACLE_NXDOMAIN || a->status == ORACLE_NODATA;
}

// RFC 5321 5.1: without MX the domain's own address counts. What DNS doesn't say is nothing to hold against anybody.
static void look_for_domain(struct gate *g, struct gate_message *m) {
    static const enum oracle_type types[] = {ORACLE_A, ORACLE_AAAA};
    ARENA_AUTO struct arena scratch = {.max = GATE_SCRATCH_MEMORY};
    struct oracle_question questions[2];
    struct oracle_answer mx, addresses[2];
    oracle_ask(&g->oracle, ORACLE_MX, m->sender_domain, &scratch, &mx);
    if (answers(&mx)) { // RFC 7505 3: one MX, of the root
        m->null_mx = mx.n == 1 && mx.records[0].text.n == 0;
        return;
    }
    m->missing = m->unreachable = mx.status == ORACLE_NXDOMAIN;
    if (mx.status != ORACLE_NODATA)
        return;
    for (size_t i = 0; i < 2; i++)
        questions[i] = (struct oracle_question){types[i], m->sender_domain};
    g->oracle.ask(&g->oracle, questions, 2, &scratch, addresses);
    m->unreachable = is_gone(&addresses[0]) && is_gone(&addresses[1]);
}

static struct gate_message *find_domain(struct gate *g) {
    struct gate_message *m = g->message;
    bool literal = m->sender_domain.n && m->sender_domain.p[0] == '[';
    if (m->sender_asked || g->telling)
        return m;
    m->sender_asked = true;
    if (m->sender_domain.n && !literal && !route_is_local(g->config, m->sender_domain))
        look_for_domain(g, m);
    return m;
}

// --- the recipient

struct slice gate_lower(struct slice s, struct arena *arena) {
    struct slice copy = arena_dup(arena, s);
    for (size_t i = 0; i < copy.n; i++)
        ((char *)copy.p)[i] = ascii_lower(copy.p[i]);
    return copy;
}

// False: nobody could be asked.
bool gate_greylist(struct gate *g, bool only_ask, struct message_greylist_reply *out) {
    struct gate_message *m = g->message;
    ARENA_AUTO struct arena scratch = {.max = 4096};
    if (!m || !g->outside->greylist)
        return false;
    struct message_greylist q = {.client = g->who.ip, .only_ask = only_ask};
    q.domain = gate_proven_domain(g);
    q.sender = gate_lower(m->sender, &scratch);
    q.recipient = m->has_content ? SLICE_EMPTY : gate_lower(m->recipient, &scratch);
    return g->outside->greylist(g->arg, &q, out);
}

// Asked only where people blocked any.
bool gate_is_blocked(struct gate *g, struct slice address, struct slice domain) {
    ARENA_AUTO struct arena scratch = {.max = 4096};
    struct message_greylist_reply reply;
    if (domain.n == 0 || !g->outside->greylist || !gate_find_standing(g)->asks_senders)
        return false;
    struct slice local = gate_lower(slice_upto(address, slice_rfind(address, '@')), &scratch);
    struct message_greylist q = {.client = g->who.ip, .only_ask = true};
    q.sender = arena_printf(&scratch, "%.*s@%.*s", SLICE_ARG(local), SLICE_ARG(domain));
    return g->outside->greylist(g->arg, &q, &reply) && reply.blocked;
}

static bool find_blocked(struct gate *g) {
    struct gate_message *m = g->message;
    if (!m->blocked_asked && !g->telling) {
        m->blocked_asked = true;
        bool blocked = gate_is_blocked(g, m->sender, m->sender_domain);
        m->blocked = blocked;
    }
    return m->blocked;
}

static bool is_allowed(struct gate *g) {
    struct fact_value v = {0};
    gate_fact_client(g, FACT_DNSBL_ALLOWED, &v);
    return v.yes;
}

static bool is_proven(struct gate *g) {
    struct message_greylist_reply reply;
    return gate_is_trusted(g) || gate_is_local(g) || gate_find_standing(g)->known || !gate_greylist(g, true, &reply) ||
           reply.proven != MESSAGE_PROVEN_NO || is_allowed(g);
}

static bool find_proven(struct gate *g) {
    struct gate_message *m = g->message;
    if (m->proven_asked || g->telling)
        return m->proven;
    bool proven = is_proven(g);
    m->proven = proven;
    m->proven_asked = true;
    return proven;
}

static struct slice domain_of(struct slice address) {
    size_t at = slice_rfind(address, '@');
    return at < address.n ? slice_from(address, at + 1) : SLICE_EMPTY;
}

// --- all of them

static void fact_spf(struct gate *g, enum fact which, struct fact_value *out) {
    if (which == FACT_SPF)
        out->text = slice_str(spf_result_name(gate_find_spf(g)->result));
    else if (which == FACT_SPF_DOMAIN)
        out->text = gate_find_spf(g)->domain;
    else if (which == FACT_SPF_EXPLANATION)
        out->text = gate_find_spf(g)->explanation;
}

static void fact_recipient(struct gate *g, enum fact which, struct fact_value *out) {
    const struct gate_message *m = g->message;
    if (which == FACT_RECIPIENT)
        out->text = m->recipient;
    else if (which == FACT_RECIPIENT_DOMAIN)
        out->text = domain_of(m->recipient);
    else if (which == FACT_RECIPIENTS)
        out->number = (int64_t)m->recipients;
    else if (which == FACT_PROVEN)
        out->yes = find_proven(g);
    else
        fact_spf(g, which, out);
}

void gate_fact_mail(struct gate *g, enum fact which, struct fact_value *out) {
    struct gate_message *m = g->message;
    if (which == FACT_SENDER)
        out->text = m->sender;
    else if (which == FACT_SENDER_DOMAIN)
        out->text = m->sender_domain;
    else if (which == FACT_SENDER_NULL)
        out->yes = m->sender.n == 0;
    else if (which == FACT_SENDER_OURS)
        out->yes = m->sender_domain.n && route_is_local(g->config, m->sender_domain);
    else if (which == FACT_SENDER_MISSING)
        out->yes = find_domain(g)->missing;
    else if (which == FACT_SENDER_UNREACHABLE)
        out->yes = find_domain(g)->unreachable;
    else if (which == FACT_SENDER_BLOCKED)
        out->yes = find_blocked(g);
    else if (which == FACT_SENDER_NULL_MX)
        out->yes = find_domain(g)->null_mx;
    else
        fact_recipient(g, which, out);
}
