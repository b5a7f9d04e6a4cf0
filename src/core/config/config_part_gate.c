// config_part_gate: the words of directives about strangers: policy, lists, rates, DMARC's reports, ARC.
#include "core/config/config_build.h"

#include "base/when.h"
#include "core/config/config_value.h"
#include "core/rules/rules.h"

enum { EXPECTED_MAX = 160, LISTS_MAX = 64, CODES_MAX = 64, RATES_MAX = 256, SEALERS_MAX = 1000, WEIGHT = 8 };

const char *const config_stage_names[CONFIG_STAGE_COUNT + 1] = {
    [CONFIG_STAGE_CONNECT] = "connect",     [CONFIG_STAGE_HELO] = "helo",       [CONFIG_STAGE_MAIL] = "mail",
    [CONFIG_STAGE_RECIPIENT] = "recipient", [CONFIG_STAGE_CONTENT] = "content", [CONFIG_STAGE_COUNT] = NULL,
};

const char *const config_list_of_names[] = {
    [CONFIG_LIST_CLIENT] = "client", [CONFIG_LIST_SENDER] = "sender", [CONFIG_LIST_HELO] = "helo", NULL};

const char *const config_rate_what_names[CONFIG_RATE_WHATS + 1] = {
    [CONFIG_RATE_CONNECTIONS] = "connections", [CONFIG_RATE_MESSAGES] = "messages",
    [CONFIG_RATE_RECIPIENTS] = "recipients",   [CONFIG_RATE_UNKNOWN] = "unknown-recipients",
    [CONFIG_RATE_ERRORS] = "errors",           [CONFIG_RATE_WHATS] = NULL,
};

const char *const config_rate_by_names[CONFIG_RATE_BYS + 1] = {
    [CONFIG_RATE_CLIENT] = "client",       [CONFIG_RATE_NETWORK] = "network",
    [CONFIG_RATE_HELO] = "helo",           [CONFIG_RATE_SENDER_DOMAIN] = "sender-domain",
    [CONFIG_RATE_RECIPIENT] = "recipient", [CONFIG_RATE_BYS] = NULL,
};

const struct config_rate_unit config_rate_units[] = {
    {"second", MS_SECOND}, {"minute", MS_MINUTE}, {"hour", MS_HOUR}, {"day", MS_DAY}, {NULL, 0}};

bool config_take_number(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                        enum config_type type, uint64_t least, uint64_t most, uint64_t *out) {
    const struct config_directive d = {.type = type, .least = least, .most = most};
    char expected[EXPECTED_MAX];
    config_value_expected(&d, expected, sizeof expected);
    const struct config_word *word = config_take(b, node, args, expected);
    if (!word)
        return false;
    if (!config_value_parse(&d, word->text, out)) {
        config_report_word(b->report, word->place, expected, word->text, NULL);
        return false;
    }
    return true;
}

bool config_take_domain(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                        const char *expected, struct slice *out) {
    const struct config_word *word = config_take(b, node, args, expected);
    if (!word)
        return false;
    if (!config_is_host(word->text)) {
        config_report_word(b->report, word->place, expected, word->text, NULL);
        return false;
    }
    *out = config_dup_lower(b, word->text);
    return true;
}

bool config_take_address(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                         struct slice *out) {
    static const char *const expected = "an address such as postmaster@example.org";
    const struct config_word *word = config_take(b, node, args, expected);
    if (!word)
        return false;
    size_t at = slice_rfind(word->text, '@');
    bool good = at > 0 && at <= 64 && at < word->text.n && config_is_host(slice_from(word->text, at + 1));
    for (size_t i = 0; i < at && good; i++)
        good =
            (unsigned char)word->text.p[i] > ' ' && word->text.p[i] != 0x7f && !strchr("<>()\",:;@\\", word->text.p[i]);
    if (!good) {
        config_report_word(b->report, word->place, expected, word->text, NULL);
        return false;
    }
    *out = config_dup(b, word->text);
    return true;
}

