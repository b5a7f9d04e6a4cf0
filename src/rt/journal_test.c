// journal_test: lines as they are written, hostile values, sinks that are full, slow or broken.
#include "rt/journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct wall clock_ms = {1795257675123}; // 2026-11-21T10:41:15.123Z

static struct wall now(void *arg) { return clock_ms; }

static const struct journal_setup text_setup = {.role = "smtpd", .pid = 1234, .least = JOURNAL_INFO, .now = now};
static const struct journal_setup json_setup = {
    .role = "smtpd", .pid = 1234, .format = JOURNAL_JSON, .least = JOURNAL_INFO, .now = now};

#define TEXT_HEAD "2026-11-21T10:41:15.123Z smtpd[1234] "

static void expect(struct journal *j, struct buf *b, const char *want) {
    journal_flush(j);
    if (!slice_eq(buf_slice(b), slice_str(want)))
        fail_msg("got  %.*swant %s", SLICE_ARG(buf_slice(b)), want);
    buf_reset(b);
}

static void test_text(void **state) {
    struct buf b BUF_AUTO = {.max = 1 << 20};
    struct journal j;
    struct err e = {.text = "connecting to [::1]:25: timed out"};
    journal_init_memory(&j, &text_setup, &b);
    journal_event(&j, JOURNAL_INFO, "message-accepted", JOURNAL_STR("session", SLICE("4k2a9")),
                  JOURNAL_STR("from", SLICE("a b")), JOURNAL_UINT("size", 12), JOURNAL_INT("delta", -7),
                  JOURNAL_MS("delay", 1042), JOURNAL_BOOL("tls", true), JOURNAL_OPT("queue", SLICE_EMPTY),
                  JOURNAL_STR("to", SLICE("")), JOURNAL_Z("none", NULL));
    expect(&j, &b,
           TEXT_HEAD "message-accepted session=4k2a9 from=\"a b\" size=12 delta=-7 delay=1.042 tls=true to=\"\"\n");
    journal_mark(&j, JOURNAL_INFO, "started");
    journal_mark(&j, JOURNAL_DEBUG, "not-shown");
    journal_event(&j, JOURNAL_ERROR, "failed", JOURNAL_ERR(&e));
    expect(&j, &b, TEXT_HEAD "started\n" TEXT_HEAD "failed level=error error=\"connecting to [::1]:25: timed out\"\n");
    journal_mark(NULL, JOURNAL_ERROR, "nowhere");
    journal_done(&j);
}

static void test_json(void **state) {
    struct buf b BUF_AUTO = {.max = 1 << 20};
    struct journal j;
    journal_init_memory(&j, &json_setup, &b);
    journal_event(&j, JOURNAL_WARNING, "refused", JOURNAL_STR("to", SLICE("a\"\r\n\xff\xe2\x80\xae")),
                  JOURNAL_UINT("code", 550), JOURNAL_BOOL("tls", false), JOURNAL_MS("delay", -5));
    expect(&j, &b,
           "{\"time\":\"2026-11-21T10:41:15.123Z\",\"level\":\"warning\",\"process\":\"smtpd\",\"pid\":1234,"
           "\"event\":\"refused\",\"to\":\"a\\\"\\r\\n\xef\xbf\xbd\\u202e\",\"code\":550,\"tls\":false,"
           "\"delay\":-0.005}\n");
    journal_done(&j);
}

