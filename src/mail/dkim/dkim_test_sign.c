// dkim_test_sign: a signer as simple as can be.
#include "mail/dkim/dkim_test_sign.h"

#include "base/base64.h"
#include "mail/dkim/dkim_canon.h"
#include "mail/dkim/dkim_tags.h"
#include "mail/header/header.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

static struct {
    const char *name;
    unsigned bits; // 0: Ed25519
    EVP_PKEY *key;
    uint8_t public[600];
    size_t n;
} keys[] = {
    {.name = "rsa", .bits = 2048},
    {.name = "rsa1024", .bits = 1024},
    {.name = "rsa768", .bits = 768},
    {.name = "other", .bits = 1024},
    {.name = "ed"},
};

static size_t find(const char *name) {
    size_t i = 0;
    while (strcmp(keys[i].name, name) != 0)
        i++;
    if (keys[i].key)
        return i;
    keys[i].key = keys[i].bits ? EVP_RSA_gen(keys[i].bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (keys[i].bits) {
        uint8_t *p = keys[i].public;
        keys[i].n = (size_t)i2d_PUBKEY(keys[i].key, &p);
    } else {
        keys[i].n = sizeof keys[i].public;
        assert_int_equal(EVP_PKEY_get_raw_public_key(keys[i].key, keys[i].public, &keys[i].n), 1);
    }
    return i;
}

struct slice test_key_public(const char *name) {
    size_t i = find(name);
    return slice_of(keys[i].public, keys[i].n);
}

void test_key_publish(struct oracle_zone *zone, const char *selector, const char *domain, const char *tags,
                      const char *key) {
    BUF_AUTO struct buf line = {.max = ROOM}, text = {.max = ROOM};
    struct err e;
    buf_add_str(&text, tags);
    buf_add_str(&text, " p=");
    base64_encode(&text, test_key_public(key));
    buf_addf(&line, "%s._domainkey.%s. TXT", selector, domain);
    for (struct slice rest = buf_slice(&text); rest.n; rest = slice_from(rest, 200))
        buf_addf(&line, " \"%.*s\"", SLICE_ARG(slice_upto(rest, 200)));
    assert_true(oracle_zone_add(zone, buf_slice(&line), &e));
}

void test_key_sign(const char *key, const uint8_t digest[32], struct buf *base64) {
    size_t i = find(key), n = 512;
    uint8_t signature[512];
    if (keys[i].bits) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(keys[i].key, NULL);
        assert_true(EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
                    EVP_PKEY_sign(ctx, signature, &n, digest, DIGEST_SHA256_SIZE) == 1);
        EVP_PKEY_CTX_free(ctx);
    } else {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert_true(EVP_DigestSignInit(ctx, NULL, NULL, NULL, keys[i].key) == 1 &&
                    EVP_DigestSign(ctx, signature, &n, digest, DIGEST_SHA256_SIZE) == 1);
        EVP_MD_CTX_free(ctx);
    }
    base64_encode(base64, slice_of(signature, n));
}

static void collect(void *arg, struct slice bytes) { buf_add(arg, bytes); }

static void add_body_hash(enum dkim_canon canon, struct slice body, struct slice length, struct buf *out) {
    BUF_AUTO struct buf text = {.max = ROOM}, number = {.max = 32};
    uint8_t hash[DIGEST_SHA256_SIZE];
    struct dkim_body b = {.canon = canon, .sink = collect, .arg = &text};
    dkim_body_add(&b, body);
    dkim_body_end(&b, NULL);
    buf_add(&number, length);
    buf_add_char(&number, '\0');
    digest_of(DIGEST_SHA256, slice_upto(buf_slice(&text), length.n ? strtoul(number.p, NULL, 10) : SIZE_MAX), hash);
    base64_encode(out, slice_of(hash, sizeof hash));
}

// The nth field of a name from the bottom, 0 for the last; empty where there is none.
static struct slice field_of(struct slice header, struct slice name, size_t nth) {
    struct slice found = SLICE_EMPTY, rest = header;
    struct header_field field;
    size_t n = 0;
    while (header_next(&rest, &field))
        n += slice_ieq(field.name, name);
    rest = header;
    while (header_next(&rest, &field))
        if (slice_ieq(field.name, name) && n-- == nth + 1)
            found = field.whole;
    return found;
}

static void add_fields(enum dkim_canon canon, struct slice header, struct slice names, struct buf *out) {
    struct slice seen[100], name;
    size_t n = 0;
    for (bool more = true; more && n < 100;) {
        more = slice_cut(names, ':', &name, &names);
        seen[n] = name = slice_trim(name);
        size_t nth = 0;
        for (size_t i = 0; i < n; i++)
            nth += slice_ieq(seen[i], name);
        n++;
        struct slice field = field_of(header, name, nth);
        if (!field.n)
            continue;
        dkim_canon_field(canon, field, out);
        buf_add_str(out, "\r\n");
    }
}

void test_sign_message(const char *tags, const char *key, struct slice header, struct slice body, struct buf *out) {
    BUF_AUTO struct buf field = {.max = ROOM}, text = {.max = ROOM}, signature = {.max = ROOM};
    struct slice all = slice_str(tags), c, h, l;
    struct dkim_tags read;
    struct err e;
    uint8_t digest[DIGEST_SHA256_SIZE];
    assert_true(dkim_tags_parse(slice_from(all, slice_find(all, ':') + 1), &read, &e));
    dkim_tags_find(&read, "c", &c);
    dkim_tags_find(&read, "h", &h);
    dkim_tags_find(&read, "l", &l);
    size_t at = slice_search(all, SLICE("%bh"));
    buf_add(&field, slice_upto(all, at));
    if (at < all.n)
        add_body_hash(slice_ends(c, SLICE("/relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE, body, l, &field);
    buf_add(&field, slice_from(all, at + 3));
    enum dkim_canon canon = slice_starts(c, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
    add_fields(canon, header, h, &text);
    buf_add_str(&field, " b=");
    dkim_canon_field(canon, buf_slice(&field), &text);
    digest_of(DIGEST_SHA256, buf_slice(&text), digest);
    test_key_sign(key, digest, &signature);
    buf_add(out, buf_slice(&field));
    for (struct slice rest = buf_slice(&signature); rest.n; rest = slice_from(rest, 70)) {
        buf_add_str(out, "\r\n ");
        buf_add(out, slice_upto(rest, 70));
    }
    buf_add_str(out, "\r\n");
    buf_add(out, header);
    buf_add_str(out, "\r\n");
    buf_add(out, body);
}
