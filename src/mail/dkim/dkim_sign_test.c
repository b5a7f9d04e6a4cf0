// dkim_sign_test: the field that is made, and the signature of RFC 8463's example to the byte.
#include "mail/dkim/dkim_sign.h"

#include "base/base64.h"
#include "mail/dkim/dkim_tags.h"
#include "mail/header/header.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

// RFC 8463 A.3
#define FIELD                                                                                                          \
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"                                                    \
    " d=football.example.com; i=@football.example.com;\r\n"                                                            \
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"                                                          \
    " subject : date : message-id : from : subject : date;\r\n"                                                        \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                                            \
    " b="
#define SIGNATURE "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
#define SECRET "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define BODY_HASH "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
#define HEADER                                                                                                         \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                                                 \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                                                     \
    "Subject: Is dinner ready?\r\n"                                                                                    \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                                                  \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
#define BODY "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

static void sign_ed25519(const uint8_t digest[DIGEST_SHA256_SIZE], struct buf *base64) {
    BUF_AUTO struct buf secret = {.max = 64};
    uint8_t signature[64];
    size_t n = sizeof signature;
    assert_true(base64_decode(&secret, SLICE(SECRET)));
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)secret.p, secret.n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &n, digest, DIGEST_SHA256_SIZE), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    base64_encode(base64, slice_of(signature, n));
}

static void hash_body(struct slice body, uint8_t hash[DIGEST_SHA256_SIZE]) {
    struct dkim_body b = {0};
    dkim_body_begin(&b, DKIM_RELAXED);
    dkim_body_add(&b, body);
    dkim_body_end(&b, hash);
    dkim_body_done(&b);
}

static void test_rfc8463(void **state) {
    static const char *const names[] = {"From", "To", "Subject", "Date", "Message-ID"};
    BUF_AUTO struct buf input = {.max = ROOM}, base64 = {.max = ROOM}, got = {.max = ROOM};
    uint8_t digest[DIGEST_SHA256_SIZE];
    hash_body(SLICE(BODY), digest);
    base64_encode(&base64, slice_of(digest, sizeof digest));
    assert_true(slice_eq(buf_slice(&base64), SLICE(BODY_HASH)));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct header_field field;
        assert_true(header_find(SLICE(HEADER), slice_str(names[i]), &field));
        dkim_canon_field(DKIM_RELAXED, field.whole, &input);
        buf_add_str(&input, "\r\n");
    }
    dkim_canon_field(DKIM_RELAXED, SLICE(FIELD), &input);
    digest_of(DIGEST_SHA256, buf_slice(&input), digest);
    sign_ed25519(digest, &got);
    assert_true(slice_eq(buf_slice(&got), SLICE(SIGNATURE)));
}

// --- ours

static void make(struct slice header, const struct dkim_sign_by *by, enum dkim_canon canon, struct buf *field,
                 uint8_t digest[DIGEST_SHA256_SIZE]) {
    struct dkim_sign_header h;
    uint8_t hash[DIGEST_SHA256_SIZE];
    hash_body(SLICE(BODY), hash);
    assert_true(dkim_sign_header(canon, header, &h));
    assert_true(dkim_sign_prepare(&h, by, (struct wall){INT64_C(1528637909500)}, DKIM_RELAXED, hash, field, digest));
    dkim_sign_header_done(&h);
}

static void test_field(void **state) {
    BUF_AUTO struct buf field = {.max = ROOM};
    uint8_t digest[DIGEST_SHA256_SIZE], signature[64];
    struct dkim_sign_by by = {SLICE("football.example.com"), SLICE("brisbane"), true, 0};
    memset(signature, 'x', sizeof signature);
    make(SLICE(HEADER), &by, DKIM_RELAXED, &field, digest);
    assert_true(dkim_sign_finish(&field, slice_of(signature, sizeof signature)));
    assert_string_equal((buf_add_char(&field, '\0'), field.p),
                        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                        "\td=football.example.com; s=brisbane; t=1528637909;\r\n"
                        "\th=From:From:Reply-To:Subject:Subject:Date:Date:Message-ID:Message-ID:To:To:\r\n"
                        "\tCc:MIME-Version:Content-Type:Content-Transfer-Encoding;\r\n"
                        "\tbh=" BODY_HASH ";\r\n"
                        "\tb=eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4\r\n"
                        "\teHh4eHh4eHh4eA==\r\n");
}

static void tags_of(const struct buf *field, struct dkim_tags *tags) {
    struct err e;
    struct slice name, value;
    assert_true(slice_cut(buf_slice(field), ':', &name, &value));
    assert_true(dkim_tags_parse(value, tags, &e));
}

