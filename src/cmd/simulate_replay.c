// simulate_replay: facts are as they were recorded, and so is DNS; what follows from the configuration is found out
// anew. What wasn't recorded speaks for the client, and is named.
#include "cmd/simulate_replay.h"

#include "base/list.h"
#include "cmd/show.h"
#include "cmd/simulate_records.h"
#include "cmd/simulate_show.h"
#include "core/dns_words.h"
#include "rt/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { UNKNOWN_MAX = 20, TEXT_MAX = 2000, JSON_LINE_MAX = 1 << 20 };

struct replaying {
    bool json;
    struct simulate simulate;
    struct oracle oracle; // DNS as it was recorded
    const struct record *record;
    struct arena arena;                // of the record at hand
    struct slice unknown[UNKNOWN_MAX]; // what was asked for and isn't recorded
    size_t unknown_n;
    size_t sessions, changed, harder, milder, others, unsure;
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
           which == FACT_SENDER_MISSING || which == FACT_SENDER_NULL_MX || which == FACT_SPF ||
           which == FACT_SPF_DOMAIN || which == FACT_SPF_EXPLANATION;
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

static const struct record_rule *deciding_rule(const struct record *r) {
    for (size_t i = r->rules_n; i-- > 0;)
        if (r->rules[i].matched)
            return &r->rules[i];
    return NULL;
}

// A refusal that no rule made isn't a rule's to change.
static bool by_policy(const struct record *r) {
    static const char *const actions[] = {"reject", "defer", "greylist", "ask", "discard", "hold"};
    const struct record_rule *rule = deciding_rule(r);
    if (r->outcome == RECORD_ACCEPTED || r->outcome == RECORD_HELD)
        return true;
    for (size_t i = 0; rule && i < sizeof actions / sizeof *actions; i++)
        if (slice_starts(rule->source, slice_str(actions[i])))
            return true;
    return false;
}

static bool was_greylisted(const struct record *r) {
    const struct record_rule *rule = deciding_rule(r);
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

// --- telling

struct change {
    const struct record *record;
    enum simulate_outcome then, now;
    const struct simulate_step *why; // now; NULL: nothing is against it
};

static void add_then(const struct change *c, struct buf *b) {
    const struct record *r = c->record;
    const struct record_rule *rule = deciding_rule(r);
    buf_addf(b, "%s at %s", simulate_outcome_name(c->then), record_stage_names[r->stage]);
    if (r->code)
        buf_addf(b, ": %u %.*s", r->code, SLICE_ARG(r->text));
    if (rule && c->then != SIMULATE_TAKEN)
        buf_addf(b, "  [%.*s]", SLICE_ARG(rule->source));
}

static const struct simulate_rule *rule_of(const struct simulate_step *step) {
    for (size_t i = step->rules_n; i-- > 0;)
        if (step->rules[i].matched)
            return &step->rules[i];
    return NULL;
}

static void add_now(const struct change *c, struct buf *b) {
    const struct simulate_rule *rule = c->why ? rule_of(c->why) : NULL;
    buf_add_str(b, simulate_outcome_name(c->now));
    if (c->why)
        buf_addf(b, " at %s", config_stage_names[c->why->stage]);
    if (c->why && c->why->outcome == GATE_REFUSE) {
        buf_add_str(b, ": ");
        simulate_add_reply(b, &c->why->why);
    }
    if (rule)
        buf_addf(b, "  [%.*s]", SLICE_ARG(rule->source));
    if (rule && rule->line)
        buf_addf(b, " line %u", rule->line);
}

static void add_unknown(const struct replaying *r, struct buf *b) {
    for (size_t i = 0; i < r->unknown_n; i++)
        buf_addf(b, "%s%.*s", i ? ", " : "", SLICE_ARG(r->unknown[i]));
}

static void print_line(const char *label, struct buf *b) {
    buf_add_char(b, '\0');
    printf("  %-9s ", label);
    show_text(stdout, b->p ? b->p : "");
    putchar('\n');
    buf_reset(b);
}

static void print_who(const struct record *r, struct buf *b) {
    if (r->when.ms) {
        wall_add_rfc3339(b, r->when);
        buf_add_str(b, "  ");
    }
    netaddr_add_ip(b, &r->client);
    buf_addf(b, "  HELO %.*s  from <%.*s>", SLICE_ARG(r->helo), SLICE_ARG(r->sender));
    for (size_t i = 0; i < r->recipients_n && i < 3; i++)
        buf_addf(b, "  to <%.*s>", SLICE_ARG(r->recipients[i]));
    if (r->recipients_n > 3)
        buf_addf(b, "  and %zu more", r->recipients_n - 3);
    buf_add_char(b, '\0');
    show_text(stdout, b->p ? b->p : "");
    putchar('\n');
    buf_reset(b);
}

static void print_change(const struct replaying *r, const struct change *c) {
    BUF_AUTO struct buf b = {.max = 64 * 1024};
    print_who(c->record, &b);
    add_then(c, &b);
    print_line("was", &b);
    add_now(c, &b);
    print_line("would be", &b);
    if (r->unknown_n) {
        add_unknown(r, &b);
        print_line("unknown", &b);
    }
    putchar('\n');
}

static void put_text(struct json *j, const char *name, void (*add)(const struct change *c, struct buf *b),
                     const struct change *c) {
    BUF_AUTO struct buf b = {.max = 64 * 1024};
    add(c, &b);
    json_put_slice(j, name, buf_slice(&b));
}

static void print_change_json(const struct replaying *r, const struct change *c) {
    BUF_AUTO struct buf b = {.max = JSON_LINE_MAX};
    struct json j = {.out = &b};
    char text[64];
    struct buf ip = {.p = text, .cap = sizeof text, .max = sizeof text};
    netaddr_add_ip(&ip, &c->record->client);
    json_open_object(&j);
    json_put_slice(&j, "session", c->record->session);
    json_put_slice(&j, "client", buf_slice(&ip));
    json_put_slice(&j, "sender", c->record->sender);
    json_put_str(&j, "was", simulate_outcome_name(c->then));
    json_put_str(&j, "would_be", simulate_outcome_name(c->now));
    put_text(&j, "was_because", add_then, c);
    put_text(&j, "would_be_because", add_now, c);
    json_key(&j, "unknown");
    json_open_array(&j);
    for (size_t i = 0; i < r->unknown_n; i++)
        json_slice(&j, r->unknown[i]);
    json_end(&j);
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}

// --- all

static void compare(struct replaying *r, const struct record *record) {
    struct change c = {.record = record, .then = outcome_then(record)};
    c.now = outcome_now(&r->simulate, record->recipients_n, &c.why);
    bool other_code = c.why && c.why->outcome == GATE_REFUSE && record->code && c.why->why.smtp != record->code;
    r->unsure += r->unknown_n > 0;
    if (c.then == c.now && !other_code)
        return;
    r->changed++;
    r->harder += c.now > c.then;
    r->milder += c.now < c.then;
    if (r->json)
        print_change_json(r, &c);
    else
        print_change(r, &c);
}

static void take(void *arg, const struct record *record) {
    struct replaying *r = arg;
    if (record->stage > RECORD_CONTENT || record->client.family == NETADDR_NONE)
        return;
    r->sessions++;
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
        printf("{\"summary\":true,\"sessions\":%zu,\"changed\":%zu,\"harder\":%zu,\"milder\":%zu,\"not_by_policy\":%zu,"
               "\"with_unknown\":%zu}\n",
               r->sessions, r->changed, r->harder, r->milder, r->others, r->unsure);
    else
        printf(
            "%zu decisions: %zu would change, %zu of them to the harder and %zu to the milder; %zu were not policy's; "
            "of %zu something wasn't recorded\n",
            r->sessions, r->changed, r->harder, r->milder, r->others, r->unsure);
}

static int read_and_run(const struct args *a, struct replaying *r) {
    BUF_AUTO struct buf text = {.max = SIMULATE_RECORDS_MAX};
    struct err e = {0};
    if (!file_read(a->replay, &text, &e)) {
        fprintf(stderr, "%s: simulate: %s\n", a->program, e.text);
        return e.sys == ENOENT ? EX_NOINPUT : EX_DATAERR;
    }
    if (!simulate_records(buf_slice(&text), take, r, &e)) {
        fprintf(stderr, "%s: simulate: %s: %s\n", a->program, a->replay, e.text);
        return EX_DATAERR;
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
