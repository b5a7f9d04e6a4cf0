// rules: walking the rules of a stage: a fact is asked for when an expression can't go on without it.
#include "core/rules/rules_inside.h"

#include <assert.h>

enum { TEXT_MAX = 400, PIECE_MAX = 200 }; // bytes of a text with facts put in, and of each of them

bool rule_ends(enum rule_action a) {
    return a == RULE_ACCEPT || a == RULE_REJECT || a == RULE_DEFER || a == RULE_DISCARD || a == RULE_HOLD;
}

void rule_run_begin(struct rule_run *run, const struct rules *rules, struct rule_facts *facts, struct arena *arena) {
    *run = (struct rule_run){.rules = rules, .facts = facts, .arena = arena};
    run->seen = arena_alloc(arena, (rules->n + 1) * sizeof *run->seen);
}

struct look {
    struct rule_run *run;
    struct rule_seen *seen; // NULL: there was no memory to write it down
    size_t room;            // in seen->facts
};

static bool is_seen(const struct rule_seen *seen, const struct rule_expression *e) {
    for (size_t i = 0; i < seen->facts_n; i++)
        if (seen->facts[i].which == e->fact && slice_ieq(seen->facts[i].name, e->name))
            return true;
    return false;
}

static void note(struct look *l, const struct rule_expression *e, const struct fact_value *v) {
    if (!l->seen || l->seen->facts_n == l->room || is_seen(l->seen, e))
        return;
    l->seen->facts[l->seen->facts_n++] = (struct rule_seen_fact){.which = e->fact, .name = e->name, .value = *v};
}

static bool ends_with(struct slice s, struct slice end) {
    return s.n > end.n && slice_ieq(slice_from(s, s.n - end.n), end);
}

// As tables have it (core/rules/match.h): .d is what is below d, @d an address in it, @.d one below it.
static bool is_in_domain(struct slice value, struct slice item) {
    size_t at = slice_rfind(value, '@');
    bool address = at < value.n;
    if (slice_starts(item, SLICE("@.")))
        return address && ends_with(slice_from(value, at + 1), slice_from(item, 1));
    if (slice_starts(item, SLICE("@")))
        return ends_with(value, item);
    return slice_starts(item, SLICE(".")) && !address && ends_with(value, item);
}

static bool is_item(const struct rule_expression *e, const struct rule_item *item, const struct fact_value *v) {
    return slice_ieq(v->text, item->text) || (e->op == RULE_IN && is_in_domain(v->text, item->text));
}

static bool is_among(struct look *l, const struct rule_expression *e, const struct fact_value *v) {
    for (size_t i = 0; i < e->items_n; i++) {
        const struct rule_item *item = &e->items[i];
        if (item->table          ? l->run->facts->in_table(l->run->facts, item->text, v)
            : v->type == FACT_IP ? netaddr_in_net(&v->ip, &item->net)
                                 : is_item(e, item, v))
            return true;
    }
    return false;
}

static bool holds_of(struct look *l, const struct rule_expression *e, const struct fact_value *v) {
    bool number = v->type == FACT_NUMBER;
    switch (e->op) {
    case RULE_IS:
        return v->yes;
    case RULE_EQUAL:
    case RULE_UNEQUAL:
        return number ? v->number == e->number : is_among(l, e, v);
    case RULE_LESS:
        return v->number < e->number;
    case RULE_AT_MOST:
        return v->number <= e->number;
    case RULE_MORE:
        return v->number > e->number;
    case RULE_AT_LEAST:
        return v->number >= e->number;
    case RULE_IN:
        return is_among(l, e, v);
    default:
        return pattern_matches(e->pattern, v->text);
    }
}

// A field that is there several times has a line for each: a harmless one in front must not hide another.
static bool holds_of_any(struct look *l, const struct rule_expression *e, const struct fact_value *v) {
    struct fact_value one = *v;
    struct slice rest = v->text;
    do {
        slice_cut(rest, '\n', &one.text, &rest);
        if (holds_of(l, e, &one))
            return true;
    } while (rest.n);
    return false;
}

static bool compare(struct look *l, const struct rule_expression *e) {
    struct fact_value v = {.type = fact_infos[e->fact].type};
    l->run->facts->get(l->run->facts, e->fact, e->name, &v);
    assert(v.type == fact_infos[e->fact].type);
    note(l, e, &v);
    bool holds = e->fact == FACT_HEADER ? holds_of_any(l, e, &v) : holds_of(l, e, &v);
    return e->op == RULE_UNEQUAL ? !holds : holds;
}

