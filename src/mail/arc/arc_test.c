// arc_test: chains that our own sealer makes, and what becomes of them when they are changed.
#include "mail/arc/arc.h"

#include "base/base64.h"
#include "mail/arc/arc_seal.h"
#include "mail/dkim/dkim_test_sign.h"
#include "mail/header/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 4 << 20, NOW = 1800000000 };

static struct oracle_zone *zone;

#define HEADER                                                                                                         \
    "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from; bh=AAAA; b=BBBB\r\n"                               \
    "From: A <a@example.org>\r\n"                                                                                      \
    "Subject: one\r\n"                                                                                                 \
    "To: list@example.net\r\n"
#define BODY "Hello\r\nthere.\r\n"
#define RESULTS "mx.example.net; spf=pass smtp.mailfrom=a@example.org; dkim=pass header.d=example.org; dmarc=pass"

static struct slice header_of(struct slice message, struct slice *body) {
    struct slice rest = message;
    struct header_field field;
    while (header_next(&rest, &field))
        ;
    *body = slice_from(rest, 2);
    return slice_upto(message, message.n - rest.n);
}

static void verify(struct slice message, struct arena *arena, struct arc_verify *v) {
    struct slice body, header = header_of(message, &body);
    assert_true(arc_verify_begin(v, header, (struct wall){INT64_C(1000) * NOW}, arena));
    for (; body.n; body = slice_from(body, 3))
        arc_verify_body(v, slice_upto(body, 3));
    arc_verify_end(v, oracle_zone_oracle(zone), arena);
    arc_verify_done(v);
    arc_verify_done(v);
}

static struct slice sign(const char *key, const uint8_t digest[32], struct buf *bytes) {
    BUF_AUTO struct buf text = {.max = 4096};
    test_key_sign(key, digest, &text);
    buf_reset(bytes);
    assert_true(base64_decode(bytes, buf_slice(&text)));
    return buf_slice(bytes);
}

static const char *results = RESULTS;
static struct slice names; // h=; empty: as usual
static bool believes;      // in the chain before

// Puts a set in front of a message.
static bool seal(struct buf *message, const char *key, const char *domain) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf out = {.max = ROOM}, signature = {.max = 4096};
    struct arc_seal_by by = {slice_str(domain), slice_str(key), strcmp(key, "ed") == 0, names, 0};
    struct slice body, header = header_of(buf_slice(message), &body);
    uint8_t hash[DIGEST_SHA256_SIZE];
    struct dkim_body b = {0};
    struct arc_verify before;
    struct arc_seal s;
    struct err e;
    verify(buf_slice(message), &arena, &before);
    before.verdict.result = believes ? ARC_PASS : before.verdict.result;
    dkim_body_begin(&b, DKIM_RELAXED);
    dkim_body_add(&b, body);
    dkim_body_end(&b, hash);
    dkim_body_done(&b);
    if (!arc_seal_begin(&s, &by, &before.verdict, header, slice_str(results), (struct wall){INT64_C(1000) * NOW},
                        DKIM_RELAXED, hash, &arena, &e))
        return false;
    assert_true(arc_seal_message(&s, sign(key, s.digest, &signature), &arena));
    size_t room = arc_seal_room(&s, signature.n);
    assert_true(arc_seal_finish(&s, sign(key, s.digest, &signature), &out));
    assert_in_range(out.n, room / 3, room);
    for (struct slice rest = buf_slice(&out), line; slice_cut(rest, '\n', &line, &rest);)
        assert_in_range(line.n, 2, 78);
    arc_seal_done(&s);
    arc_seal_done(&s);
    buf_add(&out, buf_slice(message));
    buf_reset(message);
    return buf_add(message, buf_slice(&out));
}

static void replace(struct buf *message, const char *what, const char *to) {
    BUF_AUTO struct buf out = {.max = ROOM};
    struct slice all = buf_slice(message);
    size_t at = slice_search(all, slice_str(what));
    assert_in_range(at, 0, all.n - 1);
    buf_add(&out, slice_upto(all, at));
    buf_add_str(&out, to);
    buf_add(&out, slice_from(all, at + strlen(what)));
    buf_reset(message);
    buf_add(message, buf_slice(&out));
}

static void check(const struct buf *message, enum arc_result result, unsigned instance, unsigned oldest,
                  const char *why) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct arc_verify v;
    verify(buf_slice(message), &arena, &v);
    if (v.verdict.result != result || slice_search(v.verdict.why, slice_str(why)) == v.verdict.why.n + (*why == '\0'))
        fail_msg("%s: %.*s", arc_result_name(v.verdict.result), SLICE_ARG(v.verdict.why));
    assert_int_equal(v.verdict.instance, instance);
    assert_int_equal(v.verdict.oldest_pass, oldest);
    assert_int_equal(v.verdict.sealers_n, instance);
    assert_true(v.ended);
}

