// config_warn: looks for lists that no rule asks, filters that nobody asks, rules that are never come to, values that a
// fact never has.
#include "core/config/config_warn.h"

#include "core/rules/rules_inside.h"

static bool asks_lists(const struct config *c) {
    static const enum fact facts[] = {FACT_DNSBL_SCORE, FACT_DNSBL_REASONS, FACT_DNSBL_ALLOWED, FACT_PROVEN};
    for (size_t s = 0; s < CONFIG_STAGE_COUNT; s++)
        for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
            if (rules_ask(c->gate.policy[s], facts[i]))
                return true;
    return false;
}

static bool asks_filter(const struct config *c, struct slice name) {
    for (size_t s = 0; s < CONFIG_STAGE_COUNT; s++) {
        const struct rules *rules = c->gate.policy[s];
        for (size_t i = 0; i < rules->n; i++)
            if (rules->list[i].action == RULE_ASK && slice_eq(rules->list[i].argument, name))
                return true;
    }
    return false;
}

static void warn_filters(const struct config *c, struct config_report *r) {
    for (size_t i = 0; i < c->gate.filters_n; i++) {
        const struct config_filter *f = &c->gate.filters[i];
        const struct config_place place = {f->line, f->column};
        bool milter = f->kind == CONFIG_FILTER_MILTER;
        bool seen = (f->mx && config_listens(c, CONFIG_LISTEN_MX)) ||
                    (f->submission && config_listens(c, CONFIG_LISTEN_SUBMISSION));
        if (milter && !seen)
            config_report_add(r, place, "filter %.*s sees nothing: there is no listener of that kind",
                              SLICE_ARG(f->name));
        else if (!milter && !asks_filter(c, f->name))
            config_report_add(r, place, "filter %.*s is never asked: no rule says \"ask %.*s\"", SLICE_ARG(f->name),
                              SLICE_ARG(f->name));
    }
}

// What an administrator wrote behind a rule that always ends the stage.
static void warn_unreached(const struct rules *rules, struct config_report *r) {
    for (size_t i = 0; i + 1 < rules->n; i++) {
        const struct rule *end = &rules->list[i], *next = &rules->list[i + 1];
        if (!rule_ends(end->action) || end->when)
            continue;
        if (next->built_in)
            config_report_add(r, end->place, "the built-in rules behind this rule are never come to");
        else
            config_report_add(r, next->place, "this rule is never come to: the one on line %u always ends the stage",
                              end->place.line);
        return;
    }
}

// --- values that never are

static bool is_address(enum fact f) { return f == FACT_SENDER || f == FACT_RECIPIENT || f == FACT_FROM; }

static bool is_domain(enum fact f) {
    return f == FACT_SENDER_DOMAIN || f == FACT_RECIPIENT_DOMAIN || f == FACT_FROM_DOMAIN || f == FACT_SPF_DOMAIN ||
           f == FACT_DMARC_DOMAIN || f == FACT_ARC_SEALER;
}

// What to write instead; NULL: the fact may have that value.
static const char *misplaced(const struct rule_expression *e, struct slice text) {
    bool at = slice_find(text, '@') < text.n, dot = slice_find(text, '.') < text.n;
    if (is_domain(e->fact) && at)
        return "is a domain";
    if (is_domain(e->fact) && e->op != RULE_IN && slice_starts(text, SLICE(".")))
        return "is a domain; names below one stand behind \"in\"";
    if (is_address(e->fact) && dot && !at)
        return "is an address; of a domain it is in \"@example.org\", \"@.example.org\"";
    return NULL;
}

static void warn_values(const struct rule_expression *e, const struct rule *rule, struct config_report *r) {
    if (e->op == RULE_OR || e->op == RULE_AND || e->op == RULE_NOT) {
        for (const struct rule_expression *one = e->first; one; one = one->next)
            warn_values(one, rule, r);
        return;
    }
    for (size_t i = 0; i < e->items_n; i++) {
        const char *what = e->items[i].table ? NULL : misplaced(e, e->items[i].text);
        if (what)
            config_report_add(r, rule->place, "%s is never %.*s: it %s", fact_infos[e->fact].name,
                              SLICE_ARG(config_report_quote(r, e->items[i].text)), what);
    }
}

static void warn_never(const struct rules *rules, struct config_report *r) {
    for (size_t i = 0; i < rules->n; i++)
        if (rules->list[i].when)
            warn_values(rules->list[i].when, &rules->list[i], r);
}

void config_warn(const struct config *c, struct config_report *report) {
    if (c->gate.lists_n && !asks_lists(c))
        config_report_add(report, (struct config_place){c->gate.lists[0].line, c->gate.lists[0].column},
                          "lists are named, and no rule asks for dnsbl.score or dnsbl.allowed");
    warn_filters(c, report);
    for (size_t s = 0; s < CONFIG_STAGE_COUNT; s++) {
        warn_unreached(c->gate.policy[s], report);
        warn_never(c->gate.policy[s], report);
    }
    config_report_sort(report);
}
