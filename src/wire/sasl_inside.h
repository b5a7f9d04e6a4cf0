// sasl_inside: what sasl.c and the mechanisms share.
#pragma once

#include "wire/sasl.h"

// A mechanism. `step` takes the first response (initial or not) and all others; `answer` what was asked for.
struct sasl_kind {
    const char *name;
    const char *prompt; // the challenge for a client that sent no initial response
    void (*step)(struct sasl *s, struct slice response, struct sasl_out *out);
    void (*answer)(struct sasl *s, const struct sasl_answer *answer, struct sasl_out *out);
};

extern const struct sasl_kind sasl_plain, sasl_login, sasl_external;
extern const struct sasl_kind sasl_scram_sha_1, sasl_scram_sha_256, sasl_scram_sha_256_plus;
extern const struct sasl_kind sasl_oauthbearer, sasl_xoauth2;

void sasl_put_challenge(struct sasl_out *out, struct slice challenge);
void sasl_put_ask(struct sasl *s, enum sasl_ask_kind kind, struct slice secret, struct sasl_out *out);
void sasl_put_ok(struct sasl *s, struct sasl_out *out);
void sasl_put_fail(struct sasl *s, const char *why, struct sasl_out *out);
void sasl_put_bad(struct sasl *s, const char *why, struct sasl_out *out);

// Keeps who it is as s->user. False after sasl_put_bad.
bool sasl_take_user(struct sasl *s, struct slice name, struct sasl_out *out);

// Whether an authorization identity is absent, or s->user's. False after sasl_put_fail or sasl_put_bad.
bool sasl_take_authzid(struct sasl *s, struct slice authzid, struct sasl_out *out);

// Answers to PASSWORD and CERTIFICATE.
void sasl_answer_yes_or_no(struct sasl *s, const struct sasl_answer *answer, struct sasl_out *out);

// gs2-header (RFC 5801 4): flag, perhaps a channel binding's name, perhaps a saslname. `rest` is what follows its last
// comma; `authzid` is decoded, in the arena. False when it is none.
struct sasl_gs2 {
    char flag;            // 'n', 'y', 'p'
    struct slice binding; // p: its name
    struct slice authzid;
    struct slice header; // all of it
    struct slice rest;
};
bool sasl_gs2_parse(struct arena *a, struct slice message, struct sasl_gs2 *out);

// A saslname: =2C is a comma, =3D an equals sign, no other of either.
bool sasl_name_decode(struct arena *a, struct slice name, struct slice *out);
