// submit_header_test: what is added, left out, folded and refused; and that nothing else changes.
#include "mail/submit/submit_header.h"

#include "base/seed.h"
#include "mail/header/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { ROOM = 1 << 20 };

#define DATE "Date: Sat, 21 Nov 2026 10:41:15 +0000\r\n"
#define ID "Message-ID: <1.r@mx.example.org>\r\n"

static const struct {
    const char *in, *out; // out: "!" and a part of the reason
} cases[] = {
    {"", DATE "From: alice@example.org\r\n" ID},
    {"From: bob@example.org\r\nDate: now\r\nMessage-ID: <x>\r\n",
     "From: bob@example.org\r\nDate: now\r\nMessage-ID: <x>\r\n"},
    {"from: bob@example.org\r\ndate: \r\nmessage-id:\r\n", "from: bob@example.org\r\ndate: \r\nmessage-id:\r\n"},
    {"From: b@x.example\r\nSubject: x\r\n", DATE ID "From: b@x.example\r\nSubject: x\r\n"},
    {"Date: now\r\nSubject: x", "From: alice@example.org\r\n" ID "Date: now\r\nSubject: x\r\n"},
    {"Message-ID: <x>\r\nDate: now\r\nBcc: a@b\r\n c@d\r\nFrom: b@x.example\r\nbcc : x\r\nResent-Bcc: y\r\nX-Bcc: "
     "z\r\n",
     "Message-ID: <x>\r\nDate: now\r\nFrom: b@x.example\r\nX-Bcc: z\r\n"},
    {"Authentication-Results: MX.example.org;\r\n dkim=pass header.d=x\r\nMessage-ID: <x>\r\nDate: now\r\n"
     "authentication-results: x.example; none\r\nFrom: b@x.example\r\n",
     "Message-ID: <x>\r\nDate: now\r\nauthentication-results: x.example; none\r\nFrom: b@x.example\r\n"},
    {"Message-ID: <x>\r\nDate: now\r\nFrom: a@x.example, b@x.example\r\n",
     "Sender: alice@example.org\r\nMessage-ID: <x>\r\nDate: now\r\nFrom: a@x.example, b@x.example\r\n"},
    {"Message-ID: <x>\r\nDate: now\r\nSender: a@x.example\r\nFrom: a@x.example, b@x.example\r\n",
     "Message-ID: <x>\r\nDate: now\r\nSender: a@x.example\r\nFrom: a@x.example, b@x.example\r\n"},
    {"From: a@x.example\r\nFrom: a@x.example\r\n", "!2 From fields"},
    {"From: a@x.example\r\nSender: a@x.example\r\nSender: a@x.example\r\n", "!2 Sender fields"},
    {"From: a@x.example <b@x.example>\r\n", "!From: an address stands"},
    {"From: nobody:;\r\n", "!From: there is no address"},
    {"From:\r\n", "!From: there is no address"},
    {"From: a\r\n", "!From: there is an address without a domain"},
    {"From: a@x.example\r\nSender: a@x.example, b@x.example\r\n", "!Sender: there must be one"},
    {"From: a@x.example\r\nSender: <\r\n", "!Sender: what is between"},
};

static struct submit_header fix(struct slice in, struct buf *out) {
    const struct submit_header_facts facts = {.user = SLICE("alice@example.org"),
                                              .message_id = SLICE("1.r@mx.example.org"),
                                              .hostname = SLICE("mx.example.org"),
                                              .now = {1795257675000}};
    static struct arena arena = {.max = ROOM};
    struct submit_header found = {0};
    struct err e = {0};
    arena_reset(&arena);
    if (!submit_header_fix(in, &facts, &arena, out, &found, &e)) {
        assert_int_equal(e.smtp, 550);
        buf_reset(out);
        buf_addf(out, "!%s", e.text);
    }
    return found;
}

static void table(void **state) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BUF_AUTO struct buf out = {.max = ROOM};
        struct slice want = slice_str(cases[i].out);
        fix(slice_str(cases[i].in), &out);
        bool refused = slice_starts(want, SLICE("!"));
        bool ok =
            refused ? slice_search(buf_slice(&out), slice_from(want, 1)) < out.n : slice_eq(buf_slice(&out), want);
        if (!ok)
            fail_msg("%s\n->\n%.*s", cases[i].in, SLICE_ARG(buf_slice(&out)));
    }
}

static void facts_of_it(void **state) {
    BUF_AUTO struct buf out = {.max = ROOM};
    struct submit_header h = fix(SLICE("From: A <a@X.example>,\r\n b@x.example\r\nSender: c@x.example\r\n"), &out);
    assert_int_equal(h.from.n, 2);
    assert_true(slice_eq(h.from.list[0], SLICE("a@x.example")));
    assert_true(slice_eq(h.sender.list[0], SLICE("c@x.example")));
    assert_false(h.mime || h.from_added);
    h = fix(SLICE("MIME-version: 1.0\r\n"), &out);
    assert_true(h.mime && h.from_added);
    assert_true(slice_eq(h.from.list[0], SLICE("alice@example.org")));
    assert_true(fix(SLICE("Content-Type: text/plain\r\n"), &out).mime);
}

// --- long lines

#define WHOLE "From: a@x.example\r\nDate: now\r\nMessage-ID: <x>\r\n"

