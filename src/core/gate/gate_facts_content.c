// gate_facts_content: facts of a message: its header, who signed it, what its domain asks for.
#include "core/gate/gate_inside.h"

#include "mail/dmarc/author.h"
#include "mail/header/header.h"
#include "mail/header/mailboxes.h"

enum { DKIM_DOMAINS_BYTES = 1024 };

// --- From

// The first of its addresses, for people; what counts is the domain that all have in common.
static struct slice first_address(struct gate *g) {
    struct header_field field;
    struct mailboxes found;
    struct err ignored;
    if (!header_find(g->message->content.header, SLICE("From"), &field) ||
        !mailboxes_parse(field.value, &g->mail.arena, &found, &ignored) || found.n == 0)
        return SLICE_EMPTY;
    return found.list[0];
}

const struct gate_from *gate_find_from(struct gate *g) {
    struct gate_message *m = g->message;
    struct err e = {0};
    if (m->from.read)
        return &m->from;
    m->from.read = true;
    m->from.broken = !author_domain(m->content.header, &g->mail.arena, &m->from.domain, &e);
    if (m->from.broken)
        m->from.why = arena_dup(&g->mail.arena, slice_str(e.text));
    else
        m->from.address = first_address(g);
    return &m->from;
}

// A line for each field of that name.
static struct slice field_value(struct gate *g, struct slice name) {
    BUF_AUTO struct buf b = {.max = 2 * GATE_HEADER_VALUE};
    struct slice rest = g->message->content.header;
    struct header_field field;
    bool again = false;
    while (b.n < GATE_HEADER_VALUE && header_next(&rest, &field)) {
        if (!slice_ieq(field.name, name))
            continue;
        if (again)
            buf_add_char(&b, '\n');
        again = true;
        header_unfold(&b, slice_upto(field.value, GATE_HEADER_VALUE - b.n));
    }
    return arena_dup(&g->mail.arena, buf_slice(&b));
}

// --- signatures

const struct dkim_verify *gate_find_dkim(struct gate *g) {
    struct dkim_verify *v = g->message ? g->message->content.dkim : NULL;
    if (v && !v->ended && !g->telling)
        dkim_verify_end(v, &g->oracle, &g->mail.arena);
    if (v) {
        gate_mark_seen(g, FACT_DKIM);
        gate_mark_seen(g, FACT_DKIM_DOMAINS);
    }
    return v && v->ended ? v : NULL;
}

const struct arc_verify *gate_find_arc(struct gate *g) {
    struct arc_verify *v = g->message ? g->message->content.arc : NULL;
    if (v && !v->ended && !g->telling)
        arc_verify_end(v, &g->oracle, &g->mail.arena);
    if (v)
        gate_mark_seen(g, FACT_ARC);
    return v && v->ended ? v : NULL;
}

static struct slice find_dkim_domains(struct gate *g) {
    const struct dkim_verify *v = gate_find_dkim(g);
    BUF_AUTO struct buf b = {.max = DKIM_DOMAINS_BYTES};
    if (!v || g->message->dkim_domains.p)
        return g->message->dkim_domains;
    for (size_t i = 0; i < v->n; i++) {
        bool again = dkim_verdict_relied(&v->list[i]) != DKIM_PASS;
        for (size_t k = 0; k < i && !again; k++)
            again = dkim_verdict_relied(&v->list[k]) == DKIM_PASS && slice_eq(v->list[k].domain, v->list[i].domain);
        if (again)
            continue;
        buf_add_str(&b, b.n ? " " : "");
        buf_add(&b, v->list[i].domain);
    }
    g->message->dkim_domains = arena_dup(&g->mail.arena, buf_slice(&b));
    return g->message->dkim_domains;
}

// --- DMARC

