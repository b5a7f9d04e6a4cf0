// signing: a hash of the body for all signatures, then one request for each.
#include "svc/signing.h"

#include "mail/address.h"
#include "svc/keys_client.h"

enum { NAMES_MAX = 64 * 1024, ED25519_SIGNATURE = 64 };

static FIBER_FN bool sign_with_keys(void *arg, const struct message_keys_sign *what, struct buf *out, struct err *e) {
    return keys_client_sign(arg, what, out, e);
}

struct signer signer_of_keys(struct keys_client *keys) {
    return (struct signer){.sign = sign_with_keys, .arg = keys};
}

static struct slice keep(struct signing *s, struct slice name) { return arena_dup(&s->arena, name); }

void signing_begin(struct signing *s, const struct message_keys_dkim *rules, size_t rules_n, struct slice from,
                   struct slice header) {
    size_t which[DKIM_RULES_MAX];
    struct err e;
    *s = (struct signing){.arena = {.max = NAMES_MAX}};
    (void)!address_normalize_domain(from, &s->arena, &from, &e); // a domain that has no A-labels is compared as it is
    s->n = dkim_rules_pick(rules, rules_n, from, which);
    for (size_t i = 0; i < s->n; i++) {
        const struct message_keys_dkim *rule = &rules[which[i]];
        s->by[i] = (struct dkim_sign_by){keep(s, rule->signer), keep(s, rule->selector), rule->ed25519, 0};
        s->keys[i] = rule->key;
    }
    if (s->n == 0)
        return;
    s->too_large = !dkim_sign_header(DKIM_RELAXED, header, &s->header);
    dkim_body_begin(&s->body, DKIM_RELAXED);
}

void signing_body(struct signing *s, struct slice piece) {
    if (s->n)
        dkim_body_add(&s->body, piece);
}

static size_t signature_max(const struct dkim_sign_by *by) {
    return by->ed25519 ? ED25519_SIGNATURE : MESSAGE_KEYS_SIGNATURE_MAX;
}

size_t signing_room(const struct signing *s) {
    size_t room = 0;
    for (size_t i = 0; i < s->n; i++)
        room +=
            dkim_sign_room(&s->header, &s->by[i], s->by[i].ed25519 ? ED25519_SIGNATURE : MESSAGE_KEYS_SIGNATURE_MAX);
    return room;
}

// Adds the field to `out`, which keeps a part of it when it fails.
FIBER_FN static bool sign_one(struct signing *s, size_t i, struct wall now, const uint8_t *body_hash,
                              const struct signer *signer, struct buf *out, struct err *e) {
    uint8_t digest[DIGEST_SHA256_SIZE];
    const struct dkim_sign_by *by = &s->by[i];
    BUF_AUTO struct buf signature = {.max = signature_max(by)};
    struct message_keys_sign ask = {
        .key = s->keys[i],
        .padding = by->ed25519 ? MESSAGE_KEYS_NONE : MESSAGE_KEYS_PKCS1,
        .hash = by->ed25519 ? MESSAGE_KEYS_PURE : MESSAGE_KEYS_SHA256,
        .digest = slice_of(digest, sizeof digest),
    };
    if (!dkim_sign_prepare(&s->header, by, now, DKIM_RELAXED, body_hash, out, digest))
        return err_set(e, ERR_TEMPORARY, "no memory for the signature");
    if (!signer->sign(signer->arg, &ask, &signature, e))
        return false;
    return dkim_sign_finish(out, buf_slice(&signature)) || err_set(e, ERR_TEMPORARY, "no memory for the signature");
}

bool signing_finish(struct signing *s, struct wall now, const struct signer *signer, struct buf *out, struct err *e) {
    uint8_t body_hash[DIGEST_SHA256_SIZE];
    size_t before = out->n;
    struct err why;
    if (s->n == 0)
        return true;
    if (s->too_large)
        return err_smtp(e, 552, "5.3.4", "the header is too large to be signed");
    dkim_body_end(&s->body, body_hash);
    for (size_t i = 0; i < s->n; i++)
        if (!sign_one(s, i, now, body_hash, signer, out, &why)) {
            out->n = before;
            return err_smtp(e, 451, "4.7.5", "the message can't be signed for %.*s now: %s", SLICE_ARG(s->by[i].domain),
                            why.text);
        }
    return true;
}

void signing_done(struct signing *s) {
    dkim_sign_header_done(&s->header);
    dkim_body_done(&s->body);
    arena_done(&s->arena);
    s->n = 0;
}
