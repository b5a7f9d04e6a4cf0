// gate_record: all that is known at a decision, as a record.
#include "core/gate/gate_inside.h"

enum { RECORD_MEMORY = 512 * 1024, FACT_VALUE_MAX = 500 };

// --- facts

struct fact_list {
    struct gate *g;
    struct arena *arena;
    struct record_fact *list;
    size_t n;
};

static void add_fact(struct fact_list *l, struct slice name, const struct fact_value *v) {
    BUF_AUTO struct buf b = {.max = 2 * GATE_HEADER_VALUE};
    if (l->n == RECORD_LIST_MAX)
        return;
    fact_value_add(&b, v);
    l->list[l->n++] = (struct record_fact){name, arena_dup(l->arena, slice_upto(buf_slice(&b), FACT_VALUE_MAX))};
}

static void add_fields(struct fact_list *l) {
    for (const struct gate_field *f = l->g->message ? l->g->message->fields : NULL; f; f = f->older) {
        struct fact_value v = {.type = FACT_TEXT, .text = f->value};
        add_fact(l, arena_printf(l->arena, "header %.*s", SLICE_ARG(f->name)), &v);
    }
}

static void add_facts(struct fact_list *l, enum config_stage stage, struct record *r) {
    struct fact_value v;
    uint64_t seen = l->g->seen;
    l->list = arena_alloc(l->arena, RECORD_LIST_MAX * sizeof *l->list);
    for (size_t i = 0; l->list && i < FACT_COUNT; i++) {
        if (!(seen >> i & 1) || fact_infos[i].stage > stage || i == FACT_HEADER)
            continue;
        gate_fact(&l->g->facts, (enum fact)i, SLICE_EMPTY, &v);
        add_fact(l, slice_str(fact_infos[i].name), &v);
    }
    if (l->list && stage == CONFIG_STAGE_CONTENT)
        add_fields(l);
    l->g->seen = seen;
    r->facts = l->list;
    r->facts_n = l->n;
}

// --- rules: of earlier stages those that applied, of this one all that were looked at

static struct record_rule as_record(const struct rule *r, bool matched) {
    return (struct record_rule){r->source, r->built_in ? 0 : r->place.line, matched};
}

static void add_matched(const struct gate_matched *m, struct record *r) {
    for (size_t i = 0; i < m->n && r->rules_n < RECORD_LIST_MAX; i++)
        r->rules[r->rules_n++] = as_record(m->list[i], true);
}

// The rule of another recipient holds the whole message.
static void add_held_by(const struct rule *held_by, struct record *r) {
    for (size_t i = 0; i < r->rules_n; i++)
        if (slice_eq(r->rules[i].source, held_by->source))
            return;
    if (r->rules_n < RECORD_LIST_MAX)
        r->rules[r->rules_n++] = as_record(held_by, true);
}

// Where there are too many the first are left out: the last one decided.
static void add_looked_at(const struct rule_run *run, struct record *r) {
    size_t room = RECORD_LIST_MAX - r->rules_n;
    for (size_t i = run->next > room ? run->next - room : 0; i < run->next; i++)
        r->rules[r->rules_n++] = as_record(run->seen[i].rule, run->seen[i].matched);
}

static void add_rules(struct gate *g, enum config_stage stage, const struct rule_run *run, struct arena *arena,
                      struct record *r) {
    r->rules = arena_alloc(arena, RECORD_LIST_MAX * sizeof *r->rules);
    if (!r->rules)
        return;
    for (size_t i = 0; i < stage; i++)
        add_matched(&g->matched[i], r);
    if (stage == CONFIG_STAGE_CONTENT && g->message && g->message->held_by)
        add_held_by(g->message->held_by, r);
    if (run && run->seen)
        add_looked_at(run, r);
    else
        add_matched(&g->matched[stage], r);
}

// --- what others said, oldest first

static struct gate_span *spans_of(struct gate *g, enum config_stage stage, size_t i) {
    struct gate_span *const all[] = {&g->client, stage >= CONFIG_STAGE_HELO ? &g->helo : NULL,
                                     stage >= CONFIG_STAGE_MAIL ? &g->mail : NULL};
    return all[i];
}

static size_t least(size_t n) { return n < RECORD_LIST_MAX ? n : RECORD_LIST_MAX; }

