// simulate: the gate's outside, made of given facts, tables read here, and a memory that knows nobody.
#include "cmd/simulate.h"

#include "base/list.h"
#include "base/num.h"
#include "core/gate/dns_words.h"
#include "mail/address.h"

enum { FACT_SHOWN = 1000 };

// --- facts as text

bool simulate_fact_named(struct slice text, enum fact *which, struct slice *name) {
    struct slice field = SLICE("header ");
    *name = SLICE_EMPTY;
    if (slice_istarts(text, field)) {
        *which = FACT_HEADER;
        *name = slice_trim(slice_from(text, field.n));
        return name->n > 0;
    }
    for (enum fact f = 0; f < FACT_COUNT; f++)
        if (f != FACT_HEADER && slice_ieq(text, slice_str(fact_infos[f].name))) {
            *which = f;
            return true;
        }
    return false;
}

static bool bool_value(struct slice text, struct fact_value *out) {
    out->yes = slice_ieq(text, SLICE("true")) || slice_ieq(text, SLICE("yes"));
    return out->yes || slice_ieq(text, SLICE("false")) || slice_ieq(text, SLICE("no"));
}

static bool number_value(struct slice text, struct fact_value *out) {
    bool minus = slice_starts(text, SLICE("-"));
    uint64_t n;
    if (!num_u64(slice_from(text, minus), INT64_MAX, &n))
        return false;
    out->number = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

bool simulate_fact_value(enum fact which, struct slice text, struct fact_value *out) {
    struct fact_value v = {.type = fact_infos[which].type};
    bool ok = true;
    if (v.type == FACT_BOOL)
        ok = bool_value(text, &v);
    else if (v.type == FACT_NUMBER)
        ok = number_value(text, &v);
    else if (v.type == FACT_IP)
        ok = netaddr_parse_ip(text, &v.ip);
    else
        v.text = text;
    if (ok)
        *out = v;
    return ok;
}

// --- the gate's outside

static void hurry(void *arg, int64_t ms) {
    struct simulate *s = arg;
    if (s->hurry)
        s->hurry(s->hurry_arg, ms);
}

static struct wall now(void *arg) { return ((struct simulate *)arg)->now; }

static bool greylist(void *arg, const struct message_greylist *m, struct message_greylist_reply *out) {
    struct simulate *s = arg;
    *out = (struct message_greylist_reply){.proven = s->came_back ? MESSAGE_PROVEN_CAME_BACK : MESSAGE_PROVEN_NO,
                                           .wait_ms = s->config->gate.greylist.wait};
    return true;
}

static bool in_table(void *arg, struct slice table, struct slice value, bool *out) {
    struct simulate *s = arg;
    enum message_match_result r = lookup_tables_match(s->tables, table, value);
    *out = r == MESSAGE_MATCH_YES;
    return r != MESSAGE_MATCH_FAILED;
}

static void note_filter(struct simulate *s, struct slice name) {
    struct simulate_step *step = s->last;
    struct slice *all = arena_alloc(&s->arena, (step->filters_n + 1) * sizeof *all);
    if (!all)
        return;
    if (step->filters_n)
        memcpy(all, step->filters, step->filters_n * sizeof *all);
    all[step->filters_n++] = name;
    step->filters = all;
}

// Nobody is told of a session that isn't.
static bool ask(void *arg, const struct config_filter *f, struct slice request, struct arena *arena,
                struct slice *answer) {
    note_filter(arg, f->name);
    *answer = SLICE("DUNNO");
    return true;
}

static bool given(const struct simulate *s, enum fact which, struct slice name, struct fact_value *out) {
    for (size_t i = s->facts_n; i-- > 0;)
        if (s->facts[i].which == which && slice_ieq(s->facts[i].name, name)) {
            *out = s->facts[i].value;
            return true;
        }
    return false;
}

static bool fact(void *arg, enum fact which, struct slice name, struct fact_value *out) {
    struct simulate *s = arg;
    return given(s, which, name, out) || (s->replay && s->replay(s->replay_arg, which, name, out));
}

// --- what is seen

static struct slice value_text(struct simulate *s, const struct fact_value *v) {
    BUF_AUTO struct buf b = {.max = 64 * 1024};
    fact_value_add(&b, v);
    return arena_dup(&s->arena, slice_upto(buf_slice(&b), FACT_SHOWN));
}

static void note_rule(struct simulate *s, const struct rule_seen *seen, struct simulate_rule *out) {
    *out = (struct simulate_rule){arena_dup(&s->arena, seen->rule->source),
                                  seen->rule->built_in ? 0 : seen->rule->place.line, seen->matched,
                                  arena_alloc(&s->arena, seen->facts_n * sizeof *out->facts), 0};
    for (; out->facts && out->facts_n < seen->facts_n; out->facts_n++) {
        const struct rule_seen_fact *f = &seen->facts[out->facts_n];
        struct slice name = f->which == FACT_HEADER ? arena_printf(&s->arena, "header %.*s", SLICE_ARG(f->name))
                                                    : slice_str(fact_infos[f->which].name);
        out->facts[out->facts_n] = (struct record_fact){name, value_text(s, &f->value)};
    }
}

static struct slice *copies(struct simulate *s, const struct slice *list, size_t n) {
    struct slice *out = arena_alloc(&s->arena, (n + 1) * sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = arena_dup(&s->arena, list[i]);
    return out;
}

static void note_verdict(struct simulate *s, const struct gate_verdict *v, struct simulate_step *step) {
    step->outcome = v->outcome;
    step->why = v->why;
    step->greylisted = v->outcome == GATE_REFUSE && v->rule && v->rule->action == RULE_GREYLIST;
    step->hold = v->hold || (v->rule && v->rule->action == RULE_HOLD);
    step->quarantine = v->quarantine;
    step->tarpit_ms = v->tarpit_ms;
    step->redirect = arena_dup(&s->arena, v->redirect);
    step->headers = copies(s, v->headers, v->headers_n);
    step->headers_n = step->headers ? v->headers_n : 0;
    step->tags = copies(s, v->tags, v->tags_n);
    step->tags_n = step->tags ? v->tags_n : 0;
    step->line = v->rule && !v->rule->built_in ? v->rule->place.line : 0;
}

static void looked(void *arg, enum config_stage stage, const struct rule_run *run, const struct gate_verdict *v) {
    struct simulate *s = arg;
    struct simulate_step *step = s->last;
    step->rules = arena_alloc(&s->arena, (run->next + 1) * sizeof *step->rules);
    for (; step->rules && run->seen && step->rules_n < run->next; step->rules_n++)
        note_rule(s, &run->seen[step->rules_n], &step->rules[step->rules_n]);
    note_verdict(s, v, step);
}

static void note_answer(struct simulate *s, const struct oracle_question *q, const struct oracle_answer *a) {
    struct simulate_step *step = s->last;
    BUF_AUTO struct buf question = {.max = DNS_WORDS_MAX}, answer = {.max = DNS_WORDS_MAX};
    if (!step || step->dns_n == step->dns_room)
        return;
    dns_words_question(&question, q);
    dns_words_answer(&answer, q->type, a);
    step->dns[step->dns_n++] =
        (struct record_dns){arena_dup(&s->arena, buf_slice(&question)), arena_dup(&s->arena, buf_slice(&answer))};
}

static void spy(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                struct oracle_answer *answers) {
    struct simulate *s = LIST_ENTRY(o, struct simulate, spy);
    s->real->ask(s->real, questions, n, arena, answers);
    for (size_t i = 0; i < n; i++)
        note_answer(s, &questions[i], &answers[i]);
}

// --- all

void simulate_begin(struct simulate *s, const struct config *c, struct oracle *oracle, struct wall t) {
    *s = (struct simulate){.config = c, .real = oracle, .spy = {spy}, .now = t, .arena = {.max = SIMULATE_MEMORY}};
    s->world = (struct world){.loop = loop_new(false), .ops = &world_kernel_ops};
    s->tables = lookup_tables_new(&s->world, c);
    s->outside = (struct gate_outside){.hurry = hurry,
                                       .now = now,
                                       .greylist = greylist,
                                       .in_table = in_table,
                                       .ask = ask,
                                       .fact = fact,
                                       .looked = looked};
}

void simulate_done(struct simulate *s) {
    gate_free(s->gate);
    lookup_tables_free(s->tables);
    if (s->world.loop)
        loop_free(s->world.loop);
    arena_done(&s->arena);
}