static void test_chain(void **state) {
    static const char *const keys[] = {"rsa", "ed", "rsa1024"};
    static const char *const domains[] = {"one.example", "Two.example", "three.example"};
    BUF_AUTO struct buf message = {.max = ROOM};
    buf_add_str(&message, HEADER "\r\n" BODY);
    check(&message, ARC_NONE, 0, 0, "");
    for (unsigned i = 1; i <= 12; i++) {
        assert_true(seal(&message, keys[i % 3], domains[i % 3]));
        check(&message, ARC_PASS, i, i > 8 ? i - 7 : 0, ""); // no more than 8 are looked at
    }
}

static void test_verdict(void **state) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf message = {.max = ROOM};
    struct arc_verify v;
    buf_add_str(&message, HEADER "\r\n" BODY);
    assert_true(seal(&message, "rsa", "one.example") && seal(&message, "ed", "Two.Example"));
    verify(buf_slice(&message), &arena, &v);
    assert_int_equal(v.verdict.result, ARC_PASS);
    assert_true(slice_eq(v.verdict.domain, SLICE("two.example")) && slice_eq(v.verdict.selector, SLICE("ed")));
    assert_true(slice_eq(v.verdict.sealers[0], SLICE("one.example")));
    assert_true(slice_eq(v.verdict.results, SLICE(RESULTS)));
    assert_true(slice_eq(v.verdict.first_results, SLICE(RESULTS)));
}

// Each forwarder may change the message before it seals; then older message signatures don't hold any more.
static void test_changed_on_the_way(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    buf_add_str(&message, HEADER "\r\n" BODY);
    assert_true(seal(&message, "rsa", "one.example"));
    replace(&message, "there.", "there.\r\n-- \r\nthe list");
    check(&message, ARC_FAIL, 1, 0, "body has changed");
    replace(&message, "there.\r\n-- \r\nthe list", "there.");
    assert_true(seal(&message, "ed", "two.example"));
    replace(&message, "Subject: one", "Subject: [list] one");
    check(&message, ARC_FAIL, 2, 0, "message signature of set 2: the signature does not fit");
    assert_true(seal(&message, "rsa1024", "three.example"));
    check(&message, ARC_FAIL, 3, 0, "cv=fail");
    assert_false(seal(&message, "rsa", "one.example")); // it says so itself
}

// What makes a message signature count no more does so only where it is the newest.
static void test_lost(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    buf_add_str(&message, HEADER "\r\n" BODY);
    assert_true(seal(&message, "rsa", "one.example"));
    believes = true;
    names = SLICE("Subject");
    assert_true(seal(&message, "rsa", "one.example"));
    check(&message, ARC_FAIL, 2, 0, "message signature: it does not sign From");
    names = SLICE_EMPTY;
    assert_true(seal(&message, "rsa", "one.example"));
    check(&message, ARC_PASS, 3, 3, "");
    names = SLICE("From:ARC-Seal");
    assert_true(seal(&message, "rsa", "one.example"));
    names = SLICE_EMPTY;
    assert_true(seal(&message, "rsa", "one.example"));
    believes = false;
    check(&message, ARC_FAIL, 5, 0, "names a seal");
}

// A reader would be shown it (RFC 6376 8.15).
static void test_other_from(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    buf_add_str(&message, HEADER "\r\n" BODY);
    names = SLICE("From:Subject");
    assert_true(seal(&message, "rsa", "one.example"));
    names = SLICE_EMPTY;
    check(&message, ARC_PASS, 1, 0, "");
    replace(&message, "ARC-Seal:", "From: B <b@example.com>\r\nARC-Seal:");
    check(&message, ARC_FAIL, 1, 0, "From field that is not signed");
}

