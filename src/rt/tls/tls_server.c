// tls_server: which certificate a client gets to see, tickets, and how both change while we serve.
//
// Certificates that serve the same name form a group: at most one of each kind of key, of which OpenSSL takes what the
// client can do. A group is an SSL_CTX; the client's SNI moves its engine to the one of the name.
#include "rt/tls/tls_inside.h"

#include "base/mem.h"
#include "rt/fiber/fiber.h"
#include "rt/tls/tls_keys.h"
#include "rt/tls/tls_names.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>

struct certificate {
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    int kind;
    struct buf ocsp;
};

struct group {
    int members[TLS_KINDS]; // places in certificates; TLS_NOBODY
    SSL_CTX *ctx;
};

// What one KEYS_SET made of us; replaced as a whole.
struct shown {
    struct certificate *certificates;
    size_t certificates_n;
    struct group **groups; // the first is for clients that name nobody we know
    size_t groups_n;
    struct tls_names names; // each with its group
};

struct tls_server {
    struct tls_server_setup setup;
    struct tls_keys *keys;
    X509_STORE *client_ca; // NULL: no certificate is asked for
    struct shown *shown;   // NULL: none yet
    struct buf tickets;    // MESSAGE_TICKET_KEY bytes each
    struct fiber_cond changed;
};

// --- certificates

static void certificate_done(struct certificate *c) {
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    buf_done(&c->ocsp);
}

static int kind_of(const EVP_PKEY *key) {
    return EVP_PKEY_is_a(key, "RSA") ? TLS_KIND_RSA : EVP_PKEY_is_a(key, "EC") ? TLS_KIND_EC : TLS_KIND_ED25519;
}

static bool read_chain(struct certificate *c, struct slice pem) {
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    c->leaf = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    c->chain = sk_X509_new_null();
    for (X509 *next = NULL; c->leaf && c->chain && (next = PEM_read_bio_X509(in, NULL, NULL, NULL));)
        if (!sk_X509_push(c->chain, next))
            X509_free(next);
    BIO_free(in);
    ERR_clear_error(); // the end of the file is an error to PEM_read
    return c->leaf && c->chain;
}

static bool read_certificate(struct tls_server *s, const struct message_keys_certificate *from, struct certificate *c,
                             struct err *e) {
    *c = (struct certificate){.ocsp.max = from->ocsp.n + 1};
    if (!read_chain(c, from->chain))
        return err_set(e, ERR_PERMANENT, "the certificate is no PEM certificate");
    c->key = tls_keys_make(s->keys, X509_get0_pubkey(c->leaf), from->key);
    if (!c->key) {
        ERR_clear_error();
        return err_set(e, ERR_PERMANENT, "the certificate's key is neither RSA, EC nor Ed25519");
    }
    c->kind = kind_of(X509_get0_pubkey(c->leaf));
    return buf_add(&c->ocsp, from->ocsp);
}

// --- groups

static int ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                      int encrypts);
static int choose_by_name(SSL *ssl, int *alert, void *arg);
static int staple(SSL *ssl, void *arg);

// A client without a certificate, or with one that nobody vouches for, is as welcome; it just isn't known by it.
static int verify_any(int ok, X509_STORE_CTX *store) { return 1; }

static void ask_for_certificates(const struct tls_server *s, SSL_CTX *ctx) {
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(s->client_ca);
    for (int i = 0; names && i < sk_X509_OBJECT_num(all); i++) {
        X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        X509_NAME *name = x ? X509_NAME_dup(X509_get_subject_name(x)) : NULL;
        if (name && !sk_X509_NAME_push(names, name))
            X509_NAME_free(name);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set1_cert_store(ctx, s->client_ca);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, verify_any);
}

static void set_tickets(const struct tls_server *s, SSL_CTX *ctx) {
    if (s->setup.ticket_life == 0) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
        return;
    }
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_timeout(ctx, (long)((s->setup.ticket_life + 999) / 1000));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
}

static SSL_CTX *new_context(struct tls_server *s) {
    SSL_CTX *ctx = tls_context_new(tls_keys_context(s->keys), TLS_server_method(), s->setup.old_profile);
    if (!ctx)
        return NULL;
    size_t n = strlen(s->setup.name);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)s->setup.name, (unsigned)n);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (s->setup.old_profile)
        SSL_CTX_set_dh_auto(ctx, 1);
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_by_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, s);
    SSL_CTX_set_tlsext_status_cb(ctx, staple);
    SSL_CTX_set_tlsext_status_arg(ctx, s);
    set_tickets(s, ctx);
    if (s->client_ca)
        ask_for_certificates(s, ctx);
    return ctx;
}

static bool fill_context(const struct shown *shown, struct group *g) {
    for (int kind = 0; kind < TLS_KINDS; kind++) {
        const struct certificate *c = g->members[kind] == TLS_NOBODY ? NULL : &shown->certificates[g->members[kind]];
        if (c && SSL_CTX_use_cert_and_key(g->ctx, c->leaf, c->key, c->chain, 1) != 1)
            return false;
    }
    return true;
}

