// fuzz_gate_words: words of others: HELO names, answers of policy servers, results that a sealer claims, recorded
// answers of DNS, which read back say the same.
#include "fuzz.h"

#include "core/gate/dns_words.h"
#include "core/gate/gate_inside.h"
#include "core/gate/helo.h"

static void check_helo(struct slice text) {
    static struct config none = {.hostname = {"mx.our.example", 14}};
    struct netaddr local = {.family = NETADDR_V4};
    struct helo h = helo_look(&none, text, &local);
    FUZZ_CHECK(!h.literal || (h.valid && h.qualified && h.ip.family != NETADDR_NONE));
    FUZZ_CHECK(!h.qualified || h.valid);
}

static void check_answer(struct slice text) {
    struct gate_answer a;
    gate_answer_read(text, &a);
    FUZZ_CHECK(a.kind != GATE_ANSWER_REFUSE ||
               (a.why.smtp >= 400 && a.why.smtp < 600 && a.why.text[0] && a.why.enhanced[0] == a.why.smtp / 100));
    for (size_t i = 0; a.kind == GATE_ANSWER_PREPEND && i < a.text.n; i++)
        FUZZ_CHECK((unsigned char)a.text.p[i] >= ' ');
}

static void check_words(enum oracle_type type, struct slice text) {
    struct arena arena = {.max = 1 << 20};
    struct buf b = {.max = 4096}, again = {.max = 4096};
    struct oracle_answer a;
    if (dns_words_read(type, text, &arena, &a)) {
        FUZZ_CHECK(dns_words_answer(&b, type, &a) && b.n <= DNS_WORDS_MAX);
        if (b.n < DNS_WORDS_MAX) {
            FUZZ_CHECK(dns_words_read(type, buf_slice(&b), &arena, &a) && dns_words_answer(&again, type, &a));
            FUZZ_CHECK(slice_eq(buf_slice(&b), buf_slice(&again)));
        }
    }
    buf_done(&b);
    buf_done(&again);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum oracle_type types[] = {ORACLE_A, ORACLE_AAAA, ORACLE_MX, ORACLE_TXT};
    struct slice text = slice_from(slice_of(data, size), 1);
    switch (size ? data[0] % 8 : 0) {
    case 0:
        check_helo(text);
        break;
    case 1:
        check_answer(text);
        break;
    case 2:
        gate_results_vouch(text, SLICE("good.example"));
        break;
    default:
        check_words(types[data[0] % 4], text);
    }
    return 0;
}
