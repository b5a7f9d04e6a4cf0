// signing: the DKIM signatures of one message, made while its content streams by.
//
//     signing_begin(&sign, set->dkims, set->dkims_n, from_domain, header);   the header is whole; the set is at hand
//     signing_body(&sign, piece);                                            as often as wanted
//     signing_finish(&sign, now, &out, e);                                   the fields, to be put in front
//     signing_done(&sign);                                                   in any case
//
// Holds the signed fields of the header in canonical form and a hash of the body; nothing grows with the body.
#pragma once

#include "base/arena.h"
#include "core/keys/dkim_rules.h"
#include "mail/dkim/dkim_sign.h"
#include "rt/fiber/fiber.h"

struct keys_client;

// Zeroed is valid, signs nothing and holds nothing.
struct signing {
    size_t n; // signatures to be made; 0: nobody signs for that domain
    struct dkim_sign_by by[DKIM_RULES_MAX];
    uint32_t keys[DKIM_RULES_MAX];
    struct dkim_sign_header header;
    struct dkim_body body;
    bool too_large;     // the header is
    struct arena arena; // names in `by`: the set that they come from may go
};

// Who has the keys: keys_client_sign() of the process that holds them, or a test's own.
struct signer {
    FIBER_FN bool (*sign)(void *arg, const struct message_keys_sign *what, struct buf *out, struct err *e);
    void *arg;
};

struct signer signer_of_keys(struct keys_client *keys);

// `header`: the header section as it will leave, with or without its empty line; not needed any more afterwards.
void signing_begin(struct signing *s, const struct message_keys_dkim *rules, size_t rules_n, struct slice from,
                   struct slice header);

// The next piece of the body, which begins after the empty line; cut anywhere.
void signing_body(struct signing *s, struct slice piece);

// Bytes that the fields will have at most: the room to leave for them in front. Known from the beginning.
size_t signing_room(const struct signing *s);

// Adds a DKIM-Signature field with its CRLF for each signature. False, and nothing added: `e` is for the client, 451
// 4.7.5, since mail that should be signed never leaves unsigned.
FIBER_FN MUST_CHECK bool signing_finish(struct signing *s, struct wall now, const struct signer *signer,
                                        struct buf *out, struct err *e);
void signing_done(struct signing *s); // may be called twice
