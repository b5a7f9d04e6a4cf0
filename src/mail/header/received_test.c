// received_test: the field for each way of coming in, and with hostile names.
#include "mail/header/received.h"

#include "mail/header/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct received example(void) {
    struct received r = {
        .helo = SLICE("client.example.net"),
        .hostname = SLICE("mx1.example.org"),
        .queue_id = SLICE("5kTqQy2Zr"),
        .esmtp = true,
        .when = {INT64_C(1795257675000)},
    };
    assert_true(netaddr_parse_ip(SLICE("192.0.2.1"), &r.client));
    return r;
}

static void check(const struct received *r, const char *want) {
    struct buf b BUF_AUTO = {.max = RECEIVED_MAX};
    assert_true(received_add(&b, r));
    if (!slice_eq(buf_slice(&b), slice_str(want)))
        fail_msg("got %.*s", SLICE_ARG(buf_slice(&b)));
}

#define DATE "Sat, 21 Nov 2026 10:41:15 +0000\r\n"

static void test_forms(void **state) {
    struct received r = example();
    check(&r, "Received: from client.example.net ([192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with ESMTP id 5kTqQy2Zr;\r\n\t" DATE);
    r.host = SLICE("host.example.net");
    r.tls = true;
    r.cipher = SLICE("TLS_AES_256_GCM_SHA384");
    r.recipient = SLICE("alice@example.org");
    check(&r, "Received: from client.example.net (host.example.net [192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with ESMTPS id 5kTqQy2Zr\r\n"
              "\tfor <alice@example.org> tls TLS_AES_256_GCM_SHA384;\r\n\t" DATE);
    r.recipient = SLICE_EMPTY;
    r.authenticated = r.utf8 = true;
    check(&r, "Received: from client.example.net (host.example.net [192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with UTF8SMTPSA id 5kTqQy2Zr\r\n"
              "\ttls TLS_AES_256_GCM_SHA384;\r\n\t" DATE);
}

static void test_plain_and_inside(void **state) {
    struct received r = example();
    assert_true(netaddr_parse_ip(SLICE("2001:db8::1"), &r.client));
    r.esmtp = false;
    r.helo = SLICE("[IPv6:2001:db8::1]");
    check(&r, "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
              "\tby mx1.example.org (Posthouse) with SMTP id 5kTqQy2Zr;\r\n\t" DATE);
    r.client = (struct netaddr){0};
    check(&r, "Received: by mx1.example.org (Posthouse) id 5kTqQy2Zr;\r\n\t" DATE);
}

static void test_utf8_recipient(void **state) {
    struct received r = example();
    r.recipient = SLICE("\xc3\xa9@example.org");
    check(&r, "Received: from client.example.net ([192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with ESMTP id 5kTqQy2Zr;\r\n\t" DATE);
    r.utf8 = true;
    check(&r, "Received: from client.example.net ([192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with UTF8SMTP id 5kTqQy2Zr\r\n"
              "\tfor <\xc3\xa9@example.org>;\r\n\t" DATE);
}

static void test_user(void **state) {
    struct received r = example();
    r.tls = r.authenticated = true;
    r.user = SLICE("alice+x@example.org");
    check(&r, "Received: from client.example.net ([192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with ESMTPSA id 5kTqQy2Zr\r\n"
              "\t(auth=alice+x@example.org);\r\n\t" DATE);
    r.user = SLICE("al) ice\\(\"\xc3\xbc\"\r\n");
    r.recipient = SLICE("bob@example.org");
    check(&r, "Received: from client.example.net ([192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with ESMTPSA id 5kTqQy2Zr\r\n"
              "\t(auth=al\?\?ice\?\?\?\?\?\?\?\?) for <bob@example.org>;\r\n\t" DATE);
    r.authenticated = false; // nobody's name
    r.recipient = SLICE_EMPTY;
    check(&r, "Received: from client.example.net ([192.0.2.1])\r\n"
              "\tby mx1.example.org (Posthouse) with ESMTPS id 5kTqQy2Zr;\r\n\t" DATE);
}

// Whatever a peer says, the field stays one field of its few lines, and every byte of it can be seen.
static void test_hostile(void **state) {
    static const struct slice names[] = {
        {"a) by evil (x", 13}, {"a\r\nX-Forged: yes", 16}, {"a;\tb", 4}, {"a\0b", 3}, {"\xff\xfe", 2}, {"", 0},
    };
    static char huge[5000];
    memset(huge, 'x', sizeof huge);
    for (size_t i = 0; i <= sizeof names / sizeof names[0]; i++) {
        struct slice name = i < sizeof names / sizeof names[0] ? names[i] : slice_of(huge, sizeof huge);
        struct received r = example();
        r.helo = r.host = r.recipient = r.cipher = r.user = name;
        r.tls = r.authenticated = true;
        struct buf b BUF_AUTO = {.max = RECEIVED_MAX};
        assert_true(received_add(&b, &r));
        struct header_field field;
        struct slice rest = buf_slice(&b);
        assert_true(header_next(&rest, &field));
        assert_int_equal(rest.n, 0);
        assert_int_equal(slice_find(field.whole, '\0'), field.whole.n);
        for (size_t k = 0, lines = 0; k < field.whole.n; k++) {
            lines += field.whole.p[k] == '\n';
            assert_true(lines <= 4 &&
                        ((field.whole.p[k] >= ' ' && field.whole.p[k] <= '~') || ascii_space(field.whole.p[k])));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_plain_and_inside), cmocka_unit_test(test_utf8_recipient),
        cmocka_unit_test(test_user),  cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
