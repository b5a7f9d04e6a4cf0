// config_part_server: the words of directives about this server: its name, where it stands, whom it trusts and asks.
#include "core/config/config_build.h"

#include "base/num.h"

enum { CERTIFICATES_MAX = 1000, LISTENS_MAX = 256, USER_MAX = 32, DNS_PORT = 53 };

static const char *const open_relay_word = "yes-i-want-an-open-relay";

void config_part_hostname(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "a fully qualified host name such as mx1.example.org";
    const struct config_word *word = config_take(b, node, &args, expected);
    if (!word || !config_take_end(b, node, args))
        return;
    // An address would pass as labels of digits; the last label of a name is never all digits (RFC 1123 2.1).
    struct slice last = slice_from(word->text, slice_rfind(word->text, '.') + 1);
    uint64_t number;
    if (!config_is_host(word->text) || last.n == 0 || num_u64(last, UINT64_MAX, &number))
        config_report_word(b->report, word->place, expected, word->text, NULL);
    b->c->hostname = config_dup_lower(b, word->text);
}

static bool is_user(struct slice s) {
    if (s.n == 0 || s.n > USER_MAX || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
            return false;
    return true;
}

void config_part_user(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    const struct config_word *word = config_take(b, node, &args, "a user's name");
    if (!word || !config_take_end(b, node, args))
        return;
    if (!is_user(word->text))
        config_report_word(b->report, word->place, "a user's name", word->text, NULL);
    b->c->user = config_dup(b, word->text);
}

static void add_listen(struct config_builder *b, const struct config_listen *listen, const struct config_word *word) {
    struct config *c = b->c;
    for (size_t i = 0; i < c->listens_n; i++)
        if (netaddr_same_ip(&c->listens[i].at, &listen->at) && c->listens[i].at.port == listen->at.port) {
            struct slice quoted = config_report_quote(b->report, word->text);
            config_report_add(b->report, word->place,
                              "expected each address and port once, found %.*s again (first on "
                              "line %u)",
                              SLICE_ARG(quoted), c->listens[i].place.line);
            return;
        }
    if (c->listens_n == LISTENS_MAX) {
        config_report_add(b->report, listen->place, "expected at most %d listen directives, found more", LISTENS_MAX);
        return;
    }
    c->listens = config_append(b, c->listens, &c->listens_n, sizeof *listen);
    c->listens[c->listens_n - 1] = *listen;
}

void config_part_listen(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const roles[] = {
        [CONFIG_LISTEN_MX] = "mx", [CONFIG_LISTEN_HTTP] = "http", [CONFIG_LISTEN_SUBMISSION] = "submission", NULL};
    static const char *const expected = "an address and a port such as 127.0.0.1:25, [::1]:25 or *:25";
    struct config_listen listen = {.place = node->words->place};
    size_t role;
    if (!config_take_choice(b, node, &args, roles, &role))
        return;
    listen.role = (enum config_listen_role)role;
    const struct config_word *word = config_take(b, node, &args, expected);
    if (!word || (args && listen.role == CONFIG_LISTEN_SUBMISSION &&
                  !(listen.tls_implicit =
                        config_take_keyword(b, node, &args, "tls") && config_take_keyword(b, node, &args, "implicit"))))
        return;
    if (!config_take_end(b, node, args))
        return;
    if (!netaddr_parse_endpoint(word->text, &listen.at) || listen.at.port == 0)
        config_report_word(b->report, word->place, expected, word->text, NULL);
    else if (listen.role == CONFIG_LISTEN_HTTP && !netaddr_is_loopback(&listen.at))
        // It has no passwords and no TLS.
        config_report_word(b->report, word->place, "a loopback address for http", word->text, NULL);
    else
        add_listen(b, &listen, word);
}

static bool take_path(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                      const char *expected, struct slice *out) {
    const struct config_word *word = config_take(b, node, args, expected);
    if (word && word->text.n == 0)
        config_report_word(b->report, word->place, expected, word->text, NULL);
    if (word)
        *out = config_dup_path(b, word->text);
    return word != NULL;
}

void config_part_tls(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    struct config *c = b->c;
    struct config_certificate pair = {.place = node->words->place};
    if (!take_path(b, node, &args, "the path of a certificate", &pair.certificate) ||
        !config_take_keyword(b, node, &args, "key") ||
        !take_path(b, node, &args, "the path of the certificate's key", &pair.key))
        return;
    if (args && config_take_keyword(b, node, &args, "ocsp") &&
        !take_path(b, node, &args, "the path of an OCSP response", &pair.ocsp))
        return;
    if (!config_take_end(b, node, args))
        return;
    if (c->certificates_n == CERTIFICATES_MAX) {
        config_report_add(b->report, pair.place, "expected at most %d certificates, found more", CERTIFICATES_MAX);
        return;
    }
    c->certificates = config_append(b, c->certificates, &c->certificates_n, sizeof pair);
    c->certificates[c->certificates_n - 1] = pair;
}

// A /8, or a /16 in IPv6, is the most that one organisation has. Two halves of everything are refused by this too.
static bool is_wide(const struct netaddr_net *net) { return net->bits < (net->base.family == NETADDR_V4 ? 8 : 16); }

void config_part_relay(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const expected = "a network such as 192.0.2.0/24 or 2001:db8::/32";
    struct config *c = b->c;
    bool asked = false;
    if (!args)
        config_take(b, node, &args, expected);
    for (const struct config_word *word = args; word; word = word->next)
        asked |= !word->next && slice_eq(word->text, slice_str(open_relay_word));
    c->open_relay |= asked;
    for (; args && !(asked && !args->next); args = args->next) {
        struct netaddr_net net;
        if (!netaddr_parse_net(args->text, &net)) {
            config_report_word(b->report, args->place, expected, args->text, NULL);
        } else if (is_wide(&net) && !asked) {
            struct slice quoted = config_report_quote(b->report, args->text);
            config_report_add(b->report, args->place,
                              "expected a network no wider than /8 (IPv6: /16), found %.*s: that "
                              "is an open relay; who wants one adds %s",
                              SLICE_ARG(quoted), open_relay_word);
        } else {
            c->relay_from = config_append(b, c->relay_from, &c->relay_from_n, sizeof net);
            c->relay_from[c->relay_from_n - 1] = net;
        }
    }
    config_take_end(b, node, NULL);
}

static bool parse_forwarder(struct slice word, struct netaddr *out) {
    if (netaddr_parse_ip(word, out)) {
        out->port = DNS_PORT;
        return true;
    }
    return !slice_starts(word, SLICE("*")) && netaddr_parse_endpoint(word, out) && out->port != 0;
}

void config_part_resolver(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const kinds[] = {[CONFIG_RESOLVER_SYSTEM] = "system",
                                        [CONFIG_RESOLVER_FORWARD] = "forward",
                                        [CONFIG_RESOLVER_RECURSIVE] = "recursive",
                                        NULL};
    static const char *const expected = "an address of a server such as 192.0.2.53 or 127.0.0.1:5353";
    struct config *c = b->c;
    size_t kind;
    if (!config_take_choice(b, node, &args, kinds, &kind))
        return;
    c->resolver = (enum config_resolver_kind)kind;
    if (c->resolver == CONFIG_RESOLVER_FORWARD && !args)
        config_take(b, node, &args, expected);
    while (c->resolver == CONFIG_RESOLVER_FORWARD && args) {
        struct netaddr at;
        const struct config_word *word = config_take(b, node, &args, expected);
        if (!parse_forwarder(word->text, &at)) {
            config_report_word(b->report, word->place, expected, word->text, NULL);
            continue;
        }
        c->forwarders = config_append(b, c->forwarders, &c->forwarders_n, sizeof at);
        c->forwarders[c->forwarders_n - 1] = at;
    }
    config_take_end(b, node, args);
}
