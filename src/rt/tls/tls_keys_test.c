// tls_keys_test: handshakes with each kind of key, in each version, where the key is elsewhere; which certificate is
// shown; tickets; what a set that comes later changes; bindings and clients' certificates.
#include "rt/tls/tls_test_keys.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { PIPE = 64 * 1024 };

static struct tls_test_key rsa, ec, ec_384, ed, user;

// --- a client of OpenSSL's own over memory, so that it can be as odd as it likes

struct visit {
    struct tls_server *server;
    // in
    int version;                      // 0: any
    const char *name;                 // SNI; NULL: none
    const char *sigalgs;              // NULL: usual
    const char *ciphers;              // NULL: usual
    bool old;                         // security level 0
    bool staple;                      // asks for a response
    const struct tls_test_key *shows; // its own certificate
    SSL_SESSION *resume;              // taken over
    // out
    bool accepted, resumed;
    struct err e;
    X509 *shown;
    int signature; // NID
    SSL_SESSION *session;
    struct buf exporter, client_exporter, end_point, subject, stapled;
    char version_name[16];
};

struct play {
    struct visit *v;
    struct fiber_group group;
    struct loop *loop;
    struct transport *near, *far;
    SSL *ssl;
};

static struct mono soon(void) { return loop_in_ms(fiber_loop(), 20000); }

static void serve(void *arg) {
    struct play *p = arg;
    struct visit *v = p->v;
    struct transport *t;
    struct err e;
    v->accepted = tls_accept(v->server, p->far, soon(), &t, &v->e);
    if (!v->accepted) {
        p->far->ops->close(p->far);
        return;
    }
    v->resumed = tls_resumed(t);
    tls_exporter(t, &v->exporter);
    tls_server_end_point(t, &v->end_point);
    tls_client_user(t, &v->subject);
    snprintf(v->version_name, sizeof v->version_name, "%s", tls_version(t));
    (void)!transport_write_all(t, SLICE("220 hello\r\n"), soon(), &e);
    t->ops->close(t);
}

static bool send_out(struct play *p) {
    char bytes[4096];
    struct err e;
    int n;
    while ((n = BIO_read(SSL_get_wbio(p->ssl), bytes, sizeof bytes)) > 0)
        if (!transport_write_all(p->near, slice_of(bytes, (size_t)n), soon(), &e))
            return false;
    return true;
}

static bool take_in(struct play *p) {
    char bytes[4096];
    size_t got;
    struct err e;
    for (;;)
        switch (p->near->ops->read(p->near, bytes, sizeof bytes, &got, &e)) {
        case TRANSPORT_SOME:
            return BIO_write(SSL_get_rbio(p->ssl), bytes, (int)got) == (int)got;
        case TRANSPORT_AGAIN:
            if (!p->near->ops->wait_read(p->near, soon(), &e))
                return false;
            break;
        default:
            return false;
        }
}

static void keep_session(struct play *p) {
    struct visit *v = p->v;
    const unsigned char *response;
    SSL_SESSION_free(v->session);
    v->session = SSL_get1_session(p->ssl);
    v->shown = SSL_get1_peer_certificate(p->ssl);
    SSL_get_peer_signature_type_nid(p->ssl, &v->signature);
    unsigned char value[32];
    static const char label[] = "EXPORTER-Channel-Binding";
    if (SSL_export_keying_material(p->ssl, value, sizeof value, label, sizeof label - 1, NULL, 0, 1) == 1)
        buf_add(&v->client_exporter, slice_of(value, sizeof value));
    long n = SSL_get_tlsext_status_ocsp_resp(p->ssl, &response);
    if (n > 0)
        buf_add(&v->stapled, slice_of(response, (size_t)n));
}

static void ask(void *arg) {
    struct play *p = arg;
    char line[64];
    bool going = true;
    int r = 0;
    while (going && r <= 0) {
        r = SSL_do_handshake(p->ssl);
        going = send_out(p) && (r > 0 || (SSL_get_error(p->ssl, r) == SSL_ERROR_WANT_READ && take_in(p)));
    }
    while (going && SSL_read(p->ssl, line, sizeof line) <= 0)
        going = take_in(p);
    if (going)
        keep_session(p);
    send_out(p);
    p->near->ops->close(p->near);
}

