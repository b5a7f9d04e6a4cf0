// gate_decide: the rules of a stage, and what each that applies does.
#include "core/gate/gate_inside.h"

#include "mail/address.h"

struct deciding {
    struct gate *g;
    enum config_stage stage;
    struct arena *scratch;
    struct gate_verdict *out;
    struct err if_permit, if_reject; // what a server of policy said for these cases; kind NONE: nothing
};

// --- replies

static struct slice enhanced_text(const uint16_t enhanced[3], char place[24]) {
    struct buf b = {.p = place, .cap = 24, .max = 24};
    buf_addf(&b, "%u.%u.%u", enhanced[0], enhanced[1], enhanced[2]);
    buf_add_char(&b, '\0');
    return buf_slice(&b);
}

// The greeting itself can only be 220, 421 or 554 (RFC 5321 4.2.4, 4.3.2).
static int code_at(enum config_stage stage, int code) {
    if (stage != CONFIG_STAGE_CONNECT || code == 521)
        return code;
    return code / 100 == 4 ? 421 : 554;
}

static void refuse(struct deciding *d, int code, const uint16_t enhanced[3], struct slice text) {
    char place[24];
    code = code_at(d->stage, code);
    err_smtp(&d->out->why, code, enhanced_text(enhanced, place).p, "%.*s", SLICE_ARG(text));
    d->out->outcome = GATE_REFUSE;
    d->out->end = d->stage == CONFIG_STAGE_CONNECT || code == 421 || code == 521;
}

static struct slice text_or(struct deciding *d, const struct rule *r, struct slice other) {
    struct slice text = slice_trim(rule_text(r, &d->g->facts, d->scratch)); // a fact at its end may be empty
    return text.n ? text : other;
}

static bool do_reject(struct deciding *d, const struct rule *r) {
    struct slice other =
        r->action == RULE_DEFER ? SLICE("not now, by policy; try again later") : SLICE("refused by policy");
    refuse(d, r->code, r->enhanced, text_or(d, r, other));
    return true;
}

// --- greylist

static struct slice waiting_text(struct deciding *d, int64_t ms) {
    int64_t seconds = (ms + MS_SECOND - 1) / MS_SECOND;
    if (seconds < 120)
        return arena_printf(d->scratch, "greylisted: come again in %d second%s", (int)seconds, seconds == 1 ? "" : "s");
    return arena_printf(d->scratch, "greylisted: come again in %d minutes", (int)((seconds + 59) / 60));
}

static bool do_greylist(struct deciding *d, const struct rule *r) {
    static const uint16_t enhanced[3] = {4, 7, 1};
    struct gate *g = d->g;
    struct message_greylist_reply reply;
    if (gate_is_trusted(g) || gate_is_local(g) || !gate_greylist(g, false, &reply) || reply.proven != MESSAGE_PROVEN_NO)
        return false;
    refuse(d, 451, enhanced, text_or(d, r, waiting_text(d, reply.wait_ms)));
    return true;
}

// --- what goes on

static void add_tarpit(struct deciding *d, int64_t ms) {
    int64_t left = GATE_TARPIT_MAX_MS - d->out->tarpit_ms;
    d->out->tarpit_ms += ms < left ? ms : left;
}

static void add_tag(struct deciding *d, struct slice tag) {
    struct gate_span *s = gate_span_of(d->g, d->stage);
    gate_texts_add(&s->tags, tag, GATE_TAGS_MAX, &s->arena);
}

static void add_header(struct deciding *d, struct slice field) {
    struct gate *g = d->g;
    if (g->message && field.n)
        gate_texts_add(&g->message->headers, field, GATE_HEADERS_MAX, &g->mail.arena);
}

static bool do_header(struct deciding *d, const struct rule *r) {
    add_header(d, rule_field(r, &d->g->facts, d->scratch));
    return false;
}

static void quarantine(struct deciding *d, struct slice why) {
    if (!d->g->message)
        return;
    d->g->message->quarantine = true;
    add_tag(d, SLICE("quarantine"));
    add_header(d, arena_printf(d->scratch, "X-Posthouse-Quarantine: %.*s", SLICE_ARG(why)));
}

static void redirect(struct deciding *d, struct slice address) {
    d->out->redirect = address;
    if (d->stage == CONFIG_STAGE_CONTENT && d->g->message)
        d->g->message->redirect = address;
}

static bool do_discard(struct deciding *d) {
    d->out->outcome = GATE_DISCARD;
    if (d->stage == CONFIG_STAGE_CONTENT)
        d->g->message->discard = true;
    return true;
}

static bool do_hold(struct deciding *d) {
    if (d->g->message)
        d->g->message->hold = true;
    return true;
}

static bool do_hold_by(struct deciding *d, const struct rule *r) {
    if (d->g->message)
        d->g->message->held_by = r;
    return do_hold(d);
}

// --- asking others

static const struct config_filter *find_filter(const struct config *c, struct slice name) {
    for (size_t i = 0; i < c->gate.filters_n; i++)
        if (slice_ieq(c->gate.filters[i].name, name))
            return &c->gate.filters[i];
    return NULL;
}