static void test_broken(void **state) {
    static const struct {
        const char *what, *to, *why;
    } table[] = {
        {"there.", "There.", "body has changed"},
        {"Subject: one", "Subject: two", "message signature of set 2"},
        {"From: A", "From: B <b@example.com>\r\nFrom: A", "message signature of set 2"},
        {"cv=none", "cv=pass", "cv=none"},
        {"cv=pass", "cv=none", "cv=pass"},
        {"cv=pass", "cv=fail", "broken already"},
        {"cv=pass", "cv=maybe", "none of none, pass and fail"},
        {"cv=none; d=one.example; i=1; s=rsa", "cv=none; d=two.example; i=1; s=rsa1024", "seal of set"},
        {"ARC-Seal:", "ARC-Seal: i=1", "seal"},
        {"ARC-Seal:", "X-ARC-Seal:", "lacks its seal"},
        {"ARC-Message-Signature:", "X-Message-Signature:", "lacks its message signature"},
        {"ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: i=1;", "two results"},
        {"ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: i=3;", "lacks its"},
        {"ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: i=50;", "not all before it"},
        {"ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: i=51;", "no set of"},
        {"ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: I=2;", "no set of"},
        {"ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: 2;", "no set of"},
        {"spf=pass", "spf=fail", "seal of set 2"},
        {"s=ed;", "s=slow;", "message signature of set 2: "},
        {"s=ed;", "s=gone;", "message signature of set 2: there is no such key"},
        {"s=ed;", "s=rsa;", "message signature of set 2: the key is of another kind"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ARENA_AUTO struct arena arena = {.max = ROOM};
        BUF_AUTO struct buf message = {.max = ROOM};
        struct arc_verify v;
        buf_add_str(&message, HEADER "\r\n" BODY);
        assert_true(seal(&message, "rsa", "one.example") && seal(&message, "ed", "two.example"));
        replace(&message, table[i].what, table[i].to);
        if (strstr(table[i].to, "slow") || strstr(table[i].to, "gone") || strstr(table[i].to, "s=rsa;"))
            replace(&message, table[i].what, table[i].to); // the seal has been changed first
        verify(buf_slice(&message), &arena, &v);
        if (v.verdict.result != ARC_FAIL || slice_search(v.verdict.why, slice_str(table[i].why)) == v.verdict.why.n)
            fail_msg("%s: %s, %.*s", table[i].to, arc_result_name(v.verdict.result), SLICE_ARG(v.verdict.why));
        assert_int_equal(v.verdict.temporary, strstr(table[i].to, "slow") != NULL);
        if (strstr(table[i].why, "already") || v.verdict.temporary)
            assert_false(seal(&message, "rsa", "three.example"));
    }
}

static void test_too_small(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    buf_add_str(&message, HEADER "\r\n" BODY);
    assert_true(seal(&message, "rsa768", "one.example"));
    check(&message, ARC_FAIL, 1, 0, "768 bits");
}

// i= is a number here, so that t=s of a key forbids nothing.
static void test_strict_key(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    buf_add_str(&message, HEADER "\r\n" BODY);
    assert_true(seal(&message, "rsa", "strict.example"));
    check(&message, ARC_PASS, 1, 0, "");
}

// However long they are, words stay what they are.
static void test_long_results(void **state) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf message = {.max = ROOM}, text = {.max = ROOM};
    struct arc_verify v;
    buf_add_str(&message, HEADER "\r\n" BODY);
    buf_add_str(&text, "mx.example; spf=fail smtp.mailfrom=\"a;b\\\"  c;d@x\"; dkim=fail (it isn\"t; (so)) header.d=x");
    for (unsigned i = 0; i < 300; i++)
        buf_addf(&text, " x.%u=\"%u y\"", i, i);
    buf_add_char(&text, '\0');
    results = text.p;
    assert_true(seal(&message, "rsa", "one.example"));
    results = RESULTS;
    verify(buf_slice(&message), &arena, &v);
    assert_true(slice_eq(v.verdict.results, slice_str(text.p)));
}

