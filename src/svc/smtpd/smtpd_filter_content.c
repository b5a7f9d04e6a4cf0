// smtpd_filter_content: header and body to the first filter as they come, to the others when it is their turn.
#include "svc/smtpd/smtpd_filter_inside.h"

#include "mail/header/header.h"

static bool listens(const struct smtpd_milter *m) { return m->state == SMTPD_MILTER_OPEN && !m->done; }

static bool wants_body(const struct smtpd_milter *m) { return listens(m) && !smtpd_milter_is(m, MILTER_NO_BODY); }

static void decide(struct smtpd_filters *f, const struct smtpd_filter_verdict *v) {
    if (f->decided || v->what == SMTPD_FILTER_GO_ON)
        return;
    f->decided = true;
    f->verdict = *v;
}

// What the house refuses by itself while content is held for filters.
static void decide_as(struct smtpd_filters *f, const struct err *why) {
    struct smtpd_filter_verdict v = {.what = SMTPD_FILTER_REFUSE, .why = *why};
    buf_reset(&f->text);
    buf_add_str(&f->text, why->text);
    v.text = buf_slice(&f->text);
    decide(f, &v);
}

static void fail(struct smtpd_filters *f, struct smtpd_milter *m, const struct err *why) {
    struct smtpd_filter_verdict v = {0};
    smtpd_filter_spool_done(f, &f->fresh);
    if (!smtpd_filter_failed(f, m, why, &v))
        decide(f, &v);
}

// One step whose answer can only be a verdict. False: nothing more of this message for this filter.
static FIBER_FN bool step(struct smtpd_filters *f, struct smtpd_milter *m, enum milter_command of, bool quiet) {
    struct smtpd_filter_verdict v;
    struct milter_answer a;
    struct err e;
    if (quiet && smtpd_milter_send(m, false, &e))
        return true;
    if (quiet || !smtpd_milter_answer(m, m->config->reply, &a, &e)) {
        fail(f, m, &e);
        return false;
    }
    if (a.kind == MILTER_SKIPS && of == MILTER_BODY && smtpd_milter_is(m, MILTER_SKIP)) {
        m->skip_body = true;
        return true;
    }
    if (!smtpd_filter_judge(f, m, &a, &v, &e)) {
        fail(f, m, &e);
        return false;
    }
    if (m->done)
        m->in_message = false;
    decide(f, &v);
    return !f->decided && !m->done;
}

// --- what is told

static FIBER_FN bool tell_fields(struct smtpd_filters *f, struct smtpd_milter *m) {
    struct slice rest = buf_slice(&f->header);
    struct header_field field;
    bool quiet = smtpd_milter_is(m, MILTER_NR_HEADER), space = smtpd_milter_is(m, MILTER_LEADING_SPACE);
    while (header_next(&rest, &field)) {
        milter_put_header(&m->out, field.name, field.value, space);
        if (!step(f, m, MILTER_HEADER, quiet))
            return false;
    }
    return true;
}

static FIBER_FN bool tell_header(struct smtpd_filters *f, struct smtpd_milter *m) {
    m->skip_body = false;
    if (!smtpd_milter_is(m, MILTER_NO_HEADERS) && !tell_fields(f, m))
        return false;
    if (smtpd_milter_is(m, MILTER_NO_EOH))
        return true;
    smtpd_filter_macros(f, m, MILTER_STAGE_EOH, MILTER_EOH, NULL);
    milter_put(&m->out, MILTER_EOH, SLICE_EMPTY);
    return step(f, m, MILTER_EOH, smtpd_milter_is(m, MILTER_NR_EOH));
}

static FIBER_FN bool tell_body(struct smtpd_filters *f, struct smtpd_milter *m, struct slice bytes) {
    while (bytes.n && !m->skip_body && !smtpd_milter_is(m, MILTER_NO_BODY)) {
        milter_put(&m->out, MILTER_BODY, slice_upto(bytes, MILTER_CHUNK));
        if (!step(f, m, MILTER_BODY, smtpd_milter_is(m, MILTER_NR_BODY)))
            return false;
        bytes = slice_from(bytes, MILTER_CHUNK);
    }
    return true;
}

// What is left of a chunk.
static FIBER_FN void tell_chunk(struct smtpd_filters *f, struct smtpd_milter *m) {
    if (listens(m))
        tell_body(f, m, buf_slice(&f->chunk));
    buf_reset(&f->chunk);
}

// Where nothing more may be held, pieces are told as they come.
static bool may_gather(struct smtpd_filters *f) {
    if (!f->gathers)
        f->gathers = !f->outside->hold || f->outside->hold(f->arg, MILTER_CHUNK);
    return f->gathers;
}

// Bodies come in small pieces, and each that is told costs an answer: they are gathered until a chunk is full.
static FIBER_FN void gather(struct smtpd_filters *f, struct smtpd_milter *m, struct slice piece) {
    while (piece.n && !f->decided && wants_body(m) && !m->skip_body) {
        struct slice part = slice_upto(piece, MILTER_CHUNK - f->chunk.n);
        if ((f->chunk.n == 0 && part.n == MILTER_CHUNK) || !may_gather(f))
            tell_body(f, m, part);
        else if (buf_add(&f->chunk, part) && f->chunk.n == MILTER_CHUNK)
            tell_chunk(f, m);
        if (f->chunk.failed) { // no memory to gather in
            tell_chunk(f, m);
            tell_body(f, m, part);
        }
        piece = slice_from(piece, part.n);
    }
}

