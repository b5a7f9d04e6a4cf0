// dkim_test_sign: keys and signatures for tests, and an oracle that publishes the keys.
#pragma once

#include "base/buf.h"
#include "mail/oracle/oracle.h"
#include "mail/oracle/oracle_zone.h"

// Keys are made once in a program: "rsa" (2048 bits), "rsa1024", "rsa768", "other" (1024 bits), "ed".
struct slice test_key_public(const char *name); // DER, or Ed25519's 32 bytes
// Adds "NAME._domainkey.DOMAIN TXT ..." with `tags` (such as "k=rsa; t=s;") before p=.
void test_key_publish(struct oracle_zone *zone, const char *selector, const char *domain, const char *tags,
                      const char *key);
// The signature over a digest, in base64.
void test_key_sign(const char *key, const uint8_t digest[32], struct buf *base64);

// Adds a signed message to `out`: the tags as they stand, with "%bh" for the hash of the body and b= behind them;
// what is hashed is put together by the plainest means, not by the code under test.
void test_sign_message(const char *tags, const char *key, struct slice header, struct slice body, struct buf *out);
