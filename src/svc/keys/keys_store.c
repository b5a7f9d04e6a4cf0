// keys_store: a list of sources, of which those of `posthouse dkim` come and go.
#include "svc/keys/keys_store.h"

#include "base/mem.h"
#include "core/keys/dkim_rules.h"
#include "core/keys/dkim_store.h"
#include "rt/disk/file.h"
#include "rt/disk/file_list.h"
#include "rt/journal.h"

#include <stdlib.h>

enum {
    PATH_MAX_BYTES = 4096,
    SOURCES_MAX = MESSAGE_KEYS_MAX,
    WARN_DAYS = 21,
    DAY_S = 24 * 60 * 60,
};

// A domain's list of managed keys.
struct managed {
    char *domain;
    struct file_stamp stamp;
    bool read;  // `stamp` is of what was read
    bool there; // at this look
};

struct keys_store {
    const struct world *world;
    const struct config *config;
    struct keys_source **sources;
    size_t n;
    struct map by_number; // of those that are in use
    char *directory;      // of managed keys
    struct managed *domains;
    size_t domains_n;
};

static void append(struct keys_store *t, struct keys_source *s) {
    t->sources = mem_grow(t->sources, t->n + 1, sizeof(struct keys_source *));
    t->sources[t->n++] = s;
}

static char *copy(struct slice s) {
    char *p = mem_new(s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

struct keys_store *keys_store_new(const struct world *w, const struct config *c) {
    struct keys_store *t = MEM_NEW(struct keys_store);
    *t = (struct keys_store){.world = w, .config = c, .directory = copy(c->dkim_keys)};
    for (size_t i = 0; i < c->certificates_n; i++)
        append(t, keys_source_of_certificate(&c->certificates[i]));
    for (size_t i = 0; i < c->dkims_n; i++)
        append(t, keys_source_of_dkim(&c->dkims[i]));
    if (c->gate.arc.key.n)
        append(t, keys_source_of_arc(&c->gate.arc));
    return t;
}

void keys_store_free(struct keys_store *t) {
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        keys_source_free(t->sources[i]);
    for (size_t i = 0; i < t->domains_n; i++)
        free(t->domains[i].domain);
    map_done(&t->by_number);
    free(t->sources);
    free(t->domains);
    free(t->directory);
    free(t);
}

// --- those of `posthouse dkim`

static bool add_path(struct buf *to, const struct keys_store *t, const char *domain, struct slice file,
                     const char *ending) {
    return buf_addf(to, "%s/%s/%.*s%s", t->directory, domain, SLICE_ARG(file), ending);
}

static void note_domain(void *arg, struct slice name) {
    struct keys_store *t = arg;
    if (!dkim_store_domain_ok(name))
        return;
    for (size_t i = 0; i < t->domains_n; i++)
        if (slice_eq(slice_str(t->domains[i].domain), name)) {
            t->domains[i].there = true;
            return;
        }
    t->domains = mem_grow(t->domains, t->domains_n + 1, sizeof *t->domains);
    t->domains[t->domains_n++] = (struct managed){.domain = copy(name), .there = true};
}

static void keep_or_add(struct keys_store *t, const char *domain, struct slice selector) {
    BUF_AUTO struct buf path = {.max = PATH_MAX_BYTES};
    for (size_t i = 0; i < t->n; i++) {
        struct keys_source *s = t->sources[i];
        if (s->managed && !strcmp(s->domain, domain) && slice_eq(slice_str(s->selector), selector)) {
            s->kept = true;
            return;
        }
    }
    if (t->n == SOURCES_MAX || !add_path(&path, t, domain, selector, DKIM_STORE_PEM))
        return;
    struct slice of = slice_str(domain);
    struct keys_source *s = keys_source_of_dkim(
        &(struct config_dkim){.domain = of, .signer = of, .selector = selector, .key = buf_slice(&path)});
    s->managed = s->kept = true;
    append(t, s);
}

static void keep_all(struct keys_store *t, const char *domain, bool kept) {
    for (size_t i = 0; i < t->n; i++)
        if (t->sources[i]->managed && !strcmp(t->sources[i]->domain, domain))
            t->sources[i]->kept = kept;
}

// A list that can't be read leaves things as they are.
static void read_list(struct keys_store *t, struct managed *m, const char *path) {
    BUF_AUTO struct buf text = {.max = DKIM_STORE_TEXT_MAX};
    struct dkim_store list = {0};
    struct err e;
    if (!file_read(path, &text, &e) || !dkim_store_parse(buf_slice(&text), &list, &e)) {
        journal_event(t->world->journal, JOURNAL_ERROR, "dkim-list-refused", JOURNAL_Z("file", path), JOURNAL_ERR(&e));
        return;
    }
    keep_all(t, m->domain, false);
    for (size_t i = 0; i < list.n; i++)
        if (list.keys[i].state == DKIM_STORE_ACTIVE)
            keep_or_add(t, m->domain, list.keys[i].selector);
}

static void look_at_domain(struct keys_store *t, struct managed *m) {
    BUF_AUTO struct buf path = {.max = PATH_MAX_BYTES};
    struct file_stamp now;
    struct err e;
    if (!m->there || !add_path(&path, t, m->domain, slice_str(DKIM_STORE_LIST), "") || !buf_add_char(&path, '\0') ||
        !file_stamp(path.p, &now, &e)) {
        keep_all(t, m->domain, false); // gone
        m->read = false;
        return;
    }
    if (m->read && file_stamp_same(&now, &m->stamp))
        return;
    m->read = true;
    m->stamp = now;
    read_list(t, m, path.p);
}

static bool drop_unkept(struct keys_store *t) {
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->sources[i]->managed && !t->sources[i]->kept)
            keys_source_free(t->sources[i]);
        else
            t->sources[kept++] = t->sources[i];
    bool dropped = kept != t->n;
    t->n = kept;
    return dropped;
}

static bool look_at_managed(struct keys_store *t) {
    struct err e;
    for (size_t i = 0; i < t->domains_n; i++)
        t->domains[i].there = false;
    (void)!file_list(t->directory, note_domain, t, &e); // most have none
    for (size_t i = 0; i < t->domains_n; i++)
        look_at_domain(t, &t->domains[i]);
    return drop_unkept(t);
}

// --- all

enum { MORE_KEYS = 128, KEYS_OF_DOMAIN = 4 };

size_t keys_store_most(struct keys_store *t) {
    struct err e;
    (void)!file_list(t->directory, note_domain, t, &e); // most have none
    return t->n + KEYS_OF_DOMAIN * t->domains_n + MORE_KEYS;
}

static struct slice number_of(const uint32_t *number) { return slice_of(number, sizeof *number); }

static void index_all(struct keys_store *t) {
    struct hash_key key = t->by_number.key;
    map_done(&t->by_number);
    t->by_number = (struct map){.key = key};
    for (size_t i = 0; i < t->n; i++)
        if (t->sources[i]->former)
            map_set(&t->by_number, number_of(&t->sources[i]->former_number), t->sources[i]);
    for (size_t i = t->n; i-- > 0;) // of two with the same key the first counts
        if (t->sources[i]->key)
            map_set(&t->by_number, number_of(&t->sources[i]->number), t->sources[i]);
}

bool keys_store_look(struct keys_store *t, bool first) {
    bool changed = look_at_managed(t);
    for (size_t i = 0; i < t->n; i++)
        changed |= keys_source_look(t->sources[i], t->world, first);
    if (changed)
        index_all(t);
    return changed;
}

struct keys_source *keys_store_find(const struct keys_store *t, uint32_t number) {
    return map_get(&t->by_number, number_of(&number));
}

size_t keys_store_certificates(const struct keys_store *t, size_t *wanted) {
    size_t usable = 0;
    *wanted = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->sources[i]->purpose == KEYS_TLS) {
            (*wanted)++;
            usable += t->sources[i]->key != NULL;
        }
    return usable;
}

