// smtpd_seal: the body's hash while it goes by, then two signatures of the process that has the key.
#include "svc/smtpd/smtpd_seal.h"

#include "mail/arc/arc_seal.h"
#include "mail/header/header.h"
#include "svc/smtpd/smtpd_session.h"

enum { SET_MAX = 64 * 1024, RESULTS_MAX = 64 * 1024 };

void smtpd_seal_begin(struct smtpd_aside *a, struct smtpd_session *s) {
    a->seals = a->verifies && s->shared->signers && s->shared->config->gate.arc.key.n > 0;
    if (a->seals)
        dkim_body_begin(&a->sealed, DKIM_RELAXED);
}

void smtpd_seal_body(struct smtpd_aside *a, struct slice piece) {
    if (a->seals)
        dkim_body_add(&a->sealed, piece);
}

void smtpd_seal_done(struct smtpd_aside *a) { dkim_body_done(&a->sealed); }

// The only key that this role is told of; what is said of it goes when we wait.
static bool find_key(const struct smtpd_session *s, struct arc_seal_by *by, uint32_t *key, struct arena *arena,
                     struct err *e) {
    const struct message_keys_set *set = s->shared->signers(s->shared->signer.arg);
    if (!set || set->dkims_n == 0)
        return err_set(e, ERR_TEMPORARY, "the key isn't there");
    const struct message_keys_dkim *d = &set->dkims[0];
    *by = (struct arc_seal_by){
        .domain = arena_dup(arena, d->signer), .selector = arena_dup(arena, d->selector), .ed25519 = d->ed25519};
    *key = d->key;
    return (by->domain.p && by->selector.p) || err_set(e, ERR_TEMPORARY, "out of memory");
}

static FIBER_FN bool sign(const struct smtpd_session *s, const struct arc_seal *seal, uint32_t key, struct buf *out,
                          struct err *e) {
    struct message_keys_sign ask = {
        .key = key,
        .padding = seal->by.ed25519 ? MESSAGE_KEYS_NONE : MESSAGE_KEYS_PKCS1,
        .hash = seal->by.ed25519 ? MESSAGE_KEYS_PURE : MESSAGE_KEYS_SHA256,
        .digest = slice_of(seal->digest, sizeof seal->digest),
    };
    buf_reset(out);
    return s->shared->signer.sign(s->shared->signer.arg, &ask, out, e);
}

static FIBER_FN bool sign_both(const struct smtpd_session *s, struct arc_seal *seal, uint32_t key, struct arena *arena,
                               struct buf *set, struct err *e) {
    BUF_AUTO struct buf signature = {.max = MESSAGE_KEYS_SIGNATURE_MAX};
    if (!sign(s, seal, key, &signature, e))
        return false;
    if (!arc_seal_message(seal, buf_slice(&signature), arena))
        return err_set(e, ERR_TEMPORARY, "out of memory");
    return sign(s, seal, key, &signature, e) &&
           (arc_seal_finish(seal, buf_slice(&signature), set) || err_set(e, ERR_TEMPORARY, "out of memory"));
}

// What we found, as our Authentication-Results field has it, which is the first in front.
static bool find_results(const struct smtpd_aside *a, struct buf *out, struct err *e) {
    struct header_field field;
    return (header_find(buf_slice(&a->front), SLICE("Authentication-Results"), &field) &&
            header_unfold(out, field.value)) ||
           err_set(e, ERR_TEMPORARY, "there are no results");
}

static FIBER_FN bool make(struct smtpd_aside *a, struct smtpd_session *s, struct buf *set, struct err *e) {
    BUF_AUTO struct buf results = {.max = RESULTS_MAX};
    struct arena *arena = &s->arena;
    struct arc_seal_by by;
    struct arc_seal seal;
    uint8_t hash[DIGEST_SHA256_SIZE];
    uint32_t key = 0;
    dkim_body_end(&a->sealed, hash);
    if (!a->arc.ended)
        return err_set(e, ERR_TEMPORARY, "nobody looked at its chain");
    if (!find_results(a, &results, e) || !find_key(s, &by, &key, arena, e) ||
        !arc_seal_begin(&seal, &by, &a->arc.verdict, buf_slice(&a->head), buf_slice(&results),
                        s->shared->backend->ops->now(s->shared->backend), DKIM_RELAXED, hash, arena, e))
        return false;
    bool ok = sign_both(s, &seal, key, arena, set, e);
    arc_seal_done(&seal);
    return ok;
}

void smtpd_seal_finish(struct smtpd_aside *a, struct smtpd_session *s) {
    BUF_AUTO struct buf set = {.max = SET_MAX};
    struct err e;
    if (!a->seals)
        return;
    a->seals = false;
    if (make(a, s, &set, &e))
        buf_add(&a->front, buf_slice(&set));
    else
        journal_event(s->shared->journal, JOURNAL_WARNING, "not-sealed", JOURNAL_ERR(&e));
}
