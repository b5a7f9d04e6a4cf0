// http_test: requests as they come, cut anywhere; responses as they go.
#include "wire/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct sample {
    const char *in;
    int status; // 0: whole
    const char *path, *query, *host;
    bool keep_alive, head_only;
};

#define H "Host: x\r\n"

static const struct sample samples[] = {
    {"GET / HTTP/1.1\r\nHost: localhost:8025\r\n\r\n", 0, "/", "", "localhost:8025", true, false},
    {"HEAD /health HTTP/1.1\r\nhost:  x \r\n\r\n", 0, "/health", "", "x", true, true},
    {"\r\n\r\nGET /m?a=1&b=?2 HTTP/1.1\r\n" H "\r\n", 0, "/m", "a=1&b=?2", "x", true, false},
    {"GET /m HTTP/1.0\n\n", 0, "/m", "", "", false, false},
    {"GET /m HTTP/1.1\n" H "Connection: Keep-Alive, Close\n\n", 0, "/m", "", "x", false, false},
    {"GET http://a.example:8/m?q HTTP/1.1\r\n" H "\r\n", 0, "/m", "q", "a.example:8", true, false},
    {"GET HTTP://a.example HTTP/1.1\r\n" H "\r\n", 0, "/", "", "a.example", true, false},
    {"GET http:///m HTTP/1.1\r\n" H "\r\n", 400, "", "", "", false, false},
    {"GET http://a?q HTTP/1.1\r\n" H "\r\n", 400, "", "", "", false, false},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, "/", "", "", true, false},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 0\r\nX-Y: caf\xc3\xa9\r\n\r\n", 0, "/", "", "x", true, false},
    {"GET / HTTP/1.1\r\n\r\n", 400, "", "", "", false, false},                    // no Host
    {"GET / HTTP/1.1\r\n" H H "\r\n", 400, "", "", "", false, false},             // two
    {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, "", "", "", false, false},        // space before the colon
    {"GET / HTTP/1.1\r\n" H " folded\r\n\r\n", 400, "", "", "", false, false},    //
    {"GET / HTTP/1.1\r\n" H "A: b\rc: d\r\n\r\n", 400, "", "", "", false, false}, // bare CR
    {"GET / HTTP/1.1\r\n" H "nothing\r\n\r\n", 400, "", "", "", false, false},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400, "", "", "", false, false},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400, "", "", "", false, false},
    {"GET /\r\n\r\n", 400, "", "", "", false, false}, // HTTP/0.9
    {"GET metrics HTTP/1.1\r\n" H "\r\n", 400, "", "", "", false, false},
    {"GET /\x80 HTTP/1.1\r\n" H "\r\n", 400, "", "", "", false, false},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505, "", "", "", false, false},
    {"POST / HTTP/1.1\r\n" H "\r\n", 405, "", "", "", false, false},
    {"get / HTTP/1.1\r\n" H "\r\n", 405, "", "", "", false, false},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", 413, "", "", "", false, false},
    {"GET / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400, "", "", "", false, false},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400, "", "", "", false, false},
    {"GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 413, "", "", "", false, false},
    {"EHLO client.example.net\r\n\r\n", 400, "", "", "", false, false},
};

static void expect(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got %.*s, want %s", SLICE_ARG(got), want);
}

static void test_samples(void **state) {
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        struct slice in = slice_str(s->in);
        struct http_request r;
        size_t used = 0, at = 0;
        int status = 0;
        enum http_got got = HTTP_MORE;
        for (; at <= in.n && got == HTTP_MORE; at++) // every beginning says MORE until one says the rest
            got = http_request_parse(slice_upto(in, at), &r, &used, &status);
        if (got != (s->status ? HTTP_BAD : HTTP_WHOLE) || status != s->status)
            fail_msg("%s: got %d, status %d", s->in, (int)got, status);
        if (s->status)
            continue;
        assert_int_equal(used, in.n);
        expect(r.path, s->path);
        expect(r.query, s->query);
        expect(r.host, s->host);
        assert_int_equal(r.keep_alive, s->keep_alive);
        assert_int_equal(r.head_only, s->head_only);
    }
}

