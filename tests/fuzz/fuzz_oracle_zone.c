// fuzz_oracle_zone: any text is a zone or is refused with its line; what is asked of a zone is answered.
#include "fuzz.h"

#include "mail/oracle/oracle_zone.h"

static void check_answer(const struct oracle_question *q, const struct oracle_answer *a) {
    FUZZ_CHECK((a->status == ORACLE_OK) == (a->n > 0));
    bool ip = q->type == ORACLE_A || q->type == ORACLE_AAAA;
    for (size_t i = 0; i < a->n; i++) {
        FUZZ_CHECK((a->records[i].ip.family != NETADDR_NONE) == ip);
        for (size_t j = 0; q->type != ORACLE_TXT && j < a->records[i].text.n; j++)
            FUZZ_CHECK(a->records[i].text.p[j] > ' ' && a->records[i].text.p[j] < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum oracle_type types[] = {ORACLE_A, ORACLE_AAAA, ORACLE_MX, ORACLE_PTR, ORACLE_TXT};
    struct slice text = slice_of(data, size), question = text;
    slice_cut(text, '\0', &question, &text); // what is asked for comes first
    struct err e = {.kind = ERR_BUG};
    struct oracle_zone *z = oracle_zone_new(text, &e);
    FUZZ_CHECK(z || slice_starts(slice_str(e.text), SLICE("line ")));
    if (!z)
        return 0;
    struct arena arena = {.max = 1 << 20};
    struct oracle *o = oracle_zone_oracle(z);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct oracle_question q[3] = {
            {types[i], question}, {types[i], SLICE("a.b.example.org")}, {types[i], SLICE("a")}};
        struct oracle_answer a[3];
        o->ask(o, q, 3, &arena, a);
        for (size_t j = 0; j < 3; j++)
            check_answer(&q[j], &a[j]);
    }
    arena_done(&arena);
    oracle_zone_free(z);
    return 0;
}
