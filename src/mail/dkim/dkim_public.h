// dkim_public: public keys of signatures (RFC 6376 3.6.2, 6.1.2), each asked for once, all at once.
#pragma once

#include "mail/dkim/dkim_signature.h"
#include "mail/dkim/dkim_verify.h"
#include "mail/oracle/oracle.h"

struct dkim_public {
    struct slice name; // SELECTOR._domainkey.DOMAIN
    struct oracle_answer answer;
};

// What DNS says has memory of its own: a stranger's answers, which may be large, take none from what is asked next.
struct dkim_publics {
    struct dkim_public *list;
    size_t n, max;
    struct arena answers;
};

bool dkim_publics_init(struct dkim_publics *p, size_t max, struct arena *arena); // false: the arena is full
void dkim_publics_done(struct dkim_publics *p); // forgets the answers; may be called twice, and on a zeroed one

// The place of its key; p->max where there is no place left or the name can't be one.
size_t dkim_publics_want(struct dkim_publics *p, const struct dkim_signature *s, struct arena *arena);

// Asks for those that are there.
void dkim_publics_ask(struct dkim_publics *p, struct oracle *o);

struct dkim_checked {
    enum dkim_result result; // PASS, FAIL, TEMPERROR, PERMERROR
    unsigned bits;
    bool testing;
    struct slice why;
};

// Whether the signature over `digest` is one of a key at that place. Of several records each is tried (6.1.2).
void dkim_publics_check(const struct dkim_publics *p, size_t place, const struct dkim_signature *s,
                        const uint8_t digest[DIGEST_SHA256_SIZE], struct arena *arena, struct dkim_checked *out);
