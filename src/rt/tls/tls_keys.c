// tls_keys: KEYMGMT and SIGNATURE of an OpenSSL provider, as much of them as a TLS server calls.
#include "rt/tls/tls_keys.h"

#include "base/mem.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define PROVIDER "posthouse"
#define PROPERTIES "provider=" PROVIDER
#define PARAM_KEY "posthouse-key" // of EVP_PKEY_fromdata: where a struct key lies

struct tls_keys {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *usual, *own;
    FIBER_FN bool (*sign)(void *arg, const struct message_keys_sign *what, struct buf *out);
    void *arg;
};

struct key {
    const struct tls_keys *keys;
    EVP_PKEY *public_key; // of the default provider: answers what it can
    uint32_t number;
};

// --- KEYMGMT

static void *key_new(void *provider) { return MEM_NEW(struct key); }

static void key_free(void *p) {
    struct key *k = p;
    if (!k)
        return;
    EVP_PKEY_free(k->public_key);
    free(k);
}

static int key_has(const void *p, int selection) { return 1; }

static int key_match(const void *a, const void *b, int selection) {
    return EVP_PKEY_eq(((const struct key *)a)->public_key, ((const struct key *)b)->public_key) == 1;
}

static int key_import(void *p, int selection, const OSSL_PARAM params[]) {
    const OSSL_PARAM *from = OSSL_PARAM_locate_const(params, PARAM_KEY);
    struct key *k = p, source;
    if (!from || from->data_type != OSSL_PARAM_OCTET_STRING || from->data_size != sizeof source)
        return 0;
    memcpy(&source, from->data, sizeof source);
    if (EVP_PKEY_up_ref(source.public_key) != 1)
        return 0;
    *k = source;
    return 1;
}

static const OSSL_PARAM *key_import_types(int selection) {
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(PARAM_KEY, NULL, 0), OSSL_PARAM_END};
    return types;
}

// The public half only: whoever wants the private one, to sign elsewhere, has to come back to us.
static int key_export(void *p, int selection, OSSL_CALLBACK *take, void *arg) {
    if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
        return 0;
    return EVP_PKEY_export(((struct key *)p)->public_key, selection, take, arg);
}

static const OSSL_PARAM *key_export_types(int selection) {
    static const OSSL_PARAM none[] = {OSSL_PARAM_END};
    return none;
}

static int key_get_params(void *p, OSSL_PARAM params[]) {
    return EVP_PKEY_get_params(((struct key *)p)->public_key, params);
}

static const OSSL_PARAM *key_gettable(void *provider) {
    static const OSSL_PARAM known[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
                                       OSSL_PARAM_END};
    return known;
}

static const char *ecdsa(int operation) { return "ECDSA"; }

typedef void (*function)(void); // as OSSL_DISPATCH has it

#define KEYMGMT                                                                                                        \
    {OSSL_FUNC_KEYMGMT_NEW, (function)key_new}, {OSSL_FUNC_KEYMGMT_FREE, (function)key_free},                          \
        {OSSL_FUNC_KEYMGMT_HAS, (function)key_has}, {OSSL_FUNC_KEYMGMT_MATCH, (function)key_match},                    \
        {OSSL_FUNC_KEYMGMT_IMPORT, (function)key_import},                                                              \
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (function)key_import_types},                                                  \
        {OSSL_FUNC_KEYMGMT_EXPORT, (function)key_export},                                                              \
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (function)key_export_types},                                                  \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (function)key_get_params}, {                                                    \
        OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (function)key_gettable                                                      \
    }

static const OSSL_DISPATCH keymgmt[] = {KEYMGMT, {0, NULL}};
static const OSSL_DISPATCH keymgmt_ec[] = {
    KEYMGMT, {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (function)ecdsa}, {0, NULL}};

// --- SIGNATURE

struct signing {
    struct key *key;
    const EVP_MD *md; // NULL: Ed25519
    struct message_keys_sign what;
};

static void *sign_new(void *provider, const char *properties) { return MEM_NEW(struct signing); }
static void sign_free(void *p) { free(p); }

static bool find_hash(struct signing *s, const char *name) {
    const struct {
        const EVP_MD *md;
        enum message_keys_hash hash;
    } hashes[] = {{EVP_sha256(), MESSAGE_KEYS_SHA256},
                  {EVP_sha384(), MESSAGE_KEYS_SHA384},
                  {EVP_sha512(), MESSAGE_KEYS_SHA512},
                  {EVP_sha1(), MESSAGE_KEYS_SHA1},
                  {EVP_md5_sha1(), MESSAGE_KEYS_MD5_SHA1}};
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        if (EVP_MD_is_a(hashes[i].md, name)) {
            s->md = hashes[i].md;
            s->what.hash = hashes[i].hash;
            return true;
        }
    return false;
}

// The salt's length and MGF1's hash are what TLS asks for in any case (RFC 8446 4.2.3).
static int sign_set_params(void *p, const OSSL_PARAM params[]) {
    struct signing *s = p;
    const OSSL_PARAM *mode = params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
    const char *name = NULL;
    int number = 0;
    if (!mode)
        return 1;
    if (mode->data_type == OSSL_PARAM_UTF8_STRING && OSSL_PARAM_get_utf8_string_ptr(mode, &name) != 1)
        name = mode->data;
    if (!name && OSSL_PARAM_get_int(mode, &number) != 1)
        return 0;
    bool pss = name ? !strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PSS) : number == RSA_PKCS1_PSS_PADDING;
    bool pkcs1 = name ? !strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) : number == RSA_PKCS1_PADDING;
    s->what.padding = pss ? MESSAGE_KEYS_PSS : MESSAGE_KEYS_PKCS1;
    return pss || pkcs1;
}

