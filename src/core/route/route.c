// route: look-ups in the configuration's domains and routes.
#include "core/route/route.h"

enum { DOMAIN_MAX = 253, SMTP_PORT = 25 };

// Looser than a host's name: an underscore or a U-label gets its answer from DNS, not from here.
static bool is_name(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("@[]:/\\\"<>(),;*", s.p[i]) ||
            (s.p[i] == '.' && (i == 0 || i + 1 == s.n || s.p[i - 1] == '.')))
            return false;
    return s.n > 0 && s.n <= DOMAIN_MAX;
}

// Lower case and without a last dot; empty where it is no name.
static struct slice fold(struct slice domain, char text[DOMAIN_MAX + 1]) {
    if (slice_ends(domain, SLICE(".")))
        domain = slice_upto(domain, domain.n - 1);
    if (!is_name(domain))
        return SLICE_EMPTY;
    for (size_t i = 0; i < domain.n; i++)
        text[i] = ascii_lower(domain.p[i]);
    return slice_of(text, domain.n);
}

const struct config_domain *route_is_local(const struct config *c, struct slice domain) {
    char text[DOMAIN_MAX + 1];
    return map_get(&c->domain_index, fold(domain, text));
}

// Looked up after all that is written: the built-in `route * via mx`.
static const struct config_route via_mx = {.domain = {"*", 1}, .kind = CONFIG_ROUTE_MX, .port = SMTP_PORT};

// Whether mail that a person has released is meant: then what says `hold` is passed over.
enum occasion { AS_WRITTEN, RELEASED };

static const struct config_route *look_up(const struct config *c, struct slice name, enum occasion occasion) {
    const struct config_route *route = map_get(&c->route_index, name);
    return route && occasion == RELEASED && route->kind == CONFIG_ROUTE_HOLD ? NULL : route;
}

static const struct config_route *for_all(const struct config *c, enum occasion occasion) {
    const struct config_route *route = look_up(c, SLICE("*"), occasion);
    return route ? route : &via_mx;
}

static const struct config_route *find_route(const struct config *c, struct slice name, enum occasion occasion) {
    const struct config_route *route = look_up(c, name, occasion);
    for (size_t i = 0; i < name.n && !route; i++)
        if (name.p[i] == '.')
            route = look_up(c, slice_from(name, i), occasion);
    return route ? route : for_all(c, occasion);
}

// "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3); the address without brackets and tag.
static bool parse_literal(struct slice domain, struct slice *host) {
    static const struct slice tag = {"IPv6:", 5};
    struct netaddr at;
    if (domain.n < 3 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
        return false;
    struct slice inner = slice_of(domain.p + 1, domain.n - 2);
    bool tagged = slice_istarts(inner, tag);
    *host = tagged ? slice_from(inner, tag.n) : inner;
    // The tag is for the addresses with colons, and only for them.
    return netaddr_parse_ip(*host, &at) && tagged == (slice_find(*host, ':') < host->n);
}

static struct route by_rule(const struct config_route *rule, struct slice domain) {
    switch (rule->kind) {
    case CONFIG_ROUTE_HOST:
        return (struct route){ROUTE_HOST, NULL, rule->host, rule->port, &rule->place};
    case CONFIG_ROUTE_HOLD:
        return (struct route){ROUTE_HOLD, NULL, domain, 0, &rule->place};
    case CONFIG_ROUTE_MX:
        break;
    }
    return (struct route){ROUTE_MX, NULL, domain, rule->port, &rule->place};
}

static struct route route_literal(const struct config *c, struct slice domain, enum occasion occasion) {
    const struct config_route *rule = for_all(c, occasion);
    struct slice host;
    if (!parse_literal(domain, &host))
        return (struct route){ROUTE_BAD, NULL, domain, 0, &rule->place};
    struct route route = by_rule(rule, domain);
    if (route.kind == ROUTE_MX) {
        route.kind = ROUTE_HOST;
        route.host = host;
    }
    return route;
}

static struct route find(const struct config *c, struct slice domain, enum occasion occasion) {
    char text[DOMAIN_MAX + 1];
    if (slice_starts(domain, SLICE("[")))
        return route_literal(c, domain, occasion);
    struct slice name = fold(domain, text);
    if (name.n == 0)
        return (struct route){ROUTE_BAD, NULL, domain, 0, &for_all(c, occasion)->place};
    const struct config_domain *local = map_get(&c->domain_index, name);
    if (local && !local->relayed)
        return (struct route){ROUTE_DELIVER, local, SLICE_EMPTY, 0, &local->place};
    struct route route = by_rule(find_route(c, name, occasion), slice_upto(domain, name.n));
    route.domain = local;
    return route;
}

struct route route_for(const struct config *c, struct slice domain) { return find(c, domain, AS_WRITTEN); }
struct route route_released(const struct config *c, struct slice domain) { return find(c, domain, RELEASED); }

struct slice route_destination(struct arena *arena, const struct route *r) {
    struct slice name = SLICE_EMPTY;
    switch (r->kind) {
    case ROUTE_DELIVER:
        name = arena_printf(arena, "deliver:%.*s", SLICE_ARG(r->domain->name));
        break;
    case ROUTE_HOST:
        name = arena_printf(arena, "relay:[%.*s]:%u", SLICE_ARG(r->host), r->port);
        break;
    case ROUTE_HOLD:
        name = arena_printf(arena, "hold:%.*s", SLICE_ARG(r->host));
        break;
    case ROUTE_BAD:
        name = arena_printf(arena, "bad:%.*s", SLICE_ARG(r->host));
        break;
    case ROUTE_MX:
        if (r->port == SMTP_PORT)
            name = arena_printf(arena, "relay:%.*s", SLICE_ARG(r->host));
        else
            name = arena_printf(arena, "relay:%.*s:%u", SLICE_ARG(r->host), r->port);
        break;
    }
    for (size_t i = 0; i < name.n; i++)
        ((char *)name.p)[i] = ascii_lower(name.p[i]); // ours: arena_printf just made it
    return name;
}
