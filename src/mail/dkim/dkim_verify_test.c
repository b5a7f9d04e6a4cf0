// dkim_verify_test: signatures as they should be, and each way in which they can be wrong.
#include "mail/dkim/dkim_verify.h"

#include "mail/dkim/dkim_test_sign.h"
#include "mail/header/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 20, NOW = 1800000000 };

static struct oracle_zone *zone;
static unsigned asked;

static void count_and_ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                          struct oracle_answer *answers) {
    asked += (unsigned)n;
    oracle_zone_oracle(zone)->ask(oracle_zone_oracle(zone), questions, n, arena, answers);
}

static struct oracle oracle = {.ask = count_and_ask};

static void verify(struct slice message, size_t piece, struct arena *arena, struct dkim_verify *v) {
    struct slice rest = message;
    struct header_field field;
    while (header_next(&rest, &field))
        ;
    struct slice header = slice_upto(message, message.n - rest.n);
    if (slice_starts(rest, SLICE("\r\n")))
        rest = slice_from(rest, 2);
    assert_true(dkim_verify_begin(v, header, (struct wall){INT64_C(1000) * NOW}, arena));
    for (; rest.n; rest = slice_from(rest, piece))
        dkim_verify_body(v, slice_upto(rest, piece));
    dkim_verify_end(v, &oracle, arena);
    dkim_verify_done(v);
    dkim_verify_done(v);
}

#define HEADER                                                                                                         \
    "Received: from x by y\r\n"                                                                                        \
    "From: A <a@example.org>\r\n"                                                                                      \
    "To: b@example.net,\r\n"                                                                                           \
    "\tc@example.net\r\n"                                                                                              \
    "Subject:   Two   words \r\n"                                                                                      \
    "X-Twice: first\r\n"                                                                                               \
    "X-Twice: second\r\n"
#define BODY "Hello  there \t \r\nline\r\n\r\n\r\n"
#define USUAL "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=rsa; h=from:to:subject; bh=%bh;"

// What the verdict on a message that is signed so is.
static void check(const char *tags, const char *key, const char *header, const char *want, const char *why) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf message = {.max = ROOM};
    struct dkim_verify v;
    test_sign_message(tags, key, slice_str(header), SLICE(BODY), &message);
    verify(buf_slice(&message), SIZE_MAX, &arena, &v);
    assert_int_equal(v.n, 1);
    const char *got = dkim_result_name(v.list[0].result);
    if (strcmp(got, want) != 0 || slice_search(v.list[0].why, slice_str(why)) == v.list[0].why.n + (*why == '\0'))
        fail_msg("%s: %s, %.*s", tags, got, SLICE_ARG(v.list[0].why));
    assert_int_equal(v.list[0].why.n == 0, dkim_verdict_relied(&v.list[0]) == DKIM_PASS);
    assert_int_equal(dkim_verify_best(&v), v.list[0].result);
}

#define RSA "v=1; a=rsa-sha256; d=example.org; bh=%bh; "