static const OSSL_PARAM *sign_settable(void *p, void *provider) {
    static const OSSL_PARAM known[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0), OSSL_PARAM_END};
    return known;
}

static int sign_init(void *p, const char *md, void *key, const OSSL_PARAM params[]) {
    struct signing *s = p;
    bool rsa;
    *s = (struct signing){.key = key};
    s->what.key = s->key->number;
    rsa = EVP_PKEY_is_a(s->key->public_key, "RSA");
    s->what.padding = rsa ? MESSAGE_KEYS_PKCS1 : MESSAGE_KEYS_NONE;
    if (!EVP_PKEY_is_a(s->key->public_key, "ED25519") && (!md || !find_hash(s, md)))
        return 0;
    return sign_set_params(s, params);
}

static FIBER_FN bool ask(struct signing *s, struct slice digest, struct buf *out) {
    const struct tls_keys *keys = s->key->keys;
    s->what.digest = digest;
    bool ok = keys->sign(keys->arg, &s->what, out);
    ERR_clear_error(); // of the fibers that ran meanwhile
    return ok;
}

static FIBER_FN int sign_digest(void *p, unsigned char *to, size_t *n, size_t size, const unsigned char *bytes,
                                size_t bytes_n) {
    struct signing *s = p;
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned value_n;
    BUF_AUTO struct buf got = {.max = MESSAGE_KEYS_SIGNATURE_MAX};
    if (!to) {
        *n = (size_t)EVP_PKEY_get_size(s->key->public_key);
        return 1;
    }
    if (s->md && EVP_Digest(bytes, bytes_n, value, &value_n, s->md, NULL) != 1)
        return 0;
    if (!ask(s, s->md ? slice_of(value, value_n) : slice_of(bytes, bytes_n), &got) || got.n == 0 || got.n > size)
        return 0;
    memcpy(to, got.p, got.n);
    *n = got.n;
    return 1;
}

static const OSSL_DISPATCH signature[] = {{OSSL_FUNC_SIGNATURE_NEWCTX, (function)sign_new},
                                          {OSSL_FUNC_SIGNATURE_FREECTX, (function)sign_free},
                                          {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (function)sign_init},
                                          {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (function)sign_digest},
                                          {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (function)sign_set_params},
                                          {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (function)sign_settable},
                                          {0, NULL}};

// --- the provider

static const OSSL_ALGORITHM keymgmts[] = {{"RSA:rsaEncryption", PROPERTIES, keymgmt, NULL},
                                          {"EC:id-ecPublicKey", PROPERTIES, keymgmt_ec, NULL},
                                          {"ED25519", PROPERTIES, keymgmt, NULL},
                                          {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM signatures[] = {{"RSA:rsaEncryption", PROPERTIES, signature, NULL},
                                            {"ECDSA", PROPERTIES, signature, NULL},
                                            {"ED25519", PROPERTIES, signature, NULL},
                                            {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache) {
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keymgmts : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **provider) {
    static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)query}, {0, NULL}};
    static char nothing; // OpenSSL wants a context that isn't NULL
    *out = functions;
    *provider = &nothing;
    return 1;
}

// With both providers at hand OpenSSL takes the usual one but for keys that are ours.
static bool load(struct tls_keys *k) {
    k->context = OSSL_LIB_CTX_new();
    if (!k->context || OSSL_PROVIDER_add_builtin(k->context, PROVIDER, provider_init) != 1)
        return false;
    k->usual = OSSL_PROVIDER_load(k->context, "default");
    k->own = OSSL_PROVIDER_load(k->context, PROVIDER);
    return k->usual && k->own && EVP_set_default_properties(k->context, "?provider=default") == 1;
}

struct tls_keys *tls_keys_new(FIBER_FN bool (*sign)(void *arg, const struct message_keys_sign *what, struct buf *out),
                              void *arg, struct err *e) {
    struct tls_keys *k = MEM_NEW(struct tls_keys);
    *k = (struct tls_keys){.sign = sign, .arg = arg};
    if (load(k))
        return k;
    ERR_clear_error();
    err_set(e, ERR_TEMPORARY, "OpenSSL takes no provider");
    tls_keys_free(k);
    return NULL;
}

void tls_keys_free(struct tls_keys *k) {
    if (!k)
        return;
    if (k->own)
        OSSL_PROVIDER_unload(k->own);
    if (k->usual)
        OSSL_PROVIDER_unload(k->usual);
    OSSL_LIB_CTX_free(k->context);
    free(k);
}

struct ossl_lib_ctx_st *tls_keys_context(struct tls_keys *k) {
    return k->context;
}

static const char *kind_of(EVP_PKEY *key) {
    static const char *const kinds[] = {"RSA", "EC", "ED25519"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (EVP_PKEY_is_a(key, kinds[i]))
            return kinds[i];
    return NULL;
}

EVP_PKEY *tls_keys_make(struct tls_keys *k, EVP_PKEY *public_key, uint32_t number) {
    struct key source = {.keys = k, .public_key = public_key, .number = number};
    OSSL_PARAM params[] = {OSSL_PARAM_octet_string(PARAM_KEY, &source, sizeof source), OSSL_PARAM_END};
    const char *kind = kind_of(public_key);
    EVP_PKEY_CTX *ctx = kind ? EVP_PKEY_CTX_new_from_name(k->context, kind, PROPERTIES) : NULL;
    EVP_PKEY *key = NULL;
    if (ctx && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}
