// dkim_keys: reading what is there, and changing it under a lock.
#include "cmd/dkim_keys.h"

#include "base/mem.h"
#include "mail/address.h"
#include "mail/dkim/dkim_key.h"
#include "rt/disk/file.h"
#include "rt/disk/file_list.h"
#include "rt/disk/file_owner.h"
#include "rt/disk/file_replace.h"
#include "rt/tls/key_make.h"
#include "svc/master/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_MAX = 16 * 1024 * 1024, LOCK_TRIES = 200 /* of 50 ms */ };

static int failed(const struct dkim_keys *k, const struct err *e) {
    fprintf(stderr, "%s: %s\n", k->args->program, e->text);
    return e->sys == EACCES || e->sys == EPERM ? EX_NOPERM : e->sys == ENOENT ? EX_NOINPUT : EX_IOERR;
}

// DIR/DOMAIN/FILE
static const char *path_of(struct dkim_keys *k, struct slice domain, struct slice stem, const char *suffix) {
    return arena_printf(&k->arena, "%s/%.*s/%.*s%s", k->directory, SLICE_ARG(domain), SLICE_ARG(stem), suffix).p;
}

// --- entries

static void read_public(struct dkim_keys *k, struct dkim_entry *entry) {
    BUF_AUTO struct buf pem = {.max = DKIM_STORE_PEM_MAX}, key = {.max = DKIM_KEY_MAX}, record = {.max = DKIM_KEY_MAX};
    struct key_public found;
    struct err e = {0};
    buf_reserve(&pem, DKIM_STORE_PEM_MAX); // a key is not moved, so that it can be wiped
    entry->readable = file_read(entry->path, &pem, &e) && key_make_public(buf_slice(&pem), &found, &key, &e);
    if (pem.p)
        explicit_bzero(pem.p, pem.cap);
    if (!entry->readable) {
        fprintf(stderr, "%s: %s%s%s\n", k->args->program, e.sys ? "" : entry->path, e.sys ? "" : ": ", e.text);
        return;
    }
    dkim_key_print(found.ed25519, buf_slice(&key), &record);
    entry->ed25519 = found.ed25519;
    entry->bits = found.bits;
    entry->record = arena_dup(&k->arena, buf_slice(&record));
}

static void add_entry(struct dkim_keys *k, struct dkim_entry entry) {
    entry.name = arena_printf(&k->arena, "%.*s._domainkey.%.*s", SLICE_ARG(entry.selector), SLICE_ARG(entry.signer));
    read_public(k, &entry);
    if (k->n == k->cap)
        k->entries = mem_grow(k->entries, k->cap = k->cap ? 2 * k->cap : 16, sizeof *k->entries);
    k->entries[k->n++] = entry;
}

static void add_stored(struct dkim_keys *k, struct slice domain, const struct dkim_store_key *key) {
    add_entry(k, (struct dkim_entry){.signer = domain,
                                     .selector = arena_dup(&k->arena, key->selector),
                                     .path = path_of(k, domain, key->selector, DKIM_STORE_PEM),
                                     .state = key->state,
                                     .since = key->since});
}

static void add_configured(struct dkim_keys *k) {
    const struct config *c = k->site->config;
    for (size_t i = 0; i < c->dkims_n; i++) {
        const struct config_dkim *rule = &c->dkims[i];
        if (k->domain.n == 0 || slice_eq(rule->signer, k->domain))
            add_entry(k, (struct dkim_entry){.signer = rule->signer,
                                             .selector = rule->selector,
                                             .path = arena_dup(&k->arena, rule->key).p,
                                             .configured = true});
    }
}

// --- reading

// A domain without a list has no keys.
static int read_store(struct dkim_keys *k, struct slice domain) {
    const char *path = path_of(k, domain, SLICE(DKIM_STORE_LIST), "");
    struct err e = {0};
    buf_reset(&k->text);
    k->store.n = 0;
    if (!file_read(path, &k->text, &e))
        return e.sys == ENOENT ? EX_OK : failed(k, &e);
    if (!dkim_store_parse(buf_slice(&k->text), &k->store, &e)) {
        fprintf(stderr, "%s: %s: %s\n", k->args->program, path, e.text);
        return EX_DATAERR;
    }
    for (size_t i = 0; i < k->store.n; i++)
        add_stored(k, domain, &k->store.keys[i]);
    return EX_OK;
}

struct domains {
    struct dkim_keys *keys;
    struct slice *list;
    size_t n, cap;
};

static void take_domain(void *arg, struct slice name) {
    struct domains *d = arg;
    if (!dkim_store_domain_ok(name))
        return;
    if (d->n == d->cap)
        d->list = mem_grow(d->list, d->cap = d->cap ? 2 * d->cap : 16, sizeof *d->list);
    d->list[d->n++] = arena_dup(&d->keys->arena, name);
}

