// config_write: the whole configuration in its own language, so that parsing it gives the same.
#include "core/config/config_write.h"

#include "core/config/config_value.h"

#include <stdio.h>

static bool is_plain(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (ascii_space(c) || c == ';' || c == '"' || c == '#' || c == '{' || c == '}' || c == '\\')
            return false;
    }
    return s.n > 0;
}

void config_write_quoted(struct buf *b, struct slice word) {
    buf_add_char(b, '"');
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '"' || word.p[i] == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, word.p[i]);
    }
    buf_add_char(b, '"');
}

void config_write_word(struct buf *b, struct slice word) {
    if (is_plain(word))
        buf_add(b, word);
    else
        config_write_quoted(b, word);
}

// "name" in a column, then one word.
static void add_line(struct buf *b, const char *name, struct slice word) {
    buf_addf(b, "%-11s ", name);
    config_write_word(b, word);
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
    const struct config_directive *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++) {
        if (!is_setting(d, block))
            continue;
        buf_addf(b, *block ? "    %-20s " : "%-20s ", d->name);
        add_setting(c, d, b);
    }
}

static void write_sections(const struct config *c, struct buf *b) {
    write_settings(c, "", b);
    const struct config_directive *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++) {
        if (d->type != CONFIG_SECTION)
            continue;
        buf_addf(b, "\n%s {\n", d->name);
        write_settings(c, d->name, b);
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
        static const char *const roles[] = {
            [CONFIG_LISTEN_MX] = "mx", [CONFIG_LISTEN_HTTP] = "http", [CONFIG_LISTEN_SUBMISSION] = "submission"};
        buf_addf(b, "listen      %s ", roles[c->listens[i].role]);
        netaddr_add_endpoint(b, &c->listens[i].at);
        buf_add_str(b, c->listens[i].tls_implicit ? " tls implicit\n" : "\n");
    }
}

void config_write_named(struct buf *b, const char *name, struct slice word) {
    if (!word.n)
        return;
    buf_addf(b, " %s ", name);
    config_write_word(b, word);
}

static void write_tls(const struct config *c, struct buf *b) {
    for (size_t i = 0; i < c->certificates_n; i++) {
        const struct config_certificate *pair = &c->certificates[i];
        buf_add_str(b, "tls");
        config_write_named(b, "certificate", pair->certificate);
        config_write_named(b, "key", pair->key);
        config_write_named(b, "ocsp", pair->ocsp);
        buf_add_char(b, '\n');
    }
    if (c->tls_client_ca.n)
        add_line(b, "tls client-ca", c->tls_client_ca);
    if (c->tls_ca.n)
        add_line(b, "tls ca", c->tls_ca);
}

static void write_dkim(const struct config *c, struct buf *b) {
    for (size_t i = 0; i < c->dkims_n; i++) {
        const struct config_dkim *rule = &c->dkims[i];
        buf_addf(b, "dkim sign   %.*s as %.*s selector %.*s", SLICE_ARG(rule->domain), SLICE_ARG(rule->signer),
                 SLICE_ARG(rule->selector));
        config_write_named(b, "key", rule->key);
        buf_add_char(b, '\n');
    }
    add_line(b, "dkim keys", c->dkim_keys);
}

static void write_auth(const struct config *c, struct buf *b) {
    static const char *const kinds[] = {[CONFIG_AUTH_FILE] = "file",
                                        [CONFIG_AUTH_PAM] = "pam",
                                        [CONFIG_AUTH_DOVECOT] = "dovecot",
                                        [CONFIG_AUTH_JWT] = "jwt",
                                        [CONFIG_AUTH_INTROSPECT] = "introspect"};
    for (size_t i = 0; i < c->auths_n; i++) {
        const struct config_auth *a = &c->auths[i];
        buf_addf(b, "auth       ");
        if (a->kind == CONFIG_AUTH_INTROSPECT)
            config_write_named(b, kinds[a->kind], a->url);
        config_write_named(b, a->kind == CONFIG_AUTH_INTROSPECT ? "secret" : kinds[a->kind],
                           a->kind == CONFIG_AUTH_PAM ? a->service : a->path);
        config_write_named(b, "issuer", a->issuer);
        config_write_named(b, "audience", a->audience);
        config_write_named(b, "claim", a->claim);
        buf_add_char(b, '\n');
    }
    buf_add_str(b, "auth mechanisms");
    for (size_t i = 0; i < CONFIG_MECHANISM_COUNT; i++)
        if (c->mechanisms & 1u << i)
            buf_addf(b, " %s", config_mechanism_names[i]);
    buf_add_char(b, '\n');
    if (c->senders.n)
        add_line(b, "senders", c->senders);
}

