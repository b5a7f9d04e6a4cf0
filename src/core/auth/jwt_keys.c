// jwt_keys: a JWKS, and what its keys signed. The only place above the floors' ground that calls libcrypto by itself.
#include "core/auth/jwt_inside.h"

#include "base/mem.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { RSA_LEAST = 2048, RSA_MOST = 8192, RSA_EXPONENT_MAX = 8, P256_BYTES = 32, ED25519_BYTES = 32, KEY_BYTES = 1100 };

// What a key is for.
enum jwt_family { JWT_RSA, JWT_P256, JWT_ED25519 };

struct jwt_key {
    enum jwt_family family;
    EVP_PKEY *pkey;
    struct slice id;  // empty: none was given
    struct slice alg; // empty: any of the family
};

struct jwt_keys {
    struct arena arena;
    struct jwt_key *keys;
    size_t n;
};

static const struct {
    const char *name;
    enum jwt_family family;
    bool pss;
} algorithms[] = {
    {"RS256", JWT_RSA, false},
    {"PS256", JWT_RSA, true},
    {"ES256", JWT_P256, false},
    {"EdDSA", JWT_ED25519, false},
};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

static size_t find_algorithm(struct slice name) {
    size_t i = 0;
    while (i < ALGORITHMS && !slice_eq(name, slice_str(algorithms[i].name)))
        i++;
    return i;
}

// --- keys

