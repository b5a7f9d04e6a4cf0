// proxy_protocol_test: headers of both versions, whole and cut at every byte.
#include "wire/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// Feeds what is asked for, piece by piece, as over a connection; gives the result and how much was read.
static enum proxy_protocol_got read_all(struct slice whole, size_t piece, struct proxy_protocol *out, size_t *n) {
    size_t have = 0;
    for (;;) {
        enum proxy_protocol_got got = proxy_protocol_parse(slice_upto(whole, have), out, n);
        if (got != PROXY_PROTOCOL_MORE)
            return got;
        assert_true(*n > have && *n <= PROXY_PROTOCOL_MAX);
        if (have == whole.n)
            return PROXY_PROTOCOL_MORE;
        size_t step = *n - have < piece ? *n - have : piece;
        have += step < whole.n - have ? step : whole.n - have;
    }
}

static void assert_endpoint(const struct netaddr *a, const char *want) {
    BUF_AUTO struct buf text = {.max = 128};
    if (a->family != NETADDR_NONE)
        netaddr_add_endpoint(&text, a);
    if (!slice_eq(buf_slice(&text), slice_str(want)))
        fail_msg("%.*s, not %s", SLICE_ARG(buf_slice(&text)), want);
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4_ADDRESSES "\xc0\0\x02\x01\xcb\0\x71\x05\xc8\x22\0\x19"

static const struct {
    struct slice text;
    enum proxy_protocol_got got;
    const char *source, *target;
} cases[] = {
#define CASE(literal, ...)                                                                                             \
    { {literal, sizeof(literal) - 1}, __VA_ARGS__ }
    CASE("PROXY TCP4 192.0.2.1 203.0.113.5 51234 25\r\n", PROXY_PROTOCOL_WHOLE, "192.0.2.1:51234", "203.0.113.5:25"),
    CASE("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", PROXY_PROTOCOL_WHOLE, "1.1.1.1:1", "2.2.2.2:2"),
    CASE("PROXY TCP6 :: :: 1 1\r\n", PROXY_PROTOCOL_WHOLE, "[::]:1", "[::]:1"),
    CASE("PROXY TCP6 2001:db8::1 2001:db8::2 51234 465\r\n", PROXY_PROTOCOL_WHOLE, "[2001:db8::1]:51234",
         "[2001:db8::2]:465"),
    CASE("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:203.0.113.5 5 25\r\n", PROXY_PROTOCOL_WHOLE, "192.0.2.1:5",
         "203.0.113.5:25"),
    CASE("PROXY UNKNOWN\r\n", PROXY_PROTOCOL_WHOLE, "", ""),
    CASE("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", PROXY_PROTOCOL_WHOLE, "", ""),
    CASE("PROXY UNKNOWNX\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 192.0.2.1 203.0.113.5 51234 25\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 192.0.2.1 203.0.113.5 51234\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 192.0.2.1 203.0.113.5 51234 25 x\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 192.0.2.1  203.0.113.5 51234 25\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 192.0.2.1 203.0.113.5 65536 25\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 192.0.2.1 203.0.113.5 01 25\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 ::1 ::1 1 25 (so it is)\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP4 1 1 1 1\r\nEHLO x\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("PROXY TCP5 192.0.2.1 203.0.113.5 1 25\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("EHLO client.example.net\r\n", PROXY_PROTOCOL_BAD, "", ""),
    CASE("\x16\x03\x01", PROXY_PROTOCOL_BAD, "", ""),
    CASE("\r\n\r\n\0\r\nQUITE", PROXY_PROTOCOL_BAD, "", ""),
    CASE(V2 "\x21\x11\0\x0c" V4_ADDRESSES, PROXY_PROTOCOL_WHOLE, "192.0.2.1:51234", "203.0.113.5:25"),
    CASE(V2 "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x00\x05"
            "\x01\xd1",
         PROXY_PROTOCOL_WHOLE, "[2001:db8::1]:5", "[2001:db8::2]:465"),
    CASE(V2 "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x02\x00\x05"
            "\x01\xd1",
         PROXY_PROTOCOL_WHOLE, "192.0.2.1:5", "192.0.2.2:465"),
    CASE(V2 "\x20\0\0\0", PROXY_PROTOCOL_WHOLE, "", ""),                                         // LOCAL
    CASE(V2 "\x20\x11\0\x0c" V4_ADDRESSES, PROXY_PROTOCOL_WHOLE, "", ""),                        // LOCAL
    CASE(V2 "\x21\0\0\x02xx", PROXY_PROTOCOL_WHOLE, "", ""),                                     // UNSPEC
    CASE(V2 "\x21\x31\0\x02xx", PROXY_PROTOCOL_WHOLE, "", ""),                                   // Unix
    CASE(V2 "\x21\x12\0\x0c" V4_ADDRESSES, PROXY_PROTOCOL_WHOLE, "", ""),                        // UDP
    CASE(V2 "\x22\x11\0\x0c" V4_ADDRESSES, PROXY_PROTOCOL_BAD, "", ""),                          // no command
    CASE(V2 "\x11\x11\0\x0c" V4_ADDRESSES, PROXY_PROTOCOL_BAD, "", ""),                          // version 1
    CASE(V2 "\x21\x11\0\x0b\xc0\0\x02\x01\xcb\0\x71\x05\xc8\x22\0", PROXY_PROTOCOL_BAD, "", ""), // too short
    CASE(V2 "\x21\x11\0\x14" V4_ADDRESSES "\x20\0\x05\x01\0\0\0\0", PROXY_PROTOCOL_WHOLE, "192.0.2.1:51234",
         "203.0.113.5:25"),
    CASE(V2 "\x21\x11\0\x14" V4_ADDRESSES "\x20\0\x05\0\0\0\0\0", PROXY_PROTOCOL_WHOLE, "192.0.2.1:51234",
         "203.0.113.5:25"),
    CASE(V2 "\x21\x11\0\x13" V4_ADDRESSES "\x04\0\x04xxxx", PROXY_PROTOCOL_WHOLE, "192.0.2.1:51234", "203.0.113.5:25"),
    CASE(V2 "\x21\x11\0\x13" V4_ADDRESSES "\x04\0\x05xxxx", PROXY_PROTOCOL_BAD, "", ""), // a cut TLV
    CASE(V2 "\x21\x11\0\x0e" V4_ADDRESSES "\x04\0", PROXY_PROTOCOL_BAD, "", ""),
    CASE(V2 "\x21\x11\xff\xff", PROXY_PROTOCOL_BAD, "", ""), // more than anybody needs
#undef CASE
};

static void test_cases(void **state) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece < 60; piece++) {
            struct proxy_protocol found = {0};
            size_t n = 0;
            enum proxy_protocol_got got = read_all(cases[i].text, piece, &found, &n);
            if (got != cases[i].got)
                fail_msg("case %zu in pieces of %zu: %d", i, piece, (int)got);
            if (got != PROXY_PROTOCOL_WHOLE)
                continue;
            assert_int_equal(n, cases[i].text.n);
            assert_int_equal(found.known, cases[i].source[0] != 0);
            struct slice by_tls = {"\x20\0\x05\x01", 4}; // a TLV that says so
            assert_int_equal(found.tls, slice_search(cases[i].text, by_tls) < cases[i].text.n);
            assert_endpoint(&found.source, cases[i].source);
            assert_endpoint(&found.target, cases[i].target);
        }
}