static void test_hostile(void **state) {
    const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        {SLICE("a\r\n2026 forged"), "\"a\\r\\n2026 forged\""},
        {SLICE("x\" admin=\"y"), "\"x\\\" admin=\\\"y\""},
        {SLICE("x=1"), "\"x=1\""},
        {SLICE("back\\slash"), "\"back\\\\slash\""},
        {SLICE("\x1b]0;title\x07"), "\"\\u001b]0;title\\u0007\""},
        {SLICE("nul\0nul\x7f"), "\"nul\\u0000nul\\u007f\""},
        {SLICE("\xc2\x9b"
               "31m"),
         "\"\\u009b31m\""},
        {SLICE("\xe2\x80\xae"
               "gpj.exe"),
         "\"\\u202egpj.exe\""},
        {SLICE("\xf3\xa0\x81\xa1"), "\"\\U000e0061\""},
        {SLICE("\xff\xc0\xaf"), "\"\\xff\\xc0\\xaf\""},
        {SLICE("\xe2\x82"), "\"\\xe2\\x82\""},
        {SLICE("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\""},
        {SLICE("<a@example.org>"), "<a@example.org>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b BUF_AUTO = {.max = 1 << 20};
        struct journal j;
        char want[256];
        snprintf(want, sizeof want, TEXT_HEAD "e v=%s\n", cases[i].out);
        journal_init_memory(&j, &text_setup, &b);
        journal_event(&j, JOURNAL_INFO, "e", JOURNAL_STR("v", cases[i].in));
        expect(&j, &b, want);
        journal_done(&j);
    }
}

// Any bytes in any number: one line, of bounded length, with nothing raw in it, and it says that it was cut.
static void check_long(const struct journal_setup *setup, const char *unit, size_t times, size_t fields) {
    struct buf value BUF_AUTO = {.max = 1 << 20}, b BUF_AUTO = {.max = 1 << 20};
    struct journal j;
    struct journal_field all[16];
    for (size_t i = 0; i < times; i++)
        assert_true(buf_add_str(&value, unit));
    for (size_t i = 0; i < fields; i++)
        all[i] = JOURNAL_STR("v", buf_slice(&value));
    journal_init_memory(&j, setup, &b);
    journal_write(&j, JOURNAL_INFO, SLICE("e"), all, fields);
    journal_flush(&j);
    struct slice line = buf_slice(&b);
    assert_in_range(line.n, 40, JOURNAL_LINE);
    assert_int_equal(slice_find(line, '\n'), line.n - 1);
    if (value.n * fields > JOURNAL_LINE)
        assert_true(slice_search(line, SLICE("cut")) < line.n);
    for (size_t i = 0; i + 1 < line.n; i++)
        assert_true((unsigned char)line.p[i] >= ' ');
    journal_done(&j);
}

static void test_long(void **state) {
    static const char *const units[] = {"a", " ", "\n", "\xff", "\xc3\xbc", "\xe2\x80\xae", "\xf3\xa0\x81\xa1", "a\""};
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        for (size_t fields = 1; fields <= 16; fields += 5) {
            for (size_t times = 1; times < 5000; times += 1 + times / 7) {
                check_long(&text_setup, units[u], times, fields);
                check_long(&json_setup, units[u], times, fields);
            }
        }
    }
}

static void test_exact_end(void **state) {
    char text[JOURNAL_VALUE + 2];
    memset(text, 'x', sizeof text);
    text[0] = ' ';
    for (size_t n = JOURNAL_VALUE - 4; n <= JOURNAL_VALUE + 2; n++) {
        struct buf b BUF_AUTO = {.max = 1 << 20};
        struct journal j;
        journal_init_memory(&j, &text_setup, &b);
        journal_event(&j, JOURNAL_INFO, "e", JOURNAL_STR("v", slice_of(text, n)));
        journal_flush(&j);
        bool cut = slice_ends(buf_slice(&b), SLICE("...\" cut=true\n"));
        assert_int_equal(cut, n > JOURNAL_VALUE);
        journal_done(&j);
    }
}

static void test_time(void **state) {
    struct buf b BUF_AUTO = {.max = 1 << 20};
    struct journal j;
    struct wall before = clock_ms;
    journal_init_memory(&j, &text_setup, &b);
    clock_ms.ms = -1;
    journal_mark(&j, JOURNAL_INFO, "e");
    expect(&j, &b, "1969-12-31T23:59:59.999Z smtpd[1234] e\n");
    clock_ms.ms = 0;
    journal_mark(&j, JOURNAL_INFO, "e");
    expect(&j, &b, "1970-01-01T00:00:00.000Z smtpd[1234] e\n");
    clock_ms = before;
    journal_done(&j);
}

struct narrow {
    struct buf *to;
    size_t room; // bytes that are still taken
    bool broken;
};

static bool narrow_write(void *arg, struct slice lines, size_t *taken) {
    struct narrow *n = arg;
    if (n->broken)
        return false;
    *taken = lines.n < n->room ? lines.n : n->room;
    n->room -= *taken;
    return buf_add(n->to, slice_upto(lines, *taken));
}

