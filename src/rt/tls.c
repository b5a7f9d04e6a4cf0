// tls: OpenSSL's engine on our transports. Its BIO calls the inner transport, which never waits; waiting is done here,
// on the fiber.
#include "rt/tls.h"

#include "base/list.h"
#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

// ECDHE only: forward secrecy, and a key that is asked to sign and never to decrypt.
#define CIPHERS_12                                                                                                     \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                         \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

struct tls_server {
    SSL_CTX *ctx;
};

struct tls_client {
    SSL_CTX *ctx;
};

struct tls_transport {
    struct transport base;
    struct transport *inner;
    SSL *ssl;
    bool wants_write;    // what the engine waits for
};

static struct tls_transport *of(struct transport *t) { return LIST_ENTRY(t, struct tls_transport, base); }

static bool fail(struct err *e, const char *what) {
    char text[160] = "unknown";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return err_set(e, ERR_TEMPORARY, "%s: %s", what, text);
}

// --- the BIO

static int bio_read(BIO *bio, char *to, int n) {
    struct tls_transport *t = BIO_get_data(bio);
    size_t got = 0;
    BIO_clear_retry_flags(bio);
    switch (t->inner->ops->read(t->inner, to, (size_t)n, &got, NULL)) {
    case TRANSPORT_SOME:
        return (int)got;
    case TRANSPORT_AGAIN:
        BIO_set_retry_read(bio);
        return -1;
    case TRANSPORT_END:
        return 0;
    default:
        return -1;
    }
}

static int bio_write(BIO *bio, const char *from, int n) {
    struct tls_transport *t = BIO_get_data(bio);
    size_t put = 0;
    BIO_clear_retry_flags(bio);
    switch (t->inner->ops->write(t->inner, slice_of(from, (size_t)n), &put, NULL)) {
    case TRANSPORT_SOME:
        return (int)put;
    case TRANSPORT_AGAIN:
        BIO_set_retry_write(bio);
        return -1;
    default:
        return -1;
    }
}

static long bio_ctrl(BIO *bio, int command, long number, void *p) {
    (void)bio, (void)number, (void)p;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void) {
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport");
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    return method;
}

// --- contexts

static SSL_CTX *new_context(const SSL_METHOD *method) {
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, CIPHERS_12);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

static bool use_chain(SSL_CTX *ctx, struct slice pem) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool ok = leaf && SSL_CTX_use_certificate(ctx, leaf) == 1;
    X509_free(leaf);
    for (X509 *next = NULL; ok && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL));)
        ok = SSL_CTX_add0_chain_cert(ctx, next) == 1;
    if (ok)
        ERR_clear_error(); // the end of the file is an error to PEM_read
    BIO_free(bio);
    return ok;
}

static bool use_key(SSL_CTX *ctx, struct slice pem) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok;
}