static void check_dmarc(struct gate *g, struct dmarc_verdict *out) {
    const struct gate_from *from = gate_find_from(g);
    const struct spf_verdict *spf = gate_find_spf(g);
    const struct dkim_verify *dkim = gate_find_dkim(g);
    struct dmarc_signature signatures[DKIM_VERIFY_SIGNATURES];
    struct dmarc_query q = {from->domain, spf->result, spf->domain, signatures, 0};
    for (size_t i = 0; dkim && i < dkim->n && i < DKIM_VERIFY_SIGNATURES; i++)
        signatures[q.dkim_n++] =
            (struct dmarc_signature){dkim->list[i].domain, dkim->list[i].selector, dkim_verdict_relied(&dkim->list[i])};
    dmarc_check(&q, &g->oracle, &g->mail.arena, out);
}

const struct dmarc_verdict *gate_find_dmarc(struct gate *g) {
    struct gate_message *m = g->message;
    if (!m || !m->has_content || m->dmarc || g->telling)
        return m ? m->dmarc : NULL;
    struct dmarc_verdict *v = ARENA_NEW(&g->mail.arena, struct dmarc_verdict);
    if (!v)
        return NULL;
    check_dmarc(g, v);
    m->dmarc = v;
    gate_mark_seen(g, FACT_DMARC);
    gate_mark_seen(g, FACT_DMARC_POLICY);
    gate_mark_seen(g, FACT_DMARC_DOMAIN);
    gate_mark_seen(g, FACT_FROM_DOMAIN);
    gate_mark_seen(g, FACT_FROM_SEVERAL);
    gate_mark_seen(g, FACT_FROM_BROKEN);
    return v;
}

static bool is_trusted_sealer(const struct config_arc *c, struct slice domain) {
    for (size_t i = 0; i < c->trusted_n; i++)
        if (slice_ieq(c->trusted[i], domain))
            return true;
    return false;
}

bool gate_find_arc_trusted(struct gate *g) {
    const struct config_arc *c = &g->config->gate.arc;
    const struct arc_verify *v = c->trusted_n ? gate_find_arc(g) : NULL;
    if (!v || v->verdict.result != ARC_PASS || v->verdict.sealers_n == 0)
        return false;
    for (size_t i = 0; i < v->verdict.sealers_n; i++)
        if (!is_trusted_sealer(c, v->verdict.sealers[i]))
            return false;
    return true;
}

// What was seen before anybody forwarded it, or by the last who did: those who seal what they send themselves say
// nothing in the first set.
static bool find_vouched(struct gate *g, const struct dmarc_verdict *d) {
    struct gate_message *m = g->message;
    if (m->arc_judged || g->telling)
        return m->arc_vouches;
    bool trusted = gate_find_arc_trusted(g);
    const struct arc_verify *v = trusted ? gate_find_arc(g) : NULL;
    m->arc_vouches = v && (gate_results_vouch(v->verdict.first_results, d->organisation) ||
                           gate_results_vouch(v->verdict.results, d->organisation));
    m->arc_judged = true;
    gate_mark_seen(g, FACT_ARC_TRUSTED);
    gate_mark_seen(g, FACT_ARC_SEALER);
    return m->arc_vouches;
}

enum dmarc_policy gate_dmarc_enforced(struct gate *g) {
    const struct dmarc_verdict *d = gate_find_dmarc(g);
    bool asks = d && d->asks != DMARC_POLICY_NONE && g->config->gate.dmarc == CONFIG_DMARC_ENFORCE;
    return asks && !find_vouched(g, d) ? d->asks : DMARC_POLICY_NONE;
}

static bool find_from_blocked(struct gate *g) {
    struct gate_message *m = g->message;
    if (!m->from_blocked_asked && !g->telling) {
        const struct gate_from *from = gate_find_from(g);
        m->from_blocked_asked = true;
        bool blocked = gate_is_blocked(g, from->address, from->domain);
        m->from_blocked = blocked;
    }
    return m->from_blocked;
}

// --- all of them

