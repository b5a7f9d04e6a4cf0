// tls: OpenSSL's engine on our transports. Its BIO calls the inner transport, which never waits; waiting is done here,
// on the fiber.
#include "rt/tls/tls_inside.h"

#include "base/list.h"
#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct tls_transport {
    struct transport base;
    struct transport *inner;
    SSL *ssl;
    bool wants_write; // what the engine waits for
};

static struct tls_transport *of(struct transport *t) { return LIST_ENTRY(t, struct tls_transport, base); }

bool tls_fail(struct err *e, const char *what) {
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
        tls_fail(e, what);
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

struct transport *tls_transport_new(SSL *ssl, struct transport *inner, struct err *e) {
    BIO *bio = ssl ? BIO_new(bio_method()) : NULL;
    if (!bio) {
        SSL_free(ssl);
        if (ssl)
            tls_fail(e, "no memory for TLS");
        return NULL;
    }
    struct tls_transport *t = MEM_NEW(struct tls_transport);
    *t = (struct tls_transport){.base = {&tls_ops}, .inner = inner, .ssl = ssl};
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return &t->base;
}

SSL *tls_transport_ssl(struct transport *t) { return of(t)->ssl; }

static FIBER_FN bool handshake(struct tls_transport *t, struct mono deadline, struct err *e) {
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

static FIBER_FN bool finish(struct transport *base, struct mono deadline, struct transport **out, struct err *e) {
    struct tls_transport *t = base ? of(base) : NULL;
    if (!t)
        return false;
    if (handshake(t, deadline, e)) {
        *out = base;
        return true;
    }
    ERR_clear_error();
    SSL_free(t->ssl);
    free(t);
    return false;
}

bool tls_accept(struct tls_server *s, struct transport *inner, struct mono deadline, struct transport **out,
                struct err *e) {
    return finish(tls_transport_new(tls_server_engine(s, deadline, e), inner, e), deadline, out, e);
}

bool tls_connect(struct tls_client *c, struct transport *inner, struct slice name, struct mono deadline,
                 struct transport **out, struct err *e) {
    return finish(tls_transport_new(tls_client_engine(c, name, false, e), inner, e), deadline, out, e);
}

bool tls_connect_verified(struct tls_client *c, struct transport *inner, struct slice name, struct mono deadline,
                          struct transport **out, struct err *e) {
    return finish(tls_transport_new(tls_client_engine(c, name, true, e), inner, e), deadline, out, e);
}

// --- of a transport

const char *tls_version(struct transport *t) { return SSL_get_version(of(t)->ssl); }
const char *tls_cipher(struct transport *t) { return SSL_get_cipher_name(of(t)->ssl); }
int tls_bits(struct transport *t) { return SSL_get_cipher_bits(of(t)->ssl, NULL); }
bool tls_resumed(struct transport *t) { return SSL_session_reused(of(t)->ssl) == 1; }

// RFC 9266 4.2: before TLS 1.3 the exporter binds only with the extended master secret (RFC 7627).
void tls_exporter(struct transport *t, struct buf *out) {
    static const char label[] = "EXPORTER-Channel-Binding";
    enum { BINDING = 32 };
    SSL *ssl = of(t)->ssl;
    unsigned char value[BINDING];
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return;
    ERR_clear_error();
    if (SSL_export_keying_material(ssl, value, sizeof value, label, sizeof label - 1, NULL, 0, 1) == 1)
        buf_add(out, slice_of(value, sizeof value));
    ERR_clear_error();
}

// RFC 5929 4.1: the hash of the certificate's own signature, but SHA-256 in place of MD5 and SHA-1. One without such a
// hash (Ed25519) has no binding.
void tls_server_end_point(struct transport *t, struct buf *out) {
    SSL *ssl = of(t)->ssl;
    X509 *x = tls_resumed(t) ? NULL : SSL_get_certificate(ssl);
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int hash = NID_undef;
    if (!x || OBJ_find_sigid_algs(X509_get_signature_nid(x), &hash, NULL) != 1 || hash == NID_undef)
        return;
    const EVP_MD *md = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    if (md && X509_digest(x, md, value, &n) == 1)
        buf_add(out, slice_of(value, n));
    ERR_clear_error();
}

static bool add_text(const ASN1_STRING *text, struct buf *out) {
    struct slice s = slice_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    if (s.n == 0 || memchr(s.p, 0, s.n))
        return false;
    return buf_add(out, s);
}

static bool add_mail_address(X509 *x, struct buf *out) {
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        found = name->type == GEN_EMAIL && add_text(name->d.rfc822Name, out);
    }
    GENERAL_NAMES_free(names);
    return found;
}

void tls_client_user(struct transport *t, struct buf *out) {
    SSL *ssl = of(t)->ssl;
    X509 *x = SSL_get0_peer_certificate(ssl);
    if (x && SSL_get_verify_result(ssl) == X509_V_OK && !add_mail_address(x, out)) {
        X509_NAME *subject = X509_get_subject_name(x);
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        unsigned char *text = NULL;
        int n = at >= 0 ? ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))) : -1;
        if (n > 0 && !memchr(text, 0, (size_t)n))
            buf_add(out, slice_of(text, (size_t)n));
        OPENSSL_free(text);
    }
    ERR_clear_error();
}

static void add_name(const X509_NAME *name, struct buf *out) {
    char text[512]; // a longer one is cut
    if (X509_NAME_oneline(name, text, sizeof text))
        buf_add_str(out, text);
}

void tls_client_names(struct transport *t, struct buf *subject, struct buf *issuer) {
    SSL *ssl = of(t)->ssl;
    X509 *x = SSL_get0_peer_certificate(ssl);
    if (x && SSL_get_verify_result(ssl) == X509_V_OK) {
        add_name(X509_get_subject_name(x), subject);
        add_name(X509_get_issuer_name(x), issuer);
    }
    ERR_clear_error();
}
