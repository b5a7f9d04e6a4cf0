// cmd_dkim: dkim new, dns, check, rotate, list.
//
// A key's life: new makes it (pending), its record is published, rotate sees that and takes it into use (active) while
// the one before signs no more (retiring); a week later its record may go, and rotate removes it.
#include "cmd/cmd.h"
#include "cmd/dkim_dns.h"
#include "cmd/dkim_keys.h"
#include "cmd/dkim_show.h"

#include "base/num.h"
#include "rt/disk/file.h"
#include "rt/tls/key_make.h"
#include "rt/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { SELECTOR_TRIES = 26 };

static struct wall wall_now(void) {
    struct wall now = world_kernel_ops.wall(NULL);
    return (struct wall){now.ms - now.ms % MS_SECOND};
}

static int usage(const struct args *a, const char *text) {
    fprintf(stderr, "%s: dkim %s: %s; see: %s dkim --help\n", a->program, a->words[0], text, a->program);
    return EX_USAGE;
}

static int no_keys(const struct dkim_keys *k) {
    fprintf(stderr, "%s: there are no keys for %.*s; make some: %s dkim new %.*s\n", k->args->program,
            SLICE_ARG(k->domain), k->args->program, SLICE_ARG(k->domain));
    return EX_UNAVAILABLE;
}

// --- new

struct wish {
    bool rsa, ed25519;
    uint32_t bits;
};

static bool take_wish(const struct args *a, struct wish *w) {
    uint64_t bits = KEY_MAKE_RSA_LEAST;
    *w = (struct wish){.rsa = a->rsa || !a->ed25519, .ed25519 = a->ed25519 || !a->rsa};
    if (a->rsa && (!num_u64(slice_str(a->rsa), KEY_MAKE_RSA_MOST, &bits) || bits < KEY_MAKE_RSA_LEAST || bits % 256))
        return false;
    w->bits = (uint32_t)bits;
    return true;
}

static bool is_taken(struct dkim_keys *k, struct slice selector) {
    struct file_identity there;
    const char *path = arena_printf(&k->arena, "%s/%.*s/%.*s%s", k->directory, SLICE_ARG(k->domain),
                                    SLICE_ARG(selector), DKIM_STORE_PEM)
                           .p;
    for (size_t i = 0; i < k->n; i++)
        if (slice_eq(k->entries[i].selector, selector))
            return true;
    return file_identify(path, &there);
}

// 20261121r, and 20261121rb when that is taken: the day, the algorithm, a letter.
static struct slice selector_of_today(struct dkim_keys *k, bool ed25519, struct wall now) {
    char date[DKIM_SHOW_DATE];
    dkim_show_date(now, date);
    for (int i = 0; i < SELECTOR_TRIES; i++) {
        struct slice s = arena_printf(&k->arena, "%.4s%.2s%.2s%c%c", date, date + 5, date + 8, ed25519 ? 'e' : 'r',
                                      i ? 'a' + i : '\0');
        s.n -= i == 0;
        if (!is_taken(k, s))
            return s;
    }
    return SLICE_EMPTY;
}

// As asked for; with both kinds of keys, "r" and "e" behind it.
static struct slice selector_asked(struct dkim_keys *k, const struct wish *w, bool ed25519) {
    struct slice s = slice_str(k->args->selector);
    if (w->rsa && w->ed25519)
        s = arena_printf(&k->arena, "%s%c", k->args->selector, ed25519 ? 'e' : 'r');
    return dkim_store_selector_ok(s) && !is_taken(k, s) ? arena_dup(&k->arena, s) : SLICE_EMPTY;
}

static int make_one(struct dkim_keys *k, const struct wish *w, bool ed25519, struct wall now) {
    struct slice s = k->args->selector ? selector_asked(k, w, ed25519) : selector_of_today(k, ed25519, now);
    if (s.n)
        return dkim_keys_add(k, s, ed25519, w->bits, now);
    fprintf(stderr, "%s: that selector is taken, or is none: lower-case letters, digits, hyphens\n", k->args->program);
    return EX_CANTCREAT;
}

static int make(struct dkim_keys *k, const struct wish *w, struct wall now) {
    int code = w->rsa ? make_one(k, w, false, now) : EX_OK;
    if (code == EX_OK && w->ed25519)
        code = make_one(k, w, true, now);
    if (code == EX_OK)
        code = dkim_keys_save(k);
    return code;
}