static bool failed(struct deciding *d, const struct config_filter *f) {
    static const uint16_t temporary[3] = {4, 7, 1}, permanent[3] = {5, 7, 1};
    if (f->failure == CONFIG_FILTER_QUARANTINE)
        quarantine(d, SLICE("a filter could not be asked"));
    else if (f->failure == CONFIG_FILTER_TEMPFAIL)
        refuse(d, 451, temporary, SLICE("a filter can't be asked now; try again later"));
    else if (f->failure == CONFIG_FILTER_REJECT)
        refuse(d, 550, permanent, SLICE("refused by policy"));
    return f->failure == CONFIG_FILTER_TEMPFAIL || f->failure == CONFIG_FILTER_REJECT;
}

// As envelopes have it; empty where it is none.
static struct slice normal_address(struct gate *g, struct slice text) {
    BUF_AUTO struct buf b = {.max = 2 * ADDRESS_MAX};
    struct address a;
    struct err ignored;
    if (!address_parse(text, ADDRESS_RECIPIENT, &g->mail.arena, &a, &ignored) ||
        !address_normalize(&a, &g->mail.arena, &ignored) || !address_add(&b, &a))
        return SLICE_EMPTY;
    return arena_dup(&g->mail.arena, buf_slice(&b));
}

static void refuse_for(struct deciding *d, const struct err *why) {
    d->out->why = *why;
    d->out->why.smtp = code_at(d->stage, why->smtp);
    d->out->outcome = GATE_REFUSE;
    d->out->end = d->stage == CONFIG_STAGE_CONNECT || why->smtp == 421 || why->smtp == 521;
}

// What is said of a message before there is one has no object.
static bool obey(struct deciding *d, const struct config_filter *f, struct slice words, const struct gate_answer *a) {
    struct gate *g = d->g;
    struct gate_message *m = g->message;
    switch (a->kind) {
    case GATE_ANSWER_ACCEPT:
        return true;
    case GATE_ANSWER_REFUSE:
        refuse_for(d, &a->why);
        return true;
    case GATE_ANSWER_DEFER_IF_PERMIT:
        d->if_permit = a->why;
        return false;
    case GATE_ANSWER_DEFER_IF_REJECT:
        d->if_reject = a->why;
        return false;
    case GATE_ANSWER_PREPEND:
        add_header(d, a->text);
        return false;
    case GATE_ANSWER_REDIRECT:
        if (m)
            m->redirect = normal_address(d->g, a->text);
        return false;
    case GATE_ANSWER_BCC:
        if (m)
            m->bcc = normal_address(g, a->text);
        return false;
    case GATE_ANSWER_HOLD: // what follows may refuse it still
        if (m)
            m->hold = true;
        return false;
    case GATE_ANSWER_DISCARD:
        if (m)
            m->discard = true;
        return false;
    case GATE_ANSWER_ODD:
    case GATE_ANSWER_UNKNOWN:
        if (g->outside->odd)
            g->outside->odd(g->arg, f, words);
        return a->kind == GATE_ANSWER_UNKNOWN && failed(d, f);
    default:
        return false;
    }
}

static bool do_ask(struct deciding *d, const struct rule *r) {
    struct gate *g = d->g;
    const struct config_filter *f = find_filter(g->config, r->argument);
    BUF_AUTO struct buf request = {.max = 64 * 1024};
    struct gate_answer answer;
    struct slice words;
    if (!f)
        return false;
    bool asked = g->outside->ask && gate_ask_request(g, d->stage, &request) &&
                 g->outside->ask(g->arg, f, buf_slice(&request), d->scratch, &words);
    gate_hurry(g);
    if (!asked) {
        gate_filter(g, f->name, SLICE("no answer"));
        return failed(d, f);
    }
    gate_filter(g, f->name, words);
    gate_answer_read(words, &answer);
    return obey(d, f, words, &answer);
}

// Answers that depend on what else was said.
static void settle(struct deciding *d) {
    struct gate_verdict *v = d->out;
    if (v->outcome == GATE_GO_ON && d->if_permit.smtp)
        refuse_for(d, &d->if_permit);
    else if (v->outcome == GATE_REFUSE && v->why.smtp >= 500 && d->if_reject.smtp)
        refuse_for(d, &d->if_reject);
}

// --- one rule after the other

// Whether that ends the stage.
static bool act(struct deciding *d, const struct rule *r) {
    switch (r->action) {
    case RULE_ACCEPT:
        return true;
    case RULE_REJECT:
    case RULE_DEFER:
        return do_reject(d, r);
    case RULE_GREYLIST:
        return do_greylist(d, r);
    case RULE_TARPIT:
        add_tarpit(d, r->ms);
        return false;
    case RULE_TAG:
        add_tag(d, r->argument);
        return false;
    case RULE_HEADER:
        return do_header(d, r);
    case RULE_REDIRECT:
        redirect(d, r->argument);
        return false;
    case RULE_QUARANTINE:
        quarantine(d, text_or(d, r, SLICE("by policy")));
        return false;
    case RULE_HOLD:
        return do_hold_by(d, r);
    case RULE_DISCARD:
        return do_discard(d);
    case RULE_ASK:
        return do_ask(d, r);
    default:
        return rule_ends(r->action);
    }
}