static SSL *new_client(const struct visit *v) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, v->old ? 0 : 1);
    SSL_CTX_set_min_proto_version(ctx, v->version);
    SSL_CTX_set_max_proto_version(ctx, v->version);
    if (v->sigalgs)
        assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, v->sigalgs), 1);
    if (v->ciphers)
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, v->ciphers), 1);
    if (v->shows)
        assert_int_equal(SSL_CTX_use_cert_and_key(ctx, v->shows->certificate, v->shows->pair, NULL, 1), 1);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    if (v->name)
        SSL_set_tlsext_host_name(ssl, v->name);
    if (v->staple)
        SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    if (v->resume)
        SSL_set_session(ssl, v->resume);
    return ssl;
}

static void visit_done(struct visit *v) {
    X509_free(v->shown);
    SSL_SESSION_free(v->session);
    buf_done(&v->exporter);
    buf_done(&v->client_exporter);
    buf_done(&v->end_point);
    buf_done(&v->subject);
    buf_done(&v->stapled);
}

#define VISIT_AUTO __attribute__((cleanup(visit_done)))

static void play(struct visit *v) {
    struct play p = {.v = v, .loop = loop_new(true)};
    struct buf empty = {.max = 4096};
    struct err e;
    v->exporter = v->client_exporter = v->end_point = v->subject = v->stapled = empty;
    p.ssl = new_client(v);
    transport_pair(PIPE, &p.near, &p.far);
    fiber_group_init(&p.group, p.loop, "test");
    assert_true(fiber_spawn(&p.group, "server", serve, &p, &e));
    assert_true(fiber_spawn(&p.group, "client", ask, &p, &e));
    loop_run(p.loop);
    assert_int_equal(loop_fibers(p.loop), 0);
    SSL_set_shutdown(p.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); // else its session is forgotten
    SSL_free(p.ssl);
    loop_free(p.loop);
}

// --- tests

static int make_keys(void **state) {
    (void)state;
    tls_test_key(&rsa, TLS_TEST_RSA, "mx.example.org,*.example.net", NULL);
    tls_test_key(&ec, TLS_TEST_EC, "mx.example.org", NULL);
    tls_test_key(&ec_384, TLS_TEST_EC_384, "big.example", NULL);
    tls_test_key(&ed, TLS_TEST_ED25519, "ed.example", NULL);
    tls_test_key(&user, TLS_TEST_EC, "", "alice@example.org");
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    tls_test_key_done(&rsa);
    tls_test_key_done(&ec);
    tls_test_key_done(&ec_384);
    tls_test_key_done(&ed);
    tls_test_key_done(&user);
    return 0;
}

