// config: from text to a configuration that can be used, or to what is wrong with it.
#include "core/config/config.h"

#include "base/mem.h"
#include "core/config/config_check.h"

#include <stdlib.h>

enum { ARENA_BYTES = 256 << 20 }; // far more than a text of CONFIG_TEXT_MAX can come to

// What no route of the file says goes by MX.
static void add_last_route(struct config_builder *b) {
    struct config *c = b->c;
    const struct config_route last = {.domain = SLICE("*"), .kind = CONFIG_ROUTE_MX, .port = 25};
    for (size_t i = 0; i < c->routes_n; i++)
        if (slice_eq(c->routes[i].domain, last.domain))
            return;
    c->routes = config_append(b, c->routes, &c->routes_n, sizeof last);
    c->routes[c->routes_n - 1] = last;
}

struct config *config_parse(struct slice text, struct slice directory, struct config_report *report) {
    config_report_start(report);
    if (text.n > CONFIG_TEXT_MAX) {
        config_report_add(report, (struct config_place){1, 1}, "expected at most %d bytes, found %zu", CONFIG_TEXT_MAX,
                          text.n);
        return NULL;
    }
    struct config *c = MEM_NEW(struct config);
    c->arena.max = ARENA_BYTES;
    ARENA_AUTO struct arena scratch = {.max = ARENA_BYTES};
    config_build(c, config_tree_parse(text, &scratch, report), directory, report);
    struct config_builder b = {.c = c};
    add_last_route(&b);
    if (!c->mechanisms)
        c->mechanisms = ((1u << CONFIG_MECHANISM_COUNT) - 1) & ~(1u << CONFIG_MECHANISM_SCRAM_SHA_1);
    config_check(c, report);
    config_report_sort(report);
    if (report->n == 0)
        return c;
    config_free(c);
    return NULL;
}

void config_free(struct config *c) {
    if (!c)
        return;
    map_done(&c->domain_index);
    map_done(&c->route_index);
    map_done(&c->user_index);
    arena_done(&c->arena);
    free(c);
}

bool config_in_nets(const struct netaddr_net *nets, size_t n, const struct netaddr *client) {
    for (size_t i = 0; i < n; i++)
        if (netaddr_in_net(client, &nets[i]))
            return true;
    return false;
}

bool config_trusts(const struct config *c, const struct netaddr *client) {
    return config_in_nets(c->relay_from, c->relay_from_n, client);
}

bool config_is_local(const struct config *c, const struct netaddr *client) {
    return netaddr_is_loopback(client) && !c->gate.checks.loopback;
}

bool config_listens(const struct config *c, enum config_listen_role role) {
    for (size_t i = 0; i < c->listens_n; i++)
        if (c->listens[i].role == role)
            return true;
    return false;
}

bool config_has_auth(const struct config *c, enum config_auth_kind kind) {
    for (size_t i = 0; i < c->auths_n; i++)
        if (c->auths[i].kind == kind)
            return true;
    return false;
}

struct config_quota config_quota_of(const struct config *c, struct slice user) {
    struct config_quota q = c->quota;
    const struct config_user *own = map_get(&c->user_index, user);
    if (!own)
        return q;
    uint32_t *const to[] = {&q.messages_hour, &q.messages_day, &q.recipients_hour, &q.recipients_day};
    const uint32_t from[] = {own->quota.messages_hour, own->quota.messages_day, own->quota.recipients_hour,
                             own->quota.recipients_day};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        if (own->quota_set[i])
            *to[i] = from[i];
    if (own->quota_set[4])
        q.message_size = own->quota.message_size;
    return q;
}

bool config_any_sender(const struct config *c, struct slice user) {
    const struct config_user *own = map_get(&c->user_index, user);
    return own && own->any_sender;
}
