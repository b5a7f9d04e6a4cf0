// connect_test: the process over real sockets of this machine: connections to what the configuration names, and to
// nothing else.
#include "svc/connect/connect.h"

#include "base/mem.h"
#include "rt/net_kernel.h"
#include "svc/peer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct house {
    struct loop *loop;
    struct world world;
    struct config config;
    struct config_filter filters[3]; // tcp, unix, away
    int tcp, local;
    char path[64];
    struct connect_service *service;
    struct fiber_group group;
    struct peer connect;
    bool done;
};

static void open_tcp(struct house *h) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    h->tcp = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(h->tcp, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(h->tcp, 8), 0);
    assert_int_equal(getsockname(h->tcp, (struct sockaddr *)&at, &n), 0);
    h->filters[0] = (struct config_filter){.name = SLICE("tcp"), .connect = 2000};
    assert_true(netaddr_parse_endpoint(SLICE("127.0.0.1:1"), &h->filters[0].at));
    h->filters[0].at.port = ntohs(at.sin_port);
}

static void open_unix(struct house *h) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(h->path, sizeof h->path, "/tmp/posthouse-connect-%d", (int)getpid());
    memcpy(at.sun_path, h->path, strlen(h->path));
    h->local = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(h->local, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(h->local, 8), 0);
    h->filters[1] = (struct config_filter){.name = SLICE("unix"), .path = slice_str(h->path)};
    h->filters[2] = (struct config_filter){.name = SLICE("away"), .path = SLICE("/nowhere/socket")};
}

static void no_frames(void *service, struct peer_link *from, const struct link_frame *frame) { fail(); }

static void open_house(struct house *h) {
    int fds[2];
    *h = (struct house){.loop = loop_new(false)};
    h->world = (struct world){.loop = h->loop, .net = net_kernel_new(h->loop), .ops = &world_kernel_ops};
    h->config = (struct config){.gate = {.filters = h->filters, .filters_n = 3}};
    open_tcp(h);
    open_unix(h);
    h->service = connect_new(&h->world, &h->config);
    fiber_group_init(&h->group, h->loop, "test");
    h->connect = (struct peer){.group = &h->group, .handle = no_frames};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    peer_attach(&h->connect, link_new(h->loop, transport_of_fd(h->loop, fds[0]), ROLE_SMTPD, ROLE_CONNECT));
    connect_attach(h->service, link_new(h->loop, transport_of_fd(h->loop, fds[1]), ROLE_CONNECT, ROLE_SMTPD),
                   ROLE_SMTPD);
}

static void close_house(struct house *h) {
    connect_free(h->service);
    net_kernel_free(h->world.net);
    loop_free(h->loop);
    close(h->tcp);
    close(h->local);
    unlink(h->path);
}

static FIBER_FN int ask(struct house *h, const char *name, struct buf *why) {
    struct mono deadline = loop_in_ms(h->loop, 3000);
    enum link_type type;
    struct err e;
    struct transport *t;
    struct peer_link *l = peer_wait(&h->connect, deadline, &e);
    assert_non_null(l);
    assert_true(link_call_transport(l->link, LINK_FILTER, slice_str(name), deadline, &type, why, &t, &e));
    assert_int_equal(type, LINK_FILTER_REPLY);
    peer_drop(l);
    return t ? transport_release_fd(h->loop, t) : -1;
}

// What is written on the one end comes out of the other: the process is no part of it.
static FIBER_FN void ask_and_talk(struct house *h, const char *name, int listener) {
    struct buf why BUF_AUTO = {.max = 1024};
    char got[8];
    int fd = ask(h, name, &why);
    assert_true(fd >= 0);
    int other = accept(listener, NULL, NULL);
    assert_true(other >= 0);
    assert_int_equal(write(fd, "hello", 5), 5);
    assert_int_equal(read(other, got, sizeof got), 5);
    assert_int_equal(write(other, "you", 3), 3);
    assert_int_equal(read(fd, got, sizeof got), 3);
    close(other);
    close(fd);
}

static void ask_all(void *arg) {
    struct house *h = arg;
    struct buf why BUF_AUTO = {.max = 1024};
    for (int i = 0; i < 20; i++) {
        ask_and_talk(h, "tcp", h->tcp);
        ask_and_talk(h, "unix", h->local);
        assert_int_equal(ask(h, "away", &why), -1);
        assert_true(slice_search(buf_slice(&why), SLICE("No such file")) < why.n);
        assert_int_equal(ask(h, "evil", &why), -1);
        assert_true(slice_eq(buf_slice(&why), SLICE("no such filter")));
    }
    h->done = true;
    connect_stop(h->service);
    fiber_group_cancel(&h->group);
}

static void opens_connections(void **state) {
    struct house h;
    struct err e;
    open_house(&h);
    assert_true(fiber_spawn(&h.group, "ask", ask_all, &h, &e));
    loop_run(h.loop);
    assert_true(h.done);
    close_house(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(opens_connections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
