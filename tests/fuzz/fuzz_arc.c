// fuzz_arc: any header as an Authenticated Received Chain, cut anywhere; and a set sealed on top of it, which the chain
// must be able to carry wherever it held before.
#include "fuzz.h"

#include "mail/arc/arc.h"
#include "mail/arc/arc_seal.h"
#include "mail/header/header.h"

enum { ROOM = 8 << 20 };

static void ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                struct oracle_answer *answers) {
    static struct oracle_record records[] = {
        {.text = {"p=", 2}}, {.text = {"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", 58}}};
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_OK, .records = records, .n = 2};
}

static void run(struct slice message, size_t piece, struct arena *arena, struct arc_verify *v) {
    struct oracle oracle = {.ask = ask};
    struct slice header = header_section(message), body = slice_from(message, header.n + 2);
    FUZZ_CHECK(arc_verify_begin(v, header, (struct wall){INT64_C(1518460054000)}, arena));
    for (; body.n; body = slice_from(body, piece))
        arc_verify_body(v, slice_upto(body, piece));
    arc_verify_end(v, &oracle, arena);
    arc_verify_done(v);
}

static void seal(struct slice header, const struct arc_verdict *before, struct arena *arena) {
    BUF_AUTO struct buf out = {.max = ROOM};
    struct arc_seal_by by = {SLICE("example.org"), SLICE("s"), true, SLICE_EMPTY, 0};
    uint8_t hash[DIGEST_SHA256_SIZE] = {0};
    struct slice signature = slice_of(hash, sizeof hash);
    struct arc_sets sets;
    struct arc_seal s;
    struct err e;
    bool broken;
    if (!arc_seal_begin(&s, &by, before, header, SLICE("mx.example.org; none"), (struct wall){0}, DKIM_RELAXED, hash,
                        arena, &e))
        return;
    FUZZ_CHECK(arc_seal_message(&s, signature, arena));
    size_t room = arc_seal_room(&s, signature.n);
    FUZZ_CHECK(arc_seal_finish(&s, signature, &out) && out.n <= room);
    arc_seal_done(&s);
    buf_add(&out, header);
    FUZZ_CHECK(arc_sets_read(buf_slice(&out), (struct wall){INT64_C(1518460054000)}, arena, &sets, &broken, &e));
    FUZZ_CHECK(before->result == ARC_FAIL || (!broken && sets.n == before->instance + 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct slice in = slice_of(data, size);
    struct arc_verify whole, cut;
    size_t piece = 1 + fuzz_choose(&in, 40);
    run(in, SIZE_MAX, &arena, &whole);
    run(in, piece, &arena, &cut);
    FUZZ_CHECK(whole.verdict.result == cut.verdict.result && whole.verdict.instance <= ARC_SETS_MAX);
    FUZZ_CHECK((whole.verdict.why.n != 0) == (whole.verdict.result == ARC_FAIL));
    FUZZ_CHECK(whole.verdict.sealers_n <= whole.verdict.instance);
    FUZZ_CHECK(whole.verdict.result == ARC_FAIL || whole.verdict.sealers_n == whole.verdict.instance);
    seal(header_section(in), &whole.verdict, &arena);
    return 0;
}
