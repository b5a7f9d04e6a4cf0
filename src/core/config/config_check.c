// config_check: rules across directives.
#include "core/config/config_check.h"

enum { SOCKET_PATH_MAX = 107 }; // sun_path with its NUL (unix(7))

static void check_required(const struct config *c, struct config_report *r) {
    const struct config_place start = {1, 1};
    if (c->hostname.n == 0)
        config_report_add(r, start, "expected a \"hostname\" directive, found none");
    if (c->listens_n == 0)
        config_report_add(r, start, "expected at least one \"listen\" directive, found none");
    if (c->control.n > SOCKET_PATH_MAX)
        config_report_add(r, start,
                          "expected a \"control\" path of at most %d bytes, found %zu: set it to a shorter one",
                          SOCKET_PATH_MAX, c->control.n);
    if (c->root_hints.n && c->resolver != CONFIG_RESOLVER_RECURSIVE)
        config_report_add(r, start, "expected \"resolver recursive\" beside \"resolver root-hints\", found none");
}

static void check_domains(struct config *c, bool complete, struct config_report *r) {
    for (size_t i = 0; i < c->domains_n && !config_report_full(r); i++) {
        struct config_domain *d = &c->domains[i];
        struct slice name = config_report_quote(r, d->name);
        const struct config_domain *twin = map_get(&c->domain_index, d->name);
        if (twin)
            config_report_add(r, d->place, "expected each domain once, found %.*s again (first on line %u)",
                              SLICE_ARG(name), twin->place.line);
        else
            map_set(&c->domain_index, d->name, d);
        if (complete && !d->any_recipient && d->tables_n == 0)
            config_report_add(r, d->place, "expected \"recipients\" in domain %.*s, found none", SLICE_ARG(name));
        if (complete && !d->relayed && d->maildir.n == 0)
            config_report_add(r, d->place, "expected \"deliver\" in domain %.*s, found none", SLICE_ARG(name));
    }
}

static void check_users(struct config *c, bool complete, struct config_report *r) {
    for (size_t i = 0; i < c->users_n && !config_report_full(r); i++) {
        struct config_user *u = &c->users[i];
        const struct config_user *twin = map_get(&c->user_index, u->name);
        struct slice name = config_report_quote(r, u->name);
        if (twin)
            config_report_add(r, u->place, "expected each account once, found %.*s again (first on line %u)",
                              SLICE_ARG(name), twin->place.line);
        else
            map_set(&c->user_index, u->name, u);
    }
    for (size_t i = 0; complete && i < c->listens_n; i++) {
        const struct config_listen *l = &c->listens[i];
        if (l->role == CONFIG_LISTEN_SUBMISSION && c->certificates_n == 0)
            config_report_add(r, l->place, "expected a \"tls certificate\" beside \"listen submission\", found none: "
                                           "nobody may log in without TLS");
        else if (l->role == CONFIG_LISTEN_SUBMISSION && c->auths_n == 0)
            config_report_add(r, l->place, "expected an \"auth\" directive beside \"listen submission\", found none: "
                                           "nobody could log in");
    }
}

static bool is_unspecified(const struct netaddr *a) {
    static const struct netaddr any4 = {.family = NETADDR_V4}, any6 = {.family = NETADDR_V6};
    return netaddr_same_ip(a, &any4) || netaddr_same_ip(a, &any6);
}

// Whether a connection to `at` reaches this listener, ports aside. One to the unspecified address stays on this
// machine.
static bool reaches(const struct netaddr *at, const struct netaddr *listener) {
    if (is_unspecified(listener))
        return is_unspecified(at) || netaddr_is_loopback(at);
    return netaddr_same_ip(listener, at) || (is_unspecified(at) && netaddr_is_loopback(listener));
}

// Whether mail sent to this host and port would come back to one of our listeners.
static bool is_ourselves(const struct config *c, const struct config_route *route) {
    struct netaddr at = {0};
    bool address = netaddr_parse_ip(route->host, &at);
    bool named = !address && (slice_ieq(route->host, c->hostname) || slice_ieq(route->host, SLICE("localhost")));
    for (size_t i = 0; i < c->listens_n; i++) {
        const struct config_listen *listen = &c->listens[i];
        if (listen->role == CONFIG_LISTEN_MX && listen->at.port == route->port &&
            (named || (address && reaches(&at, &listen->at))))
            return true;
    }
    return false;
}

static void check_route(struct config *c, struct config_route *route, struct config_report *r) {
    struct slice name = config_report_quote(r, route->domain);
    const struct config_route *twin = map_get(&c->route_index, route->domain);
    const struct config_domain *local = map_get(&c->domain_index, route->domain);
    if (twin)
        config_report_add(r, route->place, "expected one route for each domain, found %.*s again (first on line %u)",
                          SLICE_ARG(name), twin->place.line);
    else
        map_set(&c->route_index, route->domain, route);
    if (local && !local->relayed)
        config_report_add(r, route->place, "expected a domain of others, found %.*s, which is delivered here (line %u)",
                          SLICE_ARG(name), local->place.line);
    if (route->kind == CONFIG_ROUTE_HOST && is_ourselves(c, route))
        config_report_add(r, route->place,
                          "expected another server, found a route to ourselves: mail would go in "
                          "circles");
}

// Many networks that are each narrow enough still add up: sixteen times the widest allowed is as good as everybody.
static void check_trust(const struct config *c, struct config_report *r) {
    enum { UNITS4 = 32, UNITS6 = 48 }; // counted in addresses, and in /48
    uint64_t v4 = 0, v6 = 0;
    for (size_t i = 0; i < c->relay_from_n; i++) {
        const struct netaddr_net *net = &c->relay_from[i];
        if (net->base.family == NETADDR_V4)
            v4 += 1ULL << (UNITS4 - net->bits);
        else if (net->bits <= UNITS6)
            v6 += 1ULL << (UNITS6 - net->bits);
    }
    if (!c->open_relay && (v4 >= 16ULL << (UNITS4 - 8) || v6 >= 16ULL << (UNITS6 - 16)))
        config_report_add(r, (struct config_place){1, 1},
                          "expected \"relay from\" to name our own networks, found so "
                          "many that together they are an open relay; who wants one adds yes-i-want-an-open-relay");
}

void config_check(struct config *c, struct config_report *report) {
    // What could not be read is not missing too.
    bool complete = report->n == 0;
    if (complete)
        check_required(c, report);
    check_domains(c, complete, report);
    for (size_t i = 0; i < c->routes_n && !config_report_full(report); i++)
        check_route(c, &c->routes[i], report);
    check_users(c, complete, report);
    check_trust(c, report);
}