static void fact_from(struct gate *g, enum fact which, struct slice name, struct fact_value *out) {
    if (which == FACT_SIZE)
        out->number = (int64_t)g->message->content.size;
    else if (which == FACT_HOPS)
        out->number = g->message->content.hops;
    else if (which == FACT_HEADER)
        out->text = field_value(g, name);
    else if (which == FACT_FROM)
        out->text = gate_find_from(g)->address;
    else if (which == FACT_FROM_DOMAIN)
        out->text = gate_find_from(g)->domain;
    else if (which == FACT_FROM_SEVERAL)
        out->yes = author_is_several(g->message->content.header, &g->mail.arena);
    else if (which == FACT_FROM_BLOCKED)
        out->yes = find_from_blocked(g);
    else if (which == FACT_FROM_BROKEN)
        out->yes = gate_find_from(g)->broken;
}

static void fact_signed(struct gate *g, enum fact which, struct fact_value *out) {
    const struct dkim_verify *dkim;
    const struct arc_verify *arc;
    if (which == FACT_DKIM && (dkim = gate_find_dkim(g)))
        out->text = slice_str(dkim_result_name(dkim_verify_best_relied(dkim)));
    else if (which == FACT_DKIM_DOMAINS)
        out->text = find_dkim_domains(g);
    else if (which == FACT_ARC && (arc = gate_find_arc(g)))
        out->text = slice_str(arc_result_name(arc->verdict.result));
    else if (which == FACT_ARC_SEALER && (arc = gate_find_arc(g)))
        out->text = arc->verdict.domain;
    else if (which == FACT_ARC_TRUSTED)
        out->yes = gate_find_arc_trusted(g);
    else if (which == FACT_DKIM || which == FACT_ARC)
        out->text = SLICE("none");
}

static void fact_dmarc(struct gate *g, enum fact which, struct fact_value *out) {
    const struct dmarc_verdict *d = gate_find_dmarc(g);
    if (which == FACT_DMARC)
        out->text = slice_str(dmarc_result_name(d ? d->result : DMARC_NONE));
    else if (which == FACT_DMARC_POLICY)
        out->text = slice_str(dmarc_policy_name(d ? d->asks : DMARC_POLICY_NONE));
    else if (which == FACT_DMARC_ENFORCED)
        out->text = slice_str(dmarc_policy_name(gate_dmarc_enforced(g)));
    else if (d)
        out->text = d->organisation;
}

void gate_fact_content(struct gate *g, enum fact which, struct slice name, struct fact_value *out) {
    if (!g->message->has_content)
        return;
    if (which == FACT_DMARC || which == FACT_DMARC_POLICY || which == FACT_DMARC_ENFORCED || which == FACT_DMARC_DOMAIN)
        fact_dmarc(g, which, out);
    else if (which == FACT_DKIM || which == FACT_DKIM_DOMAINS || which == FACT_ARC || which == FACT_ARC_SEALER ||
             which == FACT_ARC_TRUSTED)
        fact_signed(g, which, out);
    else
        fact_from(g, which, name, out);
}

// --- who proved that it is from them

// SPF's domain first: that is what was known when the recipients were named.
static struct slice find_proven_domain(struct gate *g) {
    const struct gate_message *m = g->message;
    const struct spf_verdict *spf = gate_find_spf(g);
    if (spf->result == SPF_PASS)
        return spf->domain;
    const struct dkim_verify *v = m->has_content ? gate_find_dkim(g) : NULL;
    struct slice best = SLICE_EMPTY;
    for (size_t i = 0; v && i < v->n; i++) {
        struct slice domain = v->list[i].domain;
        bool pass = dkim_verdict_relied(&v->list[i]) == DKIM_PASS;
        bool aligned = pass && slice_ieq(domain, gate_find_from(g)->domain);
        if (pass && (best.n == 0 || aligned))
            best = domain;
        if (aligned)
            break;
    }
    return best;
}

struct slice gate_proven_domain(struct gate *g) {
    return g->message ? gate_lower(find_proven_domain(g), &g->mail.arena) : SLICE_EMPTY;
}
