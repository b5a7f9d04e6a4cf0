// fuzz_dkim_verify: any message with its signatures, cut anywhere, against keys that are there, absent, slow or
// whatever the input says; cutting changes nothing.
#include "fuzz.h"

#include "mail/dkim/dkim_verify.h"
#include "mail/header/header.h"

enum { ROOM = 4 << 20, WHY = 200 };

// Answers every question in the way that the input begins with, or with a record from it.
struct fake {
    struct oracle oracle;
    struct slice record;
    unsigned status;
};

static void ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                struct oracle_answer *answers) {
    struct fake *f = (struct fake *)o;
    for (size_t i = 0; i < n; i++) {
        answers[i] = (struct oracle_answer){.status = (enum oracle_status)f->status};
        if (f->status != ORACLE_OK)
            continue;
        answers[i].records = arena_alloc(arena, 2 * sizeof *answers[i].records);
        answers[i].n = answers[i].records ? 2 : 0;
        if (answers[i].n) {
            answers[i].records[0].text = f->record;
            answers[i].records[1].text = SLICE("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        }
    }
}

static void run(struct slice message, size_t piece, struct fake *f, struct arena *arena, struct dkim_verify *v) {
    struct slice header = header_section(message), body = slice_from(message, header.n);
    if (!dkim_verify_begin(v, header, (struct wall){INT64_C(1518460054000)}, arena)) {
        FUZZ_CHECK(false);
        return;
    }
    if (slice_starts(body, SLICE("\r\n")))
        body = slice_from(body, 2);
    for (; body.n; body = slice_from(body, piece))
        dkim_verify_body(v, slice_upto(body, piece));
    dkim_verify_end(v, &f->oracle, arena);
    dkim_verify_done(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct slice in = slice_of(data, size);
    struct dkim_verify whole, cut;
    struct fake f = {.oracle.ask = ask};
    struct err e;
    f.status = fuzz_choose(&in, ORACLE_TIMEOUT + 1);
    size_t piece = 1 + fuzz_choose(&in, 40);
    slice_cut(in, '\n', &f.record, &in);
    run(in, SIZE_MAX, &f, &arena, &whole);
    run(in, piece, &f, &arena, &cut);
    FUZZ_CHECK(whole.n <= DKIM_VERIFY_SIGNATURES && whole.n == cut.n && whole.ignored == cut.ignored);
    for (size_t i = 0; i < whole.n; i++) {
        FUZZ_CHECK(whole.list[i].result == cut.list[i].result && whole.list[i].result != DKIM_NONE);
        FUZZ_CHECK((whole.list[i].why.n == 0) == (whole.list[i].result == DKIM_PASS));
        FUZZ_CHECK(whole.list[i].result != DKIM_PASS || (whole.list[i].domain.n && whole.list[i].bits));
    }
    if (dkim_signature_check(in, &e))
        FUZZ_CHECK(in.n > 0);
    return 0;
}
