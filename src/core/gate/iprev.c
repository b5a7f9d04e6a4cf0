// iprev: a question for the names, and one round for all their addresses.
#include "core/gate/iprev.h"

bool iprev_add_reversed(struct buf *b, const struct netaddr *ip) {
    for (size_t i = ip->family == NETADDR_V4 ? 4 : 16; i-- > 0;) {
        if (ip->family == NETADDR_V4)
            buf_addf(b, "%u", ip->ip[i]);
        else
            buf_addf(b, "%x.%x", ip->ip[i] & 15, ip->ip[i] >> 4);
        if (i)
            buf_add_char(b, '.');
    }
    return !b->failed;
}

static enum oracle_type address_type(const struct netaddr *ip) {
    return ip->family == NETADDR_V4 ? ORACLE_A : ORACLE_AAAA;
}

static bool is_temporary(const struct oracle_answer *a) {
    return a->status == ORACLE_FAILED || a->status == ORACLE_TIMEOUT;
}

static bool has_address(const struct oracle_answer *a, const struct netaddr *ip) {
    for (size_t i = 0; a->status == ORACLE_OK && i < a->n; i++)
        if (netaddr_same_ip(&a->records[i].ip, ip))
            return true;
    return false;
}

bool iprev_leads_to(struct slice name, const struct netaddr *ip, struct oracle *o, struct arena *arena,
                    bool *temporary) {
    struct oracle_answer a;
    oracle_ask(o, address_type(ip), name, arena, &a);
    *temporary = is_temporary(&a);
    return has_address(&a, ip);
}

static struct oracle_answer ask_names(const struct netaddr *ip, struct oracle *o, struct arena *arena) {
    char text[80];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    struct oracle_answer a;
    iprev_add_reversed(&b, ip);
    buf_add_str(&b, ip->family == NETADDR_V4 ? ".in-addr.arpa" : ".ip6.arpa");
    oracle_ask(o, ORACLE_PTR, buf_slice(&b), arena, &a);
    return a;
}

static void confirm(const struct netaddr *ip, const struct oracle_answer *names, struct oracle *o, struct arena *arena,
                    struct iprev *out) {
    struct oracle_question questions[IPREV_NAMES] = {{0}};
    struct oracle_answer answers[IPREV_NAMES];
    size_t n = names->n < IPREV_NAMES ? names->n : IPREV_NAMES;
    *out = (struct iprev){AUTH_IPREV_FAIL, names->records[0].text};
    for (size_t i = 0; i < n; i++)
        questions[i] = (struct oracle_question){address_type(ip), names->records[i].text};
    o->ask(o, questions, n, arena, answers);
    for (size_t i = n; i-- > 0;) {
        if (has_address(&answers[i], ip))
            *out = (struct iprev){AUTH_IPREV_PASS, names->records[i].text};
        else if (is_temporary(&answers[i]) && out->result == AUTH_IPREV_FAIL)
            out->result = AUTH_IPREV_TEMPERROR;
    }
}

void iprev_check(const struct netaddr *ip, struct oracle *o, struct arena *arena, struct iprev *out) {
    struct oracle_answer names = ask_names(ip, o, arena);
    if (names.status == ORACLE_OK && names.n)
        confirm(ip, &names, o, arena, out);
    else
        *out = (struct iprev){is_temporary(&names) ? AUTH_IPREV_TEMPERROR : AUTH_IPREV_PERMERROR, SLICE_EMPTY};
}