static void fold(const char *name, size_t word, size_t words, const char *end, struct buf *out) {
    BUF_AUTO struct buf in = {.max = ROOM};
    buf_add_str(&in, WHOLE);
    buf_add_str(&in, name);
    for (size_t i = 0; i < words; i++) {
        buf_add_str(&in, i ? " " : "");
        for (size_t k = 0; k < word; k++)
            buf_add_char(&in, "abcdefghij"[i % 10]);
    }
    buf_add_str(&in, end);
    fix(buf_slice(&in), out);
}

static size_t longest_line(struct slice s) {
    size_t longest = 0;
    while (s.n) {
        struct slice line;
        slice_cut(s, '\n', &line, &s);
        longest = line.n > longest ? line.n : longest;
    }
    return longest - 1; // its CR
}

static void folds(void **state) {
    BUF_AUTO struct buf out = {.max = ROOM};
    struct header_field f;
    fold("X: ", 10, 90, "\r\n", &out); // 992 octets
    assert_true(slice_search(buf_slice(&out), SLICE("\r\n ")) == out.n);
    buf_reset(&out);
    fold("X: ", 10, 500, "\r\n", &out); // before blanks
    assert_true(longest_line(buf_slice(&out)) <= SUBMIT_LINE_MAX && longest_line(buf_slice(&out)) > 980);
    assert_true(header_find(buf_slice(&out), SLICE("X"), &f));
    assert_int_equal(f.value.n, 1 + 500 * 11 - 1 + 2 * 5);
    buf_reset(&out);
    fold("X: ", 3000, 1, "\r\n", &out); // within the word
    assert_int_equal(longest_line(buf_slice(&out)), SUBMIT_LINE_MAX);
    assert_true(header_find(buf_slice(&out), SLICE("X"), &f));
    assert_int_equal(f.value.n, 1 + 3000 + 3 * 3);
    buf_reset(&out);
    fold("X:\r\n short\r\n ", 3000, 1, "\r\n last\r\n", &out);
    assert_int_equal(longest_line(buf_slice(&out)), SUBMIT_LINE_MAX);
    buf_reset(&out);
    fold("", 1200, 1, ": x\r\n", &out); // a name can't be folded
    assert_true(slice_starts(buf_slice(&out), SLICE("!the name")));
}

static void folds_no_character(void **state) {
    for (size_t before = 990; before <= SUBMIT_LINE_MAX; before++) {
        BUF_AUTO struct buf in = {.max = ROOM}, out = {.max = ROOM};
        buf_add_str(&in, WHOLE "X: ");
        for (size_t i = 3; i < before; i++)
            buf_add_char(&in, 'a');
        buf_add_str(&in, "\xf0\x9f\x90\xb4\xf0\x9f\x90\xb4\xf0\x9f\x90\xb4\r\n");
        fix(buf_slice(&in), &out);
        struct slice line, rest = slice_from(buf_slice(&out), slice_search(buf_slice(&out), SLICE("X:")));
        slice_cut(rest, '\n', &line, &rest);
        assert_true(line.n <= SUBMIT_LINE_MAX + 1 && rest.n % 4 == 3); // a blank, whole characters, CRLF
    }
}

// --- nothing else changes

static void add_random_field(struct seed *seed, struct buf *in, struct buf *kept) {
    static const char *const names[] = {"Subject",    "To",   "bcc",        "Received", "X-Odd",
                                        "Resent-Bcc", "Date", "Message-Id", "Cc",       "MIME-Version"};
    static const char *const values[] = {" text", "",   " \xc3\xbc\xff", " a,\r\n\tb", "\r\n  ",
                                         " \"",   " (", " a@b.example"};
    const char *name = names[seed_below(seed, 10)];
    char line[200];
    (void)snprintf(line, sizeof line, "%s%s:%s\r\n", name, seed_below(seed, 9) ? "" : "  ",
                   values[seed_below(seed, 8)]);
    buf_add_str(in, line);
    if (!slice_ieq(slice_str(name), SLICE("bcc")) && !slice_ieq(slice_str(name), SLICE("resent-bcc")))
        buf_add_str(kept, line);
}

static void changes_nothing_else(void **state) {
    struct seed seed = {3};
    for (size_t round = 0; round < 2000; round++) {
        BUF_AUTO struct buf in = {.max = ROOM}, kept = {.max = ROOM}, out = {.max = ROOM}, again = {.max = ROOM};
        for (size_t n = seed_below(&seed, 12); n > 0; n--)
            add_random_field(&seed, &in, &kept);
        fix(buf_slice(&in), &out);
        assert_true(out.p[0] != '!');
        assert_true(slice_ends(buf_slice(&out), buf_slice(&kept)));
        struct slice added = slice_upto(buf_slice(&out), out.n - kept.n);
        struct header_field f;
        while (header_next(&added, &f)) {
            assert_true(slice_eq(f.name, SLICE("Date")) || slice_eq(f.name, SLICE("From")) ||
                        slice_eq(f.name, SLICE("Message-ID")));
            struct header_field before;
            assert_false(header_find(buf_slice(&in), f.name, &before));
        }
        assert_int_equal(added.n, 0);
        fix(buf_slice(&out), &again); // what is right stays
        assert_true(slice_eq(buf_slice(&out), buf_slice(&again)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(facts_of_it),
        cmocka_unit_test(folds),
        cmocka_unit_test(folds_no_character),
        cmocka_unit_test(changes_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
