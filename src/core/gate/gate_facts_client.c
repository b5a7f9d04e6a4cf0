// gate_facts_client: facts of the client, its address, its HELO.
#include "core/gate/gate_inside.h"

// --- asked once

const struct message_client_reply *gate_find_standing(struct gate *g) {
    struct message_client m = {.client = g->who.ip, .local = gate_is_local(g)};
    struct message_client_reply reply = {.ok = true};
    if (g->standing_asked || gate_is_trusted(g))
        return &g->standing;
    g->standing_asked = true;
    if (g->outside->client && g->outside->client(g->arg, &m, &g->client.arena, &reply))
        g->standing = reply;
    return &g->standing;
}

// Loopback is localhost (RFC 6761 6.3), whatever DNS knows of it.
const struct iprev *gate_find_iprev(struct gate *g) {
    ARENA_AUTO struct arena scratch = {.max = GATE_SCRATCH_MEMORY};
    if (g->iprev_asked || g->telling)
        return &g->iprev;
    if (gate_is_local(g)) {
        g->iprev = (struct iprev){AUTH_IPREV_PASS, SLICE("localhost")};
    } else {
        struct iprev found;
        iprev_check(&g->who.ip, &g->oracle, &scratch, &found);
        g->iprev = (struct iprev){found.result, arena_dup(&g->client.arena, found.name)};
    }
    g->iprev_asked = true;
    gate_mark_seen(g, FACT_CLIENT_PTR);
    gate_mark_seen(g, FACT_CLIENT_PTR_CONFIRMED);
    return &g->iprev;
}

// While DNS doesn't answer, nothing speaks against the client: its name is "unknown", but not empty.
static struct slice ptr_of(const struct iprev *i) {
    return i->name.n == 0 && i->result == AUTH_IPREV_TEMPERROR ? SLICE("unknown") : i->name;
}

struct slice gate_client_name(struct gate *g, bool *confirmed) {
    if (!g->iprev_asked)
        gate_hurry(g);
    const struct iprev *i = gate_find_iprev(g);
    *confirmed = i->result == AUTH_IPREV_PASS;
    return i->name;
}

static bool find_early(struct gate *g) {
    bool listens = g->stage == CONFIG_STAGE_CONNECT && !gate_is_trusted(g) && !gate_is_local(g);
    int64_t ms = g->config->gate.checks.greet_wait;
    if (g->early_asked || g->telling || !listens || !g->outside->early || ms <= 0)
        return g->early;
    g->early_asked = true;
    g->early = g->outside->early(g->arg, ms);
    gate_hurry(g);
    return g->early;
}

static bool find_helo_confirmed(struct gate *g) {
    ARENA_AUTO struct arena scratch = {.max = GATE_SCRATCH_MEMORY};
    bool temporary = false;
    if (g->helo_look.literal)
        return netaddr_same_ip(&g->helo_look.ip, &g->who.ip);
    if (gate_is_local(g))
        return true;
    if (!g->helo_asked && !g->telling && g->helo_look.valid) {
        g->helo_confirmed = iprev_leads_to(g->helo_name, &g->who.ip, &g->oracle, &scratch, &temporary) || temporary;
        g->helo_asked = true;
    }
    return g->helo_confirmed;
}

// --- block lists

static void keep_listed(const struct dnsbl *from, struct arena *arena, struct gate_listed *to) {
    to->found = (struct dnsbl){.score = from->score, .allowed = from->allowed};
    to->found.listed = arena_alloc(arena, from->listed_n * sizeof *from->listed);
    for (size_t i = 0; to->found.listed && i < from->listed_n; i++) {
        to->found.listed[i] = from->listed[i];
        to->found.listed[i].name = arena_dup(arena, from->listed[i].name);
        to->found.listed_n++;
    }
}

static void look_up(struct gate *g, struct gate_listed *l, enum config_list_of of, struct slice name,
                    struct gate_span *span) {
    const struct config_gate *c = &g->config->gate;
    ARENA_AUTO struct arena scratch = {.max = GATE_SCRATCH_MEMORY};
    struct dnsbl_query q = {c->lists, c->lists_n, g->outside->list_states, of, g->who.ip, name};
    struct dnsbl found;
    if (l->asked || g->telling)
        return;
    l->asked = true;
    dnsbl_check(&q, &g->oracle, &scratch, &found);
    if (found.listed_n)
        keep_listed(&found, &span->arena, l);
}

enum { LISTED_KINDS = 3 };

// What lists say by now: of the client, of its HELO, of the sender.
static size_t find_listed(struct gate *g, struct gate_listed *out[LISTED_KINDS]) {
    size_t n = 0;
    if (gate_is_local(g) || g->config->gate.lists_n == 0)
        return 0;
    out[n++] = &g->client_listed;
    look_up(g, &g->client_listed, CONFIG_LIST_CLIENT, SLICE_EMPTY, &g->client);
    if (g->stage >= CONFIG_STAGE_HELO && g->helo_look.qualified) {
        out[n++] = &g->helo_listed;
        look_up(g, &g->helo_listed, CONFIG_LIST_HELO, g->helo_name, &g->helo);
    }
    if (g->stage >= CONFIG_STAGE_MAIL && g->message) {
        out[n++] = &g->message->listed;
        look_up(g, &g->message->listed, CONFIG_LIST_SENDER, g->message->sender_domain, &g->mail);
    }
    return n;
}

