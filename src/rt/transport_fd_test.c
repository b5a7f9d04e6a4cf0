// transport_fd_test: sockets of the kernel in a real loop.
#include "rt/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 4 * 1024 * 1024 };

struct scene {
    struct loop *loop;
    struct fiber_group group;
    struct transport *t;
    int peer; // the other end
    struct err error;
    size_t n;
    bool told;
    struct loop_task task;
};

static void open_scene(struct scene *s) {
    int fds[2];
    *s = (struct scene){.loop = loop_new(false)};
    fiber_group_init(&s->group, s->loop, "test");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    s->peer = fds[1];
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int)), 0);
    s->t = transport_of_fd(s->loop, fds[0]);
    assert_non_null(s->t);
}

static void run(struct scene *s, void (*body)(void *arg)) {
    struct err e;
    assert_true(fiber_spawn(&s->group, "test", body, s, &e));
    loop_run(s->loop);
}

static void close_scene(struct scene *s) {
    s->t->ops->close(s->t);
    if (s->peer >= 0)
        close(s->peer);
    loop_free(s->loop);
}

static enum transport_got read_some(struct scene *s, char *to, size_t n, size_t *got) {
    for (;;) {
        enum transport_got how = s->t->ops->read(s->t, to, n, got, &s->error);
        if (how != TRANSPORT_AGAIN)
            return how;
        if (!s->t->ops->wait_read(s->t, loop_in_ms(s->loop, 2000), &s->error))
            return TRANSPORT_AGAIN;
    }
}

// What came before the peer hung up is read in full, then its end, short reads or not.
static void read_to_end(void *arg) {
    struct scene *s = arg;
    char to[1000];
    size_t got = 0;
    enum transport_got how;
    while ((how = read_some(s, to, sizeof to, &got)) == TRANSPORT_SOME)
        s->n += got;
    assert_int_equal(how, TRANSPORT_END);
}

static void test_end_after_data(void **state) {
    static const size_t sizes[] = {0, 1, 999, 1000, 1001, 2500};
    char bytes[2500] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct scene s;
        open_scene(&s);
        assert_int_equal(write(s.peer, bytes, sizes[i]), (ssize_t)sizes[i]);
        close(s.peer);
        s.peer = -1;
        run(&s, read_to_end);
        assert_int_equal(s.n, sizes[i]);
        close_scene(&s);
    }
}

static void wait_in_vain(void *arg) {
    struct scene *s = arg;
    char c;
    size_t got;
    assert_int_equal(s->t->ops->read(s->t, &c, 1, &got, &s->error), TRANSPORT_AGAIN);
    assert_false(s->t->ops->wait_read(s->t, loop_in_ms(s->loop, 20), &s->error));
}

static void test_deadline(void **state) {
    struct scene s;
    (void)state;
    open_scene(&s);
    run(&s, wait_in_vain);
    assert_int_equal(s.error.kind, ERR_TIMEOUT);
    close_scene(&s);
}

static void write_much(void *arg) {
    struct scene *s = arg;
    char *bytes = calloc(1, MUCH);
    assert_true(transport_write_all(s->t, slice_of(bytes, MUCH), loop_in_ms(s->loop, 10000), &s->error));
    s->t->ops->shutdown(s->t);
    free(bytes);
}

static void drain(void *arg) {
    struct scene *s = arg;
    char to[4096];
    ssize_t r;
    while ((r = recv(s->peer, to, sizeof to, MSG_DONTWAIT)) != 0) {
        if (r > 0)
            s->n += (size_t)r;
        fiber_sleep(r > 0 ? 0 : 1);
    }
}

static void test_write_waits_for_room(void **state) {
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    assert_true(fiber_spawn(&s.group, "peer", drain, &s, &e));
    run(&s, write_much);
    assert_int_equal(s.n, MUCH);
    close_scene(&s);
}

static void write_to_nobody(void *arg) {
    struct scene *s = arg;
    size_t put;
    assert_int_equal(s->t->ops->write(s->t, SLICE("x"), &put, &s->error), TRANSPORT_FAILED);
    assert_true(s->error.sys != 0);
}

static void test_write_to_nobody(void **state) {
    struct scene s;
    (void)state;
    open_scene(&s);
    close(s.peer);
    s.peer = -1;
    run(&s, write_to_nobody);
    close_scene(&s);
}

static void shut_later(void *arg) {
    struct scene *s = arg;
    fiber_sleep(5);
    s->t->ops->shutdown(s->t);
}

static void test_shutdown_wakes_the_reader(void **state) {
    struct scene s;
    struct err e;
    (void)state;
    open_scene(&s);
    assert_true(fiber_spawn(&s.group, "shut", shut_later, &s, &e));
    run(&s, read_to_end);
    close_scene(&s);
}

static void note(struct loop_task *task) { LIST_ENTRY(task, struct scene, task)->told = true; }

static void fill_and_ask(void *arg) {
    struct scene *s = arg;
    char bytes[1024] = {0}, to[4096];
    size_t put;
    s->task.run = note;
    while (s->t->ops->write(s->t, slice_of(bytes, sizeof bytes), &put, &s->error) == TRANSPORT_SOME)
        s->n += put;
    s->t->ops->notify_write(s->t, s->loop, &s->task);
    fiber_sleep(5);
    assert_false(s->told);
    while (recv(s->peer, to, sizeof to, MSG_DONTWAIT) > 0)
        ;
    for (int i = 0; i < 100 && !s->told; i++)
        fiber_sleep(5);
    assert_true(s->told);
    s->told = false; // with room there already is, it is told at once
    s->t->ops->notify_write(s->t, s->loop, &s->task);
    fiber_sleep(5);
    assert_true(s->told);
}

static void test_notify_write(void **state) {
    struct scene s;
    (void)state;
    open_scene(&s);
    run(&s, fill_and_ask);
    close_scene(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_after_data),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_write_waits_for_room),
        cmocka_unit_test(test_write_to_nobody),
        cmocka_unit_test(test_shutdown_wakes_the_reader),
        cmocka_unit_test(test_notify_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
