// dkim_lines: DKIM and ARC many times in one process, for tests that compare. Each line of the input is words between
// tabs, with %XX for what isn't plain; the answer to each but the first two is a line of JSON:
//
//     zone TEXT                                    replaces the zone
//     now SECONDS                                  sets the clock
//     dkim MESSAGE                                 verifies
//     arc MESSAGE
//     sign PEM DOMAIN SELECTOR HEADER BODY MESSAGE signs; HEADER and BODY are simple or relaxed
//     seal PEM DOMAIN SELECTOR NAMES RESULTS WIDTH MESSAGE
#include "base/json.h"
#include "mail/arc/arc.h"
#include "mail/arc/arc_seal.h"
#include "mail/dkim/dkim_sign.h"
#include "mail/dkim/dkim_verify.h"
#include "mail/header/header.h"
#include "mail/oracle/oracle_zone.h"
#include "words.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 8, ROOM = 64 << 20, SIGNATURE = 1024 };

static struct oracle_zone *zone;
static struct wall now;

static void must(bool ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "dkim_lines: %s\n", what);
    exit(70);
}

static struct slice header_of(struct slice message, struct slice *body) {
    struct slice header = header_section(message);
    *body = slice_from(message, header.n);
    if (slice_starts(*body, SLICE("\r\n")))
        *body = slice_from(*body, 2);
    return header;
}

static void print(struct json *j, struct buf *b) {
    json_end(j);
    must(!b->failed, "too long");
    printf("%.*s\n", SLICE_ARG(buf_slice(b)));
}

// --- verifying

static void verify_dkim(struct slice message) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf b = {.max = ROOM};
    struct slice body, header = header_of(message, &body);
    struct json j = {.out = &b};
    struct dkim_verify v;
    must(dkim_verify_begin(&v, header, now, &arena), "memory");
    dkim_verify_body(&v, body);
    dkim_verify_end(&v, oracle_zone_oracle(zone), &arena);
    dkim_verify_done(&v);
    json_open_object(&j);
    json_put_str(&j, "result", dkim_result_name(dkim_verify_best(&v)));
    json_key(&j, "signatures");
    json_open_array(&j);
    for (size_t i = 0; i < v.n; i++) {
        json_open_object(&j);
        json_put_str(&j, "result", dkim_result_name(v.list[i].result));
        json_put_slice(&j, "why", v.list[i].why);
        json_put_slice(&j, "domain", v.list[i].domain);
        json_put_u64(&j, "bits", v.list[i].bits);
        json_end(&j);
    }
    json_end(&j);
    print(&j, &b);
}

static void verify_arc(struct slice message, struct arena *arena, struct arc_verify *v) {
    struct slice body, header = header_of(message, &body);
    must(arc_verify_begin(v, header, now, arena), "memory");
    arc_verify_body(v, body);
    arc_verify_end(v, oracle_zone_oracle(zone), arena);
    arc_verify_done(v);
}

static void show_arc(struct slice message) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf b = {.max = ROOM};
    struct json j = {.out = &b};
    struct arc_verify v;
    verify_arc(message, &arena, &v);
    json_open_object(&j);
    json_put_str(&j, "result", arc_result_name(v.verdict.result));
    json_put_u64(&j, "instance", v.verdict.instance);
    json_put_u64(&j, "oldest_pass", v.verdict.oldest_pass);
    json_put_slice(&j, "why", v.verdict.why);
    print(&j, &b);
}

// --- signing

static EVP_PKEY *read_key(struct slice pem) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    must(key != NULL, "that is no key");
    return key;
}

static bool is_ed25519(const EVP_PKEY *key) { return EVP_PKEY_get_id(key) == EVP_PKEY_ED25519; }

static struct slice sign_digest(EVP_PKEY *key, const uint8_t digest[DIGEST_SHA256_SIZE], uint8_t *out) {
    size_t n = SIGNATURE;
    if (is_ed25519(key)) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        must(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestSign(ctx, out, &n, digest, DIGEST_SHA256_SIZE) == 1,
             "signing failed");
        EVP_MD_CTX_free(ctx);
        return slice_of(out, n);
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    must(EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
             EVP_PKEY_sign(ctx, out, &n, digest, DIGEST_SHA256_SIZE) == 1,
         "signing failed");
    EVP_PKEY_CTX_free(ctx);
    return slice_of(out, n);
}

