// tls_test: handshakes and records over pipes in memory, whole and trickling; what is no TLS, too old, or ends early.
#include "rt/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MUCH = 200000 };

struct scene {
    struct loop *loop;
    struct fiber_group group;
    struct tls_server *server;
    struct tls_client *client;
    struct transport *server_end, *client_end; // pipes; what lies between is moved by `shuttle`
    struct transport *near_server, *near_client;
    bool trickles;
    size_t cut_after; // bytes towards the server, then the client's end is gone; 0: never
    struct slice raw; // said by a client that has no TLS
    struct err server_error, client_error;
    bool accepted, connected;
    size_t echoed;
};

static struct buf pem_certificate, pem_key, pem_other_key;

static void make_key(EVP_PKEY **key, struct buf *pem) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *p;
    *key = EVP_EC_gen("P-256");
    PEM_write_bio_PrivateKey(bio, *key, NULL, NULL, 0, NULL, NULL);
    long n = BIO_get_mem_data(bio, &p);
    pem->max = 1 << 16;
    buf_add(pem, slice_of(p, (size_t)n));
    BIO_free(bio);
}

static int make_pems(void **state) {
    EVP_PKEY *key, *other;
    char *p;
    (void)state;
    make_key(&key, &pem_key);
    make_key(&other, &pem_other_key);
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"mx", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_sign(x, key, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    long n = BIO_get_mem_data(bio, &p);
    pem_certificate.max = 1 << 16;
    buf_add(&pem_certificate, slice_of(p, (size_t)n));
    BIO_free(bio);
    X509_free(x);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return 0;
}

static int free_pems(void **state) {
    (void)state;
    buf_done(&pem_certificate);
    buf_done(&pem_key);
    buf_done(&pem_other_key);
    return 0;
}

// --- the wire between, so that it can be cut anywhere

static bool move(struct scene *s, struct transport *from, struct transport *to, bool towards_server) {
    char bytes[4096];
    size_t got, most = s->trickles ? 1 : sizeof bytes;
    struct err e;
    if (towards_server && s->cut_after && s->cut_after < most)
        most = s->cut_after;
    for (;;) {
        switch (from->ops->read(from, bytes, most, &got, &e)) {
        case TRANSPORT_SOME:
            if (!transport_write_all(to, slice_of(bytes, got), MONO_NEVER, &e))
                return false;
            if (towards_server && s->cut_after && (s->cut_after -= got) == 0) {
                to->ops->shutdown(to);
                return false;
            }
            fiber_yield();
            fiber_yield();
            return true;
        case TRANSPORT_AGAIN:
            if (!from->ops->wait_read(from, MONO_NEVER, &e))
                return false;
            break;
        default:
            to->ops->shutdown(to);
            return false;
        }
    }
}

static void shuttle_up(void *arg) {
    struct scene *s = arg;
    while (move(s, s->near_client, s->near_server, true))
        ;
}

static void shuttle_down(void *arg) {
    struct scene *s = arg;
    while (move(s, s->near_server, s->near_client, false))
        ;
}

// --- both ends

static struct mono soon(struct scene *s) { return loop_in_ms(s->loop, 10000); }

static bool read_some(struct scene *s, struct transport *t, char *to, size_t n, size_t *got, struct err *e) {
    for (;;) {
        enum transport_got how = t->ops->read(t, to, n, got, e);
        if (how != TRANSPORT_AGAIN)
            return how == TRANSPORT_SOME;
        if (!t->ops->wait_read(t, soon(s), e))
            return false;
    }
}

static void serve(void *arg) {
    struct scene *s = arg;
    struct transport *t;
    char bytes[4096];
    size_t got;
    s->accepted = tls_accept(s->server, s->server_end, soon(s), &t, &s->server_error);
    if (!s->accepted) {
        s->server_end->ops->close(s->server_end);
        return;
    }
    while (read_some(s, t, bytes, sizeof bytes, &got, &s->server_error))
        if (!transport_write_all(t, slice_of(bytes, got), soon(s), &s->server_error))
            break;
    t->ops->close(t);
}

static void ask(void *arg) {
    struct scene *s = arg;
    struct transport *t;
    static char much[MUCH], bytes[4096];
    size_t got, n = s->trickles ? 3000 : MUCH;
    s->connected = tls_connect(s->client, s->client_end, SLICE("mx.example.org"), soon(s), &t, &s->client_error);
    if (!s->connected) {
        s->client_end->ops->close(s->client_end);
        return;
    }
    assert_non_null(strstr(tls_version(t), "TLSv1.3"));
    assert_true(strlen(tls_cipher(t)) > 5);
    for (size_t said = 0; said < n; said += sizeof bytes / 2) {
        struct slice piece = slice_upto(slice_of(much + said, n - said), sizeof bytes / 2);
        if (!transport_write_all(t, piece, soon(s), &s->client_error))
            break;
        for (size_t back = 0; back < piece.n; back += got, s->echoed += got)
            if (!read_some(s, t, bytes, sizeof bytes, &got, &s->client_error))
                goto out;
    }
out:
    t->ops->close(t);
}

static void say_raw(void *arg) {
    struct scene *s = arg;
    struct err e;
    transport_write_all(s->client_end, s->raw, soon(s), &e);
    fiber_sleep(30000);
    s->client_end->ops->close(s->client_end);
}

static void play(struct scene *s) {
    struct err e;
    s->loop = loop_new(true);
    fiber_group_init(&s->group, s->loop, "test");
    s->server = tls_server_new(buf_slice(&pem_certificate), buf_slice(&pem_key), &e);
    s->client = tls_client_new(&e);
    assert_true(s->server && s->client);
    transport_pair(4096, &s->server_end, &s->near_server);
    transport_pair(4096, &s->client_end, &s->near_client);
    assert_true(fiber_spawn(&s->group, "server", serve, s, &e));
    assert_true(fiber_spawn(&s->group, "client", s->raw.n ? say_raw : ask, s, &e));
    assert_true(fiber_spawn(&s->group, "up", shuttle_up, s, &e));
    assert_true(fiber_spawn(&s->group, "down", shuttle_down, s, &e));
    loop_run(s->loop);
    assert_int_equal(loop_fibers(s->loop), 0);
    s->near_server->ops->close(s->near_server);
    s->near_client->ops->close(s->near_client);
    tls_server_free(s->server);
    tls_client_free(s->client);
    loop_free(s->loop);
}

static void test_echo(void **state) {
    struct scene s = {0};
    (void)state;
    play(&s);
    assert_true(s.accepted && s.connected);
    assert_int_equal(s.echoed, MUCH);
}

// Every record comes in halves: whoever waits for the other half lets time pass and others run.
static void test_trickle(void **state) {
    struct scene s = {.trickles = true};
    (void)state;
    play(&s);
    assert_true(s.accepted && s.connected);
    assert_int_equal(s.echoed, 3000);
}

// Cut off at any byte both sides end, soon.
static void test_cut(void **state) {
    static const size_t cuts[] = {1, 4, 5, 6, 100, 200, 517, 560, 600, 700, 2000, 20000};
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct scene s = {.cut_after = cuts[i]};
        play(&s);
        assert_true(s.echoed < MUCH);
        assert_true(s.accepted || s.server_error.text[0]);
    }
}

