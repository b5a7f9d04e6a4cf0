// gate_tape: an oracle that hands questions on and keeps them with their answers, for records.
#include "core/gate_inside.h"

enum { QUESTION_MAX = 300, ANSWER_MAX = 300, TAPED_CLIENT_MAX = 40 };

static bool was_taped(const struct gate_span *s, struct slice question) {
    for (const struct gate_taped *t = s->tape; t; t = t->older)
        if (slice_eq(slice_of(t->bytes, t->question_n), question))
            return true;
    return false;
}

static void write_record(struct buf *b, enum oracle_type type, const struct oracle_record *r) {
    if (type == ORACLE_A || type == ORACLE_AAAA)
        netaddr_add_ip(b, &r->ip);
    else if (type == ORACLE_MX)
        buf_addf(b, "%u %.*s", r->preference, SLICE_ARG(r->text.n ? r->text : SLICE(".")));
    else
        buf_add(b, r->text);
}

// "OK 10 mx.example.org | 20 mx2.example.org": cut where it is too long.
static void write_answer(struct buf *b, enum oracle_type type, const struct oracle_answer *a) {
    buf_add_str(b, oracle_status_name(a->status));
    for (size_t i = 0; a->status == ORACLE_OK && i < a->n && b->n <= ANSWER_MAX; i++) {
        buf_add_str(b, i ? " | " : " ");
        write_record(b, type, &a->records[i]);
    }
    if (a->why.n && a->status != ORACLE_OK) {
        buf_add_char(b, ' ');
        buf_add(b, a->why);
    }
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
    char place[QUESTION_MAX];
    struct buf question = {.p = place, .cap = sizeof place, .max = sizeof place};
    BUF_AUTO struct buf answer = {.max = 128 * 1024};
    buf_addf(&question, "%s ", oracle_type_name(q->type));
    buf_add(&question, slice_upto(q->name, QUESTION_MAX - 8));
    if (was_taped(s, buf_slice(&question)))
        return;
    write_answer(&answer, q->type, a);
    keep(s, buf_slice(&question), slice_upto(buf_slice(&answer), ANSWER_MAX));
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