static void write_account(const struct config_user *u, struct buf *b) {
    static const char *const names[] = {"messages-per-hour", "messages-per-day", "recipients-per-hour",
                                        "recipients-per-day", "message-size"};
    const uint64_t values[] = {u->quota.messages_hour, u->quota.messages_day, u->quota.recipients_hour,
                               u->quota.recipients_day, u->quota.message_size};
    buf_add_str(b, "account     ");
    config_write_word(b, u->name);
    buf_add_str(b, u->any_sender ? " {\n    senders any\n" : " {\n");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (u->quota_set[i])
            buf_addf(b, "    %s %llu\n", names[i], (unsigned long long)values[i]);
    buf_add_str(b, "}\n");
}

static void write_nets(const char *name, const struct netaddr_net *nets, size_t n, struct buf *b) {
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, "%-11s ", name);
        netaddr_add_ip(b, &nets[i].base);
        buf_addf(b, "/%u\n", nets[i].bits);
    }
}

static void write_users(const struct config *c, struct buf *b) {
    write_dkim(c, b);
    write_auth(c, b);
    for (size_t i = 0; i < c->users_n; i++)
        write_account(&c->users[i], b);
    write_nets("proxy from", c->proxy_from, c->proxy_from_n, b);
    write_nets("xclient from", c->xclient_from, c->xclient_from_n, b);
    if (c->guard.notify.n)
        add_line(b, "guard notify", c->guard.notify);
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

// "sales: alice, bob" is written back as "sales = alice, bob", and a network in quotes as it is.
static void add_entry(struct buf *entry, struct slice line) {
    struct slice name, targets;
    struct netaddr_net net;
    bool quoted = line.n > 2 && line.p[0] == '"' && line.p[line.n - 1] == '"';
    if (quoted && netaddr_parse_net(slice_of(line.p + 1, line.n - 2), &net)) {
        buf_add(entry, slice_of(line.p + 1, line.n - 2));
        return;
    }
    bool alias = slice_cut(line, ':', &name, &targets);
    buf_add(entry, name);
    buf_add_str(entry, alias ? " =" : "");
    buf_add(entry, targets);
}

static void write_inline(struct slice text, struct buf *b) {
    struct slice line;
    buf_add_str(b, " {\n");
    while (text.n) {
        BUF_AUTO struct buf entry = {.max = text.n + 4};
        slice_cut(text, '\n', &line, &text);
        add_entry(&entry, line);
        buf_add_str(b, "    ");
        config_write_word(b, buf_slice(&entry));
        buf_add_char(b, '\n');
    }
    buf_add_str(b, "}\n");
}

static void write_tables(const struct config *c, struct buf *b) {
    static const char *const kinds[] = {[CONFIG_TABLE_FILE] = "file",
                                        [CONFIG_TABLE_ALIASES] = "aliases",
                                        [CONFIG_TABLE_INLINE] = "inline",
                                        [CONFIG_TABLE_CIDR] = "cidr",
                                        [CONFIG_TABLE_REGEX] = "regex"};
    for (size_t i = 0; i < c->tables_n; i++) {
        const struct config_table *t = &c->tables[i];
        buf_addf(b, "table       %.*s %s", SLICE_ARG(t->name), kinds[t->kind]);
        if (t->kind == CONFIG_TABLE_INLINE) {
            write_inline(t->text, b);
            continue;
        }
        buf_add_char(b, ' ');
        config_write_word(b, t->path);
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
        config_write_word(b, d->maildir);
    buf_add_str(b, "\n    tag        ");
    if (d->tag)
        buf_addf(b, "\"%c\"", d->tag);
    else
        buf_add_str(b, "off");
    buf_add_str(b, "\n    junk       ");
    config_write_word(b, d->junk.n ? d->junk : SLICE("off"));
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
    write_tls(c, out);
    write_tables(c, out);
    for (size_t i = 0; i < c->domains_n; i++)
        write_domain(c, &c->domains[i], out);
    buf_add_char(out, '\n');
    write_relay_from(c, out);
    for (size_t i = 0; i < c->routes_n; i++)
        write_route(&c->routes[i], out);
    write_resolver(c, out);
    write_users(c, out);
    config_write_gate(c, out);
    write_sections(c, out);
    return !out->failed;
}
