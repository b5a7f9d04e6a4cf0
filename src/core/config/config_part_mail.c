// config_part_mail: the words of directives about mail: tables, domains, routes.
#include "core/config/config_build.h"

#include "base/num.h"
#include "core/config/config_near.h"

enum { TABLES_MAX = 256, NAME_MAX_BYTES = 64, SMTP_PORT = 25 };

static bool is_table_name(struct slice s) {
    if (s.n == 0 || s.n > NAME_MAX_BYTES || slice_eq(s, SLICE("any")))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return true;
}

// "sales = alice, bob" becomes "sales: alice, bob"; a name alone stays.
static void add_entry(struct config_builder *b, struct buf *text, const struct config_word *word) {
    struct slice name, targets;
    bool alias = slice_cut(word->text, '=', &name, &targets);
    name = slice_trim(name);
    targets = slice_trim(targets);
    struct netaddr_net net;
    if (!alias && slice_find(name, ':') < name.n && netaddr_parse_net(name, &net)) { // IPv6, for rules of policy
        buf_add_char(text, '"');
        buf_add(text, name);
        buf_add_str(text, "\"\n");
        return;
    }
    if (name.n == 0 || (alias && targets.n == 0) || name.p[0] == '#' || slice_find(name, ':') < name.n ||
        slice_find(word->text, '\r') < word->text.n) {
        config_report_word(b->report, word->place, "a name, or \"name = target, target\"", word->text, NULL);
        return;
    }
    buf_add(text, name);
    buf_add_str(text, alias ? ": " : "");
    buf_add(text, targets);
    buf_add_char(text, '\n');
}

static struct slice inline_entries(struct config_builder *b, const struct config_node *node) {
    BUF_AUTO struct buf text = {.max = (size_t)CONFIG_TEXT_MAX * 2};
    if (!node->has_block)
        config_report_add(b->report, node->end, "expected a block of entries, found the end of the directive");
    for (const struct config_node *line = node->block; line; line = line->next) {
        for (const struct config_word *word = line->words; word; word = word->next)
            add_entry(b, &text, word);
        if (line->has_block)
            config_report_add(b->report, line->opened, "expected an entry, found \"{\"");
    }
    return config_dup(b, buf_slice(&text));
}

struct config_table *config_table_find(const struct config *c, struct slice name) {
    for (size_t i = 0; i < c->tables_n; i++)
        if (slice_eq(c->tables[i].name, name))
            return &c->tables[i];
    return NULL;
}

struct config_table *config_table_named(struct config_builder *b, const struct config_word *word) {
    struct config_table *table = config_table_find(b->c, word->text);
    if (table)
        return table;
    struct config_near near = config_near_start(word->text);
    for (size_t i = 0; i < b->c->tables_n; i++)
        config_near_offer(&near, b->c->tables[i].name.p); // config_dup ends it with a NUL
    config_report_word(b->report, word->place, "the name of a table", word->text, near.best);
    return NULL;
}

static bool table_is_new(struct config_builder *b, const struct config_word *name) {
    const struct config_table *twin = config_table_find(b->c, name->text);
    if (twin) {
        struct slice quoted = config_report_quote(b->report, name->text);
        config_report_add(b->report, name->place,
                          "expected a new name for a table, found %.*s again (first on line %u)", SLICE_ARG(quoted),
                          twin->place.line);
    } else if (!is_table_name(name->text)) {
        config_report_word(b->report, name->place, "a name of letters, digits, - and _ (any is taken)", name->text,
                           NULL);
    } else if (b->c->tables_n == TABLES_MAX) {
        config_report_add(b->report, name->place, "expected at most %d tables, found more", TABLES_MAX);
    } else {
        return true;
    }
    return false;
}

