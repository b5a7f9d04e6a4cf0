// config_write_gate: what was said about strangers, in the language: lists, rates, reports, seals, filters, policy.
#include "core/config/config_write.h"

#include "core/config/config_value.h"
#include "core/rules/rules.h"

void config_write_time(struct buf *b, int64_t ms) {
    const struct config_directive d = {.type = CONFIG_TIME};
    config_value_write(b, &d, (uint64_t)ms);
}

static void add_code(struct buf *b, const uint8_t code[4]) {
    buf_addf(b, "%u.%u.%u.%u", code[0], code[1], code[2], code[3]);
}

static void write_list(const struct config_list *l, struct buf *b) {
    buf_addf(b, "%s       %.*s weight %d of %s", l->allow ? "dnswl" : "dnsbl", SLICE_ARG(l->zone), l->weight,
             config_list_of_names[l->of]);
    for (size_t i = 0; i < l->codes_n; i++) {
        buf_add_str(b, i ? ", " : " codes ");
        add_code(b, l->codes[i].first);
        if (memcmp(l->codes[i].first, l->codes[i].last, sizeof l->codes[i].first) == 0)
            continue;
        buf_add_str(b, " .. ");
        add_code(b, l->codes[i].last);
    }
    buf_add_char(b, '\n');
}

static void write_rate(const struct config_rate *r, struct buf *b) {
    const struct config_rate_unit *unit = config_rate_units;
    while (unit[1].name && unit->ms != r->per)
        unit++;
    buf_addf(b, "rate        %s by %s %u per %s", config_rate_what_names[r->what], config_rate_by_names[r->by],
             r->count, unit->name);
    if (r->burst != r->count)
        buf_addf(b, " burst %u", r->burst);
    buf_add_str(b, r->built_in ? " except local\n" : "\n");
}

static void write_reports(const struct config_reports *r, struct buf *b) {
    if (!r->from.n)
        return;
    buf_add_str(b, "dmarc reports from ");
    config_write_word(b, r->from);
    buf_add_str(b, " {\n    organisation ");
    config_write_word(b, r->organisation);
    buf_add_str(b, "\n    every ");
    config_write_time(b, r->every);
    buf_add_str(b, "\n}\n");
}

static void write_arc(const struct config_arc *arc, struct buf *b) {
    for (size_t i = 0; i < arc->trusted_n; i++)
        buf_addf(b, "arc trust   %.*s\n", SLICE_ARG(arc->trusted[i]));
    if (!arc->domain.n)
        return;
    buf_addf(b, "arc seal    as %.*s selector %.*s", SLICE_ARG(arc->domain), SLICE_ARG(arc->selector));
    config_write_named(b, "key", arc->key);
    buf_add_char(b, '\n');
}

static void write_filter(const struct config_filter *f, struct buf *b) {
    buf_addf(b, "filter      %.*s %s ", SLICE_ARG(f->name), f->kind == CONFIG_FILTER_MILTER ? "milter" : "delegation");
    if (f->path.n) {
        BUF_AUTO struct buf at = {.max = 4096};
        buf_add_str(&at, "unix:");
        buf_add(&at, f->path);
        config_write_word(b, buf_slice(&at));
    } else {
        netaddr_add_endpoint(b, &f->at);
    }
    buf_addf(b, " {\n    for%s%s", f->mx ? " mx" : "", f->submission ? " submission" : "");
    buf_add_str(b, "\n    connect ");
    config_write_time(b, f->connect);
    buf_add_str(b, "\n    reply ");
    config_write_time(b, f->reply);
    buf_add_str(b, "\n    content ");
    config_write_time(b, f->content);
    buf_addf(b, "\n    failure %s\n}\n", config_filter_failure_names[f->failure]);
}

static void write_policy(const struct rules *r, struct buf *b) {
    buf_addf(b, "\npolicy %s {\n", config_stage_names[r->stage]);
    rules_write(r, b);
    buf_add_str(b, "}\n");
}

void config_write_gate(const struct config *c, struct buf *b) {
    const struct config_gate *g = &c->gate;
    for (size_t i = 0; i < g->lists_n; i++)
        write_list(&g->lists[i], b);
    for (size_t i = 0; i < g->rates_n; i++)
        write_rate(&g->rates[i], b);
    if (!g->rates_n)
        buf_add_str(b, "rate        none\n");
    write_reports(&g->reports, b);
    write_arc(&g->arc, b);
    for (size_t i = 0; i < g->filters_n; i++)
        write_filter(&g->filters[i], b);
    for (size_t i = 0; i < CONFIG_STAGE_COUNT; i++)
        write_policy(g->policy[i], b);
}
