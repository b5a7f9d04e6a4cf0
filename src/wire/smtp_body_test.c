// smtp_body_test: decoding and encoding of content, whole and cut at every byte; sequences that must not end DATA.
#include "wire/smtp_body.h"

#include "base/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct result {
    struct smtp_body d;
    struct buf out;
    size_t used;
};

// Feeds `in` in pieces of `piece` bytes; stops at the end of the content.
static void decode(struct slice in, enum smtp_body_mode mode, size_t piece, struct result *r) {
    *r = (struct result){.d = {.mode = mode}, .out = {.max = 1 << 20}};
    while (r->used < in.n && !r->d.done) {
        struct slice part = slice_upto(slice_from(in, r->used), piece);
        size_t consumed;
        bool end = smtp_body_feed(&r->d, part, &r->out, &consumed);
        assert_true(end || consumed == part.n);
        r->used += consumed;
    }
}

static void assert_bytes(struct slice in, struct slice got, struct slice want) {
    if (!slice_eq(got, want))
        fail_msg("[%.*s] gives [%.*s], not [%.*s]", SLICE_ARG(in), SLICE_ARG(got), SLICE_ARG(want));
}

#define S(text)                                                                                                        \
    { text, sizeof(text) - 1 }

static void test_decode(void **state) {
    static const struct {
        struct slice in, repaired;
        size_t after; // bytes left behind the end
        bool end, bare_cr, bare_lf;
    } cases[] = {
        {S(".\r\n"), S(""), 0, true, false, false},
        {S(".\r\nQUIT\r\n"), S(""), 6, true, false, false},
        {S("a\r\n.\r\nQUIT\r\n"), S("a\r\n"), 6, true, false, false},
        {S("\r\n.\r\n"), S("\r\n"), 0, true, false, false},
        {S("..a\r\n..\r\n...\r\n.b\r\n.\r\n"), S(".a\r\n.\r\n..\r\nb\r\n"), 0, true, false, false},
        {S("a.\r\nb..\r\n.\r\n"), S("a.\r\nb..\r\n"), 0, true, false, false},
        {S("a\n.\r\n"), S("a\r\n.\r\n"), 0, false, false, true},
        {S("a\n.\n"), S("a\r\n.\r\n"), 0, false, false, true},
        {S("a\r.\r\n"), S("a\r\n.\r\n"), 0, false, true, false},
        {S("a\r\n.\nb\r\n.\r\n"), S("a\r\n\r\nb\r\n"), 0, true, false, true},
        {S("a\r\n.\rb\r\n.\r\n"), S("a\r\n\r\nb\r\n"), 0, true, true, false},
        {S("a\r\n.\r\r\n.\r\n"), S("a\r\n\r\n\r\n"), 0, true, true, false},
        {S("a\r\r\n.\r\n"), S("a\r\n\r\n"), 0, true, true, false},
        {S("a\n..b\r\n.\r\n"), S("a\r\n..b\r\n"), 0, true, false, true},
        {S("a\n\r\n.\r\n"), S("a\r\n\r\n"), 0, true, false, true},
        {S("a\r\n\0.\r\n.\r\n"), S("a\r\n\0.\r\n"), 0, true, false, false},
        {S("a\r\n.\0\r\n.\r\n"), S("a\r\n\0\r\n"), 0, true, false, false},
        {S("a\r\n."), S("a\r\n"), 0, false, false, false},
        {S("a\r\n.\r"), S("a\r\n"), 0, false, false, false},
        {S("a\r"), S("a"), 0, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t piece = 1; piece <= cases[i].in.n; piece++) {
            struct result r;
            decode(cases[i].in, SMTP_BODY_REPAIR, piece, &r);
            assert_bytes(cases[i].in, buf_slice(&r.out), cases[i].repaired);
            assert_int_equal(r.d.size, cases[i].repaired.n);
            assert_int_equal(r.d.done, cases[i].end);
            assert_int_equal(r.d.bare_cr, cases[i].bare_cr);
            assert_int_equal(r.d.bare_lf, cases[i].bare_lf);
            assert_int_equal(r.used, cases[i].in.n - cases[i].after);
            buf_done(&r.out);
        }
    }
}