static enum dkim_canon canon_of(struct slice word) {
    return slice_eq(word, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
}

static void hash_body(enum dkim_canon canon, struct slice body, uint8_t hash[DIGEST_SHA256_SIZE]) {
    struct dkim_body b = {0};
    dkim_body_begin(&b, canon);
    dkim_body_add(&b, body);
    dkim_body_end(&b, hash);
    dkim_body_done(&b);
}

static void print_text(struct slice text) {
    BUF_AUTO struct buf b = {.max = ROOM};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_slice(&j, "text", text);
    print(&j, &b);
}

static void sign(const struct slice *words) {
    BUF_AUTO struct buf field = {.max = ROOM};
    EVP_PKEY *key = read_key(words[1]);
    struct slice body, header = header_of(words[6], &body);
    struct dkim_sign_by by = {words[2], words[3], is_ed25519(key), 0};
    struct dkim_sign_header h;
    uint8_t hash[DIGEST_SHA256_SIZE], digest[DIGEST_SHA256_SIZE], signature[SIGNATURE];
    hash_body(canon_of(words[5]), body, hash);
    must(dkim_sign_header(canon_of(words[4]), header, &h) &&
             dkim_sign_prepare(&h, &by, now, canon_of(words[5]), hash, &field, digest) &&
             dkim_sign_finish(&field, sign_digest(key, digest, signature)),
         "signing failed");
    dkim_sign_header_done(&h);
    print_text(buf_slice(&field));
    EVP_PKEY_free(key);
}

static void seal(const struct slice *words) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    BUF_AUTO struct buf out = {.max = ROOM};
    EVP_PKEY *key = read_key(words[1]);
    struct slice body, header = header_of(words[7], &body);
    struct arc_seal_by by = {words[2], words[3], is_ed25519(key), words[4], strtoul(words[6].p, NULL, 10)};
    struct arc_verify before;
    struct arc_seal s;
    struct err e;
    uint8_t hash[DIGEST_SHA256_SIZE], signature[SIGNATURE];
    verify_arc(words[7], &arena, &before);
    hash_body(DKIM_RELAXED, body, hash);
    if (!arc_seal_begin(&s, &by, &before.verdict, header, words[5], now, DKIM_RELAXED, hash, &arena, &e)) {
        print_text(SLICE_EMPTY);
    } else {
        must(arc_seal_message(&s, sign_digest(key, s.digest, signature), &arena) &&
                 arc_seal_finish(&s, sign_digest(key, s.digest, signature), &out),
             "sealing failed");
        arc_seal_done(&s);
        print_text(buf_slice(&out));
    }
    EVP_PKEY_free(key);
}

// --- lines

static void set_zone(struct slice text) {
    struct err e;
    oracle_zone_free(zone);
    zone = oracle_zone_new(text, &e);
    must(zone != NULL, e.text);
}

static void obey(const struct slice *words) {
    if (slice_eq(words[0], SLICE("zone")))
        set_zone(words[1]);
    else if (slice_eq(words[0], SLICE("now")))
        now.ms = MS_SECOND * (int64_t)strtoll(words[1].p, NULL, 10);
    else if (slice_eq(words[0], SLICE("dkim")))
        verify_dkim(words[1]);
    else if (slice_eq(words[0], SLICE("arc")))
        show_arc(words[1]);
    else if (slice_eq(words[0], SLICE("sign")))
        sign(words);
    else if (slice_eq(words[0], SLICE("seal")))
        seal(words);
    else
        must(false, "there is no such command");
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    zone = oracle_zone_empty();
    while (getline(&line, &cap, stdin) > 0) {
        struct slice words[WORDS] = {{0}};
        words_cut(line, words, WORDS);
        obey(words);
    }
    free(line);
    oracle_zone_free(zone);
    return 0;
}
