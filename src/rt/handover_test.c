// handover_test: packets round trip, with and without a descriptor; cut or foreign ones end the channel.
#include "rt/handover.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct handover samples[] = {
    {HANDOVER_START, ROLE_QUEUE, 0, 0, {"/etc/posthouse.conf", 19}, {"/etc", 4}, -1},
    {HANDOVER_CREDENTIAL, ROLE_SMTPD, 1, 0, {"key", 3}, {"\0\1\2", 3}, -1},
    {HANDOVER_LISTEN, ROLE_SMTPD, 1, HANDOVER_INDEX_CONTROL, {NULL, 0}, {NULL, 0}, -1},
    {HANDOVER_PEER, ROLE_CONTROL, 7, 0, {NULL, 0}, {NULL, 0}, -1},
    {HANDOVER_FAILED, ROLE_MASTER, 0, 0, {NULL, 0}, {"no disk", 7}, -1},
};

static void assert_same(const struct handover *a, const struct handover *b) {
    assert_int_equal(a->note, b->note);
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->instance, b->instance);
    assert_int_equal(a->index, b->index);
    assert_true(slice_eq(a->name, b->name));
    assert_true(slice_eq(a->text, b->text));
}

static void packs_and_unpacks(void **state) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        BUF_AUTO struct buf b = {.max = 4096};
        struct handover got;
        assert_true(handover_pack(&b, &samples[i]));
        assert_true(handover_unpack(buf_slice(&b), &got));
        assert_same(&samples[i], &got);
        for (size_t n = 0; n < b.n; n++)
            assert_false(handover_unpack(slice_of(b.p, n), &got));
    }
}

static void refuses_unknown_notes_and_roles(void **state) {
    struct handover got, bad[] = {{.note = HANDOVER_NOTE_COUNT}, {.role = ROLE_COUNT}};
    for (size_t i = 0; i < 2; i++) {
        BUF_AUTO struct buf b = {.max = 4096};
        assert_true(handover_pack(&b, &bad[i]));
        assert_false(handover_unpack(buf_slice(&b), &got));
    }
}

static void travels_with_a_descriptor(void **state) {
    int ends[2], pipes[2];
    struct err e;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(pipe(pipes), 0);
    struct handover out = {.note = HANDOVER_PEER, .role = ROLE_RELAY, .instance = 2, .fd = pipes[1]}, in;
    BUF_AUTO struct buf bytes = {.max = HANDOVER_MAX};
    assert_int_equal(handover_receive(ends[1], false, &bytes, &in), HANDOVER_AGAIN);
    assert_true(handover_send(ends[0], &out, &e));
    assert_int_equal(handover_receive(ends[1], true, &bytes, &in), HANDOVER_GOT);
    assert_same(&out, &in);
    assert_int_equal(write(in.fd, "x", 1), 1);
    char c = 0;
    assert_int_equal(read(pipes[0], &c, 1), 1);
    assert_int_equal(c, 'x');
    close(in.fd);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(send(ends[0], "junk", 4, 0), 4);
    assert_int_equal(handover_receive(ends[1], true, &bytes, &in), HANDOVER_END);
    close(ends[0]);
    assert_int_equal(handover_receive(ends[1], true, &bytes, &in), HANDOVER_END);
    close(ends[1]);
}

static void a_full_channel_is_an_error(void **state) {
    int ends[2];
    struct err e;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct handover stop = {.note = HANDOVER_STOP, .fd = -1};
    int n = 0;
    while (n < 100000 && handover_send(ends[0], &stop, &e))
        n++;
    assert_true(n > 10 && n < 100000);
    assert_int_equal(e.sys, EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_and_unpacks),
        cmocka_unit_test(refuses_unknown_notes_and_roles),
        cmocka_unit_test(travels_with_a_descriptor),
        cmocka_unit_test(a_full_channel_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
