// address_test: mailboxes that are and that are not, from us and from the corpora of others.
#include "mail/address.h"

#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_text(const char *of, struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("%s: got [%.*s], want [%s]", of, SLICE_ARG(got), want);
}

// Text of 1 "x" n times, then a tail.
static struct slice long_text(char *to, size_t n, const char *tail) {
    memset(to, 'x', n);
    memcpy(to + n, tail, strlen(tail));
    return slice_of(to, n + strlen(tail));
}

static void test_valid(void **state) {
    static const struct {
        const char *in, *local, *printed; // printed after normalising
        bool quoted, literal, utf8;
    } cases[] = {
        {"alice@example.org", "alice", "alice@example.org", false, false, false},
        {"Alice.B+tag@EXAMPLE.Org", "Alice.B+tag", "Alice.B+tag@example.org", false, false, false},
        {"a@host", "a", "a@host", false, false, false},
        {"a@my_host.example", "a", "a@my_host.example", false, false, false},
        {"\"alice\"@example.org", "alice", "alice@example.org", true, false, false},
        {"\"a\\lice\"@example.org", "alice", "alice@example.org", true, false, false},
        {"\"a b\"@example.org", "a b", "\"a b\"@example.org", true, false, false},
        {"\"a@b\"@example.org", "a@b", "\"a@b\"@example.org", true, false, false},
        {"\"a\\\"\\\\\"@example.org", "a\"\\", "\"a\\\"\\\\\"@example.org", true, false, false},
        {"\"\"@example.org", "", "\"\"@example.org", true, false, false},
        {"a@[192.0.2.1]", "a", "a@[192.0.2.1]", false, true, false},
        {"a@[ipv6:2001:DB8:0::1]", "a", "a@[IPv6:2001:db8::1]", false, true, false},
        {"a@[IPv6:::ffff:192.0.2.1]", "a", "a@[192.0.2.1]", false, true, false},
        {"gr\xc3\xbc\xc3\x9f"
         "e@example.org",
         "gr\xc3\xbc\xc3\x9f"
         "e",
         "gr\xc3\xbc\xc3\x9f"
         "e@example.org",
         false, false, true},
        {"a@B\xc3\xbc"
         "cher.example",
         "a", "a@xn--bcher-kva.example", false, false, false},
        {"a@fa\xc3\x9f.de", "a", "a@xn--fa-hia.de", false, false, false}, // IDNA2008 keeps the sharp s
        {"postmaster", "postmaster", "postmaster", false, false, false},
        {"PostMaster", "PostMaster", "PostMaster", false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena ARENA_AUTO = {.max = 4096};
        struct buf b BUF_AUTO = {.max = 512};
        struct address a;
        struct err e;
        const char *in = cases[i].in;
        if (!address_parse(slice_str(in), ADDRESS_RECIPIENT, &arena, &a, &e) || !address_normalize(&a, &arena, &e))
            fail_msg("%s: %s", in, e.text);
        assert_text(in, a.local, cases[i].local);
        assert_true(address_add(&b, &a));
        assert_text(in, buf_slice(&b), cases[i].printed);
        assert_true(a.quoted == cases[i].quoted && a.literal == cases[i].literal && a.utf8 == cases[i].utf8);
    }
}

static void test_invalid(void **state) {
    static const char *const cases[] = {
        "",
        "a",
        "@example.org",
        "a@",
        "a@b@c",
        "a b@example.org",
        ".a@example.org",
        "a.@b",
        "a..b@c",
        "a@b..c",
        "a@.b",
        "a@b.",
        "a@-b",
        "a@b-",
        "\"a@b",
        "\"a\"b@c",
        "a\"b\"@c",
        "\"a\\\"@b",
        "\"a\x01\"@b",
        "a\x7f@b",
        "(c)a@b",
        "a@b(c)",
        "a@[1.2.3]",
        "a@[::1]",
        "a@[]",
        "a@[IPv6:1.2.3.4]",
        "a@[1.2.3.4",
        "a@1.2.3.4]",
        "a@[x25:abc]",
        "a@[x:a[b]",
        "a@[-x:a]",
        "a@[x:a b]",
        "a,b@c",
        "a:b@c",
        "a;b@c",
        "<a@b>",
        "a@b,c",
        "a@b c",
        "a@\xff",
        "\xc3@b",
        "\"\\\xc3\xa9\"@b",
        "a@b/c",
        "a@xn--\xc3\xa9",
        "a@\xe2\x80\x8b.example",
        "a\r\n@b",
        "a@b\r\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena ARENA_AUTO = {.max = 4096};
        struct address a;
        struct err e;
        if (address_parse(slice_str(cases[i]), ADDRESS_SENDER, &arena, &a, &e) && address_normalize(&a, &arena, &e))
            fail_msg("%s: taken", cases[i]);
        assert_int_equal(e.kind, ERR_PERMANENT);
        assert_true((e.smtp == 501 && e.enhanced[2] == 7) || (e.smtp == 553 && e.enhanced[2] == 2));
    }
    struct arena arena ARENA_AUTO = {.max = 4096};
    struct address a;
    struct err e;
    assert_false(address_parse(SLICE("postmaster"), ADDRESS_SENDER, &arena, &a, &e));
    assert_false(address_parse(SLICE("root"), ADDRESS_RECIPIENT, &arena, &a, &e));
    assert_int_equal(e.enhanced[2], 3);
    assert_false(address_parse(SLICE("a\0b@c"), ADDRESS_RECIPIENT, &arena, &a, &e));
}

static void test_lengths(void **state) {
    struct arena arena ARENA_AUTO = {.max = 4096};
    struct address a;
    struct err e;
    char text[512];
    assert_true(address_parse(long_text(text, 64, "@b"), ADDRESS_SENDER, &arena, &a, &e));
    assert_false(address_parse(long_text(text, 65, "@b"), ADDRESS_SENDER, &arena, &a, &e));
    text[0] = 'a';
    text[1] = '@';
    assert_true(address_parse(slice_of(text, 65), ADDRESS_SENDER, &arena, &a, &e)); // label of 63
    text[65] = 'x';
    assert_false(address_parse(slice_of(text, 66), ADDRESS_SENDER, &arena, &a, &e));
    for (size_t i = 2; i < 400; i++)
        text[i] = i % 50 ? 'x' : '.';
    assert_true(address_parse(slice_of(text, ADDRESS_MAX), ADDRESS_SENDER, &arena, &a, &e));
    assert_false(address_parse(slice_of(text, ADDRESS_MAX + 1), ADDRESS_SENDER, &arena, &a, &e));

    struct arena none ARENA_AUTO = {.max = 0}; // a failed allocation is no verdict on the address
    assert_false(address_parse(SLICE("\"a\\b\"@c"), ADDRESS_SENDER, &none, &a, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
}

static void test_tricks(void **state) {
    static const struct {
        const char *local;
        bool trick;
    } cases[] = {{"alice", false}, {"alice+a.b", false}, {"", false}, {"a%b", true},
                 {"b!a", true},    {"a@b", true},        {"%", true}, {"a=b#c/d.e-f_g", false},
                 {"a\"b", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(address_routing_trick(slice_str(cases[i].local)), cases[i].trick);
}

// A file of the corpora, or skips the test.
static struct slice read_corpus(const char *name, char *to, size_t size) {
    const char *root = getenv("POSTHOUSE_CORPORA");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root ? root : SOURCE_ROOT "/../shared/corpora", name);
    FILE *f = fopen(path, "r");
    if (!f) {
        print_message("# skipped: no corpora\n");
        skip();
    }
    size_t n = fread(to, 1, size, f);
    fclose(f);
    assert_true(n < size);
    return slice_of(to, n);
}

// The text of the first <name> element of `xml`; empty where there is none.
static struct slice element(struct slice xml, const char *name) {
    char tag[32];
    int n = snprintf(tag, sizeof tag, "<%s>", name);
    struct slice text = slice_from(xml, slice_search(xml, slice_of(tag, (size_t)n)) + (size_t)n);
    return slice_upto(text, slice_find(text, '<'));
}

// One code point as UTF-8. U+2400 + n stands for the control character n, which XML can't hold.
static void add_code(struct buf *b, unsigned long code) {
    if (code >= 0x2400 && code < 0x2420)
        code -= 0x2400;
    if (code < 0x80) {
        buf_add_char(b, (char)code);
    } else if (code < 0x800) {
        buf_add_char(b, (char)(0xc0 | code >> 6));
        buf_add_char(b, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_add_char(b, (char)(0xe0 | code >> 12));
        buf_add_char(b, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(b, (char)(0x80 | (code & 0x3f)));
    }
}

static void unescape(struct slice text, struct buf *out) {
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    while (text.n) {
        struct slice before = text;
        if (slice_starts(text, SLICE("&#x"))) {
            add_code(out, strtoul(text.p + 3, NULL, 16));
            text = slice_from(text, slice_find(text, ';') + 1);
        }
        for (size_t i = 0; i < 5 && text.n; i++) {
            if (slice_starts(text, slice_str(entities[i].name))) {
                buf_add_char(out, entities[i].c);
                text = slice_from(text, strlen(entities[i].name));
            }
        }
        if (text.n && text.p == before.p) {
            buf_add_char(out, text.p[0]);
            text = slice_from(text, 1);
        }
    }
}

// Which categories an envelope takes: what is valid, unusual in SMTP, or valid with a doubt about DNS. All that only a
// header may hold is refused. "::" for a single group is deprecated (RFC 5952 4.2.2), but every reader must take it.
static bool envelope_takes(struct slice category, struct slice diagnosis) {
    return slice_eq(category, SLICE("ISEMAIL_VALID_CATEGORY")) || slice_eq(category, SLICE("ISEMAIL_DNSWARN")) ||
           slice_eq(category, SLICE("ISEMAIL_RFC5321")) || slice_eq(diagnosis, SLICE("ISEMAIL_RFC5321_IPV6DEPRECATED"));
}

static void test_isemail(void **state) {
    static char text[128 * 1024];
    struct slice rest = read_corpus("address-isemail/tests.xml", text, sizeof text);
    int seen = 0;
    for (;;) {
        rest = slice_from(rest, slice_search(rest, SLICE("<test id=")) + 1);
        if (rest.n == 0)
            break;
        struct slice test = slice_upto(rest, slice_search(rest, SLICE("</test>")));
        struct arena arena ARENA_AUTO = {.max = 4096};
        struct buf in BUF_AUTO = {.max = 1024};
        struct address a;
        struct err e;
        unescape(element(test, "address"), &in);
        bool want = envelope_takes(element(test, "category"), element(test, "diagnosis"));
        if (address_parse(buf_slice(&in), ADDRESS_SENDER, &arena, &a, &e) != want)
            fail_msg("%.*s: should be %s", SLICE_ARG(buf_slice(&in)), want ? "taken" : "refused");
        seen++;
    }
    assert_int_equal(seen, 164);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),  cmocka_unit_test(test_invalid), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_tricks), cmocka_unit_test(test_isemail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