struct tls_server *tls_server_new(struct slice certificate, struct slice key, struct err *e) {
    SSL_CTX *ctx = new_context(TLS_server_method());
    if (!ctx || !use_chain(ctx, certificate)) {
        fail(e, "the certificate can't be used");
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (!use_key(ctx, key)) {
        fail(e, "the private key can't be used with the certificate");
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    struct tls_server *s = MEM_NEW(struct tls_server);
    s->ctx = ctx;
    return s;
}

void tls_server_free(struct tls_server *s) {
    if (!s)
        return;
    SSL_CTX_free(s->ctx);
    free(s);
}

struct tls_client *tls_client_new(struct err *e) {
    SSL_CTX *ctx = new_context(TLS_client_method());
    if (!ctx) {
        fail(e, "TLS can't be set up");
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    struct tls_client *c = MEM_NEW(struct tls_client);
    c->ctx = ctx;
    return c;
}

void tls_client_free(struct tls_client *c) {
    if (!c)
        return;
    SSL_CTX_free(c->ctx);
    free(c);
}

// --- the transport

// What a call of the engine that did not succeed means.
static enum transport_got outcome(struct tls_transport *t, int result, const char *what, struct err *e) {
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        t->wants_write = false;
        return TRANSPORT_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        t->wants_write = true;
        return TRANSPORT_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return TRANSPORT_END;
    case SSL_ERROR_SYSCALL: // the peer closed without a word of TLS; a message's end is marked by itself
        ERR_clear_error();
        return TRANSPORT_END;
    default:
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            ERR_clear_error();
            return TRANSPORT_END;
        }
        fail(e, what);
        return TRANSPORT_FAILED;
    }
}

static enum transport_got tls_read(struct transport *base, char *to, size_t n, size_t *got, struct err *e) {
    struct tls_transport *t = of(base);
    ERR_clear_error();
    int r = SSL_read_ex(t->ssl, to, n, got);
    return r == 1 ? TRANSPORT_SOME : outcome(t, r, "reading over TLS", e);
}

static enum transport_got tls_write(struct transport *base, struct slice bytes, size_t *put, struct err *e) {
    struct tls_transport *t = of(base);
    ERR_clear_error();
    int r = SSL_write_ex(t->ssl, bytes.p, bytes.n, put);
    if (r == 1)
        return TRANSPORT_SOME;
    enum transport_got got = outcome(t, r, "writing over TLS", e);
    if (got != TRANSPORT_END)
        return got;
    err_set(e, ERR_TEMPORARY, "closed by the peer");
    return TRANSPORT_FAILED;
}

static bool wait_engine(struct tls_transport *t, struct mono deadline, struct err *e) {
    return t->wants_write ? t->inner->ops->wait_write(t->inner, deadline, e)
                          : t->inner->ops->wait_read(t->inner, deadline, e);
}

// Not SSL_has_pending(): it is true for half of a record too, and nobody would ever wait for the other half.
static bool tls_wait_read(struct transport *base, struct mono deadline, struct err *e) {
    struct tls_transport *t = of(base);
    return SSL_pending(t->ssl) > 0 || wait_engine(t, deadline, e);
}

static bool tls_wait_write(struct transport *base, struct mono deadline, struct err *e) {
    return wait_engine(of(base), deadline, e);
}

static void tls_notify_write(struct transport *base, struct loop *loop, struct loop_task *task) {
    struct transport *inner = of(base)->inner;
    inner->ops->notify_write(inner, loop, task);
}

static void tls_shutdown(struct transport *base) {
    struct transport *inner = of(base)->inner;
    inner->ops->shutdown(inner);
}

static void tls_close(struct transport *base) {
    struct tls_transport *t = of(base);
    ERR_clear_error();
    SSL_shutdown(t->ssl); // says so once; nobody waits for the answer
    ERR_clear_error();
    SSL_free(t->ssl);
    t->inner->ops->close(t->inner);
    free(t);
}

static const struct transport_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .wait_read = tls_wait_read,
    .wait_write = tls_wait_write,
    .notify_write = tls_notify_write,
    .shutdown = tls_shutdown,
    .close = tls_close,
};

static struct tls_transport *new_transport(SSL_CTX *ctx, struct transport *inner, struct err *e) {
    SSL *ssl = SSL_new(ctx);
    BIO *bio = ssl ? BIO_new(bio_method()) : NULL;
    if (!bio) {
        SSL_free(ssl);
        fail(e, "no memory for TLS");
        return NULL;
    }
    struct tls_transport *t = MEM_NEW(struct tls_transport);
    *t = (struct tls_transport){.base = {&tls_ops}, .inner = inner, .ssl = ssl};
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return t;
}

static bool handshake(struct tls_transport *t, struct mono deadline, struct err *e) {
    for (;;) {
        ERR_clear_error();
        int r = SSL_do_handshake(t->ssl);
        if (r == 1)
            return true;
        switch (outcome(t, r, "TLS handshake", e)) {
        case TRANSPORT_AGAIN:
            if (!wait_engine(t, deadline, e))
                return err_while(e, "TLS handshake");
            break;
        case TRANSPORT_END:
            return err_set(e, ERR_TEMPORARY, "the peer closed during the TLS handshake");
        default:
            return false;
        }
    }
}

static bool finish(struct tls_transport *t, struct mono deadline, struct transport **out, struct err *e) {
    if (handshake(t, deadline, e)) {
        *out = &t->base;
        return true;
    }
    SSL_free(t->ssl);
    free(t);
    return false;
}

bool tls_accept(struct tls_server *s, struct transport *inner, struct mono deadline, struct transport **out,
                struct err *e) {
    struct tls_transport *t = new_transport(s->ctx, inner, e);
    if (!t)
        return false;
    SSL_set_accept_state(t->ssl);
    return finish(t, deadline, out, e);
}

bool tls_connect(struct tls_client *c, struct transport *inner, struct slice name, struct mono deadline,
                 struct transport **out, struct err *e) {
    char text[256];
    struct tls_transport *t = new_transport(c->ctx, inner, e);
    if (!t)
        return false;
    SSL_set_connect_state(t->ssl);
    if (name.n && name.n < sizeof text) {
        memcpy(text, name.p, name.n);
        text[name.n] = '\0';
        SSL_set_tlsext_host_name(t->ssl, text);
    }
    return finish(t, deadline, out, e);
}

const char *tls_version(struct transport *t) { return SSL_get_version(of(t)->ssl); }
const char *tls_cipher(struct transport *t) { return SSL_get_cipher_name(of(t)->ssl); }
