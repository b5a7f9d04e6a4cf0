// tls_verified_test: servers whose certificate must be for their name, by somebody we trust.
#include "rt/tls/tls_test_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIPE = 64 * 1024 };

static struct tls_test_key ours, other;

struct call {
    struct fiber_group group;
    struct tls_server *server;
    struct tls_client *client;
    struct transport *near, *far;
    struct slice name;
    bool ok;
    struct err e;
};

static struct mono soon(void) { return loop_in_ms(fiber_loop(), 20000); }

static void serve(void *arg) {
    struct call *c = arg;
    struct transport *t = c->far;
    struct err e;
    if (tls_accept(c->server, c->far, soon(), &t, &e))
        (void)!transport_write_all(t, SLICE("220 hello\r\n"), soon(), &e);
    t->ops->close(t);
}

static void ask(void *arg) {
    struct call *c = arg;
    struct transport *t = c->near;
    c->ok = tls_connect_verified(c->client, c->near, c->name, soon(), &t, &c->e);
    t->ops->close(t);
}

static struct tls_client *client_that_trusts(const struct tls_test_key *trusted) {
    char path[] = "/tmp/tls-test-XXXXXX";
    struct err e;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, trusted->chain.p, trusted->chain.n), (ssize_t)trusted->chain.n);
    close(fd);
    struct tls_client *client = tls_client_new(path, &e);
    unlink(path);
    assert_non_null(client);
    return client;
}

static bool verified(const struct tls_test_key *trusted, const char *name, struct err *e) {
    struct loop *loop = loop_new(true);
    struct call c = {.server = tls_test_server("mx", false, &ours, 1),
                     .client = client_that_trusts(trusted),
                     .name = slice_str(name)};
    transport_pair(PIPE, &c.near, &c.far);
    fiber_group_init(&c.group, loop, "test");
    assert_true(fiber_spawn(&c.group, "server", serve, &c, e));
    assert_true(fiber_spawn(&c.group, "client", ask, &c, e));
    loop_run(loop);
    assert_int_equal(loop_fibers(loop), 0);
    loop_free(loop);
    tls_client_free(c.client);
    tls_server_free(c.server);
    *e = c.e;
    return c.ok;
}

static void test_verified(void **state) {
    struct err e = {0};
    (void)state;
    assert_true(verified(&ours, "mx.example.org", &e));
    assert_true(verified(&ours, "a.example.net", &e));
    assert_false(verified(&ours, "a.b.example.net", &e));
    assert_false(verified(&ours, "192.0.2.1", &e));
    assert_false(verified(&ours, "", &e));
    assert_false(verified(&ours, "common", &e)); // the names count, not the subject (RFC 9525 2)
    assert_false(verified(&other, "mx.example.org", &e));
    assert_non_null(strstr(e.text, "certificate verify failed"));
}

static int make_keys(void **state) {
    (void)state;
    tls_test_key(&ours, TLS_TEST_RSA, "mx.example.org,*.example.net", NULL);
    tls_test_key(&other, TLS_TEST_EC, "mx.example.org", NULL);
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    tls_test_key_done(&ours);
    tls_test_key_done(&other);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verified)};
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