// What a verifier would put together: the fields of h=, each from the bottom, and the field with an empty b=.
static void hash_as_verifier(enum dkim_canon canon, struct slice header, struct slice field, struct slice names,
                             uint8_t digest[DIGEST_SHA256_SIZE]) {
    BUF_AUTO struct buf input = {.max = ROOM};
    bool taken[64] = {false}, more = true;
    while (more) {
        struct slice name, rest = header;
        struct header_field f, found = {.whole = SLICE_EMPTY};
        size_t which = 0;
        more = slice_cut(names, ':', &name, &names);
        for (size_t i = 0; header_next(&rest, &f); i++)
            if (slice_ieq(f.name, slice_trim(name)) && !taken[i]) {
                found = f;
                which = i;
            }
        if (!found.whole.n)
            continue;
        taken[which] = true;
        dkim_canon_field(canon, found.whole, &input);
        buf_add_str(&input, "\r\n");
    }
    size_t b = slice_search(field, SLICE("\tb="));
    dkim_canon_field(canon, slice_upto(field, b + 3), &input);
    digest_of(DIGEST_SHA256, buf_slice(&input), digest);
}

#define TWICE                                                                                                          \
    "Received: from x by y\r\n"                                                                                        \
    "To: one@example.org\r\n"                                                                                          \
    "from: a@example.org\r\n"                                                                                          \
    "TO: two@example.org,\r\n"                                                                                         \
    "\t three@example.org\r\n"                                                                                         \
    "X-Other: is not signed\r\n"                                                                                       \
    "List-Unsubscribe : <mailto:x@example.org>\r\n"                                                                    \
    "Resent-From: b@example.org\r\n"                                                                                   \
    "\r\n"                                                                                                             \
    "Subject: of the body\r\n"

static void test_repeated(void **state) {
    for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
        BUF_AUTO struct buf field = {.max = ROOM};
        uint8_t digest[DIGEST_SHA256_SIZE], again[DIGEST_SHA256_SIZE], signature[256] = {1};
        struct dkim_sign_by by = {SLICE("example.org"), SLICE("s"), false, 3600};
        struct dkim_tags tags;
        struct slice names, value;
        make(SLICE(TWICE), &by, canon, &field, digest);
        assert_true(dkim_sign_finish(&field, slice_of(signature, sizeof signature)));
        tags_of(&field, &tags);
        assert_true(dkim_tags_find(&tags, "h", &names));
        hash_as_verifier(canon, SLICE(TWICE), buf_slice(&field), names, again);
        assert_memory_equal(digest, again, sizeof digest);
        assert_true(slice_starts(names, SLICE("From:From:Reply-To:Subject:Date:Message-ID:To:To:To:Cc:")));
        assert_true(slice_ends(names, SLICE("Resent-From:List-Unsubscribe")));
        assert_true(dkim_tags_find(&tags, "c", &value));
        assert_true(slice_eq(value, canon == DKIM_SIMPLE ? SLICE("simple/relaxed") : SLICE("relaxed/relaxed")));
        assert_true(dkim_tags_find(&tags, "x", &value) && slice_eq(value, SLICE("1528641509")));
        assert_false(dkim_tags_find(&tags, "l", &value));
    }
}

// No line is longer than 78 unless a name is, and the room that is promised is enough.
static void test_lines_and_room(void **state) {
    char domain[254];
    BUF_AUTO struct buf header = {.max = ROOM};
    memset(domain, 'd', sizeof domain);
    for (size_t i = 0; i < 300; i++)
        buf_add_str(&header, i % 3 ? "Cc: x@example.org\r\n" : "To: y\r\n");
    for (size_t n = 1; n < sizeof domain; n++) {
        BUF_AUTO struct buf field = {.max = ROOM};
        uint8_t digest[DIGEST_SHA256_SIZE], signature[512] = {1};
        struct dkim_sign_by by = {slice_of(domain, n), slice_of(domain, 1 + n % 63), n % 2, 7 * 86400};
        struct dkim_sign_header h;
        struct slice from = n % 3 ? buf_slice(&header) : SLICE_EMPTY;
        make(from, &by, DKIM_RELAXED, &field, digest);
        assert_true(dkim_sign_finish(&field, slice_of(signature, sizeof signature)));
        assert_true(dkim_sign_header(DKIM_RELAXED, from, &h));
        assert_in_range(field.n, 1, dkim_sign_room(&h, &by, sizeof signature));
        dkim_sign_header_done(&h);
        for (struct slice rest = buf_slice(&field), line; slice_cut(rest, '\n', &line, &rest);)
            assert_true(line.n <= 78 + 1 || n > 70);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8463),
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_lines_and_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