static void test_refuse_and_discard(void **state) {
    struct slice in = SLICE("first\r\nsecond\nthird\r\n.\r\n");
    struct result r;
    decode(in, SMTP_BODY_REFUSE, in.n, &r);
    assert_true(r.d.done && r.d.bare_lf);
    assert_bytes(in, buf_slice(&r.out), SLICE("first\r\nsecond"));
    buf_done(&r.out);
    decode(in, SMTP_BODY_DISCARD, in.n, &r);
    assert_true(r.d.done && r.d.bare_lf && r.out.n == 0);
    assert_int_equal(r.d.size, sizeof "first\r\nsecond\r\nthird\r\n" - 1);

    struct smtp_body full = {.mode = SMTP_BODY_REFUSE};
    struct buf small BUF_AUTO = {.max = 4};
    size_t used;
    assert_true(smtp_body_feed(&full, in, &small, &used));
    assert_true(small.failed && used == in.n);
}

// The corpus of sequences that some server took for the end of data. None may end it, in any mode, however it is cut.
static void each_sequence(void (*check)(struct slice sequence)) {
    const char *root = getenv("POSTHOUSE_CORPORA");
    char path[512];
    static char text[8192];
    snprintf(path, sizeof path, "%s/smtp-smuggling/end-of-data.json", root ? root : SOURCE_ROOT "/../shared/corpora");
    FILE *f = fopen(path, "r");
    if (!f) {
        print_message("# skipped: no corpora\n");
        skip();
    }
    struct slice rest = slice_of(text, fread(text, 1, sizeof text, f));
    fclose(f);
    static const struct slice key = {"\"bytes_hex\": \"", 14};
    int seen = 0;
    for (;;) {
        rest = slice_from(rest, slice_search(rest, key) + key.n);
        if (rest.n == 0)
            break;
        char bytes[16];
        size_t n = 0;
        for (; rest.p[0] != '"'; rest = slice_from(rest, 2)) {
            char hex[3] = {rest.p[0], rest.p[1], 0};
            bytes[n++] = (char)strtol(hex, NULL, 16);
        }
        check(slice_of(bytes, n));
        seen++;
    }
    assert_int_equal(seen, 12);
}

static void never_ends(struct slice sequence) {
    static const char *const before[] = {"", "x", "x\r\n", "x\r\n\r\n", "x\n"};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        struct buf in BUF_AUTO = {.max = 256};
        buf_add_str(&in, before[i]);
        buf_add(&in, sequence);
        buf_add_str(&in, "MAIL FROM:<smuggled@example.net>\r\n");
        for (int mode = SMTP_BODY_REFUSE; mode <= SMTP_BODY_DISCARD; mode++) {
            for (size_t piece = 1; piece <= in.n; piece++) {
                struct result r;
                decode(buf_slice(&in), (enum smtp_body_mode)mode, piece, &r);
                if (r.d.done)
                    fail_msg("DATA ended in [%.*s]", SLICE_ARG(buf_slice(&in)));
                buf_done(&r.out);
            }
        }
    }
}

// What we send must have no CR or LF outside of CRLF, no NUL, and no dot alone on a line, whatever the content was.
static void assert_safe(struct slice sent) {
    for (size_t i = 0; i < sent.n; i++) {
        if ((sent.p[i] == '\n') != (i > 0 && sent.p[i - 1] == '\r') || sent.p[i] == '\0')
            fail_msg("bare CR or LF, or NUL, at %zu", i);
    }
    bool last = slice_eq(sent, SLICE(".\r\n")) || slice_ends(sent, SLICE("\r\n.\r\n"));
    size_t first_end = slice_search(sent, SLICE("\r\n.\r\n"));
    assert_true(last && (first_end == sent.n || first_end == sent.n - 5));
}

static void encode(struct slice content, size_t piece, struct buf *out) {
    struct smtp_encode e = {0};
    for (size_t at = 0; at < content.n; at += piece)
        assert_true(smtp_body_encode(slice_upto(slice_from(content, at), piece), &e, out));
    assert_true(smtp_body_encode_end(&e, out));
}

static void encodes_safely(struct slice sequence) {
    struct buf in BUF_AUTO = {.max = 256}, out BUF_AUTO = {.max = 512};
    buf_add_str(&in, "x");
    buf_add(&in, sequence);
    buf_add_str(&in, "y");
    encode(buf_slice(&in), in.n, &out);
    assert_safe(buf_slice(&out));
}

static void test_smuggling_in(void **state) { each_sequence(never_ends); }
static void test_smuggling_out(void **state) { each_sequence(encodes_safely); }

