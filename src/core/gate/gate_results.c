// gate_results: what was found out about who sent it, told to those who read the message, and to its domain.
#include "core/gate/gate_inside.h"

// SPF's verdict is of the HELO identity where the reverse-path was null (RFC 7208 2.4).
static void add_spf(struct gate *g, struct auth_results *r) {
    const struct spf_verdict *v = gate_find_spf(g);
    r->spf = v->helo ? NULL : v;
    r->helo_spf = v->helo ? v : NULL;
    r->spf_sender = g->message->sender;
    r->helo = g->helo_name;
}

bool gate_results(struct gate *g, struct buf *out) {
    struct auth_results r = {.authserv = g->config->hostname};
    if (gate_is_trusted(g) || !g->message || !g->message->has_content)
        return true;
    gate_hurry(g);
    add_spf(g, &r);
    r.dkim = gate_find_dkim(g);
    r.dmarc = gate_find_dmarc(g);
    r.arc = gate_find_arc(g);
    r.from = gate_find_from(g)->domain;
    if (!gate_is_local(g)) {
        r.iprev = (int)gate_find_iprev(g)->result;
        r.ip = g->who.ip;
    }
    return auth_results_write(&r, out);
}

// --- for DMARC's reports (RFC 9990)

static enum dmarc_policy done_with(struct gate *g, const struct err *why) {
    if (gate_dmarc_enforced(g) == DMARC_POLICY_NONE)
        return DMARC_POLICY_NONE;
    return why ? DMARC_POLICY_REJECT : g->message->quarantine ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

// Why less was done than the domain asks for.
static void add_override(struct gate *g, const struct dmarc_verdict *d, enum dmarc_policy done,
                         struct message_dmarc_seen *m) {
    if (d->result != DMARC_FAIL || done >= d->policy)
        return;
    if (d->record.testing) {
        m->override = SLICE("policy_test_mode");
    } else if (g->message->arc_vouches) {
        m->override = SLICE("trusted_forwarder");
        m->override_comment = SLICE("arc=pass");
    } else {
        m->override = SLICE("local_policy");
        m->override_comment = g->config->gate.dmarc == CONFIG_DMARC_MONITOR ? SLICE("monitoring only") : SLICE_EMPTY;
    }
}

enum { AUTHS_MAX = DKIM_VERIFY_SIGNATURES + 1 };

static void add_auths(struct gate *g, struct message_dmarc_auth list[AUTHS_MAX], struct message_dmarc_seen *m) {
    const struct spf_verdict *spf = gate_find_spf(g);
    const struct dkim_verify *v = gate_find_dkim(g);
    m->auths = list;
    list[m->auths_n++] =
        (struct message_dmarc_auth){false, spf->domain, SLICE_EMPTY, slice_str(spf_result_name(spf->result))};
    for (size_t i = 0; v && i < v->n && m->auths_n < AUTHS_MAX; i++)
        list[m->auths_n++] = (struct message_dmarc_auth){true, v->list[i].domain, v->list[i].selector,
                                                         slice_str(dkim_result_name(dkim_verdict_relied(&v->list[i])))};
}

static struct slice domain_of(struct slice address) {
    size_t at = slice_rfind(address, '@');
    return at < address.n ? slice_from(address, at + 1) : SLICE_EMPTY;
}

static bool is_wanted(const struct gate *g, const struct dmarc_verdict *d, const struct err *why) {
    bool comes_again = why && why->smtp / 100 == 4;
    return g->outside->dmarc_seen && g->config->gate.reports.from.n && d && d->record.rua_n && !comes_again &&
           (d->result == DMARC_PASS || d->result == DMARC_FAIL);
}

void gate_tell_dmarc(struct gate *g, const struct err *why) {
    const struct gate_message *message = g->message;
    const struct dmarc_verdict *d = message->dmarc;
    struct message_dmarc_auth auths[AUTHS_MAX];
    if (!is_wanted(g, d, why))
        return;
    enum dmarc_policy done = done_with(g, why);
    struct message_dmarc_seen m = {.when = g->outside->now(g->arg), .client = g->who.ip};
    m.from_domain = d->from_domain;
    m.record_domain = d->record_domain;
    m.envelope_from = message->sender_domain;
    if (message->content.recipients_n)
        m.envelope_to = domain_of(message->content.recipients[0]);
    m.record = d->record_text;
    m.policy = slice_str(dmarc_policy_name(d->policy));
    m.disposition = slice_str(dmarc_policy_name(done));
    m.dkim_aligned = d->dkim_aligned;
    m.spf_aligned = d->spf_aligned;
    add_override(g, d, done, &m);
    add_auths(g, auths, &m);
    g->outside->dmarc_seen(g->arg, &m);
}
