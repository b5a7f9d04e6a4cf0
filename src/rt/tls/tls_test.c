// tls_test: handshakes and records over pipes in memory, whole and trickling; what is no TLS, too old, or ends early.
// Every signature is by a key that lies elsewhere, and comes after others have run.
#include "rt/tls/tls_test_keys.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MUCH = 200000 };

struct scene {
    struct loop *loop;
    struct fiber_group group;
    struct tls_server *server; // NULL: one with an EC key
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

static struct tls_test_key ec;

static int make_keys(void **state) {
    (void)state;
    tls_test_key(&ec, TLS_TEST_EC, "mx.example.org", NULL);
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    tls_test_key_done(&ec);
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
    assert_string_equal(tls_version(t), "TLSv1.3");
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
    s->server = tls_test_server("test", false, &ec, 1);
    s->client = tls_client_new(NULL, &e);
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

static void test_without_certificate(void **state) {
    struct err e = {0};
    struct message_keys_certificate bad = {.chain = SLICE("nonsense")};
    struct message_keys_set set = {.certificates = &bad, .certificates_n = 1};
    (void)state;
    struct tls_server *s = tls_server_new(&(struct tls_server_setup){.name = "test"}, &e);
    assert_non_null(s);
    assert_false(tls_server_update(s, &set, &e));
    assert_non_null(strstr(e.text, "certificate"));
    set.certificates_n = 0;
    assert_false(tls_server_update(s, &set, &e));
    tls_server_free(s);
    tls_server_free(NULL);
    tls_client_free(NULL);
    assert_null(tls_client_new("/nowhere", &e));
    assert_null(tls_server_new(&(struct tls_server_setup){.name = "test", .client_ca = SLICE("x")}, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_without_certificate),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
