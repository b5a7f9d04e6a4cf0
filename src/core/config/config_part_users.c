// config_part_users: the words of directives about users: who knows them, what they may send as, who signs for them,
// and who stands between them and us.
#include "core/config/config_build.h"

#include "core/config/config_value.h"

enum { AUTHS_MAX = 16, USERS_MAX = 10000, DKIMS_MAX = 10000, NAME_BYTES_MAX = 320 };

const char *const config_mechanism_names[CONFIG_MECHANISM_COUNT + 1] = {
    [CONFIG_MECHANISM_PLAIN] = "plain",
    [CONFIG_MECHANISM_LOGIN] = "login",
    [CONFIG_MECHANISM_SCRAM_SHA_1] = "scram-sha-1",
    [CONFIG_MECHANISM_SCRAM_SHA_256] = "scram-sha-256",
    [CONFIG_MECHANISM_SCRAM_SHA_256_PLUS] = "scram-sha-256-plus",
    [CONFIG_MECHANISM_EXTERNAL] = "external",
    [CONFIG_MECHANISM_OAUTHBEARER] = "oauthbearer",
    [CONFIG_MECHANISM_XOAUTH2] = "xoauth2",
    [CONFIG_MECHANISM_COUNT] = NULL,
};

// The next word, which must not be empty.
static bool take_text(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                      const char *expected, struct slice *out) {
    const struct config_word *word = config_take(b, node, args, expected);
    if (word && word->text.n == 0)
        config_report_word(b->report, word->place, expected, word->text, NULL);
    if (word)
        *out = word->text;
    return word && word->text.n;
}

static bool take_path(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                      const char *expected, struct slice *out) {
    struct slice text;
    if (!take_text(b, node, args, expected, &text))
        return false;
    *out = config_dup_path(b, text);
    return true;
}

// --- auth

static const char *const claim_expected = "the name of a claim such as email";

// [issuer ISSUER] [audience AUDIENCE] [claim NAME], in any order.
static bool take_token_options(struct config_builder *b, const struct config_node *node,
                               const struct config_word **args, struct config_auth *auth) {
    static const char *const options[] = {"issuer", "audience", "claim", NULL};
    struct slice *const to[] = {&auth->issuer, &auth->audience, &auth->claim};
    while (*args) {
        size_t which;
        struct slice text;
        if (!config_take_choice(b, node, args, options, &which) ||
            !take_text(b, node, args, which == 2 ? claim_expected : "a text", &text))
            return false;
        *to[which] = config_dup(b, text);
    }
    return true;
}

static bool is_url(struct slice s) {
    static const char *const starts[] = {"https://", "http://127.0.0.1:", "http://[::1]:", "http://localhost:", NULL};
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    for (size_t i = 0; starts[i]; i++)
        if (slice_starts(s, slice_str(starts[i])) && s.n > strlen(starts[i]))
            return true;
    return false;
}

// URL secret FILE ...
static bool take_introspection(struct config_builder *b, const struct config_node *node,
                               const struct config_word **args, struct config_auth *auth) {
    static const char *const expected = "a URL that begins with https:// (http:// to this machine only)";
    const struct config_word *word = config_take(b, node, args, expected);
    if (!word)
        return false;
    if (!is_url(word->text)) {
        config_report_word(b->report, word->place, expected, word->text, NULL);
        return false;
    }
    auth->url = config_dup(b, word->text);
    return config_take_keyword(b, node, args, "secret") &&
           take_path(b, node, args, "the path of a file with ID:SECRET", &auth->path) &&
           take_token_options(b, node, args, auth);
}

static bool take_auth(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                      struct config_auth *auth) {
    struct slice service;
    switch (auth->kind) {
    case CONFIG_AUTH_FILE:
        return take_path(b, node, args, "the path of a file of users", &auth->path);
    case CONFIG_AUTH_DOVECOT:
        return take_path(b, node, args, "the path of Dovecot's socket", &auth->path);
    case CONFIG_AUTH_PAM:
        auth->service = SLICE("posthouse");
        if (!*args)
            return true;
        if (!take_text(b, node, args, "the name of a PAM service", &service))
            return false;
        auth->service = config_dup(b, service);
        return true;
    case CONFIG_AUTH_JWT:
        auth->claim = SLICE("email");
        return take_path(b, node, args, "the path of a JWKS file", &auth->path) &&
               take_token_options(b, node, args, auth);
    case CONFIG_AUTH_INTROSPECT:
        auth->claim = SLICE("username");
        return take_introspection(b, node, args, auth);
    }
    return false;
}

