// net_kernel_test: connections on loopback.
#include "rt/net_kernel.h"

#include "rt/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct loop *loop;
    struct fiber_group group;
    struct net *net;
    struct listener *listener; // NULL: nobody listens at `at`
    struct netaddr at, seen;   // seen: the client, by the server
    char got[8];
};

static uint16_t port_of(int fd) {
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

static int listen_at(const char *ip, struct netaddr *at) {
    struct err e;
    assert_true(netaddr_parse_ip(slice_str(ip), at));
    at->port = 0;
    int fd;
    if (!listen_tcp(at, false, &fd, &e))
        return -1;
    at->port = port_of(fd);
    return fd;
}

static void serve(void *arg) {
    struct scene *s = arg;
    struct transport *t;
    struct err e;
    assert_true(listener_accept(s->listener, loop_in_ms(s->loop, 5000), &t, &s->seen, &e));
    assert_true(transport_write_all(t, SLICE("hello"), loop_in_ms(s->loop, 5000), &e));
    t->ops->close(t);
}

static void ask(void *arg) {
    struct scene *s = arg;
    struct transport *t;
    struct netaddr local = {0};
    struct err e;
    size_t got = 0, n = 0;
    assert_true(net_connect(s->net, &s->at, loop_in_ms(s->loop, 5000), &t, &local, &e));
    enum transport_got how;
    while ((how = t->ops->read(t, s->got + n, sizeof s->got - 1 - n, &got, &e)) != TRANSPORT_END) {
        if (how == TRANSPORT_SOME)
            n += got;
        else
            assert_true(how == TRANSPORT_AGAIN && t->ops->wait_read(t, loop_in_ms(s->loop, 5000), &e));
    }
    t->ops->close(t);
    assert_true(netaddr_is_loopback(&local) && local.port != 0);
    assert_true(netaddr_same_ip(&local, &s->seen));
    assert_int_equal(local.port, s->seen.port);
}

static void open_scene(struct scene *s) {
    *s = (struct scene){.loop = loop_new(false)};
    fiber_group_init(&s->group, s->loop, "test");
    s->net = net_kernel_new(s->loop);
}

static void close_scene(struct scene *s) {
    net_kernel_free(s->net);
    loop_free(s->loop);
}

static void connect_over(const char *server, const char *client) {
    struct scene s;
    struct err e;
    open_scene(&s);
    int fd = listen_at(server, &s.at);
    if (fd < 0) {
        close_scene(&s);
        print_message("no %s here\n", server);
        return;
    }
    uint16_t port = s.at.port;
    assert_true(netaddr_parse_ip(slice_str(client), &s.at));
    s.at.port = port;
    s.listener = listener_of_fd(s.loop, fd);
    assert_non_null(s.listener);
    assert_true(fiber_spawn(&s.group, "server", serve, &s, &e));
    assert_true(fiber_spawn(&s.group, "client", ask, &s, &e));
    loop_run(s.loop);
    assert_string_equal(s.got, "hello");
    listener_close(s.listener);
    close_scene(&s);
}

static void test_connect(void **state) {
    (void)state;
    connect_over("127.0.0.1", "127.0.0.1");
    connect_over("::1", "::1");
    connect_over("::", "127.0.0.1"); // one socket for both; an IPv4 client is seen as such
}

static void ask_nobody(void *arg) {
    struct scene *s = arg;
    struct transport *t;
    struct err e = {0};
    assert_false(net_connect(s->net, &s->at, loop_in_ms(s->loop, 5000), &t, NULL, &e));
    assert_int_equal(e.sys, ECONNREFUSED);
    assert_int_equal(e.kind, ERR_TEMPORARY);
}

static void test_refused(void **state) {
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    int fd = listen_at("127.0.0.1", &s.at);
    close(fd);
    assert_true(fiber_spawn(&s.group, "client", ask_nobody, &s, &e));
    loop_run(s.loop);
    close_scene(&s);
}

static void accept_nobody(void *arg) {
    struct scene *s = arg;
    struct transport *t;
    struct netaddr peer;
    struct err e = {0};
    assert_false(listener_accept(s->listener, loop_in_ms(s->loop, 20), &t, &peer, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    fiber_group_cancel(&s->group);
    assert_false(listener_accept(s->listener, MONO_NEVER, &t, &peer, &e));
    assert_int_equal(e.kind, ERR_CANCELLED);
}

static void test_accept_ends(void **state) {
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    s.listener = listener_of_fd(s.loop, listen_at("127.0.0.1", &s.at));
    assert_true(fiber_spawn(&s.group, "server", accept_nobody, &s, &e));
    loop_run(s.loop);
    listener_close(s.listener);
    close_scene(&s);
}

static void test_port_in_use(void **state) {
    struct netaddr at;
    struct err e = {0};
    (void)state;
    int fd = listen_at("127.0.0.1", &at);
    assert_true(fd >= 0);
    int second;
    assert_false(listen_tcp(&at, false, &second, &e));
    assert_int_equal(e.sys, EADDRINUSE);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_accept_ends),
        cmocka_unit_test(test_port_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
