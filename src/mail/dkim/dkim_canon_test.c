// dkim_canon_test: canonical forms by RFC 6376 3.4.5, by the corpora, and however the body is cut.
#include "mail/dkim/dkim_canon.h"

#include "mail/header/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

static void collect(void *arg, struct slice bytes) { buf_add(arg, bytes); }

static void canon_in(enum dkim_canon canon, struct slice body, size_t piece, struct buf *out) {
    struct dkim_body b = {.canon = canon, .sink = collect, .arg = out};
    for (struct slice rest = body; rest.n; rest = slice_from(rest, piece))
        dkim_body_add(&b, slice_upto(rest, piece));
    dkim_body_end(&b, NULL);
    assert_int_equal(b.bytes, out->n);
}

static void check_body(enum dkim_canon canon, struct slice body, struct slice want) {
    for (size_t piece = 1; piece <= body.n + 1; piece++) {
        BUF_AUTO struct buf got = {.max = ROOM};
        canon_in(canon, body, piece, &got);
        if (!slice_eq(buf_slice(&got), want))
            fail_msg("in pieces of %zu, of \"%.*s\": \"%.*s\"", piece, SLICE_ARG(body), SLICE_ARG(buf_slice(&got)));
    }
}

static void test_bodies(void **state) {
    static const struct {
        const char *body, *simple, *relaxed;
    } table[] = {
        {"", "\r\n", ""},
        {"\r\n", "\r\n", ""},
        {"\r\n\r\n\r\n", "\r\n", ""},
        {" \t\r\n \r\n", " \t\r\n \r\n", ""},
        {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, // RFC 6376 3.4.5
        {"\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
        {"a", "a\r\n", "a\r\n"},
        {"a\r\n \r\n\r\nb\r\n\t\r\n", "a\r\n \r\n\r\nb\r\n\t\r\n", "a\r\n\r\n\r\nb\r\n"},
        {"a b  c\td\t \te \r\n", "a b  c\td\t \te \r\n", "a b c d e\r\n"},
        {"  a\r\n", "  a\r\n", " a\r\n"},
        {"\ta\r\n", "\ta\r\n", " a\r\n"},
        {"a \rb\r\n", "a \rb\r\n", "a \rb\r\n"},         // alone, CR and LF are characters
        {"a \nb\n\r\n", "a \nb\n\r\n", "a \nb\n\r\n"},   //
        {"a\r", "a\r\r\n", "a\r\r\n"},                   //
        {"a\r\r\n\r", "a\r\r\n\r\r\n", "a\r\r\n\r\r\n"}, //
        {"\r\r\n", "\r\r\n", "\r\r\n"},
        {"\n", "\n\r\n", "\n\r\n"},
        {"0123456789abcdef0123456789abcdef \t 0123456789abcdef0123456789abcde \r\n",
         "0123456789abcdef0123456789abcdef \t 0123456789abcdef0123456789abcde \r\n",
         "0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcde\r\n"},
        {"\xc3\xa4 \xa0\xff\r\n", "\xc3\xa4 \xa0\xff\r\n", "\xc3\xa4 \xa0\xff\r\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        check_body(DKIM_SIMPLE, slice_str(table[i].body), slice_str(table[i].simple));
        check_body(DKIM_RELAXED, slice_str(table[i].body), slice_str(table[i].relaxed));
    }
}

// A hash, of more than one run of the fast path, with blanks where blocks meet.
static void test_large(void **state) {
    BUF_AUTO struct buf body = {.max = ROOM}, want = {.max = ROOM};
    uint8_t a[DIGEST_SHA256_SIZE], b[DIGEST_SHA256_SIZE];
    for (size_t i = 0; i < 5000; i++) {
        for (size_t n = 0; n < i % 67; n++) {
            buf_add_char(&body, (char)('a' + n % 26));
            buf_add_char(&want, (char)('a' + n % 26));
        }
        buf_add(&body, slice_upto(SLICE("  \t "), i % 5));
        buf_add(&want, slice_upto(SLICE(" "), i % 5));
        buf_add(&body, SLICE("x\r\n"));
        buf_add(&want, SLICE("x\r\n"));
    }
    digest_of(DIGEST_SHA256, buf_slice(&want), a);
    for (size_t piece = 1; piece < 9000; piece = piece * 3 + 1) {
        struct dkim_body d = {0};
        dkim_body_begin(&d, DKIM_RELAXED);
        for (struct slice rest = buf_slice(&body); rest.n; rest = slice_from(rest, piece))
            dkim_body_add(&d, slice_upto(rest, piece));
        dkim_body_end(&d, b);
        dkim_body_done(&d);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void test_fields(void **state) {
    static const struct {
        const char *whole, *simple, *relaxed;
    } table[] = {
        {"A: X\r\n", "A: X", "a:X"}, // RFC 6376 3.4.5
        {"B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  ", "b:Y Z"},
        {"Subject:\r\n", "Subject:", "subject:"},
        {"Subject: \t\r\n \t\r\n", "Subject: \t\r\n \t", "subject:"},
        {"SUBJect:AbC\r\n", "SUBJect:AbC", "subject:AbC"},
        {"X: a:b : c\r\n", "X: a:b : c", "x:a:b : c"},
        {"X: a\n b\n", "X: a\n b", "x:a b"},
        {"X: a", "X: a", "x:a"},
        {"X: a \r\n  \r\n\t b\r\n", "X: a \r\n  \r\n\t b", "x:a b"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        BUF_AUTO struct buf simple = {.max = ROOM}, relaxed = {.max = ROOM};
        assert_true(dkim_canon_field(DKIM_SIMPLE, slice_str(table[i].whole), &simple));
        assert_true(dkim_canon_field(DKIM_RELAXED, slice_str(table[i].whole), &relaxed));
        assert_true(slice_eq(buf_slice(&simple), slice_str(table[i].simple)));
        assert_true(slice_eq(buf_slice(&relaxed), slice_str(table[i].relaxed)));
    }
}

// --- the canonicalisation kit of DomainKeys and DKIM

static bool read_case(const char *name, unsigned number, bool line_feeds, struct buf *out) {
    const char *root = getenv("POSTHOUSE_CORPORA");
    char path[4096];
    int c;
    snprintf(path, sizeof path, "%s/dkim-canon-dev/%s.%02u", root ? root : SOURCE_ROOT "/../shared/corpora", name,
             number);
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    while ((c = getc(f)) != EOF) {
        if (c == '\n' && line_feeds)
            buf_add_char(out, '\r');
        buf_add_char(out, (char)c);
    }
    fclose(f);
    return true;
}

static void canon_message(enum dkim_canon canon, struct slice message, struct buf *out) {
    struct header_field field;
    while (header_next(&message, &field)) {
        dkim_canon_field(canon, field.whole, out);
        buf_add_str(out, "\r\n");
    }
    buf_add_str(out, "\r\n");
    struct dkim_body b = {.canon = canon, .sink = collect, .arg = out};
    dkim_body_add(&b, slice_starts(message, SLICE("\r\n")) ? slice_from(message, 2) : message);
    dkim_body_end(&b, NULL);
}

static void test_corpora(void **state) {
    static const char *const names[] = {[DKIM_SIMPLE] = "simple.expected", [DKIM_RELAXED] = "relaxed.expected"};
    unsigned seen = 0;
    for (unsigned n = 0; n < 100; n++)
        for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
            BUF_AUTO struct buf message = {.max = ROOM}, want = {.max = ROOM}, got = {.max = ROOM};
            if (!read_case("email", n, true, &message) || !read_case(names[canon], n, false, &want))
                continue;
            canon_message(canon, buf_slice(&message), &got);
            if (!slice_eq(buf_slice(&got), buf_slice(&want)))
                fail_msg("%s.%02u: got \"%.*s\"", names[canon], n, SLICE_ARG(buf_slice(&got)));
            seen++;
        }
    if (seen == 0) {
        print_message("# skipped: no corpora\n");
        skip();
    }
    assert_int_equal(seen, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_corpora),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
