// helo: the grammar, and comparing with what is ours.
#include "core/gate/helo.h"

#include "core/route/route.h"
#include "mail/address.h"

static bool parse_literal(struct slice name, struct netaddr *ip) {
    struct slice tag = SLICE("IPv6:");
    if (name.n < 3 || name.p[0] != '[' || name.p[name.n - 1] != ']')
        return false;
    struct slice inside = slice_of(name.p + 1, name.n - 2);
    bool tagged = slice_istarts(inside, tag);
    inside = tagged ? slice_from(inside, tag.n) : inside;
    return tagged == (slice_find(inside, ':') < inside.n) && netaddr_parse_ip(inside, ip);
}

// No top-level domain is a number (RFC 3696 2): 192.0.2.1 without brackets is no name.
static bool ends_in_number(struct slice name) {
    struct slice last = slice_from(name, slice_rfind(name, '.') + 1);
    if (slice_find(name, '.') == name.n)
        last = name;
    for (size_t i = 0; i < last.n; i++)
        if (!ascii_digit(last.p[i]))
            return false;
    return true;
}

static bool is_ours(const struct config *c, struct slice name, const struct helo *h, const struct netaddr *local) {
    if (h->literal)
        return netaddr_same_ip(&h->ip, local);
    return slice_ieq(name, c->hostname) || route_is_local(c, name);
}

struct helo helo_look(const struct config *c, struct slice name, const struct netaddr *local) {
    struct helo h = {0};
    if (slice_ends(name, SLICE("."))) // the root, which resolvers know and SMTP doesn't; said by some
        name.n--;
    h.literal = parse_literal(name, &h.ip);
    h.valid = h.literal || (address_domain_ok(name) && !ends_in_number(name));
    h.qualified = h.literal || (h.valid && slice_find(name, '.') < name.n);
    h.ours = name.n && is_ours(c, name, &h, local);
    return h;
}
