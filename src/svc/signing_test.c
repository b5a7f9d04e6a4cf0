// signing_test: what is asked of whoever has the keys, and what becomes of a failure.
#include "svc/signing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 16 };

#define HEADER "From: a@example.org\r\nSubject: x\r\n"
#define BODY "hello  there \r\n\r\n\r\n"

// Signs with bytes of the key's number, and keeps what it was asked.
struct fake {
    unsigned asked, fail_at;
    struct message_keys_sign last[DKIM_RULES_MAX];
    uint8_t digests[DKIM_RULES_MAX][DIGEST_SHA256_SIZE];
    size_t length;
};

static bool fake_sign(void *arg, const struct message_keys_sign *what, struct buf *out, struct err *e) {
    struct fake *f = arg;
    assert_int_equal(what->digest.n, DIGEST_SHA256_SIZE);
    memcpy(f->digests[f->asked], what->digest.p, DIGEST_SHA256_SIZE);
    f->last[f->asked++] = *what;
    if (f->asked == f->fail_at)
        return err_set(e, ERR_TEMPORARY, "nobody there");
    for (size_t i = 0; i < f->length; i++)
        buf_add_char(out, (char)what->key);
    return true;
}

static struct message_keys_dkim rule(uint32_t key, bool ed25519, const char *domain, const char *signer) {
    return (struct message_keys_dkim){key, ed25519, slice_str(domain), slice_str(signer), SLICE("s")};
}

static bool sign(const char *from, struct slice header, size_t piece, struct fake *f, struct buf *out, struct err *e) {
    struct signing s = {0};
    struct signer signer = {fake_sign, f};
    const struct message_keys_dkim rules[] = {
        rule(7, false, "example.org", "example.org"), rule(9, true, "example.org", "example.org"),
        rule(13, true, "xn--bcher-kva.example", "xn--bcher-kva.example"), rule(11, true, "*", "other.example")};
    signing_begin(&s, rules, 4, slice_str(from), header);
    for (struct slice rest = SLICE(BODY); rest.n; rest = slice_from(rest, piece))
        signing_body(&s, slice_upto(rest, piece));
    size_t room = signing_room(&s), before = out->n;
    bool ok = signing_finish(&s, (struct wall){INT64_C(1795257675000)}, &signer, out, e);
    assert_in_range(out->n - before, 0, room);
    signing_done(&s);
    signing_done(&s);
    return ok;
}

static void test_two_signatures(void **state) {
    BUF_AUTO struct buf first = {.max = ROOM};
    struct err e = {0};
    for (size_t piece = sizeof BODY; piece > 0; piece--) {
        BUF_AUTO struct buf out = {.max = ROOM};
        struct fake f = {.length = 64};
        assert_true(sign("Example.Org", SLICE(HEADER), piece, &f, &out, &e));
        assert_int_equal(f.asked, 2);
        assert_int_equal(f.last[0].key, 7);
        assert_int_equal(f.last[0].padding, MESSAGE_KEYS_PKCS1);
        assert_int_equal(f.last[0].hash, MESSAGE_KEYS_SHA256);
        assert_int_equal(f.last[1].key, 9);
        assert_int_equal(f.last[1].padding, MESSAGE_KEYS_NONE);
        assert_int_equal(f.last[1].hash, MESSAGE_KEYS_PURE);
        assert_memory_not_equal(f.digests[0], f.digests[1], DIGEST_SHA256_SIZE);
        if (!first.n)
            buf_add(&first, buf_slice(&out));
        assert_true(slice_eq(buf_slice(&first), buf_slice(&out)));
    }
    size_t second = slice_search(slice_from(buf_slice(&first), 1), SLICE("\r\nDKIM-Signature: v=1; a=ed25519-sha256;"));
    assert_in_range(second, 100, first.n - 100);
    assert_true(slice_ends(buf_slice(&first), SLICE("\r\n")));
}

static void test_whose(void **state) {
    BUF_AUTO struct buf out = {.max = ROOM};
    struct fake f = {.length = 64};
    struct signing none = {0};
    struct signer signer = {fake_sign, &f};
    struct err e = {0};
    assert_true(sign("sub.example.org", SLICE(HEADER), 99, &f, &out, &e));
    assert_int_equal(f.asked, 1);
    assert_int_equal(f.last[0].key, 11);
    assert_true(sign("b\xc3\xbc"
                     "cher.example",
                     SLICE(HEADER), 99, &f, &out, &e));
    assert_int_equal(f.last[1].key, 13);
    const struct message_keys_dkim others = rule(7, false, "example.org", "example.org");
    signing_begin(&none, &others, 1, SLICE("elsewhere.example"), SLICE(HEADER));
    signing_body(&none, SLICE(BODY));
    assert_int_equal(signing_room(&none), 0);
    assert_true(signing_finish(&none, (struct wall){0}, &signer, &out, &e));
    assert_int_equal(f.asked, 2);
    signing_done(&none);
}

// Nothing half-signed, and a reply that tells a client to come again.
static void test_failure(void **state) {
    for (unsigned at = 1; at <= 2; at++) {
        BUF_AUTO struct buf out = {.max = ROOM};
        struct fake f = {.length = 64, .fail_at = at};
        struct err e = {0};
        buf_add_str(&out, "before");
        assert_false(sign("example.org", SLICE(HEADER), 99, &f, &out, &e));
        assert_true(slice_eq(buf_slice(&out), SLICE("before")));
        assert_int_equal(e.smtp, 451);
        assert_int_equal(e.enhanced[1], 7);
        assert_int_equal(e.enhanced[2], 5);
        assert_non_null(strstr(e.text, "nobody there"));
    }
}

static void test_too_large_a_header(void **state) {
    BUF_AUTO struct buf header = {.max = 64 << 20}, out = {.max = ROOM};
    struct fake f = {.length = 64};
    struct err e = {0};
    while (header.n <= DKIM_SIGN_HEADER_MAX + DKIM_SIGN_HEADER_MAX / 4)
        buf_add_str(&header, "To: a rather long list of nobody in particular, and of some others, too\r\n");
    assert_false(sign("example.org", buf_slice(&header), 99, &f, &out, &e));
    assert_int_equal(e.smtp, 552);
    assert_int_equal(f.asked, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_signatures),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_too_large_a_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