static void test_tags(void **state) {
    static const struct {
        const char *tags, *key, *want, *why;
    } table[] = {
        {USUAL, "rsa", "pass", ""},
        {"dkim-signature:" RSA "s=rsa;h=From:To:Subject:X-Twice:X-Twice:X-Twice;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; c=relaxed; h=from : to\r\n\t: subject;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; c=simple/relaxed; h=x-twice:from;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; c=relaxed/simple; h=from; x_new=1; z=From:x|y;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa1024; h=from;", "rsa1024", "pass", ""},
        {"DKIM-Signature: v=1; a=ed25519-sha256; d=Example.ORG; bh=%bh; s=ed; h=from;", "ed", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; h=from; i=someone@example.org;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; h=from; i=@Lists.Example.org;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; h=from; q=dns/txt; t=1799999999; x=1800000600;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; h=from; q=dns/other : dns/txt;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; h=from; x=1799999800;", "rsa", "pass", ""}, // clocks differ
        {"DKIM-Signature: " RSA "s=rsa; h=from; t=1800003600;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=many; h=from;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=rsa; h=from; c=simple/simple; l=23;", "rsa", "pass", ""}, // all of it
        {"DKIM-Signature: " RSA "s=rsa; h=from; l=10;", "rsa", "pass", "last 13 bytes"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; l=0;", "rsa", "pass", "last 23 bytes"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; l=24;", "rsa", "fail", "more body (l=)"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; l=99999999999999999999999999;", "rsa", "fail", "more body (l=)"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; l=-1;", "rsa", "neutral", "l is no number"},
        {"DKIM-Signature: " RSA "s=rsa; h=from;", "other", "fail", "does not fit"},
        {"DKIM-Signature: " RSA "s=gone; h=from;", "rsa", "permerror", "no such key"},
        {"DKIM-Signature: " RSA "s=slow; h=from;", "rsa", "temperror", ""},
        {"DKIM-Signature: " RSA "s=broken; h=from;", "rsa", "temperror", ""},
        {"DKIM-Signature: " RSA "s=revoked; h=from;", "rsa", "permerror", "revoked"},
        {"DKIM-Signature: " RSA "s=sha1; h=from;", "rsa", "permerror", "SHA-256"},
        {"DKIM-Signature: " RSA "s=tlsrpt; h=from;", "rsa", "permerror", "e-mail"},
        {"DKIM-Signature: " RSA "s=strict; h=from;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=strict; h=from; i=a@example.org;", "rsa", "pass", ""},
        {"DKIM-Signature: " RSA "s=strict; h=from; i=a@lists.example.org;", "rsa", "permerror", "t=s"},
        {"DKIM-Signature: " RSA "s=ed; h=from;", "rsa", "permerror", "another kind"},
        {"DKIM-Signature: " RSA "s=rsa768; h=from;", "rsa768", "permerror", "768 bits"},
        {"DKIM-Signature: " RSA "s=nonsense; h=from;", "rsa", "permerror", "record"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; i=a@example.com;", "rsa", "permerror", "i="},
        {"DKIM-Signature: " RSA "s=rsa; h=from; i=a@badexample.org;", "rsa", "permerror", "i="},
        {"DKIM-Signature: " RSA "s=rsa; h=from; i=example.org;", "rsa", "neutral", "i is no identity"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; q=http;", "rsa", "permerror", "(q=)"},
        {"DKIM-Signature: " RSA "s=rsa; h=to:subject;", "rsa", "permerror", "From"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; x=1799990000;", "rsa", "permerror", "expired"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; t=1800600000;", "rsa", "permerror", "future"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; t=1799999999; x=1799999999;", "rsa", "permerror", "before"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; t=yesterday;", "rsa", "neutral", "t is no number"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; c=nofws;", "rsa", "neutral", "c is no"},
        {"DKIM-Signature: " RSA "s=rsa; h=from; c=;", "rsa", "neutral", "c is no"},
        {"DKIM-Signature: " RSA "s=rsa; h=;", "rsa", "neutral", "h is empty"},
        {"DKIM-Signature: " RSA "s=rsa;", "rsa", "neutral", "h is missing"},
        {"DKIM-Signature: " RSA "h=from;", "rsa", "neutral", "s is missing"},
        {"DKIM-Signature: " RSA "s=a..b;h=from;", "rsa", "neutral", "s is no domain"},
        {"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; h=from;", "rsa", "neutral", "bh is missing"},
        {"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; h=from; bh=AAAA;", "rsa", "neutral", "bh"},
        {"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; h=from; bh=A%A=;", "rsa", "neutral", "bh"},
        {"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; h=from; "
         "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;",
         "rsa", "fail", "body has changed"},
        {"DKIM-Signature: v=2; a=rsa-sha256; d=example.org; s=rsa; h=from; bh=%bh;", "rsa", "permerror", "(v=)"},
        {"DKIM-Signature: a=rsa-sha256; d=example.org; s=rsa; h=from; bh=%bh;", "rsa", "neutral", "v is missing"},
        {"DKIM-Signature: v=1; a=rsa-sha1; d=example.org; s=rsa; h=from; bh=%bh;", "rsa", "permerror", "RFC 8301"},
        {"DKIM-Signature: v=1; a=RSA-SHA256; d=example.org; s=rsa; h=from; bh=%bh;", "rsa", "permerror", "unknown"},
        {"DKIM-Signature: v=1; a=rsa-sha256; d=legitimate.com(.example.org; s=rsa; h=from; bh=%bh;", "rsa", "neutral",
         "d is no domain"},
        {"DKIM-Signature: v=1; a=rsa-sha256; d=; s=rsa; h=from; bh=%bh;", "rsa", "neutral", "d is no domain"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(table[i].tags, table[i].key, HEADER, table[i].want, table[i].why);
}

// What is not signed twice may not be there twice.
static void test_from(void **state) {
#define MORE "From: real@example.org\r\n"
    check("DKIM-Signature: " RSA "s=rsa; h=from;", "rsa", MORE HEADER, "policy", "From field that is not");
    check("DKIM-Signature: " RSA "s=rsa; h=from:from;", "rsa", MORE HEADER, "pass", "");
    check("DKIM-Signature: " RSA "s=rsa; h=from:from;", "rsa", HEADER, "pass", "");
    check("DKIM-Signature: " RSA "s=rsa; h=from;", "rsa", "Subject: no author\r\n", "pass", "");
}

// Who signs other signatures, and that there are no more of them, doesn't mean his own.
static void test_own(void **state) {
    static const struct {
        const char *names, *below, *above, *want;
    } table[] = {
        {"from:dkim-signature", "", "", "pass"},
        {"from:DKIM-Signature:dkim-signature", "dkim-signature: x\r\n", "", "pass"},
        {"dkim-signature:from:dkim-signature:dkim-signature", "DKIM-Signature: x\r\nDKIM-Signature: y\r\n", "", "pass"},
        {"from:dkim-signature", "DKIM-Signature: x\r\n", "DKIM-Signature: y\r\n", "pass"},
        {"from:dkim-signature:dkim-signature", "DKIM-Signature: x\r\n", "DKIM-Signature: y\r\n", "fail"},
        {"from:dkim-signature", "", "DKIM-Signature: y\r\n", "fail"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ARENA_AUTO struct arena arena = {.max = ROOM};
        BUF_AUTO struct buf header = {.max = ROOM}, tags = {.max = ROOM}, message = {.max = ROOM};
        struct dkim_verify v;
        buf_add_str(&tags, "DKIM-Signature: " RSA "s=rsa; c=relaxed/relaxed; h=");
        buf_add_str(&tags, table[i].names);
        buf_add(&tags, slice_of(";", sizeof ";"));
        buf_addf(&header, "%s" HEADER, table[i].below);
        buf_add_str(&message, table[i].above);
        test_sign_message(tags.p, "rsa", buf_slice(&header), SLICE(BODY), &message);
        verify(buf_slice(&message), SIZE_MAX, &arena, &v);
        if (strcmp(dkim_result_name(dkim_verify_best(&v)), table[i].want) != 0)
            fail_msg("%zu: %s", i, dkim_result_name(dkim_verify_best(&v)));
    }
}

// --- changes after signing

static void change(const char *tags, const char *what, const char *to, const char *want) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf message = {.max = ROOM}, changed = {.max = ROOM};
    struct dkim_verify v;
    test_sign_message(tags, "rsa", SLICE(HEADER), SLICE(BODY), &message);
    struct slice all = buf_slice(&message);
    size_t at = slice_search(all, slice_str(what));
    assert_in_range(at, 0, all.n - 1);
    buf_add(&changed, slice_upto(all, at));
    buf_add_str(&changed, to);
    buf_add(&changed, slice_from(all, at + strlen(what)));
    verify(buf_slice(&changed), SIZE_MAX, &arena, &v);
    if (strcmp(dkim_result_name(dkim_verify_best(&v)), want) != 0)
        fail_msg("%s: \"%s\" to \"%s\": %s, %.*s", tags, what, to, dkim_result_name(dkim_verify_best(&v)),
                 SLICE_ARG(v.list[0].why));
}

static void test_changes(void **state) {
#define RELAXED "DKIM-Signature: " RSA "s=rsa; c=relaxed/relaxed; h=from:subject:x-twice;"
#define SIMPLE "DKIM-Signature: " RSA "s=rsa; c=simple/simple; h=from:subject:x-twice;"
#define OVER "DKIM-Signature: " RSA "s=rsa; c=simple/simple; h=from:subject:subject:x-twice:x-twice;"
    static const struct {
        const char *tags, *what, *to, *want;
    } table[] = {
        {RELAXED, "Subject:   Two   words \r\n", "SUBJECT :Two\r\n words\r\n", "pass"},
        {SIMPLE, "Subject:   Two   words \r\n", "Subject:   Two   words\r\n", "fail"},
        {SIMPLE, "Subject:", "subject:", "fail"},
        {RELAXED, "Hello  there \t \r\n", "Hello there\r\n", "pass"},
        {RELAXED, "Hello  there", "Hellothere", "fail"},
        {SIMPLE, "Hello  there \t \r\n", "Hello  there \t\r\n", "fail"},
        {SIMPLE, "line\r\n\r\n\r\n", "line\r\n", "pass"},
        {SIMPLE, "line\r\n\r\n\r\n", "line", "pass"},
        {SIMPLE, "line\r\n\r\n", "line\r\n\r\nmore\r\n", "fail"},
        {SIMPLE, "X-Twice: first", "X-Twice: other", "pass"}, // only the lowest is signed
        {SIMPLE, "X-Twice: second", "X-Twice: other", "fail"},
        {OVER, "X-Twice: first", "X-Twice: other", "fail"},
        {OVER, "Received:", "Subject: new\r\nReceived:", "fail"},
        {SIMPLE, "Received:", "Subject: new\r\nReceived:", "pass"},
        {SIMPLE, "X-Twice: second\r\n", "X-Twice: second\r\nSubject: new\r\n", "fail"},
        {SIMPLE, "To: b@", "To: x@", "pass"},
        {SIMPLE, "s=rsa; ", "s=rsa;  ", "fail"},
        {RELAXED, "s=rsa; ", "s=rsa;\r\n\t ", "pass"},
        {RELAXED, "s=rsa; ", "s=rsa1024; ", "fail"},
        {SIMPLE, " b=\r\n ", " b=", "pass"}, // white space around and in b= is a part of its value
        {SIMPLE, " b=\r\n ", " b= \t ", "pass"},
        {SIMPLE, " b=", " b =", "fail"},
        {SIMPLE, " b=", "  b=", "fail"},
        {RELAXED, " b=", "  b=", "pass"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        change(table[i].tags, table[i].what, table[i].to, table[i].want);
}

// What follows b= belongs to what is signed; white space after its value does not.
static void test_middle(void **state) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf message = {.max = ROOM}, base64 = {.max = ROOM};
    uint8_t digest[32];
    struct dkim_verify v;
#define FRONT "DKIM-Signature: v=1; a=rsa-sha256; b="
#define BACK ";\r\n d=example.org; s=rsa; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; c=simple/relaxed; "
    digest_of(DIGEST_SHA256, SLICE("From: a\r\n" FRONT BACK), digest);
    test_key_sign("rsa", digest, &base64);
    buf_addf(&message, FRONT " %.*s\r\n\t%s \r\n " BACK "\r\nFrom: a\r\n\r\n", 20, base64.p,
             (buf_add_char(&base64, '\0'), base64.p + 20));
    verify(buf_slice(&message), SIZE_MAX, &arena, &v);
    assert_int_equal(v.list[0].result, DKIM_PASS);
    assert_true(slice_eq(v.list[0].signature, slice_of(base64.p, 8)));
}

// --- several

static void test_several(void **state) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf one = {.max = ROOM}, all = {.max = ROOM};
    struct dkim_verify v;
    test_sign_message(USUAL, "rsa", SLICE(HEADER), SLICE(BODY), &one);
    size_t field = slice_search(buf_slice(&one), SLICE("Received:"));
    for (size_t i = 0; i < 20; i++)
        buf_add(&all, slice_upto(buf_slice(&one), i == 2 ? 5 : field)); // the third is "DKIM-" of "DKIM-DKIM-Signature"
    buf_add(&all, slice_from(buf_slice(&one), field));
    asked = 0;
    verify(buf_slice(&all), 3, &arena, &v);
    assert_int_equal(v.n, 8);
    assert_int_equal(v.ignored, 10);
    assert_int_equal(asked, 1); // one key
    for (size_t i = 0; i < v.n; i++)
        assert_int_equal(v.list[i].result, DKIM_PASS);
    assert_true(slice_eq(v.list[0].domain, SLICE("example.org")) && slice_eq(v.list[0].selector, SLICE("rsa")));
    assert_true(slice_eq(v.list[0].identity, SLICE("@example.org")));
    assert_true(slice_eq(v.list[0].algorithm, SLICE("rsa-sha256")));
    assert_int_equal(v.list[0].bits, 2048);
    assert_int_equal(v.list[0].signature.n, 8);
    assert_false(v.list[0].testing);
}

// Nobody makes us ask DNS with a body that doesn't fit.
static void test_no_question(void **state) {
    asked = 0;
    check("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; h=from; "
          "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;",
          "rsa", HEADER, "fail", "");
    assert_int_equal(asked, 0);
}

static void test_none(void **state) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct dkim_verify v, zeroed = {0};
    verify(SLICE("From: a\r\n\r\nDKIM-Signature: v=1\r\n"), 1, &arena, &v);
    assert_true(v.ended && v.n == 0 && dkim_verify_best(&v) == DKIM_NONE);
    verify(SLICE_EMPTY, 1, &arena, &v);
    assert_int_equal(v.n, 0);
    dkim_verify_done(&zeroed);
}

// Different lengths and forms of one body, cut anywhere.
static void test_pieces(void **state) {
    static const char *const tags[] = {
        "DKIM-Signature: " RSA "s=rsa; h=from; l=7; c=simple/relaxed;",
        "DKIM-Signature: " RSA "s=rsa; h=from; l=7; c=simple/simple;",
        "DKIM-Signature: " RSA "s=rsa; h=from; l=0; c=simple/simple;",
        "DKIM-Signature: " RSA "s=rsa; h=from; c=simple/simple;",
        "DKIM-Signature: " RSA "s=rsa; h=from; l=13; c=simple/relaxed;",
        "DKIM-Signature: " RSA "s=rsa; h=from; c=simple/relaxed;",
    };
    for (size_t piece = 1; piece < 30; piece++) {
        ARENA_AUTO struct arena arena = {.max = ROOM};
        BUF_AUTO struct buf all = {.max = ROOM};
        struct dkim_verify v;
        for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
            BUF_AUTO struct buf one = {.max = ROOM};
            test_sign_message(tags[i], "rsa", SLICE(HEADER), SLICE(BODY), &one);
            buf_add(&all, slice_upto(buf_slice(&one), slice_search(buf_slice(&one), SLICE("Received:"))));
        }
        buf_add_str(&all, HEADER "\r\n" BODY);
        verify(buf_slice(&all), piece, &arena, &v);
        assert_int_equal(v.n, 6);
        for (size_t i = 0; i < v.n; i++)
            assert_int_equal(dkim_verdict_relied(&v.list[i]), i == 3 || i == 5 ? DKIM_PASS : DKIM_POLICY);
        for (size_t i = 0; i < v.n; i++)
            assert_true(v.list[i].result == DKIM_PASS && (v.list[i].why.n == 0) == (i == 3 || i == 5));
        v.n = 3;
        assert_true(dkim_verify_best(&v) == DKIM_PASS && dkim_verify_best_relied(&v) == DKIM_POLICY);
    }
}

static void test_telling(void **state) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct dkim_verify v;
#define WITH(b)                                                                                                        \
    "DKIM-Signature: v=1; a=rsa-sha256; d=a; s=b; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; h=from; b=" b "\r"  \
    "\n"
    verify(SLICE(WITH("AAAAAAAAAAAAAAAA") WITH("AAAA AAAA AABA AAAA") WITH("BAAAAAAAAAAAAAAA") WITH("AAAA")), 1, &arena,
           &v);
    assert_int_equal(v.list[0].signature.n, 11);
    assert_int_equal(v.list[1].signature.n, 11);
    assert_int_equal(v.list[2].signature.n, 8);
    assert_int_equal(v.list[3].signature.n, 4);
}

// --- hostile ones

static void test_hostile(void **state) {
    BUF_AUTO struct buf text = {.max = ROOM};
    struct dkim_verify v;
    buf_add_str(&text, "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; c=relaxed/simple; "
                       "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA; h=from");
    for (unsigned i = 0; i < 199; i++)
        buf_addf(&text, ":X%u", i % 150);
    for (unsigned i = 0; i < 40000; i++)
        buf_addf(&text, "\r\nX%u: ", i % 300);
    for (unsigned room = 0; room < 40; room++) {
        ARENA_AUTO struct arena arena = {.max = room * 512};
        if (!dkim_verify_begin(&v, buf_slice(&text), (struct wall){0}, &arena))
            continue;
        dkim_verify_end(&v, &oracle, &arena);
        assert_in_range(v.list[0].result, DKIM_FAIL, DKIM_PERMERROR);
        dkim_verify_done(&v);
    }
    ARENA_AUTO struct arena arena = {.max = 64 * 1024};
    assert_true(dkim_verify_begin(&v, buf_slice(&text), (struct wall){0}, &arena));
    dkim_verify_end(&v, &oracle, &arena);
    assert_int_equal(v.list[0].result, DKIM_FAIL);
    dkim_verify_done(&v);
}

// Keys of a stranger that are as large as DNS has them leave room for what is asked next.
static void test_large_answers(void **state) {
    ARENA_AUTO struct arena arena = {.max = 64 * 1024};
    BUF_AUTO struct buf message = {.max = ROOM}, line = {.max = ROOM};
    struct dkim_verify v;
    struct err e;
    for (unsigned i = 0; i < 8; i++) {
        buf_reset(&line);
        buf_addf(&line, "fat%u._domainkey.example.org. TXT v=DKIM1;p=%060000u", i, i);
        assert_true(oracle_zone_add(zone, buf_slice(&line), &e));
        buf_reset(&line);
        buf_addf(&line,
                 "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=fat%u; h=from; b=AAAA; "
                 "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; c=relaxed/relaxed\r\n",
                 i);
        buf_add(&message, buf_slice(&line));
    }
    buf_add_str(&message, HEADER "\r\n");
    verify(buf_slice(&message), SIZE_MAX, &arena, &v);
    for (size_t i = 0; i < v.n; i++)
        if (v.list[i].result != DKIM_PERMERROR || slice_search(v.list[i].why, SLICE("longer than")) == v.list[i].why.n)
            fail_msg("%s: %.*s", dkim_result_name(v.list[i].result), SLICE_ARG(v.list[i].why));
    assert_in_range(arena.total, 1, 32 * 1024);
}

static void test_too_many_names(void **state) {
    BUF_AUTO struct buf tags = {.max = ROOM};
    buf_add_str(&tags, "DKIM-Signature: " RSA "s=rsa; h=from");
    for (unsigned i = 0; i < 200; i++)
        buf_add_str(&tags, ":X");
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct dkim_verify v;
    buf_add_str(&tags, "; b=AAAA");
    verify(buf_slice(&tags), 1, &arena, &v);
    assert_int_equal(v.list[0].result, DKIM_NEUTRAL); // bh
    struct err e;
    assert_false(dkim_signature_check(SLICE("v=1; a=b"), &e));
}

static void test_check(void **state) {
    struct err e;
#define GOOD " v=1; a=rsa-sha256; d=e.org; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
    assert_true(dkim_signature_check(SLICE(GOOD), &e));
    assert_true(dkim_signature_check(SLICE(GOOD "; t=1; x=2"), &e));
    assert_false(dkim_signature_check(SLICE(GOOD "; t=2; x=1"), &e));
    assert_false(dkim_signature_check(SLICE(GOOD "; a=1"), &e));
    assert_string_equal(e.text, "the tag a is there twice");
    assert_false(dkim_signature_check(SLICE(""), &e));
}

static int begin(void **state) {
    struct err e;
    zone = oracle_zone_empty();
    test_key_publish(zone, "rsa", "example.org", "v=DKIM1; k=rsa;", "rsa");
    test_key_publish(zone, "rsa1024", "example.org", "", "rsa1024");
    test_key_publish(zone, "rsa768", "example.org", "", "rsa768");
    test_key_publish(zone, "ed", "example.org", "k=ed25519;", "ed");
    test_key_publish(zone, "many", "example.org", "v=DKIM1;", "other");
    test_key_publish(zone, "many", "example.org", "v=DKIM1; k=ed25519;", "ed");
    test_key_publish(zone, "many", "example.org", "v=DKIM1;", "rsa");
    test_key_publish(zone, "sha1", "example.org", "h=sha1;", "rsa");
    test_key_publish(zone, "tlsrpt", "example.org", "s=tlsrpt;", "rsa");
    test_key_publish(zone, "strict", "example.org", "t=y:s;", "rsa");
    return !oracle_zone_add(zone, SLICE("slow._domainkey.example.org. TIMEOUT"), &e) ||
           !oracle_zone_add(zone, SLICE("broken._domainkey.example.org. SERVFAIL"), &e) ||
           !oracle_zone_add(zone, SLICE("revoked._domainkey.example.org. TXT \"p=\""), &e) ||
           !oracle_zone_add(zone, SLICE("nonsense._domainkey.example.org. TXT \"p=AAAA\""), &e);
}

static int end(void **state) {
    oracle_zone_free(zone);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags),           cmocka_unit_test(test_from),        cmocka_unit_test(test_own),
        cmocka_unit_test(test_large_answers),  cmocka_unit_test(test_changes),     cmocka_unit_test(test_middle),
        cmocka_unit_test(test_several),        cmocka_unit_test(test_no_question), cmocka_unit_test(test_none),
        cmocka_unit_test(test_pieces),         cmocka_unit_test(test_telling),     cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_too_many_names), cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
