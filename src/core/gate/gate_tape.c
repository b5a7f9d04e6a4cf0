// gate_tape: an oracle that hands questions on and keeps them with their answers, for records.
#include "core/gate/gate_inside.h"

#include "core/gate/dns_words.h"

enum { TAPED_CLIENT_MAX = 40 };

static bool was_taped(const struct gate_span *s, struct slice question) {
    for (const struct gate_taped *t = s->tape; t; t = t->older)
        if (slice_eq(slice_of(t->bytes, t->question_n), question))
            return true;
    return false;
}

static void keep(struct gate_span *s, struct slice question, struct slice answer) {
    struct gate_taped *t = arena_alloc(&s->arena, sizeof *t + question.n + answer.n);
    if (!t)
        return;
    t->older = s->tape;
    t->question_n = (uint16_t)question.n;
    t->answer_n = (uint16_t)answer.n;
    memcpy(t->bytes, question.p, question.n);
    memcpy(t->bytes + question.n, answer.p, answer.n);
    s->tape = t;
    s->taped_n++;
}

static void tape(struct gate_span *s, const struct oracle_question *q, const struct oracle_answer *a) {
    char asked[DNS_WORDS_MAX], told[DNS_WORDS_MAX];
    struct buf question = {.p = asked, .cap = sizeof asked, .max = sizeof asked};
    struct buf answer = {.p = told, .cap = sizeof told, .max = sizeof told};
    dns_words_question(&question, q);
    if (was_taped(s, buf_slice(&question)))
        return;
    dns_words_answer(&answer, q->type, a);
    keep(s, buf_slice(&question), buf_slice(&answer));
}

void gate_tape_ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                   struct oracle_answer *answers) {
    struct gate *g = LIST_ENTRY(o, struct gate, oracle);
    struct gate_span *s = gate_span_of(g, g->stage);
    size_t most = s == &g->mail ? RECORD_LIST_MAX : TAPED_CLIENT_MAX;
    g->real->ask(g->real, questions, n, arena, answers);
    for (size_t i = 0; i < n && s->taped_n < most; i++)
        tape(s, &questions[i], &answers[i]);
}