static void test_kinds(void **state) {
    const struct {
        const struct tls_test_key *key;
        int version, signature;
        bool old;
    } cases[] = {
        {&rsa, TLS1_3_VERSION, EVP_PKEY_RSA_PSS, false}, {&rsa, TLS1_2_VERSION, EVP_PKEY_RSA_PSS, false},
        {&ec, TLS1_3_VERSION, EVP_PKEY_EC, false},       {&ec, TLS1_2_VERSION, EVP_PKEY_EC, false},
        {&ec_384, TLS1_3_VERSION, EVP_PKEY_EC, false},   {&ec_384, TLS1_2_VERSION, EVP_PKEY_EC, false},
        {&ed, TLS1_3_VERSION, EVP_PKEY_ED25519, false},  {&ed, TLS1_2_VERSION, EVP_PKEY_ED25519, false},
        {&rsa, TLS1_1_VERSION, EVP_PKEY_RSA, true},      {&rsa, TLS1_VERSION, EVP_PKEY_RSA, true},
        {&ec, TLS1_VERSION, EVP_PKEY_EC, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        VISIT_AUTO struct visit v = {.version = cases[i].version, .old = cases[i].old};
        v.server = tls_test_server("mx", cases[i].old, cases[i].key, 1);
        v.ciphers = cases[i].old ? "ALL:@SECLEVEL=0" : NULL;
        play(&v);
        if (!v.accepted)
            fail_msg("case %zu: %s", i, v.e.text);
        assert_non_null(v.shown);
        if (cases[i].version >= TLS1_2_VERSION)
            assert_int_equal(v.signature, cases[i].signature);
        assert_int_equal(X509_cmp(v.shown, cases[i].key->certificate), 0);
        tls_server_free(v.server);
    }
}

static void test_pkcs1(void **state) {
    VISIT_AUTO struct visit v = {.version = TLS1_2_VERSION, .sigalgs = "RSA+SHA384"};
    (void)state;
    v.server = tls_test_server("mx", false, &rsa, 1);
    play(&v);
    assert_true(v.accepted);
    assert_int_equal(v.signature, EVP_PKEY_RSA);
    tls_server_free(v.server);
}

static void test_refused_versions(void **state) {
    (void)state;
    for (int version = TLS1_VERSION; version <= TLS1_1_VERSION; version++) {
        VISIT_AUTO struct visit v = {.version = version, .old = true, .ciphers = "ALL:@SECLEVEL=0"};
        v.server = tls_test_server("mx", false, &rsa, 1);
        play(&v);
        assert_false(v.accepted);
        tls_server_free(v.server);
    }
}

static void test_which(void **state) {
    const struct tls_test_key keys[] = {ec, rsa, ed, ec_384};
    const struct {
        const char *name, *sigalgs;
        const struct tls_test_key *shown;
    } cases[] = {
        {NULL, NULL, &ec},
        {"mx.example.org", NULL, &ec},
        {"mx.EXAMPLE.org", "RSA-PSS+SHA256", &rsa},
        {"unknown.example", NULL, &ec},
        {"unknown.example", "RSA-PSS+SHA256", &rsa},
        {"a.example.net", NULL, &rsa},
        {"a.b.example.net", NULL, &ec},
        {"ed.example", NULL, &ed},
        {"big.example", NULL, &ec_384},
    };
    (void)state;
    struct tls_server *server = tls_test_server("mx", false, keys, COUNT(keys));
    for (size_t i = 0; i < COUNT(cases); i++) {
        VISIT_AUTO struct visit v = {.server = server, .name = cases[i].name, .sigalgs = cases[i].sigalgs};
        play(&v);
        if (!v.accepted || X509_cmp(v.shown, cases[i].shown->certificate) != 0)
            fail_msg("case %zu: %s", i, v.accepted ? "another certificate" : v.e.text);
    }
    tls_server_free(server);
}

// A signature that nobody gives ends the handshake, and nothing else.
static void test_no_signature(void **state) {
    VISIT_AUTO struct visit v = {0}, again = {0};
    (void)state;
    again.server = v.server = tls_test_server("mx", false, &ec, 1);
    tls_test_refuses = true;
    play(&v);
    tls_test_refuses = false;
    assert_false(v.accepted);
    play(&again);
    assert_true(again.accepted);
    tls_server_free(v.server);
}

static void test_tickets(void **state) {
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        VISIT_AUTO struct visit first = {.version = versions[i]}, same = first, other = first, role = first,
                                later = first;
        first.server = tls_test_server("mx", false, &ec, 1);
        play(&first);
        assert_true(first.accepted && !first.resumed);
        assert_int_equal(first.end_point.n, 32);
        same.server = tls_test_server("mx", false, &ec, 1); // another process of the role
        same.resume = first.session;
        play(&same);
        assert_true(same.accepted && same.resumed);
        assert_int_equal(same.end_point.n, 0);
        role.server = tls_test_server("submission", false, &ec, 1); // even if it had the same keys
        role.resume = first.session;
        play(&role);
        assert_false(role.accepted && role.resumed);

        struct message_keys_certificate list[1];
        struct message_keys_set set = tls_test_set(&ec, 1, list);
        static const char others[MESSAGE_TICKET_KEY] = "another key";
        struct err e;
        set.tickets = slice_of(others, sizeof others);
        assert_true(tls_server_update(same.server, &set, &e));
        later.server = same.server;
        later.resume = first.session;
        play(&later);
        assert_true(later.accepted && !later.resumed);
        set.tickets = SLICE_EMPTY;
        assert_true(tls_server_update(same.server, &set, &e));
        other.server = same.server;
        play(&other);
        assert_true(other.accepted);
        tls_server_free(first.server);
        tls_server_free(same.server);
        tls_server_free(role.server);
    }
}