static void add_dns(const struct gate_span *s, struct record *r) {
    size_t n = s->taped_n, end = r->dns_n + n;
    for (const struct gate_taped *t = s->tape; t; t = t->older) {
        end--;
        if (end < RECORD_LIST_MAX)
            r->dns[end] =
                (struct record_dns){slice_of(t->bytes, t->question_n), slice_of(t->bytes + t->question_n, t->answer_n)};
    }
    r->dns_n = least(r->dns_n + n);
}

static void add_said(const struct gate_span *s, struct record *r) {
    size_t end = r->filters_n + s->said_n;
    for (const struct gate_said *w = s->said; w; w = w->older) {
        end--;
        if (end < RECORD_LIST_MAX)
            r->filters[end] = (struct record_filter){w->name, w->words};
    }
    r->filters_n = least(r->filters_n + s->said_n);
}

static void add_tags(const struct gate_span *s, struct record *r) {
    for (size_t i = 0; i < s->tags.n && r->tags_n < RECORD_LIST_MAX; i++)
        r->tags[r->tags_n++] = s->tags.list[i];
}

static void add_spans(struct gate *g, enum config_stage stage, struct arena *arena, struct record *r) {
    r->dns = arena_alloc(arena, RECORD_LIST_MAX * sizeof *r->dns);
    r->filters = arena_alloc(arena, RECORD_LIST_MAX * sizeof *r->filters);
    r->tags = arena_alloc(arena, RECORD_LIST_MAX * sizeof *r->tags);
    for (size_t i = 0; r->dns && r->filters && r->tags && i < 3; i++) {
        const struct gate_span *s = spans_of(g, stage, i);
        if (!s)
            continue;
        add_dns(s, r);
        add_said(s, r);
        add_tags(s, r);
    }
}

// --- all of it

static void add_kept(const struct gate_taken *list, size_t n, struct arena *arena, struct record *r) {
    r->recipients = arena_alloc(arena, n * sizeof *r->recipients);
    r->recipients_n = r->recipients ? n : 0;
    for (const struct gate_taken *t = list; t && r->recipients; t = t->older)
        r->recipients[--n] = t->address;
}

static void add_recipients(struct gate_message *m, enum config_stage stage, struct arena *arena, struct record *r) {
    if (stage == CONFIG_STAGE_CONTENT && m->has_content && m->content.recipients_n == 0) {
        add_kept(m->thrown, m->thrown_n, arena, r);
    } else if (stage == CONFIG_STAGE_CONTENT && m->has_content) {
        r->recipients = (struct slice *)m->content.recipients;
        r->recipients_n = m->content.recipients_n;
    } else if (stage == CONFIG_STAGE_RECIPIENT) {
        r->recipients = &m->recipient;
        r->recipients_n = 1;
    } else if (stage == CONFIG_STAGE_CONTENT) {
        add_kept(m->taken, m->taken_n, arena, r);
    }
}

static void add_reply(const struct err *why, struct record *r) {
    if (!why)
        return;
    r->code = (uint16_t)why->smtp;
    memcpy(r->enhanced, why->enhanced, sizeof r->enhanced);
    r->text = slice_str(why->text);
}

void gate_record(struct gate *g, enum config_stage stage, enum record_outcome outcome, const struct err *why,
                 const struct rule_run *run) {
    ARENA_AUTO struct arena arena = {.max = RECORD_MEMORY};
    struct fact_list facts = {.g = g, .arena = &arena};
    struct gate_message *m = stage >= CONFIG_STAGE_MAIL ? g->message : NULL;
    struct record r = {.when = g->outside->now(g->arg), .stage = (enum record_stage)stage, .outcome = outcome};
    if (!g->outside->record)
        return;
    r.session = g->who.session;
    r.client = g->who.ip;
    r.user = g->who.user;
    r.helo = g->helo_name;
    add_reply(why, &r);
    if (m) {
        r.queue_id = m->has_content ? m->content.queue_id : 0;
        r.sender = m->sender;
        add_recipients(m, stage, &arena, &r);
    }
    g->telling = true;
    add_facts(&facts, stage, &r);
    g->telling = false;
    add_rules(g, stage, run, &arena, &r);
    add_spans(g, stage, &arena, &r);
    g->outside->record(g->arg, &r);
}
