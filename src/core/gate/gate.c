// gate: what is known, and for how long: spans of memory, each forgotten with what it belongs to.
#include "core/gate/gate_inside.h"

#include "base/mem.h"
#include "core/route/route.h"
#include "mail/address.h"

#include <stdlib.h>

_Static_assert(FACT_COUNT <= 64, "a bit for each fact");

struct gate *gate_new(const struct config *c, const struct gate_outside *outside, struct oracle *oracle, void *arg) {
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->config = c;
    g->outside = outside;
    g->real = oracle;
    g->oracle.ask = gate_tape_ask;
    g->arg = arg;
    g->facts = (struct rule_facts){gate_fact, gate_in_table};
    g->client.arena.max = GATE_CLIENT_MEMORY;
    g->helo.arena.max = GATE_HELO_MEMORY;
    g->mail.arena.max = GATE_MAIL_MEMORY;
    g->recipient.arena.max = GATE_RECIPIENT_MEMORY;
    return g;
}

static void forget_span(struct gate_span *s, bool keep_memory) {
    struct arena arena = s->arena;
    if (keep_memory)
        arena_reset(&arena);
    else
        arena_done(&arena);
    *s = (struct gate_span){.arena = arena};
}

// Facts and rules of that stage and later ones.
static void forget(struct gate *g, enum config_stage from) {
    for (size_t i = 0; i < FACT_COUNT; i++)
        if (fact_infos[i].stage >= from)
            g->seen &= ~(UINT64_C(1) << i);
    for (size_t i = from; i < CONFIG_STAGE_COUNT; i++)
        g->matched[i] = (struct gate_matched){0};
    forget_span(&g->recipient, from == CONFIG_STAGE_RECIPIENT);
    if (from == CONFIG_STAGE_RECIPIENT)
        return;
    free(g->message);
    g->message = NULL;
    forget_span(&g->mail, from == CONFIG_STAGE_MAIL);
    if (from == CONFIG_STAGE_CONNECT)
        forget_span(&g->client, true);
    if (from == CONFIG_STAGE_MAIL)
        return;
    forget_span(&g->helo, true);
    g->helo_name = SLICE_EMPTY;
    g->helo_look = (struct helo){0};
    g->helo_asked = g->helo_confirmed = false;
    g->helo_listed = (struct gate_listed){0};
}

void gate_free(struct gate *g) {
    if (!g)
        return;
    free(g->message);
    arena_done(&g->client.arena);
    arena_done(&g->helo.arena);
    arena_done(&g->mail.arena);
    arena_done(&g->recipient.arena);
    free(g);
}

// --- what happens

void gate_client(struct gate *g, const struct gate_client_facts *f) {
    forget(g, CONFIG_STAGE_CONNECT);
    g->stage = CONFIG_STAGE_CONNECT;
    g->who = *f;
    g->who.session = arena_dup(&g->client.arena, f->session);
    g->who.user = arena_dup(&g->client.arena, f->user);
    g->standing_asked = g->early_asked = g->early = g->iprev_asked = g->pipelined = false;
    g->standing = (struct message_client_reply){.ok = true};
    g->iprev = (struct iprev){0};
    g->client_listed = (struct gate_listed){0};
    g->messages = 0;
}

void gate_tls(struct gate *g) {
    forget(g, CONFIG_STAGE_HELO);
    g->who.tls = true;
}

void gate_helo(struct gate *g, struct slice name) {
    forget(g, CONFIG_STAGE_HELO);
    g->stage = CONFIG_STAGE_HELO;
    g->helo_name = arena_dup(&g->helo.arena, name);
    g->helo_look = helo_look(g->config, g->helo_name, &g->who.local);
}

void gate_pipelined(struct gate *g) { g->pipelined = true; }

// Lower case, A-labels where there are such.
static struct slice domain_of(struct slice address, struct arena *arena) {
    size_t at = slice_rfind(address, '@');
    struct slice domain = at < address.n ? slice_from(address, at + 1) : SLICE_EMPTY, normal;
    struct err ignored;
    if (address_normalize_domain(domain, arena, &normal, &ignored))
        return normal;
    domain = arena_dup(arena, domain);
    for (size_t i = 0; i < domain.n; i++)
        ((char *)domain.p)[i] = ascii_lower(domain.p[i]);
    return domain;
}

