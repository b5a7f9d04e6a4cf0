// simulate_replay: facts are as they were recorded, and so is DNS; what follows from the configuration is found out
// anew. What wasn't recorded speaks for the client, and is named.
#include "cmd/simulate_replay.h"

#include "base/list.h"
#include "cmd/simulate_change.h"
#include "cmd/simulate_records.h"
#include "core/gate/dns_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { UNKNOWN_MAX = 20 };

struct replaying {
    bool json;
    struct simulate simulate;
    struct oracle oracle; // DNS as it was recorded
    const struct record *record;
    struct arena arena;                // of the record at hand
    struct slice unknown[UNKNOWN_MAX]; // what was asked for and isn't recorded
    size_t unknown_n;
    size_t decisions, changed, stricter, milder, others, unsure;
};

static void note_unknown(struct replaying *r, struct slice what) {
    for (size_t i = 0; i < r->unknown_n; i++)
        if (slice_eq(r->unknown[i], what))
            return;
    if (r->unknown_n < UNKNOWN_MAX)
        r->unknown[r->unknown_n++] = arena_dup(&r->arena, what);
}

// --- facts

static const struct record_fact *recorded(const struct record *r, struct slice name) {
    for (size_t i = 0; i < r->facts_n; i++)
        if (slice_ieq(r->facts[i].name, name))
            return &r->facts[i];
    return NULL;
}

static bool take_recorded(struct replaying *r, struct slice name, enum fact which, struct fact_value *out) {
    const struct record_fact *f = recorded(r->record, name);
    return f && simulate_fact_value(which, f->value, out);
}

// They follow from what was said, from DNS and from the configuration: they may be others by now.
static bool is_found_anew(enum fact which) {
    switch (which) {
    case FACT_CLIENT_IP:
    case FACT_CLIENT_TRUSTED:
    case FACT_CLIENT_LOCAL:
    case FACT_DNSBL_SCORE:
    case FACT_DNSBL_REASONS:
    case FACT_DNSBL_ALLOWED:
    case FACT_HELO:
    case FACT_HELO_VALID:
    case FACT_HELO_QUALIFIED:
    case FACT_HELO_LITERAL:
    case FACT_HELO_LITERAL_OWN:
    case FACT_SENDER:
    case FACT_SENDER_DOMAIN:
    case FACT_SENDER_NULL:
    case FACT_SENDER_OURS:
    case FACT_RECIPIENT:
    case FACT_RECIPIENT_DOMAIN:
        return true;
    default:
        return false;
    }
}

// Where it isn't recorded, DNS may be.
static bool is_of_dns(enum fact which) {
    return which == FACT_CLIENT_PTR || which == FACT_CLIENT_PTR_CONFIRMED || which == FACT_HELO_CONFIRMED ||
           which == FACT_SENDER_MISSING || which == FACT_SENDER_UNREACHABLE || which == FACT_SENDER_NULL_MX ||
           which == FACT_SPF || which == FACT_SPF_DOMAIN || which == FACT_SPF_EXPLANATION;
}

static bool is_result(enum fact which) {
    return which == FACT_DKIM || which == FACT_DMARC || which == FACT_DMARC_POLICY || which == FACT_ARC;
}

// What is asked for, unless this configuration only watches or a trusted seal vouched.
static bool take_enforced(struct replaying *r, struct fact_value *out) {
    struct fact_value policy, trusted = {0};
    if (r->simulate.config->gate.dmarc == CONFIG_DMARC_MONITOR) {
        out->text = SLICE("none");
        return true;
    }
    if (!take_recorded(r, SLICE("dmarc.policy"), FACT_DMARC_POLICY, &policy))
        return take_recorded(r, SLICE("dmarc.enforced"), FACT_DMARC_ENFORCED, out);
    take_recorded(r, SLICE("arc.trusted"), FACT_ARC_TRUSTED, &trusted);
    *out = policy;
    if (trusted.yes)
        out->text = SLICE("none");
    return true;
}