// As deep as the parser let it be.
static bool holds(struct look *l, const struct rule_expression *e) {
    if (e->op == RULE_NOT)
        return !holds(l, e->first);
    if (e->op != RULE_OR && e->op != RULE_AND)
        return compare(l, e);
    bool enough = e->op == RULE_OR;
    for (const struct rule_expression *one = e->first; one; one = one->next)
        if (holds(l, one) == enough)
            return enough;
    return !enough;
}

const struct rule *rule_run_next(struct rule_run *run) {
    while (run->next < run->rules->n) {
        const struct rule *r = &run->rules->list[run->next];
        struct look l = {.run = run, .seen = run->seen ? &run->seen[run->next] : NULL};
        if (l.seen) {
            l.room = r->when ? r->when->leaves : 0;
            *l.seen = (struct rule_seen){.rule = r};
            l.seen->facts = arena_alloc(run->arena, (l.room + 1) * sizeof *l.seen->facts);
            l.room = l.seen->facts ? l.room : 0;
        }
        bool matched = !r->when || holds(&l, r->when);
        run->next++;
        if (l.seen)
            l.seen->matched = matched;
        if (matched)
            return r;
    }
    return NULL;
}

// --- what may be asked

static bool expression_asks(const struct rule_expression *e, enum fact which) {
    if (e->op != RULE_OR && e->op != RULE_AND && e->op != RULE_NOT)
        return e->fact == which;
    for (const struct rule_expression *one = e->first; one; one = one->next)
        if (expression_asks(one, which))
            return true;
    return false;
}

static bool text_asks(struct slice text, enum fact which) {
    struct slice before, inner, header;
    size_t at = 0;
    while (rules_next_braces(text, &at, &before, &inner))
        if (slice_eq(rules_fact_name(inner, &header), slice_str(fact_infos[which].name)))
            return true;
    return false;
}

bool rules_ask(const struct rules *r, enum fact which) {
    for (size_t i = 0; i < r->n; i++) {
        const struct rule *one = &r->list[i];
        if ((one->when && expression_asks(one->when, which)) || text_asks(one->text, which) ||
            (one->action == RULE_HEADER && text_asks(one->argument, which)))
            return true;
    }
    return false;
}

// --- texts

bool rules_next_braces(struct slice text, size_t *at, struct slice *before, struct slice *inner) {
    struct slice rest = slice_from(text, *at), behind;
    size_t open = slice_find(rest, '{');
    if (open == rest.n || !slice_cut(slice_from(rest, open + 1), '}', inner, &behind)) {
        *before = rest;
        *at = text.n;
        return false;
    }
    *before = slice_upto(rest, open);
    *at += open + inner->n + 2;
    return true;
}

struct slice rules_fact_name(struct slice inner, struct slice *header) {
    struct slice name, rest;
    bool named = slice_cut(inner, ' ', &name, &rest) && slice_eq(name, SLICE("header"));
    *header = named ? slice_trim(rest) : SLICE_EMPTY;
    return named ? name : inner;
}

// Whoever chose it must not choose what else is in a reply or a field.
static void add_printable(struct buf *b, struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        bool printable = (unsigned char)s.p[i] >= ' ' && (unsigned char)s.p[i] < 0x7f;
        buf_add_char(b, printable ? s.p[i] : '?');
    }
}

static void add_fact(struct buf *b, struct rule_facts *facts, struct slice inner) {
    BUF_AUTO struct buf text = {.max = 64 * 1024};
    struct slice header, name = rules_fact_name(inner, &header);
    for (enum fact f = 0; f < FACT_COUNT; f++) {
        if (!slice_eq(name, slice_str(fact_infos[f].name)))
            continue;
        struct fact_value v = {.type = fact_infos[f].type};
        facts->get(facts, f, header, &v);
        if (v.type == FACT_TEXT) // of several fields the first
            v.text = slice_upto(slice_upto(v.text, f == FACT_HEADER ? slice_find(v.text, '\n') : v.text.n), PIECE_MAX);
        fact_value_add(&text, &v);
        add_printable(b, slice_upto(buf_slice(&text), PIECE_MAX));
        return;
    }
}

static struct slice put_in(struct slice text, struct rule_facts *facts, struct arena *arena) {
    BUF_AUTO struct buf out = {.max = 64 * 1024};
    struct slice before, inner;
    size_t at = 0;
    while (rules_next_braces(text, &at, &before, &inner)) {
        add_printable(&out, before);
        add_fact(&out, facts, inner);
    }
    add_printable(&out, before);
    return arena_dup(arena, slice_upto(buf_slice(&out), TEXT_MAX));
}

struct slice rule_text(const struct rule *r, struct rule_facts *facts, struct arena *arena) {
    return r->text.n ? put_in(r->text, facts, arena) : SLICE_EMPTY;
}

struct slice rule_field(const struct rule *r, struct rule_facts *facts, struct arena *arena) {
    return put_in(r->argument, facts, arena);
}
