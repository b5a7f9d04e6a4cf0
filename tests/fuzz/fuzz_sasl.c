// fuzz_sasl: a conversation of any mechanism. Bytes: mechanism, facts, then responses, each ended by 0xff. Nobody is
// let in whom the caller didn't answer for, whatever the client says, and everything ends.
#include "fuzz.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "wire/sasl.h"

enum { INITIAL = 1, PLUS = 2, BINDING = 4, SUBJECT = 8, KNOWN = 16, MOST_RESPONSES = 20 };

// RFC 7677's user and password; made once, since that takes a while.
static const struct sasl_scram *pencil(enum digest_kind kind) {
    static struct scram_keys keys[2];
    static struct sasl_scram scram[2];
    static char salt[2][16];
    struct sasl_scram *s = &scram[kind == DIGEST_SHA256];
    if (!s->n) {
        struct buf bytes BUF_AUTO = {.max = 16};
        base64_decode(&bytes, kind == DIGEST_SHA1 ? SLICE("QSXCR+Q6sek8bf92") : SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="));
        memcpy(salt[kind == DIGEST_SHA256], bytes.p, bytes.n);
        *s = (struct sasl_scram){4096, slice_of(salt[kind == DIGEST_SHA256], bytes.n), &keys[kind == DIGEST_SHA256],
                                 NULL, 1};
        scram_keys_of(kind, SLICE("pencil"), s->salt, 4096, &keys[kind == DIGEST_SHA256]);
    }
    return s;
}

struct run {
    unsigned facts;
    bool asked, said_yes;
    struct sasl s;
    struct sasl_out out;
};

static void answer(struct run *r) {
    const struct sasl_ask ask = r->out.ask;
    struct sasl_answer a = {.ok = (r->facts & KNOWN) != 0, .user = ask.user};
    FUZZ_CHECK(!r->asked); // once is enough
    r->asked = true;
    FUZZ_CHECK(ask.user.n <= SASL_USER_MAX && utf8_valid(ask.user));
    FUZZ_CHECK(ask.user.n || ask.kind == SASL_ASK_TOKEN);
    FUZZ_CHECK((ask.kind == SASL_ASK_PASSWORD || ask.kind == SASL_ASK_TOKEN) == (ask.secret.n > 0));
    if (ask.kind == SASL_ASK_TOKEN && !ask.user.n)
        a.user = SLICE("Someone");
    if (ask.kind == SASL_ASK_SCRAM && (r->facts & KNOWN))
        a.scram = pencil(ask.digest);
    r->said_yes = a.ok;
    sasl_answer(&r->s, &a, &r->out);
}

static void settle(struct run *r) {
    while (r->out.result == SASL_ASK)
        answer(r);
    FUZZ_CHECK(r->out.challenge.n < 8192);
    if (r->out.result == SASL_OK)
        FUZZ_CHECK(r->asked && r->said_yes && r->out.user.n && utf8_valid(r->out.user));
    if (r->out.result == SASL_FAIL || r->out.result == SASL_BAD)
        FUZZ_CHECK(r->out.why != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size), response;
    enum sasl_mechanism m = (enum sasl_mechanism)fuzz_choose(&in, SASL_MECHANISMS);
    struct run r = {.facts = fuzz_choose(&in, 32)};
    struct sasl_facts facts = {
        .tls_exporter = r.facts & BINDING ? SLICE("exporter") : SLICE_EMPTY,
        .tls_end_point = r.facts & BINDING ? SLICE("certificate") : SLICE_EMPTY,
        .offers_plus = r.facts & PLUS,
        .client_subject = r.facts & SUBJECT ? SLICE("user") : SLICE_EMPTY,
        .nonce = m == SASL_SCRAM_SHA_1 ? SLICE("3rfcNHYJY1ZVvWVs7j") : SLICE("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
        .fake_secret = SLICE("secret"),
    };
    bool more = slice_cut(in, '\xff', &response, &in);
    sasl_begin(&r.s, m, &facts, r.facts & INITIAL ? &response : NULL, &r.out);
    settle(&r);
    if (r.facts & INITIAL)
        more = more && slice_cut(in, '\xff', &response, &in);
    for (int i = 0; more && r.out.result == SASL_CHALLENGE; i++) {
        FUZZ_CHECK(i < MOST_RESPONSES);
        sasl_step(&r.s, response, &r.out);
        settle(&r);
        more = slice_cut(in, '\xff', &response, &in);
    }
    sasl_done(&r.s);
    return 0;
}
