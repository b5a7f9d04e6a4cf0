// config: from text to a configuration that can be used, or to what is wrong with it.
#include "core/config.h"

#include "base/mem.h"
#include "core/config_check.h"

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
    arena_done(&c->arena);
    free(c);
}

bool config_trusts(const struct config *c, const struct netaddr *client) {
    for (size_t i = 0; i < c->relay_from_n; i++)
        if (netaddr_in_net(client, &c->relay_from[i]))
            return true;
    return false;
}