void config_part_auth(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const kinds[] = {[CONFIG_AUTH_FILE] = "file",
                                        [CONFIG_AUTH_PAM] = "pam",
                                        [CONFIG_AUTH_DOVECOT] = "dovecot",
                                        [CONFIG_AUTH_JWT] = "jwt",
                                        [CONFIG_AUTH_INTROSPECT] = "introspect",
                                        NULL};
    struct config *c = b->c;
    struct config_auth auth = {.place = node->words->place};
    size_t kind;
    if (!config_take_choice(b, node, &args, kinds, &kind))
        return;
    auth.kind = (enum config_auth_kind)kind;
    if (!take_auth(b, node, &args, &auth) || !config_take_end(b, node, args))
        return;
    if (c->auths_n == AUTHS_MAX) {
        config_report_add(b->report, auth.place, "expected at most %d auth directives, found more", AUTHS_MAX);
        return;
    }
    c->auths = config_append(b, c->auths, &c->auths_n, sizeof auth);
    c->auths[c->auths_n - 1] = auth;
}

void config_part_mechanisms(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    uint32_t bits = 0;
    do {
        size_t which;
        if (!config_take_choice(b, node, &args, config_mechanism_names, &which))
            return;
        bits |= 1u << which;
    } while (args);
    b->c->mechanisms = bits;
    config_take_end(b, node, args);
}

// --- account, senders

static bool name_is_good(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= NAME_BYTES_MAX;
}

void config_part_account(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "a user's name, as it logs in";
    struct config *c = b->c;
    const struct config_word *name = config_take(b, node, &args, expected);
    if (!name)
        return;
    if (!name_is_good(name->text))
        config_report_word(b->report, name->place, expected, name->text, NULL);
    if (args)
        config_report_word(b->report, args->place, "\"{\"", args->text, NULL);
    struct config_user user = {.name = config_dup_lower(b, name->text), .place = node->words->place};
    b->user = &user;
    config_forget_seen(b, "account");
    config_build_block(b, "account", node->block);
    b->user = NULL;
    if (c->users_n == USERS_MAX) {
        config_report_add(b->report, user.place, "expected at most %d accounts, found more", USERS_MAX);
        return;
    }
    c->users = config_append(b, c->users, &c->users_n, sizeof user);
    c->users[c->users_n - 1] = user;
}

void config_part_any_sender(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    b->user->any_sender = config_take_keyword(b, node, &args, "any");
    config_take_end(b, node, args);
}

// One of the settings of `quota`, for one user.
void config_part_account_quota(struct config_builder *b, const struct config_node *node,
                               const struct config_word *args) {
    static const char *const names[] = {"messages-per-hour", "messages-per-day", "recipients-per-hour",
                                        "recipients-per-day", "message-size"};
    struct config_quota *q = &b->user->quota;
    uint32_t *const to[] = {&q->messages_hour, &q->messages_day, &q->recipients_hour, &q->recipients_day};
    const struct config_directive *d = config_schema_find("quota", node->words->text, SLICE_EMPTY);
    char expected[160];
    uint64_t value;
    config_value_expected(d, expected, sizeof expected);
    const struct config_word *word = config_take(b, node, &args, expected);
    if (!word || !config_take_end(b, node, args))
        return;
    if (!config_value_parse(d, word->text, &value)) {
        config_report_word(b->report, word->place, expected, word->text, NULL);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!slice_eq(node->words->text, slice_str(names[i])))
            continue;
        b->user->quota_set[i] = true;
        if (i < sizeof to / sizeof *to)
            *to[i] = (uint32_t)value;
        else
            q->message_size = value;
    }
}

void config_part_senders(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    const struct config_word *word = config_take(b, node, &args, "the name of a table");
    struct config *c = b->c;
    if (!word || !config_take_end(b, node, args))
        return;
    for (size_t i = 0; i < c->tables_n; i++)
        if (slice_eq(c->tables[i].name, word->text)) {
            c->senders = c->tables[i].name;
            c->tables[i].named = true;
            if (c->tables[i].kind != CONFIG_TABLE_ALIASES &&
                c->tables[i].kind != CONFIG_TABLE_INLINE) // names alone give nobody an address
                config_report_word(b->report, word->place, "a table of kind aliases or inline", word->text, NULL);
            return;
        }
    config_report_word(b->report, word->place, "the name of a table", word->text, NULL);
}

