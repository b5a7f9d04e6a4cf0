// sasl: the server's side of the mechanisms by which users show who they are (RFC 4422), as a state machine: bytes in,
// bytes out. It waits for nobody: what only others know (a password's hash, SCRAM keys, a token's owner) it asks its
// caller for by SASL_ASK, and goes on with sasl_answer.
//
//     sasl_begin(&s, mechanism, &facts, &initial, &out);
//     for (;;)
//         switch (out.result) {
//         case SASL_CHALLENGE: send out.challenge; sasl_step(&s, response, &out); break;
//         case SASL_ASK:       find out what out.ask wants; sasl_answer(&s, &answer, &out); break;
//         case SASL_OK:        out.user it is, by its secret out.secret; sasl_done(&s); return;
//         case SASL_FAIL, SASL_BAD: sasl_done(&s); return;
//         }
//
// Mechanisms: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-256-PLUS
// (RFC 5802, 7677; channel bindings of RFC 9266 and 5929), EXTERNAL (RFC 4422 A), OAUTHBEARER (RFC 7628), XOAUTH2
// (Google's form of it). An authorization identity may be given where it is the same as the user; nobody acts for
// others.
//
// Users are made one form: UTF-8 without controls, ASCII in lower case, at most SASL_USER_MAX bytes. Passwords stay as
// they are; none is empty.
//
// Slices in `out` are views of the response that was given, of the answer, or of the state: they last until the next
// call or sasl_done. A password or token lies in the response only, which is the caller's to wipe.
#pragma once

#include "base/arena.h"
#include "wire/scram.h"

enum {
    SASL_RESPONSE_MAX = 16 * 1024, // bytes; longer ones are SASL_BAD
    SASL_USER_MAX = 320,           // bytes
    SASL_PASSWORD_MAX = 1024,      // bytes; longer ones are SASL_BAD
    SASL_SECRETS_MAX = 64,         // SCRAM: secrets of a user that are looked at
    SASL_NONCE_MIN = 18,           // characters
    SASL_STATE_MAX = 32 * 1024,    // bytes that a conversation keeps at most, besides struct sasl
};

enum sasl_mechanism {
    SASL_PLAIN,
    SASL_LOGIN,
    SASL_SCRAM_SHA_1,
    SASL_SCRAM_SHA_256,
    SASL_SCRAM_SHA_256_PLUS,
    SASL_EXTERNAL,
    SASL_OAUTHBEARER,
    SASL_XOAUTH2,
    SASL_MECHANISMS,
};

const char *sasl_name(enum sasl_mechanism m); // "SCRAM-SHA-256-PLUS"

// By its name, in any case.
bool sasl_find(struct slice name, enum sasl_mechanism *out);

// What is known from outside. Copied where it is needed later. `nonce` is of printable ASCII without comma and never
// used twice; `fake_secret` makes the salts that users get who don't exist: it should be the same for years, and for
// all processes that answer.
struct sasl_facts {
    struct slice tls_exporter, tls_end_point; // channel bindings; empty: there is none
    bool offers_plus;                         // SCRAM-SHA-256-PLUS was offered to this client
    struct slice client_subject;              // EXTERNAL: the user that the verified certificate names; empty: none
    struct slice nonce;                       // SCRAM, at least SASL_NONCE_MIN characters
    struct slice fake_secret;                 // SCRAM
    uint32_t fake_iterations;                 // SCRAM: as most users have; 0: SCRAM_ITERATIONS_MIN
    size_t fake_salt_n;                       // SCRAM: bytes, as most users have; 0: 16
};

enum sasl_ask_kind {
    SASL_ASK_PASSWORD,    // is this `user` and `secret`'s password?
    SASL_ASK_SCRAM,       // the keys of `user` for `digest`
    SASL_ASK_TOKEN,       // whose token is `secret`? `user`: who the client says it is; may be empty
    SASL_ASK_CERTIFICATE, // is there a `user` that the client's certificate may log in?
};

struct sasl_ask {
    enum sasl_ask_kind kind;
    struct slice user;
    struct slice secret;
    enum digest_kind digest;
};

// All secrets of a user that share salt and iterations: the client's proof may be of any of them.
struct sasl_scram {
    uint32_t iterations;
    struct slice salt;
    const struct scram_keys *keys; // [n], 1..SASL_SECRETS_MAX
    const struct slice *names;     // [n], of the secrets; empty: the main one
    size_t n;
};

struct sasl_answer {
    bool ok;             // PASSWORD, TOKEN, CERTIFICATE
    struct slice user;   // TOKEN: whose it is. Else, where not empty: the user's true name
    struct slice secret; // PASSWORD: the name of the secret that fitted
    const struct sasl_scram
        *scram; // SCRAM: copied. NULL: there are none, or no such user; the exchange goes on the same
};

// FAIL: wrong, or not allowed. BAD: against the mechanism's grammar.
enum sasl_result { SASL_CHALLENGE, SASL_ASK, SASL_OK, SASL_FAIL, SASL_BAD };

struct sasl_out {
    enum sasl_result result;
    struct slice challenge; // CHALLENGE; may be empty
    struct sasl_ask ask;    // ASK
    struct slice user;      // OK; FAIL, BAD and ASK where it is known
    struct slice secret;    // OK: name of the secret that was used; empty: the main one, or none was
    const char *why;        // FAIL, BAD: for the log, never for the client
};

struct sasl {
    enum sasl_mechanism mechanism;
    enum sasl_result waits; // what was said last
    int stage;              // of this mechanism
    struct sasl_facts facts;
    struct arena arena;
    struct slice user, secret;
    struct sasl_conversation *more; // SCRAM
    struct scram_keys *keys;        // [keys_n], SCRAM: wiped by sasl_done
    size_t keys_n;
};

// `initial`: NULL when the client sent none; it may be empty, which is not the same. `*s` needs no initialisation.
void sasl_begin(struct sasl *s, enum sasl_mechanism m, const struct sasl_facts *facts, const struct slice *initial,
                struct sasl_out *out);

// Only after CHALLENGE.
void sasl_step(struct sasl *s, struct slice response, struct sasl_out *out);

// Only after ASK.
void sasl_answer(struct sasl *s, const struct sasl_answer *answer, struct sasl_out *out);

// Wipes and frees. At any time, and twice.
void sasl_done(struct sasl *s);

// A user's name in its one form, into the arena; false when it can't be one.
bool sasl_user(struct arena *a, struct slice name, struct slice *out);