void config_part_policy(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    size_t stage;
    if (!config_take_choice(b, node, &args, config_stage_names, &stage))
        return;
    if (args)
        config_report_word(b->report, args->place, "\"{\"", args->text, NULL);
    else if (!node->has_block)
        config_report_add(b->report, node->end, "expected \"{\", found the end of the directive");
    if (b->c->gate.policy[stage])
        config_report_add(b->report, node->words->place, "expected \"policy %s\" once, found it again",
                          config_stage_names[stage]);
    b->c->gate.policy[stage] = rules_build(b, (enum config_stage)stage, node->block);
}

// --- dnsbl, dnswl

static bool parse_code(struct slice s, uint8_t out[4]) {
    struct netaddr at;
    if (!netaddr_parse_ip(s, &at) || at.family != NETADDR_V4 || at.ip[0] != 127)
        return false;
    memcpy(out, at.ip, 4);
    return true;
}

// The next word without the comma that may end it; `*more` says whether there was one, alone or not.
static struct slice take_listed(struct config_builder *b, const struct config_node *node,
                                const struct config_word **args, const char *expected, struct config_place *place,
                                bool *more) {
    const struct config_word *word = config_take(b, node, args, expected);
    if (!word)
        return SLICE_EMPTY;
    struct slice text = word->text;
    *place = word->place;
    *more = slice_ends(text, SLICE(","));
    if (*more)
        text.n--;
    else if (*args && slice_eq((*args)->text, SLICE(","))) {
        *more = true;
        *args = (*args)->next;
    }
    return text;
}

// CODE, CODE .. CODE
static bool take_codes(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                       struct config_list *list) {
    static const char *const expected = "an address in 127.0.0.0/8, or two with \" .. \" between";
    bool more = true;
    while (more) {
        struct config_list_codes codes;
        struct config_place place = node->end;
        struct slice word = take_listed(b, node, args, expected, &place, &more);
        bool range = !more && *args && slice_eq((*args)->text, SLICE(".."));
        bool good = word.n && parse_code(word, codes.first);
        memcpy(codes.last, codes.first, good ? sizeof codes.last : 0);
        if (range && good) {
            *args = (*args)->next;
            word = take_listed(b, node, args, expected, &place, &more);
            good = word.n && parse_code(word, codes.last) && memcmp(codes.first, codes.last, sizeof codes.first) <= 0;
        }
        if (!word.p)
            return false;
        if (!good || list->codes_n == CODES_MAX) {
            config_report_word(b->report, place, good ? "at most 64 codes" : expected, word, NULL);
            return false;
        }
        list->codes = config_append(b, list->codes, &list->codes_n, sizeof codes);
        list->codes[list->codes_n - 1] = codes;
    }
    return true;
}

static bool take_list_option(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                             struct config_list *list) {
    static const char *const options[] = {"weight", "of", "codes", NULL};
    size_t which, of;
    uint64_t weight;
    if (!config_take_choice(b, node, args, options, &which))
        return false;
    switch (which) {
    case 0:
        if (!config_take_number(b, node, args, CONFIG_COUNT, 1, 1000, &weight))
            return false;
        list->weight = (int32_t)weight;
        return true;
    case 1:
        if (!config_take_choice(b, node, args, config_list_of_names, &of))
            return false;
        list->of = (enum config_list_of)of;
        return true;
    default:
        return take_codes(b, node, args, list);
    }
}

static void add_list(struct config_builder *b, const struct config_node *node, const struct config_word *args,
                     bool allow) {
    struct config_gate *g = &b->c->gate;
    struct config_list list = {
        .allow = allow, .weight = WEIGHT, .line = node->words->place.line, .column = node->words->place.column};
    if (!config_take_domain(b, node, &args, "the zone of a list such as zen.example.org", &list.zone))
        return;
    while (args)
        if (!take_list_option(b, node, &args, &list))
            return;
    if (!config_take_end(b, node, NULL))
        return;
    if (g->lists_n == LISTS_MAX) {
        config_report_add(b->report, node->words->place, "expected at most %d lists, found more", LISTS_MAX);
        return;
    }
    g->lists = config_append(b, g->lists, &g->lists_n, sizeof list);
    g->lists[g->lists_n - 1] = list;
}

void config_part_dnsbl(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    add_list(b, node, args, false);
}