static struct group *find_group(const struct shown *shown, const int members[TLS_KINDS]) {
    for (size_t i = 0; i < shown->groups_n; i++)
        if (!memcmp(shown->groups[i]->members, members, sizeof shown->groups[i]->members))
            return shown->groups[i];
    return NULL;
}

static struct group *make_group(struct tls_server *s, struct shown *shown, const int members[TLS_KINDS],
                                struct err *e) {
    struct group *g = find_group(shown, members);
    if (g)
        return g;
    g = MEM_NEW(struct group);
    memcpy(g->members, members, sizeof g->members);
    g->ctx = new_context(s);
    if (!g->ctx || !fill_context(shown, g)) {
        tls_fail(e, "the certificate can't be used");
        SSL_CTX_free(g->ctx);
        free(g);
        return NULL;
    }
    shown->groups = mem_grow(shown->groups, shown->groups_n + 1, sizeof(struct group *));
    shown->groups[shown->groups_n++] = g;
    return g;
}

// --- taking a set

static void shown_free(struct shown *shown) {
    if (!shown)
        return;
    for (size_t i = 0; i < shown->groups_n; i++) {
        SSL_CTX_free(shown->groups[i]->ctx);
        free(shown->groups[i]);
    }
    for (size_t i = 0; i < shown->certificates_n; i++)
        certificate_done(&shown->certificates[i]);
    free(shown->groups);
    free(shown->certificates);
    tls_names_done(&shown->names);
    free(shown);
}

// The first certificate with those of other kinds that serve the same name: for who names nobody we know.
static bool make_first_group(struct tls_server *s, struct shown *shown, struct err *e) {
    int members[TLS_KINDS] = {TLS_NOBODY, TLS_NOBODY, TLS_NOBODY};
    for (size_t i = 0; i < shown->names.n; i++)
        if (shown->names.list[i]->members[shown->certificates[0].kind] == 0) {
            memcpy(members, shown->names.list[i]->members, sizeof members);
            break;
        }
    members[shown->certificates[0].kind] = 0;
    return make_group(s, shown, members, e);
}

static bool make_groups(struct tls_server *s, struct shown *shown, struct err *e) {
    if (!make_first_group(s, shown, e))
        return false;
    for (size_t i = 0; i < shown->names.n; i++) {
        struct tls_name *name = shown->names.list[i];
        if (!(name->group = make_group(s, shown, name->members, e)))
            return false;
    }
    return true;
}

// A certificate that OpenSSL refuses (too weak, say) must not take the others' groups with it.
static bool is_usable(struct tls_server *s, const struct certificate *c, struct err *e) {
    SSL_CTX *ctx = new_context(s);
    bool ok = ctx && SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 1) == 1;
    SSL_CTX_free(ctx);
    return ok || tls_fail(e, "the certificate can't be used");
}

static struct shown *read_set(struct tls_server *s, const struct message_keys_set *set, size_t *bad, struct err *e) {
    struct shown *shown = MEM_NEW(struct shown);
    struct err why = {0};
    shown->certificates = mem_new(set->certificates_n + 1, sizeof *shown->certificates);
    for (size_t i = 0; i < set->certificates_n; i++) {
        struct certificate *c = &shown->certificates[shown->certificates_n];
        if (read_certificate(s, &set->certificates[i], c, &why) && is_usable(s, c, &why)) {
            tls_names_add_all(&shown->names, c->leaf, c->kind, (int)shown->certificates_n++);
            continue;
        }
        certificate_done(c);
        if ((*bad)++ == 0)
            *e = why;
    }
    tls_names_complete(&shown->names);
    return shown;
}

static void take_tickets(struct tls_server *s, struct slice tickets) {
    if (s->tickets.p)
        explicit_bzero(s->tickets.p, s->tickets.cap);
    buf_reset(&s->tickets);
    buf_add(&s->tickets, tickets);
}

bool tls_server_update(struct tls_server *s, const struct message_keys_set *set, struct err *e) {
    size_t bad = 0;
    take_tickets(s, set->tickets);
    struct shown *shown = read_set(s, set, &bad, e);
    if (shown->certificates_n == 0 || !make_groups(s, shown, e)) {
        bool empty = set->certificates_n == 0;
        shown_free(shown);
        return empty ? err_set(e, ERR_TEMPORARY, "there is no certificate") : false;
    }
    shown_free(s->shown);
    s->shown = shown;
    fiber_cond_wake_all(&s->changed);
    return bad == 0;
}

// --- during a handshake

static int choose_by_name(SSL *ssl, int *alert, void *arg) {
    struct tls_server *s = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct tls_name *found = name ? tls_names_find(&s->shown->names, slice_str(name)) : NULL;
    if (found)
        SSL_set_SSL_CTX(ssl, ((struct group *)found->group)->ctx);
    return SSL_TLSEXT_ERR_OK; // mail is not refused for a name: the client judges what it is shown
}

