// mx: ordering of mail hosts.
#include "core/route/mx.h"

#include <stdlib.h>

static struct slice name_in(struct arena *arena, struct slice name) {
    struct slice copy = arena_dup(arena, name);
    for (size_t i = 0; i < copy.n; i++)
        ((char *)copy.p)[i] = ascii_lower(copy.p[i]);
    return copy.n && copy.p[copy.n - 1] == '.' ? slice_upto(copy, copy.n - 1) : copy;
}

static void shuffle_hosts(struct mx_host *hosts, size_t n, struct seed *random) {
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)seed_below(random, i);
        struct mx_host t = hosts[i - 1];
        hosts[i - 1] = hosts[j];
        hosts[j] = t;
    }
}

static int by_preference(const void *a, const void *b) {
    return (int)((const struct mx_host *)a)->preference - (int)((const struct mx_host *)b)->preference;
}

static void shuffle_equals(struct mx_host *hosts, size_t n, struct seed *random) {
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && hosts[to].preference == hosts[from].preference; to++)
            ;
        shuffle_hosts(hosts + from, to - from, random);
    }
}

// Keeps the first, and so the best, of each name. Few enough for a plain search: MESSAGE_DNS_RECORDS_MAX.
static size_t without_doubles(struct mx_host *hosts, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < kept && !slice_eq(hosts[j].name, hosts[i].name))
            j++;
        if (j == kept)
            hosts[kept++] = hosts[i];
    }
    return kept;
}

static bool only_ourselves(struct slice domain, struct err *e) {
    return err_smtp(e, 554, "5.4.6", "mail for %.*s loops back to this host", SLICE_ARG(domain));
}

bool mx_cut(struct mx_list *list, size_t at, struct slice domain, struct err *e) {
    size_t n = at;
    while (n > 0 && list->hosts[n - 1].preference == list->hosts[at].preference)
        n--;
    list->n = n;
    return n > 0 || only_ourselves(domain, e);
}

static bool implicit_host(struct slice domain, struct slice self, struct arena *arena, struct mx_list *out,
                          struct err *e) {
    struct mx_host *host = ARENA_NEW(arena, struct mx_host);
    if (!host || !(host->name = name_in(arena, domain)).p)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    if (slice_ieq(host->name, self))
        return only_ourselves(domain, e);
    *out = (struct mx_list){.hosts = host, .n = 1, .implicit = true};
    return true;
}

static bool explicit_hosts(struct slice domain, const struct message_resolve_reply *answer, struct slice self,
                           struct seed *random, struct arena *arena, struct mx_list *out, struct err *e) {
    struct mx_list list = {.hosts = arena_alloc(arena, answer->records_n * sizeof *list.hosts)};
    if (!list.hosts)
        return err_set(e, ERR_TEMPORARY, "out of memory");
    for (size_t i = 0; i < answer->records_n; i++) {
        const struct message_dns_record *r = &answer->records[i];
        struct slice name = name_in(arena, r->text);
        if (name.n) // the root among other hosts is no null MX (RFC 7505 3), and no host
            list.hosts[list.n++] = (struct mx_host){name, r->preference};
    }
    if (list.n == 0)
        return err_smtp(e, 556, "5.1.10", "%.*s takes no mail (null MX)", SLICE_ARG(domain));
    qsort(list.hosts, list.n, sizeof *list.hosts, by_preference);
    list.n = without_doubles(list.hosts, list.n);
    shuffle_equals(list.hosts, list.n, random);
    for (size_t i = 0; i < list.n; i++)
        if (slice_ieq(list.hosts[i].name, self)) {
            if (!mx_cut(&list, i, domain, e))
                return false;
            break;
        }
    list.n = list.n < MX_HOSTS_MAX ? list.n : MX_HOSTS_MAX;
    *out = list;
    return true;
}

static bool no_answer(struct slice name, const struct message_resolve_reply *answer, struct err *e) {
    if (answer->security == MESSAGE_DNS_BOGUS)
        return err_smtp(e, 451, "4.4.3", "the DNS answer for %.*s is forged or broken (DNSSEC): %.*s", SLICE_ARG(name),
                        SLICE_ARG(answer->why));
    return err_smtp(e, 451, "4.4.3", "no answer from DNS for %.*s: %.*s", SLICE_ARG(name), SLICE_ARG(answer->why));
}

static bool unanswered(const struct message_resolve_reply *r) {
    return r->status == MESSAGE_DNS_FAILED || r->security == MESSAGE_DNS_BOGUS;
}

bool mx_order(struct slice domain, const struct message_resolve_reply *answer, struct slice self, struct seed *random,
              struct arena *arena, struct mx_list *out, struct err *e) {
    if (unanswered(answer))
        return no_answer(domain, answer, e);
    if (answer->status == MESSAGE_DNS_NXDOMAIN)
        return err_smtp(e, 550, "5.1.2", "the domain %.*s does not exist", SLICE_ARG(domain));
    if (answer->status == MESSAGE_DNS_NODATA || answer->records_n == 0)
        return implicit_host(domain, self, arena, out, e);
    return explicit_hosts(domain, answer, self, random, arena, out, e);
}

static void add_address(struct netaddr *to, size_t *n, const struct netaddr *a, enum netaddr_family family) {
    if (a->family != family || *n == MX_ADDRESSES_MAX)
        return;
    for (size_t i = 0; i < *n; i++)
        if (netaddr_same_ip(&to[i], a))
            return;
    to[(*n)++] = *a;
}

static size_t addresses_of(const struct message_resolve_reply *r, enum netaddr_family family, struct seed *random,
                           struct netaddr *to) {
    size_t n = 0;
    if (unanswered(r) || r->status != MESSAGE_DNS_OK)
        return 0;
    for (size_t i = 0; i < r->records_n; i++)
        add_address(to, &n, &r->records[i].ip, family);
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)seed_below(random, i);
        struct netaddr t = to[i - 1];
        to[i - 1] = to[j];
        to[j] = t;
    }
    return n;
}

size_t mx_addresses(const struct message_resolve_reply *a, const struct message_resolve_reply *aaaa, uint16_t port,
                    struct seed *random, struct netaddr out[MX_ADDRESSES_MAX]) {
    struct netaddr v4[MX_ADDRESSES_MAX], v6[MX_ADDRESSES_MAX];
    size_t v4_n = addresses_of(a, NETADDR_V4, random, v4);
    size_t v6_n = addresses_of(aaaa, NETADDR_V6, random, v6);
    size_t n = 0;
    for (size_t i = 0; (i < v4_n || i < v6_n) && n < MX_ADDRESSES_MAX; i++) {
        if (i < v6_n)
            out[n++] = v6[i];
        if (i < v4_n && n < MX_ADDRESSES_MAX)
            out[n++] = v4[i];
    }
    for (size_t i = 0; i < n; i++)
        out[i].port = port;
    return n;
}

bool mx_no_address(struct slice host, bool implicit, const struct message_resolve_reply *a,
                   const struct message_resolve_reply *aaaa, struct err *e) {
    if (unanswered(a) || unanswered(aaaa))
        return no_answer(host, unanswered(a) ? a : aaaa, e);
    if (implicit)
        return err_smtp(e, 550, "5.1.2", "the domain %.*s has no mail host and no address", SLICE_ARG(host));
    return err_smtp(e, 550, "5.4.4", "the mail host %.*s has no address", SLICE_ARG(host));
}