static void test_bindings(void **state) {
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        VISIT_AUTO struct visit v = {.version = versions[i]};
        unsigned char hash[32];
        unsigned n;
        v.server = tls_test_server("mx", false, &rsa, 1);
        play(&v);
        assert_int_equal(v.exporter.n, 32);
        assert_true(slice_eq(buf_slice(&v.exporter), buf_slice(&v.client_exporter)));
        X509_digest(rsa.certificate, EVP_sha256(), hash, &n);
        assert_true(slice_eq(buf_slice(&v.end_point), slice_of(hash, 32)));
        tls_server_free(v.server);
    }
    VISIT_AUTO struct visit edwards = {0};
    edwards.server = tls_test_server("mx", false, &ed, 1);
    play(&edwards);
    assert_true(edwards.accepted);
    assert_int_equal(edwards.end_point.n, 0); // its signature has no hash
    tls_server_free(edwards.server);
}

static void test_staple(void **state) {
    struct tls_test_key stapled = rsa;
    struct buf response = {.max = 100};
    VISIT_AUTO struct visit asked = {.staple = true}, unasked = {0};
    (void)state;
    buf_add(&response, SLICE("a response"));
    stapled.ocsp = response;
    asked.server = unasked.server = tls_test_server("mx", false, &stapled, 1);
    play(&asked);
    play(&unasked);
    assert_true(asked.accepted && unasked.accepted);
    assert_true(slice_eq(buf_slice(&asked.stapled), SLICE("a response")));
    assert_int_equal(unasked.stapled.n, 0);
    tls_server_free(asked.server);
    buf_done(&response);
}

static struct tls_server *with_authority(const struct tls_test_key *authority) {
    struct message_keys_certificate list[1];
    struct message_keys_set set = tls_test_set(&ec, 1, list);
    struct err e;
    struct tls_server *s = tls_server_new(&(struct tls_server_setup){.name = "submission",
                                                                     .ticket_life = MS_HOUR,
                                                                     .client_ca = buf_slice(&authority->chain),
                                                                     .sign = tls_test_sign},
                                          &e);
    assert_true(s && tls_server_update(s, &set, &e));
    return s;
}

static void test_users(void **state) {
    const struct {
        const struct tls_test_key *authority, *shows;
        const char *want;
    } cases[] = {
        {&user, &user, "alice@example.org"},
        {&rsa, &rsa, "common"},
        {&rsa, &user, ""},
        {&user, NULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        VISIT_AUTO struct visit v = {.shows = cases[i].shows}, resumed = {0};
        v.server = with_authority(cases[i].authority);
        play(&v);
        assert_true(v.accepted);
        assert_true(slice_eq(buf_slice(&v.subject), slice_str(cases[i].want)));
        resumed.server = v.server;
        resumed.resume = v.session;
        play(&resumed);
        assert_true(resumed.resumed);
        assert_true(slice_eq(buf_slice(&resumed.subject), slice_str(cases[i].want)));
        tls_server_free(v.server);
    }
}

// Certificates change while nobody is there, and one that is bad among good ones is left out.
static void test_update(void **state) {
    struct message_keys_certificate list[3];
    VISIT_AUTO struct visit v = {0};
    struct err e = {0};
    (void)state;
    v.server = tls_test_server("mx", false, &ec, 1);
    struct message_keys_set set = tls_test_set(&rsa, 1, list);
    list[1] = list[0];
    list[0] = (struct message_keys_certificate){.chain = SLICE("-----BEGIN nonsense")};
    set.certificates_n = 2;
    assert_false(tls_server_update(v.server, &set, &e));
    assert_non_null(strstr(e.text, "no PEM"));
    play(&v);
    assert_true(v.accepted);
    assert_int_equal(X509_cmp(v.shown, rsa.certificate), 0);
    tls_server_free(v.server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_pkcs1),        cmocka_unit_test(test_refused_versions),
        cmocka_unit_test(test_which),  cmocka_unit_test(test_no_signature), cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_staple), cmocka_unit_test(test_bindings),     cmocka_unit_test(test_users),
        cmocka_unit_test(test_update),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