static void show_made(const struct dkim_keys *k, size_t before) {
    const char *program = k->args->program;
    if (k->args->json) {
        dkim_show_json_all(k->domain, k->entries + before, k->n - before, NULL);
        return;
    }
    printf("; to be published in DNS:\n");
    dkim_show_records(k->entries + before, k->n - before);
    printf("; then: %s dkim rotate %.*s\n; looks whether that is done, and signs with %s from then on.\n", program,
           SLICE_ARG(k->domain), k->n - before == 1 ? "this key" : "these keys");
}

static int do_new(struct dkim_keys *k) {
    size_t before = k->n;
    struct wish w;
    if (!take_wish(k->args, &w))
        return usage(k->args, "--rsa wants a number of bits from 2048 to 4096");
    int code = make(k, &w, wall_now());
    if (code == EX_OK)
        show_made(k, before);
    return code;
}

// --- dns, list

static int do_dns(struct dkim_keys *k) {
    if (k->n == 0)
        return no_keys(k);
    if (k->args->json)
        dkim_show_json_all(k->domain, k->entries, k->n, NULL);
    else
        dkim_show_records(k->entries, k->n);
    return EX_OK;
}

static int do_list(struct dkim_keys *k) {
    if (k->args->json)
        dkim_show_json_all(k->domain, k->entries, k->n, NULL);
    else
        dkim_show_list(k->entries, k->n, wall_now());
    if (k->n == 0 && !k->args->json)
        printf("there are no keys; make some: %s dkim new DOMAIN\n", k->args->program);
    return EX_OK;
}

// --- check

static int code_of(enum dkim_dns_state state) {
    return state == DKIM_DNS_GOOD ? EX_OK : state == DKIM_DNS_WRONG ? EX_DATAERR : EX_TEMPFAIL;
}

static void show_check(const struct dkim_entry *entry, const struct dkim_dns *dns) {
    printf("%.*s (%s): %.*s\n", SLICE_ARG(entry->selector), dkim_show_state(entry), SLICE_ARG(dns->text));
    if (dns->state == DKIM_DNS_WRONG && dns->record.n)
        printf("    published  %.*s\n    ours       %.*s\n", SLICE_ARG(dns->record), SLICE_ARG(entry->record));
}

static bool is_retiring(const struct dkim_entry *entry) {
    return !entry->configured && entry->state == DKIM_STORE_RETIRING;
}

// Of several findings the worst; what a retiring key finds is only told.
static int worst(const struct dkim_keys *k, const struct dkim_dns *dns) {
    int code = EX_OK;
    for (size_t i = 0; i < k->n; i++) {
        int one = is_retiring(&k->entries[i]) ? EX_OK : code_of(dns[i].state);
        code = one == EX_DATAERR || code == EX_OK ? one : code;
    }
    return code;
}

static int do_check(struct dkim_keys *k) {
    struct dkim_dns *dns = calloc(k->n + 1, sizeof *dns);
    if (k->n == 0 || !dns) {
        free(dns);
        return no_keys(k);
    }
    dkim_dns_ask(k, dns);
    if (k->args->json)
        dkim_show_json_all(k->domain, k->entries, k->n, dns);
    for (size_t i = 0; !k->args->json && i < k->n; i++)
        show_check(&k->entries[i], &dns[i]);
    int code = worst(k, dns);
    free(dns);
    return code;
}

// --- rotate

static bool is_in(const struct dkim_entry *entry, enum dkim_store_state state) {
    return !entry->configured && entry->state == state;
}

static bool has(const struct dkim_keys *k, enum dkim_store_state state) {
    for (size_t i = 0; i < k->n; i++)
        if (is_in(&k->entries[i], state))
            return true;
    return false;
}

// The kinds of those that sign now, unless others were asked for.
static struct wish wish_for_successors(const struct dkim_keys *k, struct wish w) {
    if (k->args->rsa || k->args->ed25519 || !has(k, DKIM_STORE_ACTIVE))
        return w;
    w.rsa = w.ed25519 = false;
    for (size_t i = 0; i < k->n; i++)
        if (is_in(&k->entries[i], DKIM_STORE_ACTIVE)) {
            w.rsa |= !k->entries[i].ed25519;
            w.ed25519 |= k->entries[i].ed25519;
            if (!k->entries[i].ed25519 && k->entries[i].bits > w.bits && k->entries[i].bits <= KEY_MAKE_RSA_MOST)
                w.bits = k->entries[i].bits;
        }
    return w;
}

