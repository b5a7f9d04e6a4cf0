// dkim_dns: a resolver for one moment, and a comparison.
#include "cmd/dkim_dns.h"

#include "mail/dkim_key.h"
#include "rt/fiber.h"
#include "rt/world.h"
#include "svc/master/site.h"
#include "svc/resolver/resolver_unbound.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 15 * MS_SECOND, SHOWN = 120 };

struct question {
    struct asking *asking;
    const struct dkim_entry *entry;
    struct dkim_dns *out;
};

struct asking {
    struct dkim_keys *keys;
    struct fiber *waiting; // NULL before it waits
    size_t open;           // questions without an answer
};

__attribute__((format(printf, 4, 5))) static void say(struct question *q, enum dkim_dns_state state,
                                                      struct slice record, const char *format, ...) {
    struct arena *arena = &q->asking->keys->arena;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *q->out = (struct dkim_dns){state, arena_dup(arena, slice_str(text)), arena_dup(arena, record)};
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
    struct arena *arena = &q->asking->keys->arena;
    struct dkim_key found, ours;
    struct err e = {0};
    if (!dkim_key_parse(q->entry->record, arena, &ours, &e))
        say(q, DKIM_DNS_UNKNOWN, SLICE_EMPTY, "our own key can't be read: %s", e.text);
    else if (!dkim_key_parse(record, arena, &found, &e))
        say(q, DKIM_DNS_WRONG, record, "what is published is no key record: %s", e.text);
    else
        compare_keys(q, record, &found, &ours);
}

static void take_records(struct question *q, const struct message_resolve_reply *reply) {
    struct slice name = q->entry->name;
    if (reply->status == MESSAGE_DNS_FAILED)
        say(q, DKIM_DNS_UNKNOWN, SLICE_EMPTY, "DNS does not answer for %.*s: %.*s", SLICE_ARG(name),
            SLICE_ARG(reply->why));
    else if (reply->status != MESSAGE_DNS_OK || reply->records_n == 0)
        say(q, DKIM_DNS_MISSING, SLICE_EMPTY, "no TXT record is published at %.*s", SLICE_ARG(name));
    else if (reply->records_n > 1)
        say(q, DKIM_DNS_WRONG, reply->records[0].text, "%zu TXT records are published at %.*s, where one may be",
            reply->records_n, SLICE_ARG(name));
    else
        compare(q, reply->records[0].text);
}

// --- asking

static void on_reply(void *arg, const struct message_resolve_reply *reply) {
    struct question *q = arg;
    take_records(q, reply);
    q->asking->open--;
    if (q->asking->waiting)
        fiber_wake(q->asking->waiting);
}

// The loop runs as long as there is a fiber.
static FIBER_FN void wait_for_all(void *arg) {
    struct asking *a = arg;
    struct mono deadline = loop_in_ms(fiber_loop(), WAIT_MS);
    a->waiting = fiber_self();
    while (a->open && fiber_park(deadline) == FIBER_WOKEN)
        ;
}

static void ask_all(struct asking *a, struct resolver_backend *backend, struct question *questions) {
    for (size_t i = 0; i < a->keys->n; i++)
        if (questions[i].entry->readable) {
            struct message_resolve q = {MESSAGE_DNS_TXT, questions[i].entry->name};
            a->open++;
            backend->ask(backend, &q, on_reply, &questions[i]);
        }
}

static bool run(struct asking *a, struct world *w, struct question *questions, struct err *e) {
    struct fiber_group group;
    struct resolver_backend *backend = resolver_unbound_new(w, a->keys->site->config, e);
    if (!backend)
        return false;
    fiber_group_init(&group, w->loop, "dkim");
    ask_all(a, backend, questions);
    bool ok = fiber_spawn(&group, "dkim", wait_for_all, a, e);
    if (ok)
        loop_run(w->loop);
    backend->free(backend);
    return ok;
}

void dkim_dns_ask(struct dkim_keys *k, struct dkim_dns *out) {
    struct asking a = {.keys = k};
    struct world w = {.loop = loop_new(false), .ops = &world_kernel_ops};
    struct question *questions = calloc(k->n + 1, sizeof *questions);
    struct err e = {0};
    if (!questions)
        abort();
    for (size_t i = 0; i < k->n; i++) {
        questions[i] = (struct question){&a, &k->entries[i], &out[i]};
        say(&questions[i], DKIM_DNS_UNKNOWN, SLICE_EMPTY,
            k->entries[i].readable ? "DNS does not answer" : "our own key can't be read");
    }
    if (k->n && !run(&a, &w, questions, &e))
        for (size_t i = 0; i < k->n; i++)
            say(&questions[i], DKIM_DNS_UNKNOWN, SLICE_EMPTY, "DNS can't be asked: %s", e.text);
    free(questions);
    loop_free(w.loop);
}