static int staple(SSL *ssl, void *arg) {
    const struct tls_server *s = arg;
    const X509 *leaf = SSL_get_certificate(ssl);
    for (size_t i = 0; i < s->shown->certificates_n; i++) {
        const struct certificate *c = &s->shown->certificates[i];
        unsigned char *copy = c->leaf == leaf && c->ocsp.n ? OPENSSL_memdup(c->ocsp.p, c->ocsp.n) : NULL;
        if (copy) {
            SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->ocsp.n);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

// --- tickets: AES-256-CBC and HMAC-SHA-256, as RFC 5077 4 recommends

enum { TICKET_NAME = 16, TICKET_AES = 32, TICKET_MAC = 32 };

static const char *find_ticket_key(const struct tls_server *s, const unsigned char *name, bool *newest) {
    for (size_t at = 0; at + MESSAGE_TICKET_KEY <= s->tickets.n; at += MESSAGE_TICKET_KEY)
        if (!memcmp(s->tickets.p + at, name, TICKET_NAME)) {
            *newest = at == 0;
            return s->tickets.p + at;
        }
    return NULL;
}

static bool set_mac(EVP_MAC_CTX *mac, const char *key) {
    char hash[] = "SHA256", copy[TICKET_MAC];
    memcpy(copy, key + TICKET_NAME + TICKET_AES, sizeof copy);
    OSSL_PARAM params[] = {OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, copy, sizeof copy),
                           OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, sizeof hash - 1), OSSL_PARAM_END};
    bool ok = EVP_MAC_CTX_set_params(mac, params) == 1;
    explicit_bzero(copy, sizeof copy);
    return ok;
}

static const unsigned char *aes_of(const char *key) { return (const unsigned char *)key + TICKET_NAME; }

static int encrypt_ticket(const struct tls_server *s, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                          EVP_MAC_CTX *mac) {
    const char *key = s->tickets.p;
    if (s->tickets.n < MESSAGE_TICKET_KEY || RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
        return 0; // no ticket; the session is as good without
    memcpy(name, key, TICKET_NAME);
    return EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, aes_of(key), iv) == 1 && set_mac(mac, key) ? 1 : -1;
}

static int decrypt_ticket(const struct tls_server *s, const unsigned char *name, const unsigned char *iv,
                          EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    bool newest = false;
    const char *key = find_ticket_key(s, name, &newest);
    if (!key)
        return 0; // a full handshake
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, aes_of(key), iv) != 1 || !set_mac(mac, key))
        return -1;
    return newest ? 1 : 2; // 2: and a new ticket, please
}

static int ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                      int encrypts) {
    const struct tls_server *s = SSL_get_app_data(ssl);
    return encrypts ? encrypt_ticket(s, name, iv, cipher, mac) : decrypt_ticket(s, name, iv, cipher, mac);
}

// --- the server

static bool take_client_ca(struct tls_server *s, struct slice pem, struct err *e) {
    if (!pem.n)
        return true;
    s->client_ca = X509_STORE_new();
    return (s->client_ca && tls_store_add(s->client_ca, pem) > 0) ||
           err_set(e, ERR_PERMANENT, "the file of authorities for clients has no certificate in PEM");
}

struct tls_server *tls_server_new(const struct tls_server_setup *setup, struct err *e) {
    struct tls_server *s = MEM_NEW(struct tls_server);
    *s = (struct tls_server){.setup = *setup, .tickets.max = 64 * MESSAGE_TICKET_KEY};
    s->keys = tls_keys_new(setup->sign, setup->sign_arg, e);
    if (s->keys && take_client_ca(s, setup->client_ca, e))
        return s;
    tls_server_free(s);
    return NULL;
}

void tls_server_free(struct tls_server *s) {
    if (!s)
        return;
    shown_free(s->shown);
    X509_STORE_free(s->client_ca);
    tls_keys_free(s->keys);
    take_tickets(s, SLICE_EMPTY);
    buf_done(&s->tickets);
    free(s);
}

SSL *tls_server_engine(struct tls_server *s, struct mono deadline, struct err *e) {
    while (!s->shown)
        switch (fiber_cond_wait(&s->changed, deadline)) {
        case FIBER_WOKEN:
            break;
        case FIBER_TIMEOUT:
            err_set(e, ERR_TEMPORARY, "there is no certificate yet");
            return NULL;
        case FIBER_CANCELLED:
            err_set(e, ERR_CANCELLED, "stopped");
            return NULL;
        }
    SSL *ssl = SSL_new(s->shown->groups[0]->ctx);
    if (!ssl) {
        tls_fail(e, "no memory for TLS");
        return NULL;
    }
    SSL_set_app_data(ssl, s);
    SSL_set_accept_state(ssl);
    return ssl;
}