void config_part_table(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const kinds[] = {
        [CONFIG_TABLE_FILE] = "file", [CONFIG_TABLE_ALIASES] = "aliases", [CONFIG_TABLE_INLINE] = "inline",
        [CONFIG_TABLE_CIDR] = "cidr", [CONFIG_TABLE_REGEX] = "regex",     NULL};
    struct config_table table = {.place = node->words->place};
    const struct config_word *path = NULL, *name = config_take(b, node, &args, "a name for the table");
    size_t kind;
    if (!name || !config_take_choice(b, node, &args, kinds, &kind))
        return;
    table.kind = (enum config_table_kind)kind;
    if (table.kind == CONFIG_TABLE_INLINE) {
        if (args)
            config_report_word(b->report, args->place, "\"{\"", args->text, NULL);
        table.text = inline_entries(b, node);
    } else {
        path = config_take(b, node, &args, "a path");
        if (path && path->text.n == 0)
            config_report_word(b->report, path->place, "a path", path->text, NULL);
        if (!path || !config_take_end(b, node, args))
            return;
        table.path = config_dup_path(b, path->text);
    }
    if (!table_is_new(b, name))
        return;
    table.name = config_dup(b, name->text);
    b->c->tables = config_append(b, b->c->tables, &b->c->tables_n, sizeof table);
    b->c->tables[b->c->tables_n - 1] = table;
}

void config_part_domain(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    const struct config_word *name = config_take(b, node, &args, "a domain");
    if (!name)
        return;
    if (slice_eq(name->text, SLICE("*")))
        config_report_add(b->report, name->place,
                          "expected a domain, found \"*\": taking mail for every domain is an "
                          "open relay");
    else if (!config_is_host(name->text))
        config_report_word(b->report, name->place, "a domain (in other scripts as xn--... A-labels)", name->text, NULL);
    if (args)
        config_report_word(b->report, args->place, "\"{\"", args->text, NULL);
    struct config_domain domain = {
        .name = config_dup_lower(b, name->text), .tag = '+', .junk = SLICE(".Junk"), .place = node->words->place};
    b->domain = &domain;
    config_forget_seen(b, "domain");
    config_build_block(b, "domain", node->block);
    b->domain = NULL;
    b->c->domains = config_append(b, b->c->domains, &b->c->domains_n, sizeof domain);
    b->c->domains[b->c->domains_n - 1] = domain;
}

static void add_recipients(struct config_builder *b, const struct config_word *word) {
    struct config_domain *d = b->domain;
    struct config_table *table = config_table_named(b, word);
    if (!table)
        return;
    table->named = true;
    if (table->kind == CONFIG_TABLE_CIDR || table->kind == CONFIG_TABLE_REGEX) {
        config_report_word(b->report, word->place, "a table of kind file, aliases or inline", word->text, NULL);
        return;
    }
    size_t index = (size_t)(table - b->c->tables);
    for (size_t i = 0; i < d->tables_n; i++)
        if (d->tables[i] == index) {
            config_report_word(b->report, word->place, "each table once", word->text, NULL);
            return;
        }
    d->tables = config_append(b, d->tables, &d->tables_n, sizeof index);
    d->tables[d->tables_n - 1] = index;
}

void config_part_recipients(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "the name of a table, or any";
    const struct config_word *word = config_take(b, node, &args, expected);
    if (word && slice_eq(word->text, SLICE("any"))) {
        b->domain->any_recipient = true;
        config_take_end(b, node, args);
        return;
    }
    while (word && !config_report_full(b->report)) {
        add_recipients(b, word);
        if (!args)
            break;
        if (!config_take_keyword(b, node, &args, "+"))
            return;
        word = config_take(b, node, &args, expected);
    }
    if (word)
        config_take_end(b, node, args);
}

// Only {domain} and {local} are put in, and only whole pairs of braces are allowed.
static void check_pattern(struct config_builder *b, const struct config_word *word) {
    struct slice rest = word->text, head, name;
    while (slice_cut(rest, '{', &head, &rest)) {
        bool closed = slice_cut(rest, '}', &name, &rest);
        if (closed && (slice_eq(name, SLICE("domain")) || slice_eq(name, SLICE("local"))))
            continue;
        struct config_near near = config_near_start(name);
        config_near_offer(&near, "domain");
        config_near_offer(&near, "local");
        config_report_word(b->report, word->place, "{domain} or {local} in braces", name, near.best);
        return;
    }
}

void config_part_deliver(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const ways[] = {"maildir", "relay", NULL};
    size_t way;
    if (!config_take_choice(b, node, &args, ways, &way))
        return;
    if (way == 1) {
        b->domain->relayed = true;
        config_take_end(b, node, args);
        return;
    }
    const struct config_word *word = config_take(b, node, &args, "the path of a Maildir");
    if (!word || !config_take_end(b, node, args))
        return;
    if (word->text.n == 0)
        config_report_word(b->report, word->place, "the path of a Maildir", word->text, NULL);
    check_pattern(b, word);
    b->domain->maildir = config_dup_path(b, word->text);
}