static void test_full_sink(void **state) {
    struct buf b BUF_AUTO = {.max = 1 << 24};
    struct narrow n = {.to = &b, .room = 0};
    struct journal j;
    uint64_t tried = 0;
    journal_init(&j, &text_setup, (struct journal_sink){narrow_write, &n});
    for (; j.dropped < 10; tried++)
        journal_mark(&j, JOURNAL_INFO, "e");
    assert_int_equal(j.written + j.dropped, tried);
    n.room = 5; // a little room: half a line
    journal_flush(&j);
    n.room = SIZE_MAX;
    journal_mark(&j, JOURNAL_INFO, "after");
    journal_flush(&j);
    assert_true(
        slice_ends(buf_slice(&b), SLICE(TEXT_HEAD "journal-dropped level=warning lines=10\n" TEXT_HEAD "after\n")));
    assert_int_equal(j.n, 0);
    journal_done(&j);
}

static void test_broken_sink(void **state) {
    struct buf b BUF_AUTO = {.max = 1 << 20};
    struct narrow n = {.to = &b, .room = SIZE_MAX, .broken = true};
    struct journal j;
    journal_init(&j, &text_setup, (struct journal_sink){narrow_write, &n});
    journal_mark(&j, JOURNAL_INFO, "one");
    journal_mark(&j, JOURNAL_INFO, "two");
    journal_flush(&j);
    n.broken = false;
    journal_mark(&j, JOURNAL_INFO, "three");
    expect(&j, &b, TEXT_HEAD "journal-dropped level=warning lines=2\n" TEXT_HEAD "three\n");
    journal_done(&j);
}

// A pipe that nobody reads: nothing blocks, what comes out are whole lines, and its other end keeps its flags.
static void test_pipe(void **state) {
    int fds[2];
    struct journal j;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    journal_init_fd(&j, &text_setup, fds[1]);
    for (int i = 0; i < 20000; i++)
        journal_event(&j, JOURNAL_INFO, "event", JOURNAL_INT("i", i));
    assert_true(j.dropped > 0);
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    journal_done(&j);
    close(fds[1]);
    struct buf all BUF_AUTO = {.max = 1 << 20};
    for (ssize_t got; (got = read(fds[0], buf_reserve(&all, 4096), 4096)) > 0;)
        buf_commit(&all, (size_t)got);
    assert_true(all.n > 16 * 1024 && slice_ends(buf_slice(&all), SLICE("\n")));
    close(fds[0]);
}

static void test_socket(void **state) {
    int fds[2];
    struct journal j;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    journal_init_fd(&j, &text_setup, fds[1]);
    for (int i = 0; i < 20000; i++)
        journal_event(&j, JOURNAL_INFO, "event", JOURNAL_INT("i", i));
    assert_true(j.dropped > 0);
    close(fds[0]);
    journal_done(&j);
    close(fds[1]);
}

// Not a proof, but a line that takes far more than a microsecond would be seen.
static void test_speed(void **state) {
    enum { LINES = 100000 };
    struct journal_head h;
    struct timespec a, z;
    char line[JOURNAL_LINE];
    const struct journal_field fields[] = {
        JOURNAL_STR("session", SLICE("7f3a90c1d2")),
        JOURNAL_STR("queue", SLICE("4kZx81Qp")),
        JOURNAL_STR("client", SLICE("192.0.2.17")),
        JOURNAL_STR("helo", SLICE("client.example.net")),
        JOURNAL_STR("from", SLICE("a@example.net")),
        JOURNAL_STR("message-id", SLICE("<1.2.3@example.net>")),
        JOURNAL_STR("reply", SLICE("250 2.0.0 Ok!")),
        JOURNAL_UINT("size", 10240),
        JOURNAL_UINT("recipients", 1),
        JOURNAL_MS("delay", 12),
    };
    journal_head_init(&h, "smtpd", 1234, JOURNAL_TEXT);
    size_t bytes = 0;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < LINES; i++)
        bytes += journal_line(line, &h, clock_ms, JOURNAL_INFO, SLICE("message-accepted"), fields, 10);
    clock_gettime(CLOCK_MONOTONIC, &z);
    double ns = (double)(z.tv_sec - a.tv_sec) * 1e9 + (double)(z.tv_nsec - a.tv_nsec);
    print_message("%.0f ns a line of %zu bytes\n", ns / LINES, bytes / LINES);
    assert_true(ns / LINES < 50000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),      cmocka_unit_test(test_json),        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_long),      cmocka_unit_test(test_exact_end),   cmocka_unit_test(test_time),
        cmocka_unit_test(test_full_sink), cmocka_unit_test(test_broken_sink), cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_socket),    cmocka_unit_test(test_speed),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