static void test_instance_of_results(void **state) {
    static const struct {
        const char *value;
        unsigned instance;
        const char *words;
    } table[] = {
        {" i=1; x", 1, " x"},
        {"i=50;", 50, ""},
        {"\r\n i = 2\r\n ; x; none", 2, " x; none"},
        {" (a;b) i (c) = (d) 07 (e(f)) ; x", 7, " x"},
        {" i=100; x", 0, ""},
        {" i=; x", 0, ""},
        {" i=a; x", 0, ""},
        {" I=1; x", 0, ""},
        {" i=1", 0, ""},
        {" i=1 x;", 0, ""},
        {" i=1 (x;", 0, ""},
        {" (i=1; x", 0, ""},
        {" x; i=1; y", 0, ""},
        {"", 0, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct slice words;
        unsigned instance = arc_results_instance(slice_str(table[i].value), &words);
        if (instance != table[i].instance || (instance && !slice_eq(words, slice_str(table[i].words))))
            fail_msg("%s: %u", table[i].value, instance);
    }
}

// Who seals what is broken adds to what there is, however little of it can be read, and seals his own set alone.
static void test_broken_sealed(void **state) {
    static const struct {
        const char *fields, *set;
    } table[] = {
        {"ARC-Seal: i=3; nonsense\r\n", " i=4;"},
        {"ARC-Seal: i=1; cv=none; h=from\r\nARC-Message-Signature: i=2; a=rsa-sha1\r\n", " i=3;"},
        {"ARC-Authentication-Results: i=7; x; none\r\n", " i=8;"},
        {"ARC-Seal: nonsense\r\nARC-Authentication-Results: i=49; x; none\r\n", " i=50;"},
        {"ARC-Authentication-Results: i=50; x; none\r\n", NULL},
        {"ARC-Message-Signature: i=60; x\r\n", NULL},
        {"ARC-Seal: nonsense\r\n", " i=1;"},
        {"ARC-Message-Signature: i=1\r\nARC-Seal: i=1; a=rsa-sha256; d=x; s=x; cv=fail; b=AAAA\r\n", NULL},
        {"ARC-Seal: nonsense\r\nARC-Seal: i=1; a=rsa-sha1; d=x; s=x; cv=fail; b=AAAA\r\n", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        BUF_AUTO struct buf message = {.max = ROOM};
        buf_addf(&message, "%s" HEADER "\r\n" BODY, table[i].fields);
        bool sealed = seal(&message, "rsa", "one.example");
        struct slice all = buf_slice(&message);
        if (sealed != (table[i].set != NULL))
            fail_msg("%s: %s", table[i].fields, sealed ? "sealed" : "not sealed");
        struct slice set = slice_upto(all, slice_search(all, slice_str(table[i].fields)));
        if (sealed &&
            (slice_search(set, slice_str(table[i].set)) == set.n || slice_search(set, SLICE(" cv=fail;")) == set.n))
            fail_msg("%s: %.*s", table[i].fields, SLICE_ARG(set));
    }
}

// --- hostile ones

static void test_full(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    buf_add_str(&message, HEADER "\r\n" BODY);
    for (unsigned i = 1; i <= 50; i++)
        assert_true(seal(&message, "ed", "two.example"));
    check(&message, ARC_PASS, 50, 43, "");
    assert_false(seal(&message, "ed", "two.example"));
    buf_add_str(&message, "more");
    check(&message, ARC_FAIL, 50, 0, "body has changed");
    replace(&message, "ARC-Seal", "ARC-Seal: 1\r\nARC-Seal");
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct arc_verify v;
    verify(buf_slice(&message), &arena, &v);
    assert_true(slice_search(v.verdict.why, SLICE("more than 150")) < v.verdict.why.n);
}

// However many signatures a stranger writes, ours stays one that can be verified.
static void test_many_signatures(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    for (unsigned i = 0; i < 1000; i++)
        buf_addf(&message, "DKIM-Signature: %u\r\n", i);
    buf_add_str(&message, HEADER "\r\n" BODY);
    assert_true(seal(&message, "rsa", "one.example"));
    check(&message, ARC_PASS, 1, 0, "");
    replace(&message, "bh=AAAA", "bh=AAAB");
    check(&message, ARC_FAIL, 1, 0, "does not fit");
}

static void test_little_memory(void **state) {
    BUF_AUTO struct buf message = {.max = ROOM};
    struct slice body;
    buf_add_str(&message, HEADER "\r\n" BODY);
    for (unsigned i = 1; i <= 5; i++)
        assert_true(seal(&message, "ed", "two.example"));
    struct slice header = header_of(buf_slice(&message), &body);
    bool passed = false;
    for (unsigned room = 0; room < 100 && !passed; room++) {
        ARENA_AUTO struct arena arena = {.max = room * 512};
        struct arc_verify v;
        if (arc_verify_begin(&v, header, (struct wall){INT64_C(1000) * NOW}, &arena)) {
            arc_verify_body(&v, body);
            arc_verify_end(&v, oracle_zone_oracle(zone), &arena);
            passed = v.verdict.result == ARC_PASS;
            assert_int_not_equal(v.verdict.result, ARC_NONE);
        }
        arc_verify_done(&v);
    }
    assert_true(passed);
}

static int begin(void **state) {
    struct err e;
    zone = oracle_zone_empty();
    static const char *const domains[] = {"one.example", "two.example", "three.example"};
    for (size_t i = 0; i < 3; i++) {
        test_key_publish(zone, "rsa", domains[i], "v=DKIM1; k=rsa;", "rsa");
        test_key_publish(zone, "rsa1024", domains[i], "v=DKIM1;", "rsa1024");
        test_key_publish(zone, "rsa768", domains[i], "v=DKIM1;", "rsa768");
        test_key_publish(zone, "ed", domains[i], "v=DKIM1; k=ed25519;", "ed");
    }
    test_key_publish(zone, "rsa", "strict.example", "v=DKIM1; t=s;", "rsa");
    return !oracle_zone_add(zone, SLICE("slow._domainkey.two.example. TIMEOUT"), &e);
}

static int end(void **state) {
    oracle_zone_free(zone);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_changed_on_the_way),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_little_memory),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_many_signatures),
        cmocka_unit_test(test_other_from),
        cmocka_unit_test(test_strict_key),
        cmocka_unit_test(test_long_results),
        cmocka_unit_test(test_instance_of_results),
        cmocka_unit_test(test_broken_sealed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
