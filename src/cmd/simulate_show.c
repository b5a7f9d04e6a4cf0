// simulate_show: each stage with its rules, what they looked at, DNS, and the reply.
#include "cmd/simulate_show.h"

#include "base/printable.h"
#include "cmd/args.h"
#include "cmd/show.h"

#include <stdio.h>

enum { JSON_MAX = 64 * 1024 * 1024, TEXT_MAX = 2000, VALUE_SHOWN = 100, PLACE = 10 };

// --- what became of it

static enum simulate_outcome outcome_of(const struct simulate_step *step) {
    if (step->outcome == GATE_DISCARD)
        return SIMULATE_DISCARDED;
    if (step->outcome == GATE_REFUSE)
        return step->why.smtp / 100 == 4 ? SIMULATE_DEFERRED : SIMULATE_REFUSED;
    return step->hold ? SIMULATE_HELD : step->quarantine ? SIMULATE_QUARANTINED : SIMULATE_TAKEN;
}

// A recipient that was refused is of no weight where another one was taken, nor one that was thrown away.
static bool counts(const struct simulate *s, const struct simulate_step *step) {
    if (step->greylisted && step->next)
        return false;
    if (step->stage != CONFIG_STAGE_RECIPIENT || !s->accepted)
        return true;
    return step->outcome == GATE_DISCARD ? s->accepted == s->discarded : step->outcome == GATE_GO_ON;
}

enum simulate_outcome simulate_outcome(const struct simulate *s, const struct simulate_step **why) {
    enum simulate_outcome o = SIMULATE_TAKEN;
    *why = NULL;
    for (const struct simulate_step *step = s->first; step; step = step->next) {
        enum simulate_outcome here = outcome_of(step);
        if (here == SIMULATE_TAKEN || !counts(s, step) || (o == SIMULATE_DISCARDED && here < o))
            continue;
        o = here;
        *why = step;
    }
    return o;
}

const char *simulate_outcome_name(enum simulate_outcome o) {
    static const char *const names[] = {"taken", "quarantined", "held", "discarded", "deferred", "refused"};
    return names[o];
}

bool simulate_add_reply(struct buf *b, const struct err *e) {
    buf_addf(b, "%d ", e->smtp);
    if (e->enhanced[0])
        buf_addf(b, "%u.%u.%u ", e->enhanced[0], e->enhanced[1], e->enhanced[2]);
    return buf_add_str(b, e->text);
}

// --- for people

static void print_slice(struct slice s, size_t most) {
    char text[TEXT_MAX + 1];
    struct slice cut = slice_upto(s, most);
    snprintf(text, sizeof text, "%.*s%s", SLICE_ARG(cut), cut.n < s.n ? "..." : "");
    show_text(stdout, text);
}

static void print_in(enum show_colour c, const char *text) {
    printf("%s%s%s", show_colour(stdout, c), text, show_colour(stdout, SHOW_PLAIN));
}

static void print_facts(const struct simulate_rule *r) {
    for (size_t i = 0; i < r->facts_n; i++) {
        printf("                       ");
        print_slice(r->facts[i].name, VALUE_SHOWN);
        printf(" = ");
        if (r->facts[i].value.n)
            print_slice(r->facts[i].value, VALUE_SHOWN);
        else
            printf("\"\"");
        putchar('\n');
    }
}

static void print_rule(const struct simulate_rule *r) {
    char place[24] = "built in";
    if (r->line)
        snprintf(place, sizeof place, "line %u", r->line);
    printf("  ");
    print_in(r->matched ? SHOW_BOLD : SHOW_PLAIN, r->matched ? "yes" : " no");
    printf("  %-*s   ", PLACE, place);
    print_slice(r->source, TEXT_MAX);
    putchar('\n');
    print_facts(r);
}

static void print_dns(const struct simulate_step *step) {
    size_t wide = 0;
    for (size_t i = 0; i < step->dns_n; i++)
        wide = step->dns[i].question.n > wide ? step->dns[i].question.n : wide;
    for (size_t i = 0; i < step->dns_n; i++) {
        printf("  dns  ");
        print_slice(step->dns[i].question, TEXT_MAX);
        printf("%*s  ", (int)(wide - step->dns[i].question.n), "");
        print_slice(step->dns[i].answer, VALUE_SHOWN);
        putchar('\n');
    }
}

static void print_done(const struct simulate_step *step) {
    char text[64];
    if (step->tarpit_ms) {
        show_duration(text, sizeof text, (step->tarpit_ms + 999) / 1000);
        printf("  it waits %s for the reply\n", text);
    }
    for (size_t i = 0; i < step->headers_n; i++) {
        printf("  header  ");
        print_slice(step->headers[i], TEXT_MAX);
        putchar('\n');
    }
    for (size_t i = 0; i < step->tags_n; i++) {
        printf("  tag  ");
        print_slice(step->tags[i], TEXT_MAX);
        putchar('\n');
    }
    for (size_t i = 0; i < step->filters_n; i++) {
        printf("  filter  ");
        print_slice(step->filters[i], VALUE_SHOWN);
        printf(" would be asked; here it isn't\n");
    }
    if (step->redirect.n) {
        printf("  redirected to ");
        print_slice(step->redirect, TEXT_MAX);
        putchar('\n');
    }
}