static int remove_old(struct dkim_keys *k, struct wall now) {
    int code = EX_OK;
    for (size_t i = 0; code == EX_OK && i < k->n; i++) {
        const struct dkim_entry *entry = &k->entries[i];
        if (!is_retiring(entry) || now.ms < entry->since.ms + DKIM_STORE_RETIRING_MS)
            continue;
        code = dkim_keys_remove(k, entry->selector);
        if (!k->args->json)
            printf("%.*s is removed; take its record out of DNS: %.*s\n", SLICE_ARG(entry->selector),
                   SLICE_ARG(entry->name));
    }
    return code;
}

static int check_pending(struct dkim_keys *k) {
    struct dkim_dns *dns = calloc(k->n + 1, sizeof *dns);
    int code = dns ? EX_OK : EX_OSERR;
    if (dns)
        dkim_dns_ask(k, dns);
    for (size_t i = 0; dns && i < k->n; i++) {
        if (!is_in(&k->entries[i], DKIM_STORE_PENDING) || dns[i].state == DKIM_DNS_GOOD)
            continue;
        code = code == EX_DATAERR ? code : code_of(dns[i].state);
        fprintf(stderr, "%s: not yet: %.*s: %.*s\n", k->args->program, SLICE_ARG(k->entries[i].selector),
                SLICE_ARG(dns[i].text));
    }
    free(dns);
    return code;
}

static void change(struct dkim_keys *k, struct dkim_entry *entry, enum dkim_store_state state, struct wall now) {
    struct dkim_store_key *key = dkim_store_find(&k->store, entry->selector);
    if (!key)
        return;
    key->state = entry->state = state;
    key->since = entry->since = now;
}

// Those that wait become active, those of the same kinds before them retire.
static void take_over(struct dkim_keys *k, struct wall now) {
    bool new_kind[2] = {false};
    for (size_t i = 0; i < k->n; i++)
        if (is_in(&k->entries[i], DKIM_STORE_PENDING))
            new_kind[k->entries[i].ed25519] = true;
    for (size_t i = 0; i < k->n; i++) {
        struct dkim_entry *entry = &k->entries[i];
        if (is_in(entry, DKIM_STORE_ACTIVE) && new_kind[entry->ed25519])
            change(k, entry, DKIM_STORE_RETIRING, now);
        else if (is_in(entry, DKIM_STORE_PENDING))
            change(k, entry, DKIM_STORE_ACTIVE, now);
    }
}

static int activate(struct dkim_keys *k, struct wall now) {
    int code = k->args->now ? EX_OK : check_pending(k);
    if (code != EX_OK)
        return code;
    take_over(k, now);
    code = dkim_keys_save(k);
    if (code == EX_OK && k->args->json)
        dkim_show_json_all(k->domain, k->entries, k->n, NULL);
    else if (code == EX_OK)
        dkim_show_list(k->entries, k->n, now);
    return code;
}

static int do_rotate(struct dkim_keys *k) {
    struct wall now = wall_now();
    struct wish w;
    if (!take_wish(k->args, &w))
        return usage(k->args, "--rsa wants a number of bits from 2048 to 4096");
    int code = remove_old(k, now);
    if (code != EX_OK)
        return code;
    if (has(k, DKIM_STORE_PENDING))
        return activate(k, now);
    size_t before = k->n;
    w = wish_for_successors(k, w);
    code = make(k, &w, now);
    if (code == EX_OK)
        show_made(k, before);
    return code;
}

// --- all of them

static const struct action {
    const char *name;
    int (*run)(struct dkim_keys *k);
    bool change, all; // the store is changed; a domain need not be named
} actions[] = {
    {"new", do_new, true, false},       {"dns", do_dns, false, false},  {"check", do_check, false, false},
    {"rotate", do_rotate, true, false}, {"list", do_list, false, true},
};

static int run(const struct args *a, const struct action *action) {
    struct dkim_keys k;
    if (a->words_n > 2 || (a->words_n < 2 && !action->all))
        return usage(a, "wants one domain");
    int code = dkim_keys_open(a, a->words_n == 2 ? a->words[1] : NULL, action->change, &k);
    if (code == EX_OK)
        code = action->run(&k);
    dkim_keys_done(&k);
    return code;
}

int cmd_dkim(const struct args *a) {
    static const char *const known[] = {"new", "dns", "check", "rotate", "list", NULL};
    if (a->words_n == 0) {
        fprintf(stderr, "%s: dkim wants new, dns, check, rotate or list; see: %s dkim --help\n", a->program,
                a->program);
        return EX_USAGE;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (!strcmp(actions[i].name, a->words[0]))
            return run(a, &actions[i]);
    return cmd_unknown(a, "dkim", a->words[0], known);
}
