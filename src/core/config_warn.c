// config_warn: looks for lists that no rule asks, filters that nobody asks, rules that are never come to.
#include "core/config_warn.h"

#include "core/rules.h"

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

void config_warn(const struct config *c, struct config_report *report) {
    if (c->gate.lists_n && !asks_lists(c))
        config_report_add(report, (struct config_place){c->gate.lists[0].line, c->gate.lists[0].column},
                          "lists are named, and no rule asks for dnsbl.score or dnsbl.allowed");
    warn_filters(c, report);
    for (size_t s = 0; s < CONFIG_STAGE_COUNT; s++)
        warn_unreached(c->gate.policy[s], report);
    config_report_sort(report);
}
