// fd_pass_test: descriptors between two links of this machine, in order, missing, and where nobody expects them.
#include "rt/link.h"

#include "rt/fd_pass.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct loop *loop;
    struct fiber_group group;
    struct link *session, *connect;
    size_t calls;
    struct err error;
};

static void open_scene(struct scene *s) {
    int fds[2];
    *s = (struct scene){.loop = loop_new(false)};
    fiber_group_init(&s->group, s->loop, "test");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    s->session = link_new(s->loop, transport_of_fd(s->loop, fds[0]), ROLE_SMTPD, ROLE_CONNECT);
    s->connect = link_new(s->loop, transport_of_fd(s->loop, fds[1]), ROLE_CONNECT, ROLE_SMTPD);
}

static void close_scene(struct scene *s) {
    link_free(s->session);
    link_free(s->connect);
    loop_free(s->loop);
}

static size_t open_descriptors(void) {
    size_t n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void read_session(void *arg) {
    struct scene *s = arg;
    struct link_frame frame;
    struct err e;
    while (link_receive(s->session, MONO_NEVER, &e))
        while (link_next(s->session, &frame))
            assert_true(link_take_reply(s->session, &frame));
}

// Answers each FILTER with a file that holds its payload; "none": without one; "late": the caller has given up.
static void answer(void *arg) {
    struct scene *s = arg;
    struct link_frame frame;
    struct err e;
    while (link_receive(s->connect, MONO_NEVER, &e))
        while (link_next(s->connect, &frame)) {
            int ends[2];
            struct transport *t;
            if (slice_eq(frame.payload, SLICE("none"))) {
                link_send1(s->connect, LINK_FILTER_REPLY, frame.id, frame.payload);
                continue;
            }
            if (slice_eq(frame.payload, SLICE("late")))
                fiber_sleep(30);
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
            assert_int_equal(write(ends[1], frame.payload.p, frame.payload.n), frame.payload.n);
            close(ends[1]);
            t = transport_of_fd(s->loop, ends[0]);
            assert_true(link_send_transport(s->connect, LINK_FILTER_REPLY, frame.id, frame.payload, t));
        }
}

static FIBER_FN bool ask(struct scene *s, const char *text, int64_t ms, struct transport **t) {
    struct buf reply BUF_AUTO = {.max = 1024};
    enum link_type type;
    if (!link_call_transport(s->session, LINK_FILTER, slice_str(text), loop_in_ms(s->loop, ms), &type, &reply, t,
                             &s->error))
        return false;
    assert_true(slice_eq(buf_slice(&reply), slice_str(text)));
    return true;
}

static FIBER_FN void ask_and_read(struct scene *s, const char *text) {
    char got[16];
    size_t n;
    struct transport *t;
    struct err e;
    assert_true(ask(s, text, 2000, &t));
    while (t->ops->read(t, got, sizeof got, &n, &e) == TRANSPORT_AGAIN)
        assert_true(t->ops->wait_read(t, loop_in_ms(s->loop, 2000), &e));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, n);
    t->ops->close(t);
}

static void ask_one(void *arg) {
    struct scene *s = arg;
    char text[16];
    size_t n = s->calls++;
    text[0] = (char)('a' + n % 26);
    text[1] = (char)('a' + n / 26);
    text[2] = '\0';
    ask_and_read(s, text);
    if (--s->calls == 0) {
        struct transport *t;
        assert_true(ask(s, "none", 2000, &t));
        assert_null(t);
        assert_false(ask(s, "late", 5, &t)); // its descriptor is closed when it comes
        fiber_sleep(60);
        link_break(s->session, "done");
        link_break(s->connect, "done");
    }
}

static void passes_descriptors(void **state) {
    struct scene s;
    struct err e;
    size_t before = open_descriptors();
    open_scene(&s);
    assert_true(fiber_spawn(&s.group, "read", read_session, &s, &e));
    assert_true(fiber_spawn(&s.group, "answer", answer, &s, &e));
    for (int i = 0; i < 50; i++)
        assert_true(fiber_spawn(&s.group, "ask", ask_one, &s, &e));
    loop_run(s.loop);
    close_scene(&s);
    assert_int_equal(open_descriptors(), before);
}

static void receive_until_broken(void *arg) {
    struct scene *s = arg;
    struct link_frame frame;
    while (link_receive(s->session, loop_in_ms(s->loop, 200), &s->error))
        while (link_next(s->session, &frame))
            link_take_reply(s->session, &frame);
}

// A frame that says there is one, and there is none; many without a frame that says so; and where none is expected.
static void breaks_a_liar(void **state) {
    char header[LINK_HEADER];
    struct err e;
    size_t before = open_descriptors();
    for (int lie = 0; lie < 3; lie++) {
        int fds[2];
        struct scene s = {.loop = loop_new(false)};
        fiber_group_init(&s.group, s.loop, "test");
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        enum role peer = lie == 2 ? ROLE_QUEUE : ROLE_CONNECT;
        s.session = link_new(s.loop, transport_of_fd(s.loop, fds[0]), ROLE_SMTPD, peer);
        link_frame_header_with_fd(header, LINK_FILTER_REPLY, 1, 0);
        if (lie == 0)
            assert_int_equal(write(fds[1], header, sizeof header), sizeof header);
        for (size_t i = 0; lie == 1 && i < FD_PASS_MAX + 1; i++) {
            link_frame_header(header, LINK_FILTER_REPLY, i, 0);
            assert_int_equal(fd_pass_send(fds[1], slice_of(header, sizeof header), 0), sizeof header);
        }
        if (lie == 2)
            assert_int_equal(fd_pass_send(fds[1], slice_of(header, sizeof header), 0), sizeof header);
        assert_true(fiber_spawn(&s.group, "read", receive_until_broken, &s, &e));
        loop_run(s.loop);
        assert_false(link_is_up(s.session));
        link_free(s.session);
        close(fds[1]);
        loop_free(s.loop);
    }
    assert_int_equal(open_descriptors(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(passes_descriptors), cmocka_unit_test(breaks_a_liar)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
