// keys_source: files that are read together or not at all.
#include "svc/keys/keys_source.h"

#include "base/mem.h"
#include "rt/credential.h"
#include "rt/disk/file.h"
#include "rt/journal.h"

#include <stdlib.h>

enum { TELL_AT = 2 }; // failed looks

static char *copy(struct slice s) {
    char *p = mem_new(s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

// A key that serves two purposes has two numbers.
static struct slice purpose_name(enum keys_purpose p) {
    return p == KEYS_TLS ? SLICE("tls") : p == KEYS_DKIM ? SLICE("dkim") : SLICE("arc");
}

static struct keys_source *new_source(enum keys_purpose purpose, struct slice key) {
    struct keys_source *s = MEM_NEW(struct keys_source);
    *s = (struct keys_source){.purpose = purpose, .chain.max = KEYS_FILE_MAX, .ocsp.max = KEYS_FILE_MAX};
    s->files[KEYS_FILE_KEY].path = copy(key);
    return s;
}

struct keys_source *keys_source_of_certificate(const struct config_certificate *c) {
    struct keys_source *s = new_source(KEYS_TLS, c->key);
    s->files[KEYS_FILE_CERTIFICATE].path = copy(c->certificate);
    if (c->ocsp.n)
        s->files[KEYS_FILE_OCSP].path = copy(c->ocsp);
    return s;
}

struct keys_source *keys_source_of_dkim(const struct config_dkim *d) {
    struct keys_source *s = new_source(KEYS_DKIM, d->key);
    s->domain = copy(d->domain);
    s->signer = copy(d->signer);
    s->selector = copy(d->selector);
    return s;
}

struct keys_source *keys_source_of_arc(const struct config_arc *c) {
    struct config_dkim d = {.domain = c->domain, .signer = c->domain, .selector = c->selector, .key = c->key};
    struct keys_source *s = keys_source_of_dkim(&d);
    s->purpose = KEYS_ARC;
    return s;
}

void keys_source_free(struct keys_source *s) {
    if (!s)
        return;
    for (size_t i = 0; i < KEYS_FILES; i++)
        free(s->files[i].path);
    free(s->domain);
    free(s->signer);
    free(s->selector);
    private_key_free(s->key);
    private_key_free(s->former);
    buf_done(&s->chain);
    buf_done(&s->ocsp);
    free(s);
}

// --- reading

// What was read of the files, before it is known to be good. Room for all of it at once: a key is never moved.
struct fresh {
    struct buf bytes[KEYS_FILES];
    struct private_key *key;
    int64_t expires;
};

static void fresh_done(struct fresh *f) {
    struct buf *key = &f->bytes[KEYS_FILE_KEY];
    if (key->p)
        explicit_bzero(key->p, key->cap);
    for (size_t i = 0; i < KEYS_FILES; i++)
        buf_done(&f->bytes[i]);
    private_key_free(f->key);
}

static bool read_files(const struct keys_source *s, struct fresh *f, struct err *e) {
    for (size_t i = 0; i < KEYS_FILES; i++) {
        f->bytes[i].max = KEYS_FILE_MAX;
        if (!s->files[i].path)
            continue;
        if (!buf_reserve(&f->bytes[i], KEYS_FILE_MAX) || !file_read(s->files[i].path, &f->bytes[i], e))
            return false;
    }
    return true;
}

static bool is_dkim_key(const struct fresh *f, struct err *e) {
    bool ed25519;
    return credential_check_dkim(buf_slice(&f->bytes[KEYS_FILE_KEY]), &ed25519, e);
}

static bool is_pair(struct fresh *f, struct err *e) {
    struct slice chain = buf_slice(&f->bytes[KEYS_FILE_CERTIFICATE]);
    return private_key_fits(f->key, chain, e) && credential_expiry(chain, &f->expires, e);
}

static bool read_fresh(const struct keys_source *s, struct fresh *f, struct err *e) {
    if (!read_files(s, f, e))
        return false;
    f->key = private_key_read(buf_slice(&f->bytes[KEYS_FILE_KEY]), e);
    if (f->key && (s->purpose != KEYS_TLS ? is_dkim_key(f, e) : is_pair(f, e)))
        return true;
    return err_while(e, "%s", s->files[KEYS_FILE_KEY].path);
}

static void take(struct keys_source *s, struct fresh *f) {
    private_key_free(s->former);
    s->former = s->key;
    s->former_number = s->number;
    s->key = f->key;
    f->key = NULL;
    s->number = private_key_number(s->key, purpose_name(s->purpose));
    buf_reset(&s->chain);
    buf_add(&s->chain, buf_slice(&f->bytes[KEYS_FILE_CERTIFICATE]));
    buf_reset(&s->ocsp);
    buf_add(&s->ocsp, buf_slice(&f->bytes[KEYS_FILE_OCSP]));
    s->expires = f->expires;
    s->warn_next = (struct wall){0};
}

struct private_key *keys_source_key(const struct keys_source *s, uint32_t number) {
    if (s->key && s->number == number)
        return s->key;
    return s->former && s->former_number == number ? s->former : NULL;
}

// --- looking

// Whether one is another file, or gone or back, since the last look.
static bool have_changed(struct keys_source *s) {
    bool changed = false;
    for (size_t i = 0; i < KEYS_FILES; i++) {
        struct keys_file *f = &s->files[i];
        struct file_stamp now = {0};
        struct err e;
        bool there = f->path && file_stamp(f->path, &now, &e);
        changed |= there != f->there || (there && !file_stamp_same(&now, &f->stamp));
        f->there = there;
        f->stamp = now;
    }
    return changed;
}

static struct journal_field name_of(const struct keys_source *s) {
    return s->purpose == KEYS_TLS ? JOURNAL_Z("certificate", s->files[KEYS_FILE_CERTIFICATE].path)
                                  : JOURNAL_Z("key", s->files[KEYS_FILE_KEY].path);
}

static void tell_refused(const struct keys_source *s, const struct world *w, const struct err *e) {
    struct slice event = s->purpose == KEYS_TLS ? SLICE("certificate-refused") : SLICE("dkim-key-refused");
    journal_write(w->journal, JOURNAL_ERROR, event,
                  (struct journal_field[]){name_of(s), JOURNAL_BOOL("last-good", s->key != NULL), JOURNAL_ERR(e)}, 3);
}

static void tell_taken(const struct keys_source *s, const struct world *w) {
    struct slice event = s->purpose == KEYS_TLS ? SLICE("certificate-loaded") : SLICE("dkim-key-loaded");
    int64_t days = (s->expires - world_wall(w).ms / 1000) / (24 * 60 * 60);
    journal_write(w->journal, JOURNAL_INFO, event,
                  (struct journal_field[]){name_of(s), s->purpose == KEYS_TLS ? JOURNAL_INT("days", days)
                                                                              : JOURNAL_Z("selector", s->selector)},
                  2);
}

bool keys_source_look(struct keys_source *s, const struct world *w, bool first) {
    struct fresh fresh = {0};
    struct err e = {0};
    bool changed = have_changed(s);
    if (changed)
        s->failures = 0;
    else if (s->failures == 0 || s->failures >= TELL_AT)
        return false; // nothing new, or known to be bad
    bool good = read_fresh(s, &fresh, &e);
    if (good) {
        s->failures = 0;
        take(s, &fresh);
        tell_taken(s, w);
    } else if (++s->failures == TELL_AT || first) {
        s->failures = TELL_AT;
        tell_refused(s, w, &e);
    }
    fresh_done(&fresh);
    return good;
}