static bool member_bytes(const json_t *key, const char *name, struct buf *out) {
    struct slice text = jwt_text(key, name);
    return text.n && jwt_base64url(text, out);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *key = NULL;
    if (!context || !params || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        key = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(context);
    return key;
}

static BIGNUM *number(const struct buf *b) { return BN_bin2bn((const unsigned char *)b->p, (int)b->n, NULL); }

static EVP_PKEY *rsa_key(const json_t *jwk) {
    struct buf n BUF_AUTO = {.max = KEY_BYTES}, e BUF_AUTO = {.max = RSA_EXPONENT_MAX};
    if (!member_bytes(jwk, "n", &n) || !member_bytes(jwk, "e", &e))
        return NULL;
    BIGNUM *modulus = number(&n), *exponent = number(&e);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    bool fits = modulus && exponent && build && BN_num_bits(modulus) >= RSA_LEAST && BN_num_bits(modulus) <= RSA_MOST &&
                BN_is_odd(modulus) && BN_is_odd(exponent) && !BN_is_one(exponent);
    if (fits && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
        key = from_params("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

// A point that isn't on the curve is refused by libcrypto.
static EVP_PKEY *p256_key(const json_t *jwk) {
    struct buf point BUF_AUTO = {.max = 1 + 2 * P256_BYTES};
    if (!slice_eq(jwt_text(jwk, "crv"), SLICE("P-256")) || !buf_add_char(&point, 4) ||
        !member_bytes(jwk, "x", &point) || point.n != 1 + P256_BYTES || !member_bytes(jwk, "y", &point) ||
        point.n != 1 + 2 * P256_BYTES)
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n))
        key = from_params("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *ed25519_key(const json_t *jwk) {
    struct buf x BUF_AUTO = {.max = ED25519_BYTES};
    if (!slice_eq(jwt_text(jwk, "crv"), SLICE("Ed25519")) || !member_bytes(jwk, "x", &x) || x.n != ED25519_BYTES)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.p, x.n);
}

// RFC 7517 4.2, 4.3: a key may say that it is for something else than checking signatures.
static bool is_for_signatures(const json_t *jwk) {
    struct slice use = jwt_text(jwk, "use");
    const json_t *operations = json_object_get(jwk, "key_ops"), *operation;
    size_t i;
    if (use.n && !slice_eq(use, SLICE("sig")))
        return false;
    if (!operations)
        return true;
    json_array_foreach(operations, i, operation) {
        const char *name = json_string_value(operation);
        if (name && slice_eq(slice_str(name), SLICE("verify")))
            return true;
    }
    return false;
}

static bool read_key(struct arena *a, const json_t *jwk, struct jwt_key *out) {
    struct slice type = jwt_text(jwk, "kty");
    struct jwt_key k = {.id = arena_dup(a, jwt_text(jwk, "kid")), .alg = arena_dup(a, jwt_text(jwk, "alg"))};
    size_t alg = k.alg.n ? find_algorithm(k.alg) : 0;
    if (!is_for_signatures(jwk) || alg == ALGORITHMS)
        return false;
    if (slice_eq(type, SLICE("RSA"))) {
        k.family = JWT_RSA;
        k.pkey = rsa_key(jwk);
    } else if (slice_eq(type, SLICE("EC"))) {
        k.family = JWT_P256;
        k.pkey = p256_key(jwk);
    } else if (slice_eq(type, SLICE("OKP"))) {
        k.family = JWT_ED25519;
        k.pkey = ed25519_key(jwk);
    }
    ERR_clear_error();
    *out = k;
    return k.pkey != NULL;
}

static bool read_keys(const json_t *list, struct jwt_keys *k, struct err *e) {
    size_t i;
    json_t *jwk;
    k->keys = mem_new(JWT_KEYS_MAX, sizeof *k->keys);
    json_array_foreach(list, i, jwk) {
        struct jwt_key key;
        if (!read_key(&k->arena, jwk, &key))
            continue;
        if (k->n == JWT_KEYS_MAX) {
            EVP_PKEY_free(key.pkey);
            return err_set(e, ERR_PERMANENT, "more than %d keys", JWT_KEYS_MAX);
        }
        k->keys[k->n++] = key;
    }
    return k->n ||
           err_set(e, ERR_PERMANENT, "no key that could be used: RSA of 2048 to 8192 bits, EC of P-256, or Ed25519");
}

struct jwt_keys *jwt_keys_parse(struct slice text, struct err *e) {
    json_t *set = text.n <= JWT_KEYS_TEXT_MAX ? jwt_json(text) : NULL;
    const json_t *list = json_object_get(set, "keys");
    struct jwt_keys *k = MEM_NEW(struct jwt_keys);
    *k = (struct jwt_keys){.arena = {.max = JWT_KEYS_TEXT_MAX}};
    if (!json_is_array(list))
        err_set(e, ERR_PERMANENT, "no JWKS: expected a JSON object with a list \"keys\"");
    if (!json_is_array(list) || !read_keys(list, k, e)) {
        jwt_keys_free(k);
        k = NULL;
    }
    json_decref(set);
    return k;
}

void jwt_keys_free(struct jwt_keys *k) {
    if (!k)
        return;
    for (size_t i = 0; i < k->n; i++)
        EVP_PKEY_free(k->keys[i].pkey);
    arena_done(&k->arena);
    free(k->keys);
    free(k);
}

size_t jwt_keys_count(const struct jwt_keys *k) { return k->n; }

// --- signatures

// RFC 7518 3.4: R and S, 32 bytes each, where libcrypto wants ASN.1.
static int p256_signature(struct slice raw, unsigned char **der) {
    ECDSA_SIG *s = raw.n == 2 * P256_BYTES ? ECDSA_SIG_new() : NULL;
    int n = 0;
    if (!s)
        return 0;
    BIGNUM *r_part = BN_bin2bn((const unsigned char *)raw.p, P256_BYTES, NULL);
    BIGNUM *s_part = BN_bin2bn((const unsigned char *)raw.p + P256_BYTES, P256_BYTES, NULL);
    if (r_part && s_part && ECDSA_SIG_set0(s, r_part, s_part)) {
        n = i2d_ECDSA_SIG(s, der);
    } else {
        BN_free(r_part);
        BN_free(s_part);
    }
    ECDSA_SIG_free(s);
    return n;
}

static bool verify(EVP_PKEY *key, size_t alg, struct slice text, const unsigned char *signature, size_t n) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details = NULL; // the context's own
    const EVP_MD *hash = algorithms[alg].family == JWT_ED25519 ? NULL : EVP_sha256();
    bool ok = context && EVP_DigestVerifyInit(context, &details, hash, NULL, key) == 1;
    if (ok && algorithms[alg].pss) // RFC 7518 3.5: the salt is as long as the hash
        ok = EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(details, EVP_sha256()) == 1;
    ok = ok && EVP_DigestVerify(context, signature, n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

static bool verify_raw(const struct jwt_key *key, size_t alg, struct slice text, struct slice signature) {
    if (key->family != JWT_P256)
        return verify(key->pkey, alg, text, (const unsigned char *)signature.p, signature.n);
    unsigned char *der = NULL;
    int n = p256_signature(signature, &der);
    bool ok = n > 0 && verify(key->pkey, alg, text, der, (size_t)n);
    OPENSSL_free(der);
    return ok;
}

static bool may_use(const struct jwt_key *key, size_t alg, struct slice kid) {
    return key->family == algorithms[alg].family &&
           (!key->alg.n || slice_eq(key->alg, slice_str(algorithms[alg].name))) &&
           (!key->id.n || !kid.n || slice_eq(key->id, kid));
}

bool jwt_keys_verify(const struct jwt_keys *k, struct slice alg, struct slice kid, struct slice text,
                     struct slice signature, struct err *e) {
    size_t algorithm = find_algorithm(alg), tried = 0;
    if (algorithm == ALGORITHMS)
        return err_set(e, ERR_PERMANENT, "an algorithm other than RS256, PS256, ES256 and EdDSA");
    for (size_t i = 0; i < k->n; i++) {
        if (!may_use(&k->keys[i], algorithm, kid))
            continue;
        tried++;
        if (verify_raw(&k->keys[i], algorithm, text, signature))
            return true;
    }
    return err_set(e, ERR_PERMANENT,
                   tried ? "the signature isn't by a key of ours" : "signed by a key that isn't ours");
}