static int by_name(const void *a, const void *b) {
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static int read_all(struct dkim_keys *k) {
    struct domains d = {.keys = k};
    struct err e = {0};
    int code = EX_OK;
    if (!file_list(k->directory, take_domain, &d, &e) && e.sys != ENOENT)
        code = failed(k, &e);
    if (d.n)
        qsort(d.list, d.n, sizeof *d.list, by_name);
    for (size_t i = 0; code == EX_OK && i < d.n; i++)
        code = read_store(k, d.list[i]);
    free(d.list);
    return code;
}

// --- opening

static int take_lock(struct dkim_keys *k) {
    const char *path = arena_printf(&k->arena, "%s/.lock", k->directory).p;
    int64_t holder = 0;
    struct err e = {0};
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (file_lock(path, &k->lock, &holder, &e))
            return file_owner_as_directory(path, &e) ? EX_OK : failed(k, &e);
        if (e.sys != EWOULDBLOCK)
            return failed(k, &e);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    fprintf(stderr, "%s: process %lld is changing %s; try again\n", k->args->program, (long long)holder, k->directory);
    return EX_TEMPFAIL;
}

static bool make_directory(const char *path, struct err *e) {
    struct file_identity there;
    return file_identify(path, &there) || (file_make_dir(path, NULL, e) && file_owner_as_directory(path, e));
}

static int make_directories(struct dkim_keys *k) {
    struct slice own = arena_printf(&k->arena, "%s/%.*s", k->directory, SLICE_ARG(k->domain));
    struct err e = {0};
    if (!make_directory(k->directory, &e) || !make_directory(own.p, &e))
        return failed(k, &e);
    return take_lock(k);
}

static int take_domain_name(struct dkim_keys *k, const char *domain) {
    struct err e;
    if (!address_normalize_domain(slice_str(domain), &k->arena, &k->domain, &e) || !dkim_store_domain_ok(k->domain)) {
        fprintf(stderr, "%s: \"%.80s\" is no domain\n", k->args->program, domain);
        return EX_USAGE;
    }
    return EX_OK;
}

static int read_site(struct dkim_keys *k) {
    BUF_AUTO struct buf mistakes = {.max = SITE_MISTAKES_MAX};
    if (!site_read(k->args->config, &k->site, &mistakes)) {
        fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&mistakes)));
        return EX_CONFIG;
    }
    k->directory = arena_dup(&k->arena, k->site->config->dkim_keys).p;
    return EX_OK;
}

int dkim_keys_open(const struct args *a, const char *domain, bool change, struct dkim_keys *k) {
    *k = (struct dkim_keys){.args = a, .arena = {.max = ARENA_MAX}, .text = {.max = DKIM_STORE_TEXT_MAX}, .lock = -1};
    int code = domain ? take_domain_name(k, domain) : EX_OK;
    if (code == EX_OK)
        code = read_site(k);
    if (code == EX_OK && change)
        code = make_directories(k);
    if (code == EX_OK)
        code = domain ? read_store(k, k->domain) : read_all(k);
    if (code == EX_OK)
        add_configured(k);
    return code;
}

void dkim_keys_done(struct dkim_keys *k) {
    if (k->lock >= 0)
        close(k->lock);
    free(k->entries);
    buf_done(&k->text);
    arena_done(&k->arena);
    site_free(k->site);
}

// --- changing

static int write_file(struct dkim_keys *k, const char *path, struct slice text) {
    struct err e = {0};
    if (!file_owner_no_link(path, &e) || !file_replace(path, text, NULL, &e) || !file_owner_as_directory(path, &e))
        return failed(k, &e);
    return EX_OK;
}

int dkim_keys_save(struct dkim_keys *k) {
    BUF_AUTO struct buf text = {.max = DKIM_STORE_TEXT_MAX};
    dkim_store_print(&k->store, &text);
    return write_file(k, path_of(k, k->domain, SLICE(DKIM_STORE_LIST), ""), buf_slice(&text));
}

int dkim_keys_add(struct dkim_keys *k, struct slice selector, bool ed25519, uint32_t bits, struct wall now) {
    BUF_AUTO struct buf pem = {.max = DKIM_STORE_PEM_MAX};
    struct err e = {0};
    if (k->store.n == DKIM_STORE_KEYS_MAX) {
        fprintf(stderr, "%s: %.*s has %d keys already\n", k->args->program, SLICE_ARG(k->domain), DKIM_STORE_KEYS_MAX);
        return EX_UNAVAILABLE;
    }
    buf_reserve(&pem, DKIM_STORE_PEM_MAX);
    if (!key_make(ed25519, bits, &pem, &e))
        return failed(k, &e);
    int code = write_file(k, path_of(k, k->domain, selector, DKIM_STORE_PEM), buf_slice(&pem));
    explicit_bzero(pem.p, pem.cap);
    if (code != EX_OK)
        return code;
    struct dkim_store_key *key = &k->store.keys[k->store.n++];
    *key = (struct dkim_store_key){selector, DKIM_STORE_PENDING, now};
    add_stored(k, k->domain, key);
    return EX_OK;
}

int dkim_keys_remove(struct dkim_keys *k, struct slice selector) {
    struct dkim_store_key *key = dkim_store_find(&k->store, selector);
    const char *path = path_of(k, k->domain, selector, DKIM_STORE_PEM);
    struct err e = {0};
    if (!key)
        return EX_OK;
    memmove(key, key + 1, (size_t)(&k->store.keys[--k->store.n] - key) * sizeof *key);
    int code = dkim_keys_save(k); // first: a line without its key would be an error in the server's log
    if (code == EX_OK && !file_owner_remove(path, &e))
        code = failed(k, &e);
    return code;
}