// What follows belongs to somebody else.
static void test_no_byte_too_many(void **state) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BUF_AUTO struct buf text = {.max = 4096};
        struct proxy_protocol found;
        size_t n;
        if (cases[i].got != PROXY_PROTOCOL_WHOLE)
            continue;
        buf_add(&text, cases[i].text);
        buf_add_str(&text, "\x16\x03\x01 a handshake\r\n");
        assert_int_equal(read_all(buf_slice(&text), 1000, &found, &n), PROXY_PROTOCOL_WHOLE);
        assert_int_equal(n, cases[i].text.n);
    }
}

static void test_endless_line(void **state) {
    BUF_AUTO struct buf text = {.max = 4096};
    struct proxy_protocol found;
    size_t n;
    buf_add_str(&text, "PROXY UNKNOWN ");
    while (text.n < PROXY_PROTOCOL_LINE_MAX - 2)
        buf_add_char(&text, 'x');
    buf_add_str(&text, "\r\n");
    assert_int_equal(read_all(buf_slice(&text), 1000, &found, &n), PROXY_PROTOCOL_WHOLE);
    buf_reset(&text);
    buf_add_str(&text, "PROXY UNKNOWN ");
    while (text.n < 1000)
        buf_add_char(&text, 'x');
    assert_int_equal(read_all(buf_slice(&text), 1, &found, &n), PROXY_PROTOCOL_BAD);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_no_byte_too_many),
        cmocka_unit_test(test_endless_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