void config_part_tag(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "one character such as \"+\" or \"-\", or off";
    const struct config_word *word = config_take(b, node, &args, expected);
    if (!word || !config_take_end(b, node, args))
        return;
    // What may stand in an unquoted local-part (RFC 5322 3.2.3) and in no user's name; never a path's separator.
    if (slice_eq(word->text, SLICE("off")))
        b->domain->tag = 0;
    else if (word->text.n == 1 && word->text.p[0] && strchr("+-=_~#!$%&*^|", word->text.p[0]))
        b->domain->tag = word->text.p[0];
    else
        config_report_word(b->report, word->place, expected, word->text, NULL);
}

static bool parse_port(struct slice s, uint16_t *out) {
    uint64_t port;
    if (!num_u64(s, UINT16_MAX, &port) || port == 0)
        return false;
    *out = (uint16_t)port;
    return true;
}

// "192.0.2.1", "[2001:db8::1]:25", "hub.example.org:2525"; without a port `port` is left alone.
static bool parse_host(struct config_builder *b, struct slice word, struct config_route *route, bool *has_port) {
    struct netaddr at;
    struct slice name, port, inner = word;
    bool bracket = word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']';
    if (bracket)
        inner = slice_of(word.p + 1, word.n - 2);
    bool endpoint = !bracket && slice_find(word, '*') == word.n && netaddr_parse_endpoint(word, &at);
    if (endpoint || netaddr_parse_ip(inner, &at)) {
        BUF_AUTO struct buf text = {.max = 64};
        netaddr_add_ip(&text, &at);
        route->host = config_dup(b, buf_slice(&text));
        *has_port = endpoint;
        if (endpoint)
            route->port = at.port;
        return route->port != 0;
    }
    *has_port = slice_cut(word, ':', &name, &port);
    route->host = config_dup_lower(b, name);
    struct slice last = slice_rfind(name, '.') < name.n ? slice_from(name, slice_rfind(name, '.') + 1) : name;
    uint64_t number;
    // 192.0.2.300 is a mistyped address, not a name.
    return config_is_host(name) && !num_u64(last, UINT64_MAX, &number) &&
           (!*has_port || parse_port(port, &route->port));
}

static bool build_via(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                      struct config_route *route) {
    static const char *const expected = "mx, or a host's name or address with or without a port";
    const struct config_word *word = config_take(b, node, args, expected);
    bool has_port = false;
    if (!word)
        return false;
    if (slice_eq(word->text, SLICE("mx"))) {
        route->kind = CONFIG_ROUTE_MX;
    } else {
        route->kind = CONFIG_ROUTE_HOST;
        if (!parse_host(b, word->text, route, &has_port)) {
            config_report_word(b->report, word->place, expected, word->text, NULL);
            return false;
        }
    }
    if (has_port || !*args)
        return true;
    if (!config_take_keyword(b, node, args, "port"))
        return false;
    word = config_take(b, node, args, "a port from 1 to 65535");
    if (!word || parse_port(word->text, &route->port))
        return word != NULL;
    config_report_word(b->report, word->place, "a port from 1 to 65535", word->text, NULL);
    return false;
}

void config_part_route(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const ways[] = {"via", "hold", NULL};
    static const char *const expected = "a domain, .domain for all below it, or *";
    struct config_route route = {.port = SMTP_PORT, .place = node->words->place};
    const struct config_word *domain = config_take(b, node, &args, expected);
    size_t way;
    if (!domain)
        return;
    struct slice bare = slice_starts(domain->text, SLICE(".")) ? slice_from(domain->text, 1) : domain->text;
    if (!config_is_host(bare) && !slice_eq(domain->text, SLICE("*")))
        config_report_word(b->report, domain->place, expected, domain->text, NULL);
    if (!config_take_choice(b, node, &args, ways, &way))
        return;
    if (way == 1)
        route.kind = CONFIG_ROUTE_HOLD;
    else if (!build_via(b, node, &args, &route))
        return;
    if (!config_take_end(b, node, args))
        return;
    route.domain = config_dup_lower(b, domain->text);
    b->c->routes = config_append(b, b->c->routes, &b->c->routes_n, sizeof route);
    b->c->routes[b->c->routes_n - 1] = route;
}