static void run_rules(struct deciding *d, struct rule_run *run) {
    const struct rule *r;
    rule_run_begin(run, d->g->config->gate.policy[d->stage], &d->g->facts, d->scratch);
    while ((r = rule_run_next(run)))
        if (act(d, r)) {
            d->out->rule = r;
            return;
        }
}

static void keep_matched(struct gate *g, enum config_stage stage, const struct rule_run *run) {
    struct gate_matched *m = &g->matched[stage];
    size_t n = 0;
    if (!run->seen)
        return;
    for (size_t i = 0; i < run->next; i++)
        n += run->seen[i].matched;
    n = n < GATE_MATCHED_MAX ? n : GATE_MATCHED_MAX;
    struct arena *arena = stage == CONFIG_STAGE_RECIPIENT ? &g->recipient.arena : &gate_span_of(g, stage)->arena;
    *m = (struct gate_matched){n ? arena_alloc(arena, n * sizeof *m->list) : NULL, 0};
    for (size_t i = 0; m->list && i < run->next && m->n < n; i++)
        if (run->seen[i].matched)
            m->list[m->n++] = run->seen[i].rule;
}

// For records of a message that nobody told the gate the recipients of, or that has none any more.
static void keep_recipient(struct gate *g, struct gate_taken **list, size_t *n) {
    struct gate_taken *t = *n < RECORD_LIST_MAX ? ARENA_NEW(&g->mail.arena, struct gate_taken) : NULL;
    if (!t)
        return;
    *t = (struct gate_taken){*list, arena_dup(&g->mail.arena, g->message->recipient)};
    *list = t;
    (*n)++;
}

// --- what all stages said of the message

static void add_all(struct gate_texts *to, const struct gate_texts *from, struct arena *arena) {
    for (size_t i = 0; i < from->n; i++)
        gate_texts_add(to, from->list[i], GATE_TAGS_MAX, arena);
}

static void sum_up(struct gate *g, struct gate_verdict *out) {
    struct gate_message *m = g->message;
    struct gate_texts tags = {0};
    add_all(&tags, &g->client.tags, &g->mail.arena);
    add_all(&tags, &g->helo.tags, &g->mail.arena);
    add_all(&tags, &g->mail.tags, &g->mail.arena);
    if (m->discard && out->outcome == GATE_GO_ON)
        out->outcome = GATE_DISCARD;
    out->hold = m->hold;
    out->quarantine = m->quarantine;
    out->redirect = m->redirect;
    out->bcc = m->bcc;
    out->headers = m->headers.list;
    out->headers_n = m->headers.n;
    out->tags = tags.list;
    out->tags_n = tags.n;
}

static void record(struct deciding *d, const struct rule_run *run) {
    struct gate_message *m = d->g->message;
    const struct gate_verdict *v = d->out;
    if (v->outcome == GATE_REFUSE) {
        gate_record(d->g, d->stage, v->why.smtp / 100 == 4 ? RECORD_DEFERRED : RECORD_REFUSED, &v->why, run);
        if (d->stage == CONFIG_STAGE_CONTENT)
            m->refused = true;
    } else if (v->outcome == GATE_DISCARD && d->stage != CONFIG_STAGE_CONTENT) {
        gate_record(d->g, d->stage, RECORD_DISCARDED, NULL, run);
    } else if (d->stage == CONFIG_STAGE_RECIPIENT && v->rule && v->rule->action == RULE_HOLD) {
        gate_record(d->g, d->stage, RECORD_HELD, NULL, run);
    } else if (d->stage == CONFIG_STAGE_RECIPIENT && v->redirect.n) { // the message won't name it any more
        gate_record(d->g, d->stage, RECORD_ACCEPTED, NULL, run);
    }
}

void gate_decide(struct gate *g, enum config_stage stage, struct gate_verdict *out) {
    ARENA_AUTO struct arena scratch = {.max = GATE_SCRATCH_MEMORY};
    struct deciding d = {g, stage, &scratch, out, {0}, {0}};
    struct rule_run run;
    *out = (struct gate_verdict){.outcome = GATE_GO_ON};
    if (stage >= CONFIG_STAGE_MAIL && !g->message)
        return;
    g->stage = stage;
    gate_hurry(g);
    if (stage == CONFIG_STAGE_CONNECT)
        gate_find_standing(g);
    run_rules(&d, &run);
    settle(&d);
    keep_matched(g, stage, &run);
    if (stage == CONFIG_STAGE_RECIPIENT && out->outcome == GATE_GO_ON)
        keep_recipient(g, &g->message->taken, &g->message->taken_n);
    if (stage == CONFIG_STAGE_RECIPIENT && out->outcome == GATE_DISCARD)
        keep_recipient(g, &g->message->thrown, &g->message->thrown_n);
    if (stage == CONFIG_STAGE_CONTENT)
        sum_up(g, out);
    if (g->outside->looked)
        g->outside->looked(g->arg, stage, &run, out);
    record(&d, &run);
}
