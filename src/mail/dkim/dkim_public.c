// dkim_public: asking, and what a record allows.
#include "mail/dkim/dkim_public.h"

#include "base/signature.h"
#include "mail/dkim/dkim_key.h"

enum { NAME_BYTES = 253, RECORDS_MAX = 4, KEY_ROOM = 16 * 1024, AT_ONCE = 16, ANSWER_MAX = 80 * 1024 };

bool dkim_publics_init(struct dkim_publics *p, size_t max, struct arena *arena) {
    *p = (struct dkim_publics){arena_alloc(arena, (max + 1) * sizeof *p->list), 0, max, {.max = max * ANSWER_MAX}};
    return p->list != NULL;
}

void dkim_publics_done(struct dkim_publics *p) { arena_done(&p->answers); }

size_t dkim_publics_want(struct dkim_publics *p, const struct dkim_signature *s, struct arena *arena) {
    struct slice name = arena_printf(arena, "%.*s._domainkey.%.*s", SLICE_ARG(s->selector), SLICE_ARG(s->domain));
    for (size_t i = 0; i < p->n; i++)
        if (slice_eq(p->list[i].name, name))
            return i;
    if (p->n == p->max || !name.p || name.n > NAME_BYTES)
        return p->max;
    p->list[p->n].name = name;
    return p->n++;
}

void dkim_publics_ask(struct dkim_publics *p, struct oracle *o) {
    for (size_t at = 0, n; at < p->n; at += n) {
        struct oracle_question questions[AT_ONCE];
        struct oracle_answer answers[AT_ONCE];
        n = p->n - at < AT_ONCE ? p->n - at : AT_ONCE;
        for (size_t i = 0; i < n; i++)
            questions[i] = (struct oracle_question){ORACLE_TXT, p->list[at + i].name};
        o->ask(o, questions, n, &p->answers, answers);
        for (size_t i = 0; i < n; i++)
            p->list[at + i].answer = answers[i];
    }
}

// --- checking

static bool allowed(const struct dkim_key *key, const struct dkim_signature *s, struct err *e) {
    if (key->key.n == 0)
        return err_set(e, ERR_PERMANENT, "the key was revoked");
    if (key->ed25519 != s->ed25519)
        return err_set(e, ERR_PERMANENT, "the key is of another kind than the signature");
    if (!key->sha256)
        return err_set(e, ERR_PERMANENT, "the key is not for SHA-256 (h=)");
    if (!key->email)
        return err_set(e, ERR_PERMANENT, "the key is not for e-mail (s=)");
    if (key->same_domain && !s->same_domain)
        return err_set(e, ERR_PERMANENT, "the key is not for domains below its own (t=s)");
    return true;
}

static bool read_key(const struct dkim_key *key, struct signature_key *out, struct err *e) {
    if (!signature_key_read(key->ed25519, key->key, out, e))
        return err_while(e, "the key's record");
    if (!key->ed25519 && out->bits < DKIM_VERIFY_RSA_MIN)
        return err_set(e, ERR_PERMANENT, "the key has %u bits; %d are the least (RFC 8301)", out->bits,
                       DKIM_VERIFY_RSA_MIN);
    return true;
}

static void say(struct dkim_checked *out, enum dkim_result result, struct slice why, struct arena *arena) {
    out->result = result;
    out->why = arena_dup(arena, why);
}

static void check_record(struct slice record, const struct dkim_signature *s, const uint8_t *digest,
                         struct arena *arena, struct dkim_checked *out) {
    ARENA_AUTO struct arena room = {.max = KEY_ROOM};
    struct dkim_key key;
    struct signature_key number;
    struct err e;
    if (!dkim_key_parse(record, &room, &key, &e)) {
        err_while(&e, "the key's record");
        say(out, DKIM_PERMERROR, slice_str(e.text), arena);
        return;
    }
    out->testing = key.testing;
    if (!allowed(&key, s, &e) || !read_key(&key, &number, &e)) {
        say(out, DKIM_PERMERROR, slice_str(e.text), arena);
        return;
    }
    out->bits = number.bits;
    if (signature_holds(&number, digest, s->signature))
        out->result = DKIM_PASS;
    else
        say(out, DKIM_FAIL, SLICE("the signature does not fit its fields"), arena);
}

static void check_records(const struct oracle_answer *a, const struct dkim_signature *s, const uint8_t *digest,
                          struct arena *arena, struct dkim_checked *out) {
    struct dkim_checked first = {.result = DKIM_NONE};
    for (size_t i = 0; i < a->n && i < RECORDS_MAX; i++) {
        struct dkim_checked now = {.result = DKIM_NONE};
        check_record(a->records[i].text, s, digest, arena, &now);
        if (i == 0 || now.result == DKIM_PASS || (first.result != DKIM_FAIL && now.result == DKIM_FAIL))
            first = now;
        if (now.result == DKIM_PASS)
            break;
    }
    *out = first;
}

void dkim_publics_check(const struct dkim_publics *p, size_t place, const struct dkim_signature *s,
                        const uint8_t digest[DIGEST_SHA256_SIZE], struct arena *arena, struct dkim_checked *out) {
    *out = (struct dkim_checked){.result = DKIM_PERMERROR, .why = SLICE("there is no such key")};
    if (place >= p->n) {
        out->why = SLICE("the name of its key is too long");
        return;
    }
    const struct oracle_answer *a = &p->list[place].answer;
    if (a->status == ORACLE_OK && a->n)
        check_records(a, s, digest, arena, out);
    else if (a->status == ORACLE_FAILED || a->status == ORACLE_TIMEOUT)
        say(out, DKIM_TEMPERROR, a->why.n ? a->why : SLICE("DNS gave no answer about the key"), arena);
}