static int64_t find_score(struct gate *g) {
    struct gate_listed *l[LISTED_KINDS];
    int64_t score = 0;
    for (size_t i = find_listed(g, l); i-- > 0;)
        score += l[i]->found.score;
    return score;
}

static bool find_allowed(struct gate *g) {
    struct gate_listed *l[LISTED_KINDS];
    bool allowed = false;
    for (size_t i = find_listed(g, l); i-- > 0;)
        allowed |= l[i]->found.allowed;
    return allowed;
}

static struct slice find_reasons_of(struct gate *g, struct gate_listed *l) {
    ARENA_AUTO struct arena scratch = {.max = GATE_SCRATCH_MEMORY};
    struct gate_span *span = l == &g->client_listed ? &g->client : l == &g->helo_listed ? &g->helo : &g->mail;
    if (!l->has_reasons && !g->telling && l->found.listed_n) {
        l->reasons = arena_dup(&span->arena, dnsbl_reasons(&l->found, &g->oracle, &scratch));
        l->has_reasons = true;
    }
    return l->reasons;
}

static struct slice find_reasons(struct gate *g) {
    struct gate_listed *l[LISTED_KINDS];
    BUF_AUTO struct buf b = {.max = 2048};
    size_t parts = 0, n = find_listed(g, l);
    struct slice last = SLICE_EMPTY;
    for (size_t i = 0; i < n; i++) {
        struct slice part = find_reasons_of(g, l[i]);
        if (part.n == 0)
            continue;
        last = part;
        buf_add_str(&b, parts++ ? ", " : "");
        buf_add(&b, part);
    }
    return parts <= 1 ? last : arena_dup(&gate_span_of(g, g->stage)->arena, buf_slice(&b));
}

// --- all of them

static void put_bool(struct fact_value *v, bool yes) { v->yes = yes; }
static void put_text(struct fact_value *v, struct slice text) { v->text = text; }

static void fact_helo(struct gate *g, enum fact which, struct fact_value *out) {
    const struct helo *h = &g->helo_look;
    if (which == FACT_HELO)
        put_text(out, g->helo_name);
    else if (which == FACT_HELO_VALID)
        put_bool(out, h->valid);
    else if (which == FACT_HELO_QUALIFIED)
        put_bool(out, h->qualified);
    else if (which == FACT_HELO_LITERAL)
        put_bool(out, h->literal);
    else if (which == FACT_HELO_LITERAL_OWN)
        put_bool(out, h->literal && netaddr_same_ip(&h->ip, &g->who.ip));
    else if (which == FACT_HELO_OURS)
        put_bool(out, h->ours && !gate_is_trusted(g) && !gate_is_local(g));
    else if (which == FACT_HELO_CONFIRMED)
        put_bool(out, find_helo_confirmed(g));
    else if (which == FACT_PIPELINED)
        put_bool(out, g->pipelined);
}

static void fact_asked(struct gate *g, enum fact which, struct fact_value *out) {
    const struct iprev *i;
    if (which == FACT_CLIENT_PTR)
        put_text(out, ptr_of(gate_find_iprev(g)));
    else if (which == FACT_CLIENT_PTR_CONFIRMED && (i = gate_find_iprev(g)))
        put_bool(out, i->result == AUTH_IPREV_PASS || i->result == AUTH_IPREV_TEMPERROR);
    else if (which == FACT_DNSBL_SCORE)
        out->number = find_score(g);
    else if (which == FACT_DNSBL_REASONS)
        put_text(out, find_reasons(g));
    else if (which == FACT_DNSBL_ALLOWED)
        put_bool(out, find_allowed(g));
    else
        fact_helo(g, which, out);
}

void gate_fact_client(struct gate *g, enum fact which, struct fact_value *out) {
    if (which == FACT_CLIENT_IP)
        out->ip = g->who.ip;
    else if (which == FACT_CLIENT_TRUSTED)
        put_bool(out, gate_is_trusted(g));
    else if (which == FACT_CLIENT_LOCAL)
        put_bool(out, gate_is_local(g));
    else if (which == FACT_CLIENT_KNOWN)
        put_bool(out, gate_find_standing(g)->known);
    else if (which == FACT_CLIENT_SHUT_OUT)
        put_bool(out, gate_find_standing(g)->shut_out);
    else if (which == FACT_CLIENT_EARLY)
        put_bool(out, find_early(g));
    else if (which == FACT_TLS)
        put_bool(out, g->who.tls);
    else
        fact_asked(g, which, out);
}