static void test_two_in_one(void **state) {
    struct slice in = SLICE("GET /a HTTP/1.1\r\n" H "\r\nGET /b HTTP/1.1\r\n" H "\r\n");
    struct http_request r;
    size_t used;
    int status;
    assert_int_equal(http_request_parse(in, &r, &used, &status), HTTP_WHOLE);
    expect(r.path, "/a");
    assert_int_equal(http_request_parse(slice_from(in, used), &r, &used, &status), HTTP_WHOLE);
    expect(r.path, "/b");
}

static int status_of(const struct buf *b) {
    struct http_request r;
    size_t used;
    int status = 0;
    enum http_got got = http_request_parse(buf_slice(b), &r, &used, &status);
    return got == HTTP_MORE ? -1 : status;
}

static void test_limits(void **state) {
    struct buf b BUF_AUTO = {.max = 1 << 20};
    for (int i = 0; i < HTTP_HEAD_MAX - 1; i++)
        assert_true(buf_add_char(&b, 'x'));
    assert_int_equal(status_of(&b), -1);
    buf_add_char(&b, 'x');
    assert_int_equal(status_of(&b), 431);
    for (size_t fields = HTTP_FIELDS_MAX; fields <= HTTP_FIELDS_MAX + 1; fields++) {
        buf_reset(&b);
        buf_add_str(&b, "GET / HTTP/1.1\r\n" H);
        for (size_t i = 1; i < fields; i++)
            buf_add_str(&b, "A: b\r\n");
        buf_add_str(&b, "\r\n");
        assert_int_equal(status_of(&b), fields > HTTP_FIELDS_MAX ? 431 : 0);
    }
    for (size_t n = HTTP_TARGET_MAX; n <= HTTP_TARGET_MAX + 1; n++) {
        buf_reset(&b);
        buf_add_str(&b, "GET /");
        for (size_t i = 1; i < n; i++)
            buf_add_char(&b, 'x');
        buf_add_str(&b, " HTTP/1.1\r\n" H "\r\n");
        assert_int_equal(status_of(&b), n > HTTP_TARGET_MAX ? 414 : 0);
    }
}

static void test_loopback(void **state) {
    static const struct {
        const char *host;
        bool ours;
    } cases[] = {
        {"localhost", true},
        {"LOCALHOST:8025", true},
        {"127.0.0.1", true},
        {"127.0.0.1:8025", true},
        {"127.255.1.9:1", true},
        {"[::1]", true},
        {"[::1]:8025", true},
        {"", false},
        {"evil.example", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"127.0.0.256", false},
        {"127.1", false},
        {"128.0.0.1", false},
        {"127.0.0.1:x", false},
        {"localhost:99999", false},
        {"[::1]x", false},
        {"[::1]:", false},
        {"localhost:", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (http_host_is_loopback(slice_str(cases[i].host)) != cases[i].ours)
            fail_msg("%s", cases[i].host);
    }
}

static void test_response(void **state) {
    struct buf b BUF_AUTO = {.max = 4096};
    struct http_response r = {
        .status = 200, .type = SLICE("text/plain"), .body = SLICE("ok\n"), .now = {1793528475123}};
    assert_true(http_response_add(&b, &r));
    expect(buf_slice(&b), "HTTP/1.1 200 OK\r\nDate: Sun, 01 Nov 2026 10:21:15 GMT\r\nContent-Type: text/plain\r\n"
                          "Content-Length: 3\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                          "Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\nok\n");
    buf_reset(&b);
    r = (struct http_response){.status = 405,
                               .type = SLICE("text/plain"),
                               .body = SLICE("no\n"),
                               .head_only = true,
                               .keep_alive = true,
                               .now = {1795257675123}};
    assert_true(http_response_add(&b, &r));
    expect(buf_slice(&b), "HTTP/1.1 405 Method Not Allowed\r\nDate: Sat, 21 Nov 2026 10:41:15 GMT\r\n"
                          "Allow: GET, HEAD\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                          "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                          "Content-Security-Policy: default-src 'none'\r\n\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),  cmocka_unit_test(test_two_in_one), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_loopback), cmocka_unit_test(test_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
