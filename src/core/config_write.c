// config_write: the whole configuration in its own language, so that parsing it gives the same.
#include "core/config_value.h"

#include <stdio.h>

static bool is_plain(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (ascii_space(c) || c == ';' || c == '"' || c == '#' || c == '{' || c == '}' || c == '\\')
            return false;
    }
    return s.n > 0;
}

static void add_word(struct buf *b, struct slice word) {
    if (is_plain(word)) {
        buf_add(b, word);
        return;
    }
    buf_add_char(b, '"');
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '"' || word.p[i] == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, word.p[i]);
    }
    buf_add_char(b, '"');
}

// "name" in a column, then one word.
static void add_line(struct buf *b, const char *name, struct slice word) {
    buf_addf(b, "%-11s ", name);
    add_word(b, word);
    buf_add_char(b, '\n');
}

static void add_setting(const struct config *c, const struct config_directive *d, struct buf *b) {
    config_value_write(b, d, config_value_load(c, d, false));
    if (d->type == CONFIG_COUNT_RANGE || d->type == CONFIG_TIME_RANGE) {
        buf_add_str(b, " .. ");
        config_value_write(b, d, config_value_load(c, d, true));
    }
    buf_add_char(b, '\n');
}

static bool is_setting(const struct config_directive *d, const char *block) {
    return strcmp(d->block, block) == 0 && config_schema_arity(d) > 0 && d->type != CONFIG_PATH && d->at != SIZE_MAX;
}

static void write_settings(const struct config *c, const char *block, struct buf *b) {
    for (size_t i = 0; i < config_schema_n; i++) {
        if (!is_setting(&config_schema[i], block))
            continue;
        buf_addf(b, *block ? "    %-20s " : "%-20s ", config_schema[i].name);
        add_setting(c, &config_schema[i], b);
    }
}

static void write_sections(const struct config *c, struct buf *b) {
    write_settings(c, "", b);
    for (size_t i = 0; i < config_schema_n; i++) {
        if (config_schema[i].type != CONFIG_SECTION)
            continue;
        buf_addf(b, "\n%s {\n", config_schema[i].name);
        write_settings(c, config_schema[i].name, b);
        buf_add_str(b, "}\n");
    }
}

static void write_server(const struct config *c, struct buf *b) {
    buf_add_str(b, "version     1\n");
    add_line(b, "hostname", c->hostname);
    add_line(b, "state", c->state);
    add_line(b, "control", c->control);
    if (c->user.n)
        add_line(b, "user", c->user);
    for (size_t i = 0; i < c->listens_n; i++) {
        buf_addf(b, "listen      %s ", c->listens[i].role == CONFIG_LISTEN_MX ? "mx" : "http");
        netaddr_add_endpoint(b, &c->listens[i].at);
        buf_add_char(b, '\n');
    }
    if (c->tls_certificate.n) {
        buf_add_str(b, "tls certificate ");
        add_word(b, c->tls_certificate);
        buf_add_str(b, " key ");
        add_word(b, c->tls_key);
        buf_add_char(b, '\n');
    }
}

static void write_resolver(const struct config *c, struct buf *b) {
    static const char *const kinds[] = {[CONFIG_RESOLVER_SYSTEM] = "system",
                                        [CONFIG_RESOLVER_FORWARD] = "forward",
                                        [CONFIG_RESOLVER_RECURSIVE] = "recursive"};
    buf_addf(b, "resolver    %s", kinds[c->resolver]);
    for (size_t i = 0; i < c->forwarders_n; i++) {
        buf_add_char(b, ' ');
        netaddr_add_endpoint(b, &c->forwarders[i]);
    }
    buf_add_char(b, '\n');
    if (c->trust_anchors.n)
        add_line(b, "resolver trust-anchors", c->trust_anchors);
    if (c->root_hints.n)
        add_line(b, "resolver root-hints", c->root_hints);
}

// "sales: alice, bob" is written back as "sales = alice, bob".
static void write_inline(struct slice text, struct buf *b) {
    struct slice line;
    buf_add_str(b, " {\n");
    while (text.n) {
        BUF_AUTO struct buf entry = {.max = text.n + 4};
        struct slice name, targets;
        slice_cut(text, '\n', &line, &text);
        bool alias = slice_cut(line, ':', &name, &targets);
        buf_add(&entry, name);
        buf_add_str(&entry, alias ? " =" : "");
        buf_add(&entry, targets);
        buf_add_str(b, "    ");
        add_word(b, buf_slice(&entry));
        buf_add_char(b, '\n');
    }
    buf_add_str(b, "}\n");
}

static void write_tables(const struct config *c, struct buf *b) {
    static const char *const kinds[] = {
        [CONFIG_TABLE_FILE] = "file", [CONFIG_TABLE_ALIASES] = "aliases", [CONFIG_TABLE_INLINE] = "inline"};
    for (size_t i = 0; i < c->tables_n; i++) {
        const struct config_table *t = &c->tables[i];
        buf_addf(b, "table       %.*s %s", SLICE_ARG(t->name), kinds[t->kind]);
        if (t->kind == CONFIG_TABLE_INLINE) {
            write_inline(t->text, b);
            continue;
        }
        buf_add_char(b, ' ');
        add_word(b, t->path);
        buf_add_char(b, '\n');
    }
}

static void write_domain(const struct config *c, const struct config_domain *d, struct buf *b) {
    buf_addf(b, "\ndomain %.*s {\n    recipients ", SLICE_ARG(d->name));
    buf_add_str(b, d->any_recipient ? "any" : "");
    for (size_t i = 0; i < d->tables_n; i++)
        buf_addf(b, "%s%.*s", i ? " + " : "", SLICE_ARG(c->tables[d->tables[i]].name));
    buf_add_str(b, d->relayed ? "\n    deliver    relay" : "\n    deliver    maildir ");
    if (!d->relayed)
        add_word(b, d->maildir);
    buf_add_str(b, "\n    tag        ");
    if (d->tag)
        buf_addf(b, "\"%c\"", d->tag);
    else
        buf_add_str(b, "off");
    buf_add_str(b, "\n}\n");
}

static void write_relay_from(const struct config *c, struct buf *b) {
    for (size_t i = 0; i < c->relay_from_n; i++) {
        buf_add_str(b, "relay from  ");
        netaddr_add_ip(b, &c->relay_from[i].base);
        buf_addf(b, "/%u%s\n", c->relay_from[i].bits, c->open_relay ? " yes-i-want-an-open-relay" : "");
    }
    if (c->relay_from_n == 0 && c->open_relay)
        buf_add_str(b, "relay from  yes-i-want-an-open-relay\n");
}

static void write_route(const struct config_route *r, struct buf *b) {
    buf_addf(b, "route       %.*s ", SLICE_ARG(r->domain));
    if (r->kind == CONFIG_ROUTE_HOLD)
        buf_add_str(b, "hold\n");
    else if (r->kind == CONFIG_ROUTE_MX)
        buf_addf(b, "via mx port %u\n", r->port);
    else
        buf_addf(b, "via %.*s port %u\n", SLICE_ARG(r->host), r->port);
}

bool config_write_effective(const struct config *c, struct buf *out) {
    write_server(c, out);
    write_tables(c, out);
    for (size_t i = 0; i < c->domains_n; i++)
        write_domain(c, &c->domains[i], out);
    buf_add_char(out, '\n');
    write_relay_from(c, out);
    for (size_t i = 0; i < c->routes_n; i++)
        write_route(&c->routes[i], out);
    write_resolver(c, out);
    write_sections(c, out);
    return !out->failed;
}