static bool replay_fact(void *arg, enum fact which, struct slice name, struct fact_value *out) {
    struct replaying *r = arg;
    struct slice full = which == FACT_HEADER ? arena_printf(&r->arena, "header %.*s", SLICE_ARG(name))
                                             : slice_str(fact_infos[which].name);
    if (is_found_anew(which))
        return false;
    if (which == FACT_DMARC_ENFORCED ? take_enforced(r, out) : take_recorded(r, full, which, out))
        return true;
    if (is_of_dns(which) || which == FACT_HELO_OURS || which == FACT_RECIPIENTS)
        return false;
    if (which == FACT_SENDER_BLOCKED || which == FACT_FROM_BLOCKED) // nothing here blocks any
        return false;
    note_unknown(r, full);
    *out = (struct fact_value){.type = fact_infos[which].type, .yes = which == FACT_PROVEN};
    if (is_result(which) || which == FACT_DMARC_ENFORCED)
        out->text = SLICE("none");
    return true;
}

// --- DNS

static bool find_answer(struct replaying *r, const struct oracle_question *q, struct slice question,
                        struct arena *arena, struct oracle_answer *out) {
    for (size_t i = 0; i < r->record->dns_n; i++)
        if (slice_ieq(r->record->dns[i].question, question))
            return dns_words_read(q->type, r->record->dns[i].answer, arena, out);
    return false;
}

static void ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                struct oracle_answer *answers) {
    struct replaying *r = LIST_ENTRY(o, struct replaying, oracle);
    for (size_t i = 0; i < n; i++) {
        BUF_AUTO struct buf question = {.max = DNS_WORDS_MAX};
        dns_words_question(&question, &questions[i]);
        if (find_answer(r, &questions[i], buf_slice(&question), arena, &answers[i]))
            continue;
        answers[i] = (struct oracle_answer){.status = ORACLE_TIMEOUT, .why = SLICE("not recorded")};
        note_unknown(r, buf_slice(&question));
    }
}

// --- then and now

// A refusal that no rule made isn't a rule's to change.
static bool by_policy(const struct record *r) {
    static const char *const actions[] = {"reject", "defer", "greylist", "ask", "discard", "hold"};
    const struct record_rule *rule = simulate_change_rule(r);
    if (r->outcome == RECORD_ACCEPTED || r->outcome == RECORD_HELD)
        return true;
    for (size_t i = 0; rule && i < sizeof actions / sizeof *actions; i++)
        if (slice_starts(rule->source, slice_str(actions[i])))
            return true;
    return false;
}

static bool was_greylisted(const struct record *r) {
    const struct record_rule *rule = simulate_change_rule(r);
    return r->outcome == RECORD_DEFERRED && rule && slice_starts(rule->source, SLICE("greylist"));
}

static enum simulate_outcome outcome_then(const struct record *r) {
    static const enum simulate_outcome of[RECORD_OUTCOMES] = {[RECORD_ACCEPTED] = SIMULATE_TAKEN,
                                                              [RECORD_REFUSED] = SIMULATE_REFUSED,
                                                              [RECORD_DEFERRED] = SIMULATE_DEFERRED,
                                                              [RECORD_DISCARDED] = SIMULATE_DISCARDED,
                                                              [RECORD_HELD] = SIMULATE_HELD};
    for (size_t i = 0; i < r->tags_n && r->outcome == RECORD_ACCEPTED; i++)
        if (slice_eq(r->tags[i], SLICE("quarantine")))
            return SIMULATE_QUARANTINED;
    return of[r->outcome];
}

// Where some recipients of a message would be refused, that is told.
static enum simulate_outcome outcome_now(const struct simulate *s, size_t recipients,
                                         const struct simulate_step **why) {
    enum simulate_outcome o = simulate_outcome(s, why);
    if (s->accepted == 0 || s->accepted == recipients || o > SIMULATE_HELD)
        return o;
    for (const struct simulate_step *step = s->first; step; step = step->next)
        if (step->stage == CONFIG_STAGE_RECIPIENT && step->outcome == GATE_REFUSE) {
            *why = step;
            return step->why.smtp / 100 == 4 ? SIMULATE_DEFERRED : SIMULATE_REFUSED;
        }
    return o;
}

