// fuzz_spf: hostile zones, senders and names: a verdict comes, of few questions, with texts that can be shown; and a
// record is well-formed for the checker exactly when it is for the evaluation.
#include "fuzz.h"

#include "mail/oracle/oracle_zone.h"
#include "mail/spf/spf.h"

enum { QUESTIONS_MAX = 160 }; // 10 terms with an MX of 10 and %{p} of 11 each, and what is around them

struct counting {
    struct oracle oracle;
    struct oracle *zone;
    size_t asked;
};

static void count(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                  struct oracle_answer *answers) {
    struct counting *c = (struct counting *)o;
    c->asked += n;
    FUZZ_CHECK(n >= 1 && n <= ORACLE_AT_ONCE_MAX);
    c->zone->ask(c->zone, questions, n, arena, answers);
}

static void check_verdict(const struct spf_verdict *v) {
    bool error = v->result == SPF_TEMPERROR || v->result == SPF_PERMERROR;
    FUZZ_CHECK(error == (v->problem.n > 0));
    FUZZ_CHECK(!(v->mechanism.n && (error || v->result == SPF_NONE)));
    FUZZ_CHECK(v->explanation.n == 0 || v->result == SPF_FAIL);
    FUZZ_CHECK(v->lookups <= 11 && v->voids <= 3);
    for (size_t i = 0; i < v->explanation.n; i++)
        FUZZ_CHECK(v->explanation.p[i] >= ' ' && v->explanation.p[i] < 0x7f);
}

// The record becomes a zone of its own.
static void check_record(struct slice record) {
    struct buf zone = {.max = 1 << 20};
    buf_add_str(&zone, "a.test. TXT \"");
    for (size_t i = 0; i < record.n; i++)
        buf_addf(&zone, "\\%03d", (uint8_t)record.p[i]);
    buf_add_str(&zone, "\"\n");
    struct err e;
    struct oracle_zone *z = oracle_zone_new(buf_slice(&zone), &e);
    FUZZ_CHECK(z);
    struct arena arena = {.max = 1 << 20};
    struct spf_query q = {.sender = SLICE("x@a.test"), .ip = {NETADDR_V4, {192, 0, 2, 1}, 0}};
    struct spf_verdict v;
    spf_check(&q, oracle_zone_oracle(z), &arena, &v);
    check_verdict(&v);
    bool broken = slice_search(v.problem, SLICE("record is broken")) < v.problem.n;
    FUZZ_CHECK(!spf_is_record(record) || broken == !spf_record_check(record, &e));
    arena_done(&arena);
    oracle_zone_free(z);
    buf_done(&zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_of(data, size);
    struct spf_query q = {.ip = {NETADDR_V4, {192, 0, 2, 1}, 0}};
    if (fuzz_choose(&text, 2))
        q.ip = (struct netaddr){NETADDR_V6, {0x20, 1, 0xd, 0xb8, [15] = 1}, 0};
    slice_cut(text, '\0', &q.sender, &text);
    slice_cut(text, '\0', &q.helo, &text);
    check_record(text);
    struct err e;
    struct oracle_zone *z = oracle_zone_new(text, &e);
    if (!z)
        return 0;
    struct counting c = {.oracle = {count}, .zone = oracle_zone_oracle(z)};
    struct arena arena = {.max = 1 << 20};
    struct spf_verdict v;
    spf_check(&q, &c.oracle, &arena, &v);
    check_verdict(&v);
    FUZZ_CHECK(c.asked <= QUESTIONS_MAX * 2);
    arena_done(&arena);
    oracle_zone_free(z);
    return 0;
}