void config_part_dnswl(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    add_list(b, node, args, true);
}

// --- rate

static void add_rate(struct config_builder *b, const struct config_rate *rate) {
    struct config_gate *g = &b->c->gate;
    g->rates = config_append(b, g->rates, &g->rates_n, sizeof *rate);
    g->rates[g->rates_n - 1] = *rate;
}

// NUMBER per UNIT [burst NUMBER] [except local]
static bool take_rate(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                      struct config_rate *rate) {
    static const char *const options[] = {"burst", "except", NULL};
    static const char *const units[] = {"second", "minute", "hour", "day", NULL};
    uint64_t count;
    size_t which;
    if (!config_take_number(b, node, args, CONFIG_COUNT, 1, 1000000000, &count) ||
        !config_take_keyword(b, node, args, "per") || !config_take_choice(b, node, args, units, &which))
        return false;
    rate->count = rate->burst = (uint32_t)count;
    rate->per = config_rate_units[which].ms;
    while (*args) {
        if (!config_take_choice(b, node, args, options, &which))
            return false;
        if (which == 1)
            rate->built_in = true;
        if (which == 1 ? !config_take_keyword(b, node, args, "local")
                       : !config_take_number(b, node, args, CONFIG_COUNT, 1, 1000000000, &count))
            return false;
        if (which == 0)
            rate->burst = (uint32_t)count;
    }
    return config_take_end(b, node, NULL);
}

// Whom a connection is by, and a message's recipient, isn't known when it is counted.
static bool makes_sense(enum config_rate_what what, enum config_rate_by by) {
    if (what == CONFIG_RATE_CONNECTIONS)
        return by == CONFIG_RATE_CLIENT || by == CONFIG_RATE_NETWORK;
    return by != CONFIG_RATE_RECIPIENT || what == CONFIG_RATE_RECIPIENTS;
}

static bool is_there(const struct config_gate *g, const struct config_rate *rate) {
    for (size_t i = 0; i < g->rates_n; i++) {
        const struct config_rate *r = &g->rates[i];
        if (r->what == rate->what && r->by == rate->by && r->count == rate->count && r->per == rate->per &&
            r->burst == rate->burst && r->built_in == rate->built_in)
            return true;
    }
    return false;
}

void config_part_rate(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    struct config_gate *g = &b->c->gate;
    struct config_rate rate = {.line = node->words->place.line, .column = node->words->place.column};
    size_t what, by;
    if (args && slice_eq(args->text, SLICE("none"))) {
        b->no_rates = node->words->place;
        config_take_end(b, node, args->next);
        return;
    }
    if (!config_take_choice(b, node, &args, config_rate_what_names, &what) ||
        !config_take_keyword(b, node, &args, "by"))
        return;
    const struct config_word *whom = args;
    if (!config_take_choice(b, node, &args, config_rate_by_names, &by))
        return;
    rate.what = (enum config_rate_what)what;
    rate.by = (enum config_rate_by)by;
    if (!makes_sense(rate.what, rate.by)) {
        config_report_word(b->report, whom->place,
                           rate.what == CONFIG_RATE_CONNECTIONS ? "\"client\" or \"network\""
                                                                : "\"recipient\" only of \"recipients\"",
                           whom->text, NULL);
        return;
    }
    if (!take_rate(b, node, &args, &rate))
        return;
    if (g->rates_n == RATES_MAX)
        config_report_add(b->report, node->words->place, "expected at most %d rates, found more", RATES_MAX);
    else if (is_there(g, &rate))
        config_report_add(b->report, node->words->place, "expected each rate once, found this one again");
    else
        add_rate(b, &rate);
}

// Far above what one well-behaved server does to another.
static void add_built_in_rates(struct config_builder *b) {
    static const struct config_rate rates[] = {
        {.what = CONFIG_RATE_CONNECTIONS, .by = CONFIG_RATE_CLIENT, .count = 120, .per = MS_MINUTE},
        {.what = CONFIG_RATE_CONNECTIONS, .by = CONFIG_RATE_NETWORK, .count = 600, .per = MS_MINUTE},
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 2000, .per = MS_HOUR},
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_NETWORK, .count = 10000, .per = MS_HOUR},
        {.what = CONFIG_RATE_UNKNOWN, .by = CONFIG_RATE_CLIENT, .count = 60, .per = MS_HOUR},
        {.what = CONFIG_RATE_ERRORS, .by = CONFIG_RATE_CLIENT, .count = 120, .per = MS_HOUR},
    };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct config_rate rate = rates[i];
        rate.burst = rate.count;
        rate.built_in = true;
        add_rate(b, &rate);
    }
}