bool keys_store_serves(const struct keys_store *t, const struct keys_source *s, enum role asker) {
    struct slice from = t->config->gate.reports.from;
    if (s->purpose == KEYS_TLS)
        return asker != ROLE_REPORT;
    if (s->purpose == KEYS_ARC)
        return asker == ROLE_SMTPD;
    return asker == ROLE_SUBMISSION ||
           (asker == ROLE_REPORT &&
            dkim_rules_aligned(slice_str(s->signer), slice_from(from, slice_rfind(from, '@') + 1)));
}

static void add_to_set(const struct keys_source *s, struct message_keys_set *out) {
    if (s->purpose == KEYS_TLS)
        out->certificates[out->certificates_n++] = (struct message_keys_certificate){
            .key = s->number, .chain = buf_slice(&s->chain), .ocsp = buf_slice(&s->ocsp)};
    else
        out->dkims[out->dkims_n++] =
            (struct message_keys_dkim){.key = s->number,
                                       .ed25519 = private_key_kind(s->key) == PRIVATE_KEY_ED25519,
                                       .domain = slice_str(s->domain),
                                       .signer = slice_str(s->signer),
                                       .selector = slice_str(s->selector)};
}

bool keys_store_set(const struct keys_store *t, enum role asker, struct arena *arena, struct message_keys_set *out) {
    *out = (struct message_keys_set){.certificates = arena_alloc(arena, (t->n + 1) * sizeof *out->certificates),
                                     .dkims = arena_alloc(arena, (t->n + 1) * sizeof *out->dkims)};
    if (!out->certificates || !out->dkims)
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (t->sources[i]->key && keys_store_serves(t, t->sources[i], asker))
            add_to_set(t->sources[i], out);
    return true;
}

// --- expiry

static void tell_expiry(const struct keys_store *t, struct keys_source *s, int64_t left) {
    struct wall now = world_wall(t->world);
    if (left > (int64_t)WARN_DAYS * DAY_S || now.ms < s->warn_next.ms)
        return;
    s->warn_next = (struct wall){now.ms + (int64_t)DAY_S * 1000};
    struct journal_field name = JOURNAL_Z("certificate", s->files[KEYS_FILE_CERTIFICATE].path);
    if (left > 0)
        journal_event(t->world->journal, JOURNAL_WARNING, "certificate-expires", name,
                      JOURNAL_INT("days", left / DAY_S));
    else
        journal_event(t->world->journal, JOURNAL_ERROR, "certificate-expired", name,
                      JOURNAL_INT("days", -left / DAY_S));
}

int64_t keys_store_expiry(struct keys_store *t, bool tells) {
    int64_t now = world_wall(t->world).ms / 1000, least = INT64_MAX;
    for (size_t i = 0; i < t->n; i++) {
        struct keys_source *s = t->sources[i];
        if (s->purpose != KEYS_TLS || !s->key)
            continue;
        least = s->expires - now < least ? s->expires - now : least;
        if (tells)
            tell_expiry(t, s, s->expires - now);
    }
    return least;
}
