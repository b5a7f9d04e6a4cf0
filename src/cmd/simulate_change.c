// simulate_change: what was, what would be, and what isn't known.
#include "cmd/simulate_change.h"

#include "cmd/show.h"

#include <stdio.h>

enum { JSON_LINE_MAX = 1 << 20 };

const struct record_rule *simulate_change_rule(const struct record *r) {
    for (size_t i = r->rules_n; i-- > 0;)
        if (r->rules[i].matched)
            return &r->rules[i];
    return NULL;
}

static void add_then(const struct simulate_change *c, struct buf *b) {
    const struct record *r = c->record;
    const struct record_rule *rule = simulate_change_rule(r);
    buf_addf(b, "%s at %s", simulate_outcome_name(c->then), record_stage_names[r->stage]);
    if (r->code)
        buf_addf(b, ": %u ", r->code);
    if (r->code && r->enhanced[0])
        buf_addf(b, "%u.%u.%u ", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    if (r->code)
        buf_addf(b, "%.*s", SLICE_ARG(r->text));
    if (rule && c->then != SIMULATE_TAKEN)
        buf_addf(b, "  [%.*s]", SLICE_ARG(rule->source));
}

static const struct simulate_rule *rule_of(const struct simulate_step *step) {
    for (size_t i = step->rules_n; i-- > 0;)
        if (step->rules[i].matched)
            return &step->rules[i];
    return NULL;
}

static void add_now(const struct simulate_change *c, struct buf *b) {
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

static void add_unknown(const struct simulate_change *c, struct buf *b) {
    for (size_t i = 0; i < c->unknown_n; i++)
        buf_addf(b, "%s%.*s", i ? ", " : "", SLICE_ARG(c->unknown[i]));
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

void simulate_change_show(const struct simulate_change *c) {
    BUF_AUTO struct buf b = {.max = 64 * 1024};
    print_who(c->record, &b);
    add_then(c, &b);
    print_line("was", &b);
    add_now(c, &b);
    print_line("would be", &b);
    if (c->unknown_n) {
        add_unknown(c, &b);
        print_line("unknown", &b);
    }
    putchar('\n');
}

static void put_text(struct json *j, const char *name, void (*add)(const struct simulate_change *c, struct buf *b),
                     const struct simulate_change *c) {
    BUF_AUTO struct buf b = {.max = 64 * 1024};
    add(c, &b);
    json_put_slice(j, name, buf_slice(&b));
}

void simulate_change_show_json(const struct simulate_change *c) {
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
    for (size_t i = 0; i < c->unknown_n; i++)
        json_slice(&j, c->unknown[i]);
    json_end(&j);
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}