void config_gate_complete(struct config_builder *b) {
    struct config_gate *g = &b->c->gate;
    if (g->rates_n && b->no_rates.line)
        config_report_add(b->report, b->no_rates, "expected \"rate none\" alone, found other rates");
    if (!g->rates_n && !b->no_rates.line)
        add_built_in_rates(b);
    for (enum config_stage s = 0; s < CONFIG_STAGE_COUNT; s++)
        if (!g->policy[s])
            g->policy[s] = rules_built_in(b, s);
    if (g->reports.from.n && !g->reports.organisation.n)
        g->reports.organisation = slice_from(g->reports.from, slice_rfind(g->reports.from, '@') + 1);
}

// --- dmarc reports, arc, junk

void config_part_reports(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    if (!config_take_keyword(b, node, &args, "from") || !config_take_address(b, node, &args, &b->c->gate.reports.from))
        return;
    if (args)
        config_report_word(b->report, args->place, "\"{\"", args->text, NULL);
    config_build_block(b, "dmarc reports", node->block);
}

void config_part_organisation(struct config_builder *b, const struct config_node *node,
                              const struct config_word *args) {
    const struct config_word *word = config_take(b, node, &args, "the name of an organisation");
    if (!word || !config_take_end(b, node, args))
        return;
    if (word->text.n == 0 || word->text.n > 200)
        config_report_word(b->report, word->place, "a name of at most 200 bytes", word->text, NULL);
    b->c->gate.reports.organisation = config_dup(b, word->text);
}

void config_part_arc_trust(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    struct config_arc *arc = &b->c->gate.arc;
    do {
        struct slice domain;
        if (!config_take_domain(b, node, &args, "a domain that seals", &domain))
            return;
        if (arc->trusted_n == SEALERS_MAX) {
            config_report_add(b->report, node->words->place, "expected at most %d domains, found more", SEALERS_MAX);
            return;
        }
        arc->trusted = config_append(b, arc->trusted, &arc->trusted_n, sizeof domain);
        arc->trusted[arc->trusted_n - 1] = domain;
    } while (args);
    config_take_end(b, node, NULL);
}

void config_part_arc_seal(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    struct config_arc *arc = &b->c->gate.arc;
    if (!config_take_keyword(b, node, &args, "as") ||
        !config_take_domain(b, node, &args, "the domain that seals", &arc->domain) ||
        !config_take_keyword(b, node, &args, "selector") ||
        !config_take_domain(b, node, &args, "a selector: letters, digits and hyphens, such as 2026", &arc->selector) ||
        !config_take_keyword(b, node, &args, "key"))
        return;
    const struct config_word *word = config_take(b, node, &args, "the path of a key");
    if (!word || !config_take_end(b, node, args))
        return;
    if (word->text.n == 0)
        config_report_word(b->report, word->place, "the path of a key", word->text, NULL);
    arc->key = config_dup_path(b, word->text);
}

// Maildir++: a folder is a directory beside cur, new and tmp whose name begins with a dot.
void config_part_junk(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "a folder such as \".Junk\", or off";
    const struct config_word *word = config_take(b, node, &args, expected);
    if (!word || !config_take_end(b, node, args))
        return;
    struct slice s = word->text;
    bool good = s.n > 1 && s.n <= 64 && s.p[0] == '.' && s.p[s.n - 1] != '.' && slice_search(s, SLICE("..")) == s.n &&
                slice_find(s, '/') == s.n;
    if (slice_eq(s, SLICE("off")))
        b->domain->junk = SLICE_EMPTY;
    else if (good)
        b->domain->junk = config_dup(b, s);
    else
        config_report_word(b->report, word->place, expected, s, NULL);
}