void config_part_notify(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "an address such as postmaster@example.org";
    const struct config_word *word = config_take(b, node, &args, expected);
    if (!word || !config_take_end(b, node, args))
        return;
    size_t at = slice_rfind(word->text, '@');
    if (at == 0 || at == word->text.n || !config_is_host(slice_from(word->text, at + 1)) || !name_is_good(word->text))
        config_report_word(b->report, word->place, expected, word->text, NULL);
    b->c->guard.notify = config_dup(b, word->text);
}

// --- dkim

static bool is_selector(struct slice s) { return config_is_host(s); }

static bool take_rule(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                      struct config_dkim *rule) {
    static const char *const expected = "a selector: letters, digits and hyphens, such as 2026";
    if (!config_take_keyword(b, node, args, "selector"))
        return false;
    const struct config_word *selector = config_take(b, node, args, expected);
    if (!selector)
        return false;
    if (!is_selector(selector->text))
        config_report_word(b->report, selector->place, expected, selector->text, NULL);
    rule->selector = config_dup_lower(b, selector->text);
    return config_take_keyword(b, node, args, "key") && take_path(b, node, args, "the path of a key", &rule->key) &&
           config_take_end(b, node, *args);
}

static void add_rule(struct config_builder *b, const struct config_dkim *rule) {
    struct config *c = b->c;
    if (c->dkims_n == DKIMS_MAX) {
        config_report_add(b->report, rule->place, "expected at most %d keys for DKIM, found more", DKIMS_MAX);
        return;
    }
    c->dkims = config_append(b, c->dkims, &c->dkims_n, sizeof *rule);
    c->dkims[c->dkims_n - 1] = *rule;
}

// domain example.org { dkim selector 2026 key PATH }
void config_part_domain_dkim(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    struct config_dkim rule = {.domain = b->domain->name, .signer = b->domain->name, .place = node->words->place};
    if (take_rule(b, node, &args, &rule))
        add_rule(b, &rule);
}

// dkim sign .example.org as example.org selector 2026 key PATH
void config_part_dkim_sign(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "a domain, .domain for all below it, or * for the rest";
    struct config_dkim rule = {.place = node->words->place};
    const struct config_word *domain = config_take(b, node, &args, expected);
    if (!domain || !config_take_keyword(b, node, &args, "as"))
        return;
    struct slice name = slice_starts(domain->text, SLICE(".")) ? slice_from(domain->text, 1) : domain->text;
    if (!slice_eq(name, SLICE("*")) && !config_is_host(name))
        config_report_word(b->report, domain->place, expected, domain->text, NULL);
    const struct config_word *signer = config_take(b, node, &args, "the domain that signs");
    if (!signer)
        return;
    if (!config_is_host(signer->text))
        config_report_word(b->report, signer->place, "the domain that signs", signer->text, NULL);
    rule.domain = config_dup_lower(b, domain->text);
    rule.signer = config_dup_lower(b, signer->text);
    if (take_rule(b, node, &args, &rule))
        add_rule(b, &rule);
}

// --- who stands before us

static void add_nets(struct config_builder *b, const struct config_node *node, const struct config_word *args,
                     struct netaddr_net **nets, size_t *n) {
    static const char *const expected = "a network such as 192.0.2.0/24 or an address";
    if (!args)
        config_take(b, node, &args, expected);
    for (; args; args = args->next) {
        struct netaddr_net net;
        if (!netaddr_parse_net(args->text, &net)) {
            config_report_word(b->report, args->place, expected, args->text, NULL);
        } else if (net.bits == 0) { // whoever speaks it says who he is: never everybody
            config_report_word(b->report, args->place, "networks of our own, not every address", args->text, NULL);
        } else {
            *nets = config_append(b, *nets, n, sizeof net);
            (*nets)[*n - 1] = net;
        }
    }
    config_take_end(b, node, NULL);
}

void config_part_proxy(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    add_nets(b, node, args, &b->c->proxy_from, &b->c->proxy_from_n);
}

void config_part_xclient(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    add_nets(b, node, args, &b->c->xclient_from, &b->c->xclient_from_n);
}