static void test_encode(void **state) {
    static const struct {
        struct slice in, out;
    } cases[] = {
        {S(""), S(".\r\n")},
        {S("."), S("..\r\n.\r\n")},
        {S("a"), S("a\r\n.\r\n")},
        {S("a\r\n"), S("a\r\n.\r\n")},
        {S("a\r\n.\r\n..\r\n.b\r\n"), S("a\r\n..\r\n...\r\n..b\r\n.\r\n")},
        {S("a\n.b\r.c\r\n"), S("a\r\n..b\r\n..c\r\n.\r\n")},
        {S("a\r\r\nb\n\r"), S("a\r\n\r\nb\r\n\r\n.\r\n")},
        {S("a\r\n\0.\r\n\0"), S("a\r\n..\r\n.\r\n")},
        {S("\r\n\r\n"), S("\r\n\r\n.\r\n")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t piece = 1; piece <= cases[i].in.n + 1; piece++) {
            struct buf out BUF_AUTO = {.max = 256};
            encode(cases[i].in, piece, &out);
            assert_bytes(cases[i].in, buf_slice(&out), cases[i].out);
            assert_safe(buf_slice(&out));
        }
    }
    struct smtp_encode e = {0};
    struct buf small BUF_AUTO = {.max = 4};
    assert_false(smtp_body_encode(SLICE("longer"), &e, &small));
}

static void test_chunks(void **state) {
    static const struct {
        struct slice in, repaired;
        bool bare_cr, bare_lf;
    } cases[] = {
        {S(""), S(""), false, false},
        {S(".\r\n"), S(".\r\n"), false, false},
        {S("a\r\n.\r\n..b\r\nno end"), S("a\r\n.\r\n..b\r\nno end"), false, false},
        {S("a\nb\rc\r"), S("a\r\nb\r\nc\r\n"), true, true},
        {S("a\r\r\n"), S("a\r\n\r\n"), true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t piece = 1; piece <= cases[i].in.n + 1; piece++) {
            struct smtp_body d = {.mode = SMTP_BODY_REPAIR};
            struct buf out BUF_AUTO = {.max = 256};
            for (size_t at = 0; at < cases[i].in.n; at += piece)
                smtp_body_chunk(&d, slice_upto(slice_from(cases[i].in, at), piece), &out);
            smtp_body_chunks_end(&d, &out);
            assert_bytes(cases[i].in, buf_slice(&out), cases[i].repaired);
            assert_true(d.done && d.bare_cr == cases[i].bare_cr && d.bare_lf == cases[i].bare_lf);
        }
    }
}

// Long lines and blocks: what goes through clean runs must come out as what goes byte by byte.
static void test_random(void **state) {
    static const char alphabet[] = "\r\n\r\n..ab\0";
    struct seed seed = {.state = 7};
    for (int round = 0; round < 2000; round++) {
        char bytes[400];
        size_t n = seed_below(&seed, sizeof bytes);
        unsigned calm = (unsigned)seed_below(&seed, 1001); // how often nothing special comes, in a thousand
        for (size_t i = 0; i < n; i++)
            bytes[i] = seed_chance(&seed, calm) ? 'x' : alphabet[seed_below(&seed, sizeof alphabet - 1)];
        struct slice content = slice_of(bytes, n);
        struct result whole, single;
        decode(content, SMTP_BODY_REPAIR, n ? n : 1, &whole);
        decode(content, SMTP_BODY_REPAIR, 1, &single);
        assert_bytes(content, buf_slice(&whole.out), buf_slice(&single.out));
        assert_int_equal(whole.used, single.used);
        assert_int_equal(whole.d.state, single.d.state);
        assert_int_equal(whole.d.size, single.d.size);
        assert_true(whole.d.bare_cr == single.d.bare_cr && whole.d.bare_lf == single.d.bare_lf);
        assert_true(whole.d.nul == single.d.nul && whole.d.done == single.d.done);

        struct buf sent BUF_AUTO = {.max = 4096}, again BUF_AUTO = {.max = 4096};
        encode(content, n ? n : 1, &sent);
        encode(content, 1, &again);
        assert_bytes(content, buf_slice(&sent), buf_slice(&again));
        assert_safe(buf_slice(&sent));
        buf_done(&whole.out);
        buf_done(&single.out);
        decode(buf_slice(&sent), SMTP_BODY_REFUSE, sent.n, &whole);
        assert_true(whole.d.done && whole.used == sent.n && !whole.d.bare_cr && !whole.d.bare_lf);
        buf_done(&whole.out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),       cmocka_unit_test(test_refuse_and_discard),
        cmocka_unit_test(test_smuggling_in), cmocka_unit_test(test_smuggling_out),
        cmocka_unit_test(test_encode),       cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
