// dkim_dns: questions to DNS, and a comparison.
#include "cmd/dkim_dns.h"

#include "cmd/oracle_live.h"
#include "mail/dkim/dkim_key.h"
#include "svc/master/site.h"

#include <stdarg.h>
#include <stdio.h>

enum { WAIT_MS = 15 * MS_SECOND };

struct question {
    struct arena *arena;
    const struct dkim_entry *entry;
    struct dkim_dns *out;
};

__attribute__((format(printf, 4, 5))) static void say(struct question *q, enum dkim_dns_state state,
                                                      struct slice record, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *q->out = (struct dkim_dns){state, arena_dup(q->arena, slice_str(text)), arena_dup(q->arena, record)};
}

// --- comparing

static const char *kind_name(bool ed25519) { return ed25519 ? "an Ed25519 key" : "an RSA key"; }

static void compare_keys(struct question *q, struct slice record, const struct dkim_key *found,
                         const struct dkim_key *ours) {
    if (found->key.n == 0)
        say(q, DKIM_DNS_WRONG, record, "the published key is revoked (p= is empty)");
    else if (found->ed25519 != ours->ed25519)
        say(q, DKIM_DNS_WRONG, record, "%s is published, and ours is %s", kind_name(found->ed25519),
            kind_name(ours->ed25519));
    else if (!slice_eq(found->key, ours->key))
        say(q, DKIM_DNS_WRONG, record, "another key is published than ours; compare p=");
    else if (!found->sha256)
        say(q, DKIM_DNS_WRONG, record, "the published key is not for SHA-256; leave h= out");
    else if (!found->email)
        say(q, DKIM_DNS_WRONG, record, "the published key is not for e-mail; leave s= out");
    else if (found->testing)
        say(q, DKIM_DNS_GOOD, record,
            "published, in testing mode: while t=y is there, receivers may ignore signatures");
    else
        say(q, DKIM_DNS_GOOD, record, "published");
}

static void compare(struct question *q, struct slice record) {
    struct dkim_key found, ours;
    struct err e = {0};
    if (!dkim_key_parse(q->entry->record, q->arena, &ours, &e))
        say(q, DKIM_DNS_UNKNOWN, SLICE_EMPTY, "our own key can't be read: %s", e.text);
    else if (!dkim_key_parse(record, q->arena, &found, &e))
        say(q, DKIM_DNS_WRONG, record, "what is published is no key record: %s", e.text);
    else
        compare_keys(q, record, &found, &ours);
}

static void take(struct question *q, const struct oracle_answer *a) {
    struct slice name = q->entry->name;
    if (a->status >= ORACLE_FAILED)
        say(q, DKIM_DNS_UNKNOWN, SLICE_EMPTY, "DNS does not answer for %.*s: %.*s", SLICE_ARG(name), SLICE_ARG(a->why));
    else if (a->n == 0)
        say(q, DKIM_DNS_MISSING, SLICE_EMPTY, "no TXT record is published at %.*s", SLICE_ARG(name));
    else if (a->n > 1)
        say(q, DKIM_DNS_WRONG, a->records[0].text, "%zu TXT records are published at %.*s, where one may be", a->n,
            SLICE_ARG(name));
    else
        compare(q, a->records[0].text);
}

// --- asking

// As many as can be asked at once; how many of the entries these were.
static size_t ask_some(struct oracle *dns, struct dkim_keys *k, size_t from, struct dkim_dns *out) {
    struct question asked[ORACLE_AT_ONCE_MAX];
    struct oracle_question questions[ORACLE_AT_ONCE_MAX];
    struct oracle_answer answers[ORACLE_AT_ONCE_MAX];
    size_t n = 0, i = from;
    for (; i < k->n && n < ORACLE_AT_ONCE_MAX; i++) {
        asked[n] = (struct question){&k->arena, &k->entries[i], &out[i]};
        questions[n] = (struct oracle_question){ORACLE_TXT, k->entries[i].name};
        if (k->entries[i].readable)
            n++;
        else
            say(&asked[n], DKIM_DNS_UNKNOWN, SLICE_EMPTY, "our own key can't be read");
    }
    if (n)
        dns->ask(dns, questions, n, &k->arena, answers);
    for (size_t a = 0; a < n; a++)
        take(&asked[a], &answers[a]);
    return i - from;
}

void dkim_dns_ask(struct dkim_keys *k, struct dkim_dns *out) {
    struct oracle_live *live = oracle_live_new(k->site->config, WAIT_MS);
    oracle_live_hurry(live, WAIT_MS);
    for (size_t i = 0; i < k->n;)
        i += ask_some(oracle_live_oracle(live), k, i, out);
    oracle_live_free(live);
}