void gate_mail(struct gate *g, struct slice sender) {
    forget(g, CONFIG_STAGE_MAIL);
    g->stage = CONFIG_STAGE_MAIL;
    g->message = MEM_NEW(struct gate_message);
    g->messages++;
    g->message->sender = arena_dup(&g->mail.arena, sender);
    g->message->sender_domain = domain_of(sender, &g->mail.arena);
}

void gate_recipient(struct gate *g, struct slice address, size_t n) {
    struct gate_message *m = g->message;
    forget(g, CONFIG_STAGE_RECIPIENT);
    g->stage = CONFIG_STAGE_RECIPIENT;
    if (!m)
        return;
    m->recipient = arena_dup(&g->recipient.arena, address);
    m->recipients = n;
    m->proven_asked = m->proven = false;
}

void gate_content(struct gate *g, const struct gate_content *c) {
    g->stage = CONFIG_STAGE_CONTENT;
    if (!g->message)
        return;
    g->message->has_content = true;
    g->message->proven_asked = false; // a signature may prove another domain
    g->message->content = *c;
    gate_mark_seen(g, FACT_SIZE);
    gate_mark_seen(g, FACT_HOPS);
}

void gate_filter(struct gate *g, struct slice name, struct slice words) {
    struct gate_span *s = gate_span_of(g, g->stage);
    struct gate_said *said = s->said_n < GATE_FILTERS_MAX ? ARENA_NEW(&s->arena, struct gate_said) : NULL;
    if (!said)
        return;
    said->older = s->said;
    said->name = arena_dup(&s->arena, slice_upto(name, GATE_WORDS_MAX));
    said->words = arena_dup(&s->arena, slice_upto(words, GATE_WORDS_MAX));
    s->said = said;
    s->said_n++;
}

void gate_refused(struct gate *g, enum config_stage stage, const struct err *e) {
    enum record_outcome outcome = e->smtp / 100 == 4 ? RECORD_DEFERRED : RECORD_REFUSED;
    gate_record(g, stage, outcome, e, NULL);
    if (stage == CONFIG_STAGE_CONTENT && g->message)
        g->message->refused = true;
}

static enum record_outcome outcome_of(const struct gate_message *m, const struct err *why) {
    if (why)
        return why->smtp / 100 == 4 ? RECORD_DEFERRED : RECORD_REFUSED;
    bool for_nobody = m->content.recipients_n == 0 && m->thrown_n && !m->redirect.n;
    return m->discard || for_nobody ? RECORD_DISCARDED : m->hold ? RECORD_HELD : RECORD_ACCEPTED;
}

void gate_told(struct gate *g, const struct err *why) {
    struct gate_message *m = g->message;
    if (!m || !m->has_content)
        return;
    if (!m->refused)
        gate_record(g, CONFIG_STAGE_CONTENT, outcome_of(m, why), why, NULL);
    gate_tell_dmarc(g, why);
    forget(g, CONFIG_STAGE_MAIL);
}

// --- for the other files

struct gate_span *gate_span_of(struct gate *g, enum config_stage stage) {
    switch (stage) {
    case CONFIG_STAGE_CONNECT:
        return &g->client;
    case CONFIG_STAGE_HELO:
        return &g->helo;
    default:
        return &g->mail;
    }
}

bool gate_is_local(const struct gate *g) { return config_is_local(g->config, &g->who.ip); }

void gate_hurry(struct gate *g) {
    if (g->outside->hurry)
        g->outside->hurry(g->arg, g->config->gate.checks.dns_time);
}

void gate_texts_add(struct gate_texts *t, struct slice text, size_t most, struct arena *arena) {
    for (size_t i = 0; i < t->n; i++)
        if (slice_eq(t->list[i], text))
            return;
    if (!t->list)
        t->list = arena_alloc(arena, most * sizeof *t->list);
    if (!t->list || t->n == most)
        return;
    struct slice copy = arena_dup(arena, text);
    if (copy.p)
        t->list[t->n++] = copy;
}

const struct message_client_reply *gate_standing(const struct gate *g) {
    return g->standing_asked ? &g->standing : NULL;
}