static void print_reply(const struct simulate_step *step) {
    BUF_AUTO struct buf b = {.max = TEXT_MAX};
    enum simulate_outcome o = outcome_of(step);
    if (step->outcome == GATE_REFUSE) {
        simulate_add_reply(&b, &step->why);
        buf_add_char(&b, '\0');
        printf("  => %s", show_colour(stdout, SHOW_BAD));
        show_text(stdout, b.p ? b.p : "");
        printf("%s\n", show_colour(stdout, SHOW_PLAIN));
    } else {
        printf("  => ");
        print_in(SHOW_GOOD, o == SIMULATE_TAKEN ? "goes on" : simulate_outcome_name(o));
        putchar('\n');
    }
}

static void print_step(const struct simulate_step *step) {
    print_in(SHOW_BOLD, config_stage_names[step->stage]);
    if (step->recipient.n) {
        printf(" <");
        print_slice(step->recipient, VALUE_SHOWN);
        putchar('>');
    }
    printf("%s\n", step->again ? ", when it comes again" : "");
    for (size_t i = 0; i < step->rules_n; i++)
        print_rule(&step->rules[i]);
    print_dns(step);
    print_done(step);
    print_reply(step);
    putchar('\n');
}

static void print_configuration(const struct simulate *s) {
    if (s->configuration)
        return;
    printf("built-in defaults, since there is no %s and no -c FILE", ARGS_CONFIG);
    for (size_t i = 0; i < s->config->domains_n; i++) {
        printf("%s", i ? ", " : "; ours: ");
        print_slice(s->config->domains[i].name, VALUE_SHOWN);
    }
    putchar('\n');
}

static void print_client(const struct simulate *s, const struct simulate_session *session) {
    char text[64];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    netaddr_add_ip(&b, &session->client);
    printf("client %.*s, HELO ", (int)b.n, text);
    print_slice(session->helo, VALUE_SHOWN);
    printf(", from <");
    print_slice(session->sender, VALUE_SHOWN);
    printf(">");
    if (session->user.n) {
        printf(", logged in as ");
        print_slice(session->user, VALUE_SHOWN);
        printf(": policy is for strangers, and asks no user");
    } else if (config_trusts(s->config, &session->client)) {
        printf(", trusted by \"relay from\": policy is for strangers, and asks no such client");
    }
    printf("\n\n");
}

static bool ran(const struct simulate *s, enum config_stage stage) {
    for (const struct simulate_step *step = s->first; step; step = step->next)
        if (step->stage == stage)
            return true;
    return false;
}

// What wasn't said, and ends the walk; NULL: nothing.
static const char *missing(const struct simulate *s) {
    return !ran(s, CONFIG_STAGE_HELO)        ? "a HELO"
           : !ran(s, CONFIG_STAGE_MAIL)      ? "a sender"
           : !ran(s, CONFIG_STAGE_RECIPIENT) ? "a recipient"
           : !ran(s, CONFIG_STAGE_CONTENT)   ? "a message"
                                             : NULL;
}

// Milters, which are told of every message from MAIL on.
static bool would_ask(const struct simulate *s, const struct simulate_session *session, const struct config_filter *f) {
    return f->kind == CONFIG_FILTER_MILTER && (session->user.n ? f->submission : f->mx) && ran(s, CONFIG_STAGE_MAIL);
}

static void print_filters(const struct simulate *s, const struct simulate_session *session) {
    const struct config_gate *g = &s->config->gate;
    for (size_t i = 0; i < g->filters_n; i++) {
        if (!would_ask(s, session, &g->filters[i]))
            continue;
        printf("filter ");
        print_slice(g->filters[i].name, VALUE_SHOWN);
        printf(" would be asked from MAIL on; here it isn't\n");
    }
}

static void print_verdict(const struct simulate *s) {
    const struct simulate_step *why;
    enum simulate_outcome o = simulate_outcome(s, &why);
    BUF_AUTO struct buf b = {.max = TEXT_MAX};
    printf("verdict: ");
    print_in(o == SIMULATE_REFUSED || o == SIMULATE_DEFERRED ? SHOW_BAD : SHOW_GOOD, simulate_outcome_name(o));
    if (why)
        printf(" at %s", config_stage_names[why->stage]);
    if (why && why->outcome == GATE_REFUSE) {
        simulate_add_reply(&b, &why->why);
        buf_add_char(&b, '\0');
        printf(": ");
        show_text(stdout, b.p ? b.p : "");
    }
    if (why && why->line)
        printf(" (line %u)", why->line);
    if (o < SIMULATE_DISCARDED && missing(s))
        printf(", as far as can be told without %s", missing(s));
    putchar('\n');
}

