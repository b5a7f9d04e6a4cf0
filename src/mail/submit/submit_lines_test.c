// submit_lines_test: long lines, any cut, and what is seen of the bytes.
#include "mail/submit/submit_lines.h"

#include "base/seed.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROOM = 1 << 20 };

static struct submit_lines run(struct slice in, size_t piece, struct buf *out) {
    struct submit_lines l = {0};
    for (size_t at = 0; at < in.n; at += piece)
        submit_lines_feed(&l, slice_upto(slice_from(in, at), piece), out);
    submit_lines_end(&l, out);
    return l;
}

static void add_run(struct buf *b, char c, size_t n) {
    while (n--)
        buf_add_char(b, c);
}

static void expect(const struct buf *in, const struct buf *want) {
    static const size_t pieces[] = {1, 2, 7, 797, 798, 799, 997, 998, 999, 1000, 1001, ROOM};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        BUF_AUTO struct buf out = {.max = ROOM};
        run(buf_slice(in), pieces[i], &out);
        if (!slice_eq(buf_slice(&out), buf_slice(want)))
            fail_msg("in pieces of %zu: %zu bytes, not %zu", pieces[i], out.n, want->n);
    }
}

static void short_lines(void **state) {
    for (size_t n = 0; n <= SUBMIT_LINE_MAX; n += n < 790 ? 79 : 1) {
        BUF_AUTO struct buf in = {.max = ROOM};
        add_run(&in, 'a', n);
        buf_add_str(&in, "\r\n");
        add_run(&in, 'b', n);
        buf_add_str(&in, "\r\n\r\n");
        add_run(&in, 'c', n);
        expect(&in, &in);
    }
}

static void broken_at(size_t length, size_t blank, size_t want_at) {
    BUF_AUTO struct buf in = {.max = ROOM}, want = {.max = ROOM};
    buf_add_str(&in, "x\r\n");
    add_run(&in, 'a', length);
    if (blank)
        in.p[3 + blank] = ' ';
    buf_add_str(&in, "\r\ny\r\n");
    buf_add(&want, slice_upto(buf_slice(&in), 3 + want_at));
    buf_add_str(&want, "\r\n");
    buf_add(&want, slice_from(buf_slice(&in), 3 + want_at));
    expect(&in, &want);
}

static void long_lines(void **state) {
    broken_at(999, 0, 998);
    broken_at(1500, 0, 998);
    broken_at(999, 997, 998);
    broken_at(999, 998, 998); // the blank would be the 999th
    broken_at(999, 900, 901);
    broken_at(999, 798, 799);
    broken_at(999, 797, 998); // too far back
    BUF_AUTO struct buf in = {.max = ROOM}, want = {.max = ROOM};
    add_run(&in, 'a', 3000);
    for (size_t i = 0; i < 3; i++) {
        add_run(&want, 'a', 998);
        buf_add_str(&want, "\r\n");
    }
    add_run(&want, 'a', 6);
    expect(&in, &want);
}

static void characters_stay_whole(void **state) {
    static const char *const characters[] = {"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\xb4"};
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        for (size_t before = 990; before <= SUBMIT_LINE_MAX; before++) {
            BUF_AUTO struct buf in = {.max = ROOM}, out = {.max = ROOM};
            struct slice line, rest;
            add_run(&in, 'a', before);
            for (size_t k = 0; k < 20; k++)
                buf_add_str(&in, characters[i]);
            assert_true(!run(buf_slice(&in), 3, &out).not_utf8);
            slice_cut(buf_slice(&out), '\n', &line, &rest);
            assert_true(line.n > SUBMIT_LINE_MAX - 3 && line.n <= SUBMIT_LINE_MAX + 1);
            assert_true(utf8_valid(line) && utf8_valid(rest) && rest.n > 0);
        }
}

static const struct {
    const char *text;
    bool eight, not_utf8;
} seen[] = {
    {"", false, false},
    {"abc\r\n", false, false},
    {"J\xc3\xbcrgen", true, false},
    {"\xe2\x82\xac\xf0\x9f\x90\xb4\xed\x9f\xbf", true, false},
    {"J\xfcrgen", true, true},
    {"\xc3", true, true},
    {"\xc3 ", true, true},
    {"\xc0\x80", true, true},
    {"\xe0\x80\x80", true, true},
    {"\xed\xa0\x80", true, true},
    {"\xf4\x90\x80\x80", true, true},
    {"\xf0\x80\x80\x80", true, true},
    {"\x80", true, true},
};

static void bytes(void **state) {
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        for (size_t piece = 1; piece < 6; piece++) {
            BUF_AUTO struct buf out = {.max = ROOM};
            struct submit_lines l = run(slice_str(seen[i].text), piece, &out);
            assert_int_equal(l.eight, seen[i].eight);
            assert_int_equal(l.not_utf8, seen[i].not_utf8);
            assert_true(slice_eq(buf_slice(&out), slice_str(seen[i].text)));
        }
}

// Without the CRLF that were added it is what came in.
static void check_only_added(struct slice in, struct slice out) {
    size_t i = 0, line = 0;
    for (size_t o = 0; o < out.n; o++) {
        if (i < in.n && out.p[o] == in.p[i]) {
            i++;
        } else {
            assert_true(out.p[o] == '\r' && out.p[o + 1] == '\n' && line > SUBMIT_LINES_PASSED - 1);
            o++;
        }
        line = out.p[o] == '\n' ? 0 : line + 1;
        assert_true(line <= SUBMIT_LINE_MAX + 1);
    }
    assert_int_equal(i, in.n);
}

static void random_bodies(void **state) {
    struct seed seed = {7};
    for (size_t round = 0; round < 300; round++) {
        BUF_AUTO struct buf in = {.max = ROOM}, whole = {.max = ROOM}, cut = {.max = ROOM};
        for (size_t lines = seed_below(&seed, 8); lines > 0; lines--) {
            size_t n = seed_below(&seed, seed_below(&seed, 3) ? 80 : 3500);
            for (size_t k = 0; k < n; k++)
                buf_add_char(&in, " abc\t\xc3\xbc\x80.-"[seed_below(&seed, 10)]);
            buf_add_str(&in, "\r\n");
        }
        struct submit_lines a = run(buf_slice(&in), ROOM, &whole);
        struct submit_lines b = run(buf_slice(&in), 1 + seed_below(&seed, 1200), &cut);
        assert_true(slice_eq(buf_slice(&whole), buf_slice(&cut)));
        assert_int_equal(a.eight, b.eight);
        assert_int_equal(a.not_utf8, b.not_utf8);
        assert_int_equal(a.not_utf8, !utf8_valid(buf_slice(&in)));
        assert_int_equal(a.eight, !utf8_ascii(buf_slice(&in)));
        check_only_added(buf_slice(&in), buf_slice(&whole));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_lines), cmocka_unit_test(long_lines),    cmocka_unit_test(characters_stay_whole),
        cmocka_unit_test(bytes),       cmocka_unit_test(random_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
