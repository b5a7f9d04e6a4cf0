// dkim_rules: the most particular rule counts.
#include "core/keys/dkim_rules.h"

enum { NO_MATCH = 0, ANY = 1, BELOW = 2, EXACT = 1000 }; // BELOW + the parent's length

static size_t particular(struct slice domain, struct slice from) {
    if (slice_eq(domain, SLICE("*")))
        return ANY;
    if (slice_starts(domain, SLICE("."))) {
        bool below = from.n > domain.n && slice_ieq(slice_from(from, from.n - domain.n), domain);
        return below ? BELOW + domain.n : NO_MATCH;
    }
    return slice_ieq(domain, from) ? EXACT : NO_MATCH;
}

static void add(size_t which[DKIM_RULES_MAX], size_t *n, size_t rule) {
    if (*n < DKIM_RULES_MAX)
        which[(*n)++] = rule;
}

size_t dkim_rules_pick(const struct message_keys_dkim *rules, size_t n, struct slice from,
                       size_t which[DKIM_RULES_MAX]) {
    size_t best = NO_MATCH, picked = 0;
    if (from.n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        size_t p = particular(rules[i].domain, from);
        best = p > best ? p : best;
    }
    for (int aligned = 1; best != NO_MATCH && aligned >= 0; aligned--)
        for (size_t i = 0; i < n; i++)
            if (particular(rules[i].domain, from) == best && dkim_rules_aligned(rules[i].signer, from) == aligned)
                add(which, &picked, i);
    return picked;
}

static bool is_above(struct slice parent, struct slice child) {
    return parent.n && child.n > parent.n && slice_ieq(slice_from(child, child.n - parent.n), parent) &&
           child.p[child.n - parent.n - 1] == '.';
}

bool dkim_rules_aligned(struct slice signer, struct slice from) {
    return slice_ieq(signer, from) || is_above(signer, from) || is_above(from, signer);
}