void simulate_show(const struct simulate *s, const struct simulate_session *session) {
    print_configuration(s);
    print_client(s, session);
    for (const struct simulate_step *step = s->first; step; step = step->next)
        print_step(step);
    if (s->results.n)
        printf("%.*s\n", SLICE_ARG(s->results));
    print_filters(s, session);
    print_verdict(s);
}

// --- JSON

static void put_facts(struct json *j, const struct record_fact *list, size_t n) {
    json_key(j, "facts");
    json_open_object(j);
    for (size_t i = 0; i < n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", SLICE_ARG(list[i].name));
        json_put_slice(j, name, list[i].value);
    }
    json_end(j);
}

static void put_rules(struct json *j, const struct simulate_step *step) {
    json_key(j, "rules");
    json_open_array(j);
    for (size_t i = 0; i < step->rules_n; i++) {
        const struct simulate_rule *r = &step->rules[i];
        json_open_object(j);
        json_put_slice(j, "rule", r->source);
        json_put_u64(j, "line", r->line);
        json_put_bool(j, "matched", r->matched);
        put_facts(j, r->facts, r->facts_n);
        json_end(j);
    }
    json_end(j);
}

static void put_dns(struct json *j, const struct simulate_step *step) {
    json_key(j, "dns");
    json_open_array(j);
    for (size_t i = 0; i < step->dns_n; i++) {
        json_open_object(j);
        json_put_slice(j, "question", step->dns[i].question);
        json_put_slice(j, "answer", step->dns[i].answer);
        json_end(j);
    }
    json_end(j);
}

static void put_list(struct json *j, const char *name, const struct slice *list, size_t n) {
    json_key(j, name);
    json_open_array(j);
    for (size_t i = 0; i < n; i++)
        json_slice(j, list[i]);
    json_end(j);
}

static void put_reply(struct json *j, const struct simulate_step *step) {
    BUF_AUTO struct buf b = {.max = TEXT_MAX};
    if (step && step->outcome == GATE_REFUSE)
        simulate_add_reply(&b, &step->why);
    json_put_slice(j, "reply", buf_slice(&b));
}

static void put_step(struct json *j, const struct simulate_step *step) {
    json_open_object(j);
    json_put_str(j, "stage", config_stage_names[step->stage]);
    if (step->stage == CONFIG_STAGE_RECIPIENT)
        json_put_slice(j, "recipient", step->recipient);
    json_put_bool(j, "again", step->again);
    put_rules(j, step);
    put_dns(j, step);
    json_put_str(j, "outcome", simulate_outcome_name(outcome_of(step)));
    put_reply(j, step);
    json_put_u64(j, "line", step->line);
    json_put_bool(j, "by_server", step->by_server);
    json_key(j, "tarpit_seconds");
    json_seconds(j, step->tarpit_ms);
    json_put_slice(j, "redirect", step->redirect);
    put_list(j, "headers", step->headers, step->headers_n);
    put_list(j, "tags", step->tags, step->tags_n);
    put_list(j, "filters_not_asked", step->filters, step->filters_n);
    json_end(j);
}

static void put_filters(struct json *j, const struct simulate *s, const struct simulate_session *session) {
    const struct config_gate *g = &s->config->gate;
    json_key(j, "filters_not_asked");
    json_open_array(j);
    for (size_t i = 0; i < g->filters_n; i++)
        if (would_ask(s, session, &g->filters[i]))
            json_slice(j, g->filters[i].name);
    json_end(j);
}

static void put_verdict(struct json *j, const struct simulate *s) {
    const struct simulate_step *why;
    enum simulate_outcome o = simulate_outcome(s, &why);
    json_key(j, "verdict");
    json_open_object(j);
    json_put_str(j, "outcome", simulate_outcome_name(o));
    json_put_str(j, "stage", why ? config_stage_names[why->stage] : "");
    put_reply(j, why);
    json_put_u64(j, "line", why ? why->line : 0);
    json_end(j);
}

void simulate_show_json(const struct simulate *s, const struct simulate_session *session) {
    BUF_AUTO struct buf b = {.max = JSON_MAX};
    struct json j = {.out = &b};
    char text[64];
    struct buf ip = {.p = text, .cap = sizeof text, .max = sizeof text};
    netaddr_add_ip(&ip, &session->client);
    json_open_object(&j);
    json_put_str(&j, "configuration", s->configuration ? s->configuration : "built-in");
    json_put_slice(&j, "client", buf_slice(&ip));
    json_put_slice(&j, "helo", session->helo);
    json_put_slice(&j, "from", session->sender);
    json_key(&j, "steps");
    json_open_array(&j);
    for (const struct simulate_step *step = s->first; step; step = step->next)
        put_step(&j, step);
    json_end(&j);
    json_put_slice(&j, "results", s->results);
    put_filters(&j, s, session);
    put_verdict(&j, s);
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}
