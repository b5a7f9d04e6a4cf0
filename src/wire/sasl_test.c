// sasl_test: conversations, as the RFCs print them and as hostile clients have them.
#include "base/base64.h"
#include "wire/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NONCE_SHA_1 "3rfcNHYJY1ZVvWVs7j"
#define NONCE_SHA_256 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

// A world with one user: user, or user@example.com, with the password pencil, the token dG9rZW4=.
struct talk {
    struct sasl s;
    struct sasl_out out;
    struct sasl_facts facts;
    bool unknown;
    char said[1000]; // all that came out
};

static void say(struct talk *t, const char *what, struct slice s) {
    size_t n = strlen(t->said);
    snprintf(t->said + n, sizeof t->said - n, "%s%.*s ", what, SLICE_ARG(s));
}

static bool is_user(struct slice user) {
    return slice_eq(user, SLICE("user")) || slice_eq(user, SLICE("user@example.com"));
}

static void answer_scram(struct talk *t, enum digest_kind kind) {
    struct buf salt BUF_AUTO = {.max = 100};
    struct scram_keys keys[2];
    struct slice names[2] = {SLICE("phone"), SLICE("")};
    base64_decode(&salt, kind == DIGEST_SHA1 ? SLICE("QSXCR+Q6sek8bf92") : SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="));
    scram_keys_of(kind, SLICE("other"), buf_slice(&salt), 4096, &keys[0]);
    scram_keys_of(kind, SLICE("pencil"), buf_slice(&salt), 4096, &keys[1]);
    struct sasl_scram scram = {4096, buf_slice(&salt), keys, names, 2};
    struct sasl_answer a = {.scram = is_user(t->out.ask.user) ? &scram : NULL};
    t->unknown = !a.scram;
    sasl_answer(&t->s, &a, &t->out);
}

static void answer(struct talk *t) {
    const struct sasl_ask *ask = &t->out.ask;
    bool token = slice_eq(ask->secret, SLICE("dG9rZW4="));
    switch (ask->kind) {
    case SASL_ASK_PASSWORD:
        say(t, "PASSWORD:", ask->secret);
        sasl_answer(&t->s,
                    &(struct sasl_answer){.ok = is_user(ask->user) && slice_eq(ask->secret, SLICE("pencil")),
                                          .secret = SLICE("laptop")},
                    &t->out);
        break;
    case SASL_ASK_SCRAM:
        answer_scram(t, ask->digest);
        break;
    case SASL_ASK_TOKEN:
        say(t, "TOKEN:", ask->secret);
        sasl_answer(&t->s, &(struct sasl_answer){.ok = token, .user = SLICE("User@example.com")}, &t->out);
        break;
    case SASL_ASK_CERTIFICATE:
        say(t, "CERTIFICATE:", ask->user);
        sasl_answer(&t->s, &(struct sasl_answer){.ok = is_user(ask->user)}, &t->out);
        break;
    }
}

static void hear(struct talk *t) {
    while (t->out.result == SASL_ASK)
        answer(t);
    if (t->out.result == SASL_CHALLENGE)
        say(t, "S:", t->out.challenge);
    else if (t->out.result == SASL_OK)
        say(t, "OK:", t->out.user);
    else
        say(t, t->out.result == SASL_FAIL ? "FAIL" : "BAD", SLICE_EMPTY);
}

static void begin(struct talk *t, enum sasl_mechanism m, const struct slice *initial) {
    t->facts.nonce = m == SASL_SCRAM_SHA_1 ? SLICE(NONCE_SHA_1) : SLICE(NONCE_SHA_256);
    t->facts.fake_secret = SLICE("secret");
    sasl_begin(&t->s, m, &t->facts, initial, &t->out);
    hear(t);
}

static void step(struct talk *t, struct slice response) {
    sasl_step(&t->s, response, &t->out);
    hear(t);
}

// --- a table of conversations

struct conversation {
    const char *name;
    enum sasl_mechanism mechanism;
    struct slice responses[5]; // ends with p NULL; "-" as the first: no initial response
    const char *said;
    const char *subject; // of the client's certificate
    const char *exporter;
    bool offers_plus;
};

#define S(text)                                                                                                        \
    { text, sizeof(text) - 1 }
#define RFC5802_FIRST "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
#define RFC5802_SERVER "S:r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096 "
#define RFC5802_FINAL "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
#define RFC7677_NONCE "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC7677_FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC7677_SERVER "S:" RFC7677_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096 "
#define RFC7677_FINAL "c=biws," RFC7677_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define REFUSED "S:{\"status\":\"invalid_token\",\"schemes\":\"bearer\"} "
#define XREFUSED "S:{\"status\":\"401\",\"schemes\":\"bearer\"} "

static const struct conversation conversations[] = {
    {"PLAIN", SASL_PLAIN, {S("\0user\0pencil")}, .said = "PASSWORD:pencil OK:user "},
    {"no initial response", SASL_PLAIN, {S("-"), S("\0user\0pencil")}, .said = "S: PASSWORD:pencil OK:user "},
    {"same authzid", SASL_PLAIN, {S("User\0uSER\0pencil")}, .said = "PASSWORD:pencil OK:user "},
    {"other authzid", SASL_PLAIN, {S("root\0user\0pencil")}, .said = "FAIL "},
    {"wrong password", SASL_PLAIN, {S("\0user\0Pencil")}, .said = "PASSWORD:Pencil FAIL "},
    {"unknown user", SASL_PLAIN, {S("\0nobody\0pencil")}, .said = "PASSWORD:pencil FAIL "},
    {"no password", SASL_PLAIN, {S("\0user\0")}, .said = "BAD "},
    {"no user", SASL_PLAIN, {S("\0\0pencil")}, .said = "BAD "},
    {"one NUL", SASL_PLAIN, {S("user\0pencil")}, .said = "BAD "},
    {"three NULs", SASL_PLAIN, {S("\0user\0pen\0cil")}, .said = "BAD "},
    {"empty", SASL_PLAIN, {S("")}, .said = "BAD "},
    {"a user of two lines", SASL_PLAIN, {S("\0us\ner\0pencil")}, .said = "BAD "},
    {"a user in Latin-1", SASL_PLAIN, {S("\0us\xe9r\0pencil")}, .said = "BAD "},
    {"a password in Latin-1 is as it is", SASL_PLAIN, {S("\0user\0p\xe9n")}, .said = "PASSWORD:p\xe9n FAIL "},

    {"LOGIN", SASL_LOGIN, {S("-"), S("User"), S("pencil")}, .said = "S:Username: S:Password: PASSWORD:pencil OK:user "},
    {"LOGIN, initial", SASL_LOGIN, {S("user"), S("pencil")}, .said = "S:Password: PASSWORD:pencil OK:user "},
    {"LOGIN, no user", SASL_LOGIN, {S("-"), S("")}, .said = "S:Username: BAD "},
    {"LOGIN, no password", SASL_LOGIN, {S("user"), S("")}, .said = "S:Password: BAD "},
    {"LOGIN, wrong", SASL_LOGIN, {S("user"), S("x")}, .said = "S:Password: PASSWORD:x FAIL "},

    {"EXTERNAL",
     SASL_EXTERNAL,
     {S("")},
     .said = "CERTIFICATE:user@example.com OK:user@example.com ",
     "User@example.com"},
    {"EXTERNAL, asked", SASL_EXTERNAL, {S("-"), S("")}, .said = "S: CERTIFICATE:user OK:user ", "user"},
    {"EXTERNAL, authzid", SASL_EXTERNAL, {S("USER")}, .said = "CERTIFICATE:user OK:user ", "user"},
    {"EXTERNAL, other authzid", SASL_EXTERNAL, {S("root")}, .said = "FAIL ", "user"},
    {"EXTERNAL, no such user", SASL_EXTERNAL, {S("")}, .said = "CERTIFICATE:eve FAIL ", "eve"},
    {"EXTERNAL, no certificate", SASL_EXTERNAL, {S("user")}, .said = "FAIL "},

    {"RFC 5802 5",
     SASL_SCRAM_SHA_1,
     {S(RFC5802_FIRST), S(RFC5802_FINAL), S("")},
     .said = RFC5802_SERVER "S:v=rmF9pqV8S7suAoZWja4dJRkFsKQ= OK:user "},
    {"RFC 7677 3",
     SASL_SCRAM_SHA_256,
     {S("-"), S(RFC7677_FIRST), S(RFC7677_FINAL), S("")},
     .said = "S: " RFC7677_SERVER "S:v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4= OK:user "},
    {"words after the end",
     SASL_SCRAM_SHA_256,
     {S(RFC7677_FIRST), S(RFC7677_FINAL), S("x")},
     .said = RFC7677_SERVER "S:v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4= BAD "},
    {"proof of another nonce",
     SASL_SCRAM_SHA_256,
     {S(RFC7677_FIRST), S("c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")},
     .said = RFC7677_SERVER "FAIL "},
    {"header of another message",
     SASL_SCRAM_SHA_256,
     {S(RFC7677_FIRST), S("c=eSws," RFC7677_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")},
     .said = RFC7677_SERVER "FAIL "},
    {"wrong proof",
     SASL_SCRAM_SHA_256,
     {S(RFC7677_FIRST), S("c=biws," RFC7677_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR=")},
     .said = RFC7677_SERVER "BAD "}, // unused bits of base64
    {"wrong proof",
     SASL_SCRAM_SHA_256,
     {S(RFC7677_FIRST), S("c=biws," RFC7677_NONCE ",p=aHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")},
     .said = RFC7677_SERVER "FAIL "},
    {"no proof", SASL_SCRAM_SHA_256, {S(RFC7677_FIRST), S("c=biws," RFC7677_NONCE)}, .said = RFC7677_SERVER "BAD "},
    {"a short proof",
     SASL_SCRAM_SHA_256,
     {S(RFC7677_FIRST), S("c=biws," RFC7677_NONCE ",p=")},
     .said = RFC7677_SERVER "FAIL "},
    {"a long proof",
     SASL_SCRAM_SHA_256,
     {S(RFC7677_FIRST), S("c=biws," RFC7677_NONCE ",p=aHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQaaaaa")},
     .said = RFC7677_SERVER "BAD "},
    {"empty final", SASL_SCRAM_SHA_256, {S(RFC7677_FIRST), S("")}, .said = RFC7677_SERVER "BAD "},
    {"unknown extension that may be ignored", SASL_SCRAM_SHA_256, {S(RFC7677_FIRST ",x=y")}, .said = RFC7677_SERVER},
    {"an extension that must be known", SASL_SCRAM_SHA_256, {S("n,,m=x,n=user,r=abc")}, .said = "BAD "},
    {"no nonce", SASL_SCRAM_SHA_256, {S("n,,n=user,r=")}, .said = "BAD "},
    {"no user", SASL_SCRAM_SHA_256, {S("n,,n=,r=abc")}, .said = "BAD "},
    {"no header", SASL_SCRAM_SHA_256, {S("n=user,r=abc")}, .said = "BAD "},
    {"a bad saslname", SASL_SCRAM_SHA_256, {S("n,,n=us=2cer,r=abc")}, .said = "BAD "},
    {"a saslname that ends early", SASL_SCRAM_SHA_256, {S("n,,n=user=,r=abc")}, .said = "BAD "},
    {"other authzid", SASL_SCRAM_SHA_256, {S("n,a=root,n=user,r=abc")}, .said = "FAIL "},
    {"empty authzid", SASL_SCRAM_SHA_256, {S("n,a=,n=user,r=abc")}, .said = "BAD "},
    {"the offer was taken away", SASL_SCRAM_SHA_256, {S("y,,n=user,r=abc")}, .said = "FAIL ", NULL, "E", true},
    {"binding without PLUS", SASL_SCRAM_SHA_256, {S("p=tls-exporter,,n=user,r=abc")}, .said = "BAD ", NULL, "E"},
    {"PLUS without binding", SASL_SCRAM_SHA_256_PLUS, {S("n,,n=user,r=abc")}, .said = "BAD ", NULL, "E"},
    {"PLUS with y", SASL_SCRAM_SHA_256_PLUS, {S("y,,n=user,r=abc")}, .said = "BAD ", NULL, "E", true},
    {"a binding that isn't there", SASL_SCRAM_SHA_256_PLUS, {S("p=tls-exporter,,n=user,r=abc")}, .said = "FAIL "},
    {"a binding that isn't known",
     SASL_SCRAM_SHA_256_PLUS,
     {S("p=tls-unique,,n=user,r=abc")},
     .said = "FAIL ",
     NULL,
     "E"},

    {"RFC 7628 4.1",
     SASL_OAUTHBEARER,
     {S("n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer dG9rZW4=\1\1")},
     .said = "TOKEN:dG9rZW4= OK:user@example.com "},
    {"no name", SASL_OAUTHBEARER, {S("n,,\1auth=bearer dG9rZW4=\1\1")}, .said = "TOKEN:dG9rZW4= OK:user@example.com "},
    {"other name",
     SASL_OAUTHBEARER,
     {S("n,a=eve,\1auth=Bearer dG9rZW4=\1\1"), S("\1")},
     .said = "TOKEN:dG9rZW4= " REFUSED "FAIL "},
    {"RFC 7628 4.3",
     SASL_OAUTHBEARER,
     {S("n,a=user@example.com,\1host=h\1port=587\1auth=Bearer bad\1\1"), S("\1")},
     .said = "TOKEN:bad " REFUSED "FAIL "},
    {"a question", SASL_OAUTHBEARER, {S("n,a=user@example.com,\1auth=\1\1"), S("\1")}, .said = REFUSED "FAIL "},
    {"two tokens", SASL_OAUTHBEARER, {S("n,,\1auth=Bearer a\1auth=Bearer b\1\1")}, .said = "BAD "},
    {"one end too few", SASL_OAUTHBEARER, {S("n,,\1auth=Bearer a\1")}, .said = "BAD "},
    {"words after the end", SASL_OAUTHBEARER, {S("n,,\1auth=Bearer a\1\1x")}, .said = "BAD "},
    {"not Bearer", SASL_OAUTHBEARER, {S("n,,\1auth=Basic a\1\1")}, .said = "BAD "},
    {"no token", SASL_OAUTHBEARER, {S("n,,\1auth=Bearer ===\1\1")}, .said = "BAD "},
    {"a token with more", SASL_OAUTHBEARER, {S("n,,\1auth=Bearer a&b\1\1")}, .said = "BAD "},
    {"binding", SASL_OAUTHBEARER, {S("p=tls-exporter,,\1auth=Bearer a\1\1")}, .said = "BAD "},

    {"XOAUTH2",
     SASL_XOAUTH2,
     {S("user=user@Example.com\1auth=Bearer dG9rZW4=\1\1")},
     .said = "TOKEN:dG9rZW4= OK:user@example.com "},
    {"XOAUTH2, asked",
     SASL_XOAUTH2,
     {S("-"), S("user=user@example.com\1auth=Bearer dG9rZW4=\1\1")},
     .said = "S: TOKEN:dG9rZW4= OK:user@example.com "},
    {"XOAUTH2, refused",
     SASL_XOAUTH2,
     {S("user=user@example.com\1auth=Bearer x\1\1"), S("")},
     .said = "TOKEN:x " XREFUSED "FAIL "},
    {"XOAUTH2, other",
     SASL_XOAUTH2,
     {S("user=eve@example.com\1auth=Bearer dG9rZW4=\1\1"), S("")},
     .said = "TOKEN:dG9rZW4= " XREFUSED "FAIL "},
    {"XOAUTH2, nobody", SASL_XOAUTH2, {S("auth=Bearer dG9rZW4=\1\1")}, .said = "BAD "},
};

static void test_conversations(void **state) {
    for (size_t i = 0; i < sizeof conversations / sizeof *conversations; i++) {
        const struct conversation *c = &conversations[i];
        struct talk t = {.facts = {.tls_exporter = slice_str(c->exporter),
                                   .client_subject = slice_str(c->subject),
                                   .offers_plus = c->offers_plus}};
        bool none = slice_eq(c->responses[0], SLICE("-"));
        begin(&t, c->mechanism, none ? NULL : &c->responses[0]);
        for (size_t r = 1; c->responses[r].p; r++)
            step(&t, c->responses[r]);
        if (strcmp(t.said, c->said))
            fail_msg("%s %s: said %s\nnot %s", sasl_name(c->mechanism), c->name, t.said, c->said);
        if (c->mechanism == SASL_PLAIN && t.out.result == SASL_OK)
            assert_true(slice_eq(t.out.secret, SLICE("laptop")));
        sasl_done(&t.s);
        sasl_done(&t.s);
    }
}

// --- SCRAM in a conversation of its own making: a client that computes

static struct slice scram_final(struct talk *t, struct arena *a, const char *password, struct slice header,
                                struct slice bare) {
    struct slice rest = t->out.challenge, nonce, salt_text, bound = header;
    struct buf salt BUF_AUTO = {.max = 100}, text BUF_AUTO = {.max = 4000}, c BUF_AUTO = {.max = 4000};
    uint8_t proof[SCRAM_KEY_MAX];
    slice_cut(rest, ',', &nonce, &rest);
    slice_cut(rest, ',', &salt_text, &rest);
    base64_decode(&salt, slice_from(salt_text, 2));
    base64_encode(&c, bound);
    struct slice without = arena_printf(a, "c=%.*s,%.*s", SLICE_ARG(buf_slice(&c)), SLICE_ARG(nonce));
    buf_addf(&text, "%.*s,%.*s,%.*s", SLICE_ARG(bare), SLICE_ARG(t->out.challenge), SLICE_ARG(without));
    scram_proof(DIGEST_SHA256, slice_str(password), buf_slice(&salt), 4096, buf_slice(&text), proof);
    buf_reset(&c);
    base64_encode(&c, slice_of(proof, 32));
    return arena_printf(a, "%.*s,p=%.*s", SLICE_ARG(without), SLICE_ARG(buf_slice(&c)));
}

static enum sasl_result scram(struct talk *t, enum sasl_mechanism m, const char *header, const char *channel,
                              const char *bare, const char *password) {
    struct arena a ARENA_AUTO = {.max = 65536};
    struct slice first = arena_printf(&a, "%s%s", header, bare);
    begin(t, m, &first);
    if (t->out.result == SASL_CHALLENGE)
        step(t, scram_final(t, &a, password, arena_printf(&a, "%s%s", header, channel), slice_str(bare)));
    if (t->out.result == SASL_CHALLENGE)
        step(t, SLICE_EMPTY);
    return t->out.result;
}

static void test_channel_binding(void **state) {
    static const struct {
        const char *header, *channel;
        enum sasl_result result;
    } rows[] = {
        {"p=tls-exporter,,", "exporter's bytes", SASL_OK},
        {"p=tls-server-end-point,,", "certificate's hash", SASL_OK},
        {"p=tls-exporter,a=USER,", "exporter's bytes", SASL_OK},
        {"p=tls-exporter,,", "of another channel", SASL_FAIL}, // somebody is in the middle
        {"p=tls-exporter,,", "certificate's hash", SASL_FAIL},
        {"p=tls-exporter,,", "", SASL_FAIL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct talk t = {.facts = {.tls_exporter = SLICE("exporter's bytes"),
                                   .tls_end_point = SLICE("certificate's hash"),
                                   .offers_plus = true}};
        assert_int_equal(scram(&t, SASL_SCRAM_SHA_256_PLUS, rows[i].header, rows[i].channel, "n=user,r=abc", "pencil"),
                         rows[i].result);
        sasl_done(&t.s);
    }
}

// A client that could bind, and met no offer, may say so where there was none.
static void test_flags(void **state) {
    struct talk t = {0};
    assert_int_equal(scram(&t, SASL_SCRAM_SHA_256, "y,,", "", "n=user,r=abc", "pencil"), SASL_OK);
    assert_int_equal(t.out.secret.n, 0);
    sasl_done(&t.s);
    t = (struct talk){.facts = {.offers_plus = true}};
    assert_int_equal(scram(&t, SASL_SCRAM_SHA_256, "n,,", "", "n=user,r=abc", "pencil"), SASL_OK);
    sasl_done(&t.s);
}

// The proof tells by which of a user's secrets it was made.
static void test_other_secret(void **state) {
    struct talk t = {0};
    assert_int_equal(scram(&t, SASL_SCRAM_SHA_256, "n,,", "", "n=USER,r=abc", "other"), SASL_OK);
    assert_true(slice_eq(t.out.secret, SLICE("phone")) && slice_eq(t.out.user, SLICE("user")));
    sasl_done(&t.s);
}

// Nobody can be told from somebody: the same words, the same salt each time, another for another name.
static void test_unknown_user(void **state) {
    char said[3][1000];
    const char *names[3] = {"n=nobody,r=abc", "n=nobody,r=abc", "n=noone,r=abc"};
    for (size_t i = 0; i < 3; i++) {
        struct talk t = {.facts = {.fake_iterations = 10000}};
        assert_int_equal(scram(&t, SASL_SCRAM_SHA_256, "n,,", "", names[i], "pencil"), SASL_FAIL);
        assert_true(t.unknown);
        memcpy(said[i], t.said, sizeof said[i]);
        sasl_done(&t.s);
    }
    assert_string_equal(said[0], said[1]);
    assert_string_not_equal(said[0], said[2]);
    assert_int_equal(strlen(said[0]), strlen(said[2]));
    assert_non_null(strstr(said[0], ",i=10000 FAIL"));
}

static void test_limits(void **state) {
    static char long_one[SASL_RESPONSE_MAX + 1];
    memset(long_one, 'a', sizeof long_one);
    for (size_t m = 0; m < SASL_MECHANISMS; m++)
        for (size_t n = sizeof long_one - 1; n <= sizeof long_one; n++) {
            struct talk t = {.facts = {.client_subject = SLICE("user")}};
            struct slice initial = slice_of(long_one, n);
            begin(&t, (enum sasl_mechanism)m, &initial);
            assert_int_equal(t.out.result, SASL_BAD);
            sasl_done(&t.s);
        }
    struct talk t = {0};
    memcpy(long_one, "\0user\0", 6);
    struct slice most = slice_of(long_one, 6 + SASL_PASSWORD_MAX), more = slice_of(long_one, 7 + SASL_PASSWORD_MAX);
    begin(&t, SASL_PLAIN, &most);
    assert_int_equal(t.out.result, SASL_FAIL);
    sasl_done(&t.s);
    begin(&t, SASL_PLAIN, &more);
    assert_int_equal(t.out.result, SASL_BAD);
    sasl_done(&t.s);
}

// As many keys as there can be, of a user with the longest name and nonce, fit what a conversation may keep.
static void test_most_keys(void **state) {
    static struct scram_keys keys[SASL_SECRETS_MAX + 1];
    static struct slice names[SASL_SECRETS_MAX + 1];
    static const char name[] = "0123456789012345678901234567890123456789012345678901234567890123";
    char first[2000] = "n,,n=";
    for (size_t i = 0; i < SASL_SECRETS_MAX + 1; i++)
        names[i] = slice_str(name);
    for (size_t i = 0; i < SASL_USER_MAX; i++)
        memcpy(first + 5 + 3 * i, "=2C", 3);
    snprintf(first + 5 + 3 * SASL_USER_MAX, 500, ",r=%0256d", 7);
    struct sasl s;
    struct sasl_out out;
    struct slice initial = slice_str(first);
    struct sasl_facts facts = {.nonce = SLICE(NONCE_SHA_256)};
    sasl_begin(&s, SASL_SCRAM_SHA_256, &facts, &initial, &out);
    assert_int_equal(out.result, SASL_ASK);
    assert_int_equal(out.ask.user.n, SASL_USER_MAX);
    struct sasl_scram scram = {SCRAM_ITERATIONS_MAX, slice_of(name, 64), keys, names, SASL_SECRETS_MAX + 1};
    sasl_answer(&s, &(struct sasl_answer){.scram = &scram}, &out);
    assert_int_equal(out.result, SASL_CHALLENGE);
    sasl_done(&s);
}

static void test_names(void **state) {
    enum sasl_mechanism m;
    for (size_t i = 0; i < SASL_MECHANISMS; i++)
        assert_true(sasl_find(slice_str(sasl_name((enum sasl_mechanism)i)), &m) && m == i);
    assert_true(sasl_find(SLICE("scram-sha-256-plus"), &m) && m == SASL_SCRAM_SHA_256_PLUS);
    assert_false(sasl_find(SLICE("CRAM-MD5"), &m) || sasl_find(SLICE(""), &m));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations), cmocka_unit_test(test_channel_binding), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_other_secret),  cmocka_unit_test(test_unknown_user),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_most_keys),     cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