static void run(struct replaying *r, const struct record *record) {
    struct fact_value size = {0}, tls = {0};
    struct simulate_session session = {.client = record->client,
                                       .session = record->session,
                                       .helo = record->helo,
                                       .helo_said = record->stage > RECORD_CONNECT,
                                       .sender = record->sender,
                                       .user = record->user,
                                       .recipients = record->recipients,
                                       .recipients_n = record->recipients_n,
                                       .has_content = true};
    take_recorded(r, SLICE("size"), FACT_SIZE, &size);
    take_recorded(r, SLICE("tls"), FACT_TLS, &tls);
    session.size = size.number > 0 ? (uint64_t)size.number : 0;
    session.tls = tls.yes;
    r->simulate.came_back = !was_greylisted(record);
    simulate_run(&r->simulate, &session, (enum config_stage)record->stage);
}

// --- all

static void compare(struct replaying *r, const struct record *record) {
    struct simulate_change c = {.record = record, .then = outcome_then(record)};
    c.now = outcome_now(&r->simulate, record->recipients_n, &c.why);
    c.unknown = r->unknown;
    c.unknown_n = r->unknown_n;
    bool other_code = c.why && c.why->outcome == GATE_REFUSE && record->code && c.why->why.smtp != record->code;
    r->unsure += r->unknown_n > 0;
    if (c.then == c.now && !other_code)
        return;
    r->changed++;
    r->stricter += c.now > c.then;
    r->milder += c.now < c.then;
    if (r->json)
        simulate_change_show_json(&c);
    else
        simulate_change_show(&c);
}

static void take(void *arg, const struct record *record) {
    struct replaying *r = arg;
    if (record->stage > RECORD_CONTENT || record->client.family == NETADDR_NONE)
        return;
    r->decisions++;
    if (!by_policy(record)) {
        r->others++;
        return;
    }
    arena_reset(&r->arena);
    r->unknown_n = 0;
    r->record = record;
    run(r, record);
    compare(r, record);
}

static void sum_up(const struct replaying *r) {
    if (r->json)
        printf("{\"summary\":true,\"decisions\":%zu,\"changed\":%zu,\"stricter\":%zu,\"milder\":%zu,"
               "\"not_by_policy\":%zu,\"with_unknown\":%zu}\n",
               r->decisions, r->changed, r->stricter, r->milder, r->others, r->unsure);
    else
        printf("%zu decisions: %zu would change (%zu stricter, %zu milder); %zu were not made by policy; for %zu "
               "something was asked that is not recorded\n",
               r->decisions, r->changed, r->stricter, r->milder, r->others, r->unsure);
}

static int read_and_run(const struct args *a, struct replaying *r) {
    struct err e = {0};
    if (!simulate_records(a->replay, take, r, &e)) {
        fprintf(stderr, "%s: simulate: %s\n", a->program, e.text);
        return e.sys == ENOENT ? EX_NOINPUT : EX_DATAERR;
    }
    sum_up(r);
    return EX_OK;
}

int simulate_replay(const struct args *a, const struct config *c, const struct simulate_fact *facts, size_t n) {
    struct replaying *r = calloc(1, sizeof *r);
    if (!r)
        return EX_OSERR;
    r->json = a->json;
    r->oracle.ask = ask;
    r->arena.max = 16 << 20;
    simulate_begin(&r->simulate, c, &r->oracle, world_kernel_ops.wall(NULL));
    r->simulate.facts = facts;
    r->simulate.facts_n = n;
    r->simulate.any_recipient = r->simulate.once = true;
    r->simulate.replay = replay_fact;
    r->simulate.replay_arg = r;
    int code = read_and_run(a, r);
    simulate_done(&r->simulate);
    arena_done(&r->arena);
    free(r);
    return code;
}