// Content that came before its turn. A spool doesn't change while its filter is asked.
static FIBER_FN bool tell_held(struct smtpd_filters *f, struct smtpd_milter *m) {
    if (!tell_header(f, m))
        return false;
    LIST_EACH(at, &f->body.pieces) {
        const struct smtpd_filter_piece *p = LIST_ENTRY(at, struct smtpd_filter_piece, entry);
        if (!tell_body(f, m, slice_of(p->bytes, p->n)))
            return false;
    }
    return true;
}

// --- the end

static bool is_change(const struct milter_answer *a) {
    uint32_t action;
    return milter_answer_changes(a, &action);
}

// Changes until the verdict. An answer that refuses or discards makes them idle.
static FIBER_FN bool read_changes(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_changes *c,
                                  struct smtpd_filter_verdict *v, struct err *e) {
    struct milter_answer a;
    do {
        if (!smtpd_milter_answer(m, m->config->content, &a, e))
            return false;
        if (is_change(&a) && !smtpd_filter_changes_add(f, c, &a, e))
            return false;
    } while (is_change(&a));
    return smtpd_filter_judge(f, m, &a, v, e);
}

static void end_as(struct smtpd_filters *f, const struct smtpd_milter *m, const struct smtpd_filter_verdict *v) {
    if (v->what == SMTPD_FILTER_GO_ON && !m->done)
        smtpd_filter_count(f, METRIC_FILTER_CONTINUE);
    decide(f, v);
}

// All that it wants, or nothing.
static FIBER_FN void end_filter(struct smtpd_filters *f, struct smtpd_milter *m) {
    struct smtpd_filter_changes changes;
    struct smtpd_filter_verdict v;
    struct err e;
    smtpd_filter_changes_begin(&changes);
    smtpd_filter_macros(f, m, MILTER_STAGE_EOM, MILTER_EOB, NULL);
    milter_put(&m->out, MILTER_EOB, SLICE_EMPTY);
    struct mono begun = loop_now(fiber_loop());
    bool ended = read_changes(f, m, &changes, &v, &e);
    if (f->outside->ended)
        f->outside->ended(f->arg, loop_now(fiber_loop()).ns - begun.ns);
    m->in_message = m->in_message && !ended;
    if (!ended || (v.what == SMTPD_FILTER_GO_ON && !smtpd_filter_changes_do(f, m, &changes, &e)))
        fail(f, m, &e);
    else
        end_as(f, m, &v);
    smtpd_filter_spool_done(f, &f->fresh);
}

static void end_with(struct smtpd_filters *f, struct smtpd_filtered *out) {
    f->out.verdict = f->verdict;
    if (f->out.header_changed) {
        f->out.header = buf_slice(&f->header);
        f->out.top = f->top;
    }
    f->out.body_size = f->out.body_changed ? f->body.size : 0;
    f->next_piece = f->body.pieces.next;
    *out = f->out;
}

// --- the calls

bool smtpd_filters_header(struct smtpd_filters *f, struct slice section) {
    struct err e;
    f->begun = true;
    f->current = f->n;
    if (!buf_add(&f->header, section)) {
        err_smtp(&e, 552, "5.3.4", "the header is too large");
        decide_as(f, &e);
        return false;
    }
    for (size_t i = 0; i < f->n && f->current == f->n; i++)
        if (listens(&f->list[i]))
            f->current = i;
    if (f->current < f->n)
        tell_header(f, &f->list[f->current]);
    return !f->decided;
}

static bool others_want_body(const struct smtpd_filters *f) {
    for (size_t i = f->current + 1; i < f->n; i++)
        if (wants_body(&f->list[i]))
            return true;
    return false;
}

bool smtpd_filters_body(struct smtpd_filters *f, struct slice piece) {
    struct err e;
    if (f->decided)
        return false;
    if (others_want_body(f) && !smtpd_filter_spool_add(f, &f->body, piece, &e))
        decide_as(f, &e);
    if (f->current < f->n)
        gather(f, &f->list[f->current], piece);
    return !f->decided;
}

void smtpd_filters_end(struct smtpd_filters *f, struct smtpd_filtered *out) {
    if (!f->begun)
        smtpd_filters_header(f, SLICE_EMPTY);
    if (f->current < f->n && !f->decided)
        tell_chunk(f, &f->list[f->current]);
    for (size_t i = f->current; i < f->n && !f->decided; i++) {
        struct smtpd_milter *m = &f->list[i];
        if (listens(m) && (i == f->current || tell_held(f, m)) && listens(m))
            end_filter(f, m);
    }
    end_with(f, out);
}

bool smtpd_filters_piece(struct smtpd_filters *f, struct slice *out) {
    if (!f->next_piece || f->next_piece == &f->body.pieces)
        return false;
    const struct smtpd_filter_piece *p = LIST_ENTRY(f->next_piece, struct smtpd_filter_piece, entry);
    *out = slice_of(p->bytes, p->n);
    f->next_piece = f->next_piece->next;
    return true;
}