static void refuse_raw(struct slice raw, const char *why) {
    struct scene s = {.raw = raw};
    play(&s);
    assert_false(s.accepted);
    assert_non_null(strstr(s.server_error.text, why));
}

static void test_garbage(void **state) {
    (void)state;
    refuse_raw(SLICE("MAIL FROM:<evil@example.net>\r\n"), "handshake");
    refuse_raw(SLICE("\0\0\0\0\0\0\0\0\0\0\0\0"), "handshake");
    refuse_raw(SLICE("\x16\x03\x01\xff\xff\x01\0\0\0\0"), "handshake");
}

// Three bytes of a record, then silence: a time-out, not a loop.
static void test_silence(void **state) {
    (void)state;
    refuse_raw(SLICE("\x16\x03\x01"), "timed out");
}

// The hello of a client that knows nothing newer.
static struct slice old_hello(int version, struct buf *out) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    char *p;
    long n = BIO_get_mem_data(SSL_get_wbio(ssl), &p);
    buf_add(out, slice_of(p, (size_t)n));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return buf_slice(out);
}

static void test_old_versions(void **state) {
    (void)state;
    for (int version = TLS1_VERSION; version <= TLS1_1_VERSION; version++) {
        BUF_AUTO struct buf hello = {.max = 1 << 16};
        assert_true(old_hello(version, &hello).n > 40);
        refuse_raw(buf_slice(&hello), "unsupported protocol");
    }
}

static void test_pems(void **state) {
    struct err e = {0};
    (void)state;
    assert_null(tls_server_new(SLICE("nonsense"), buf_slice(&pem_key), &e));
    assert_non_null(strstr(e.text, "certificate"));
    assert_null(tls_server_new(buf_slice(&pem_certificate), SLICE_EMPTY, &e));
    assert_non_null(strstr(e.text, "private key"));
    assert_null(tls_server_new(buf_slice(&pem_certificate), buf_slice(&pem_other_key), &e));
    assert_non_null(strstr(e.text, "private key"));
    tls_server_free(NULL);
    tls_client_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),    cmocka_unit_test(test_trickle), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_silence), cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_pems),
    };
    return cmocka_run_group_tests(tests, make_pems, free_pems);
}
