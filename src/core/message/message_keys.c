// message_keys: what is said with the process that holds private keys, as bytes and back.
#include "core/message/message_keys.h"

#include "core/message/message_inside.h"

enum {
    CERTIFICATE_LEAST = 4 + 4 + 4, // bytes of one whose slices are empty
    DKIM_LEAST = 4 + 1 + 4 + 4 + 4,
};

// --- KEYS_SET

static void pack_certificate(struct buf *b, const struct message_keys_certificate *c) {
    pack_u32(b, c->key);
    pack_slice(b, c->chain);
    pack_slice(b, c->ocsp);
}

static void pack_dkim(struct buf *b, const struct message_keys_dkim *d) {
    pack_u32(b, d->key);
    message_pack_bool(b, d->ed25519);
    pack_slice(b, d->domain);
    pack_slice(b, d->signer);
    pack_slice(b, d->selector);
}

bool message_keys_set_pack(struct buf *b, const struct message_keys_set *m) {
    pack_u32(b, (uint32_t)m->certificates_n);
    for (size_t i = 0; i < m->certificates_n; i++)
        pack_certificate(b, &m->certificates[i]);
    pack_u32(b, (uint32_t)m->dkims_n);
    for (size_t i = 0; i < m->dkims_n; i++)
        pack_dkim(b, &m->dkims[i]);
    pack_slice(b, m->tickets);
    return !b->failed;
}

static void unpack_certificates(struct unpack *u, struct arena *arena, struct message_keys_set *m) {
    m->certificates = message_unpack_array(u, arena, MESSAGE_KEYS_MAX, CERTIFICATE_LEAST, sizeof *m->certificates,
                                           &m->certificates_n);
    for (size_t i = 0; i < m->certificates_n; i++) {
        m->certificates[i].key = unpack_u32(u);
        m->certificates[i].chain = unpack_slice(u);
        m->certificates[i].ocsp = unpack_slice(u);
    }
}

static void unpack_dkims(struct unpack *u, struct arena *arena, struct message_keys_set *m) {
    m->dkims = message_unpack_array(u, arena, MESSAGE_KEYS_MAX, DKIM_LEAST, sizeof *m->dkims, &m->dkims_n);
    for (size_t i = 0; i < m->dkims_n; i++) {
        m->dkims[i].key = unpack_u32(u);
        m->dkims[i].ed25519 = message_unpack_bool(u);
        m->dkims[i].domain = unpack_slice(u);
        m->dkims[i].signer = unpack_slice(u);
        m->dkims[i].selector = unpack_slice(u);
    }
}

bool message_keys_set_unpack(struct slice payload, struct arena *arena, struct message_keys_set *out) {
    struct unpack u = {.rest = payload};
    struct message_keys_set m = {0};
    unpack_certificates(&u, arena, &m);
    unpack_dkims(&u, arena, &m);
    m.tickets = unpack_slice(&u);
    if (!unpack_end(&u) || m.tickets.n % MESSAGE_TICKET_KEY != 0)
        return false;
    *out = m;
    return true;
}

// --- KEYS_SIGN, KEYS_SIGNED

static bool fits(enum message_keys_hash hash, size_t n) {
    static const size_t sizes[] = {[MESSAGE_KEYS_SHA1] = 20,
                                   [MESSAGE_KEYS_SHA256] = 32,
                                   [MESSAGE_KEYS_SHA384] = 48,
                                   [MESSAGE_KEYS_SHA512] = 64,
                                   [MESSAGE_KEYS_MD5_SHA1] = 36};
    return hash == MESSAGE_KEYS_PURE ? n <= MESSAGE_KEYS_PURE_MAX : n == sizes[hash];
}

bool message_keys_sign_pack(struct buf *b, const struct message_keys_sign *m) {
    pack_u32(b, m->key);
    pack_u8(b, (uint8_t)m->padding);
    pack_u8(b, (uint8_t)m->hash);
    pack_slice(b, m->digest);
    return !b->failed;
}

bool message_keys_sign_unpack(struct slice payload, struct message_keys_sign *out) {
    struct unpack u = {.rest = payload};
    struct message_keys_sign m = {.key = unpack_u32(&u)};
    m.padding = (enum message_keys_padding)message_unpack_enum(&u, MESSAGE_KEYS_PSS);
    m.hash = (enum message_keys_hash)message_unpack_enum(&u, MESSAGE_KEYS_MD5_SHA1);
    m.digest = unpack_slice(&u);
    if (!unpack_end(&u) || !fits(m.hash, m.digest.n))
        return false;
    *out = m;
    return true;
}

bool message_keys_signed_pack(struct buf *b, const struct message_keys_signed *m) {
    message_pack_bool(b, m->ok);
    pack_slice(b, m->signature);
    return !b->failed;
}

bool message_keys_signed_unpack(struct slice payload, struct message_keys_signed *out) {
    struct unpack u = {.rest = payload};
    struct message_keys_signed m = {.ok = message_unpack_bool(&u)};
    m.signature = unpack_slice(&u);
    if (!unpack_end(&u) || m.signature.n > MESSAGE_KEYS_SIGNATURE_MAX || (!m.ok && m.signature.n))
        return false;
    *out = m;
    return true;
}
