// smtpd_filter: the envelope. Each filter is asked in its turn until one refuses or discards.
#include "svc/smtpd/smtpd_filter_inside.h"

#include "base/mem.h"

#include <stdlib.h>

enum { HELO_MAX = 1024, ARENA_MAX = 4 * 1024 * 1024 };

// --- making

static bool is_for(const struct config_filter *f, enum role role) {
    return f->kind == CONFIG_FILTER_MILTER && (role == ROLE_SUBMISSION ? f->submission : f->mx);
}

static size_t count(const struct config *c, enum role role) {
    size_t n = 0;
    for (size_t i = 0; i < c->gate.filters_n; i++)
        n += is_for(&c->gate.filters[i], role);
    return n;
}

bool smtpd_filters_wanted(const struct config *c, enum role role) { return count(c, role) > 0; }

struct smtpd_filters *smtpd_filters_new(const struct config *c, enum role role,
                                        const struct smtpd_filter_outside *outside, void *arg) {
    size_t n = count(c, role);
    if (n == 0)
        return NULL;
    struct smtpd_filters *f = MEM_NEW(struct smtpd_filters);
    *f = (struct smtpd_filters){.config = c,
                                .outside = outside,
                                .arg = arg,
                                .submission = role == ROLE_SUBMISSION,
                                .list = mem_new(n, sizeof *f->list),
                                .text = {.max = SMTPD_FILTER_TEXT_MAX},
                                .helo = {.max = HELO_MAX},
                                .arena = {.max = ARENA_MAX + (size_t)4 * c->limits.header_size},
                                .header = {.max = (size_t)2 * c->limits.header_size + 4096},
                                .chunk = {.max = MILTER_CHUNK}};
    list_init(&f->body.pieces);
    list_init(&f->fresh.pieces);
    for (size_t i = 0; i < c->gate.filters_n; i++)
        if (is_for(&c->gate.filters[i], role))
            f->list[f->n++] = (struct smtpd_milter){
                .config = &c->gate.filters[i], .index = i, .refusal_text = {.max = SMTPD_FILTER_TEXT_MAX}};
    return f;
}

static void forget_message(struct smtpd_filters *f) {
    smtpd_filter_spool_done(f, &f->body);
    smtpd_filter_spool_done(f, &f->fresh);
    buf_trim(&f->header);
    buf_trim(&f->chunk);
    if (f->gathers && f->outside->hold)
        f->outside->hold(f->arg, -(int64_t)MILTER_CHUNK);
    f->gathers = false;
    arena_reset(&f->arena);
    f->sender = f->params = f->recipient = SLICE_EMPTY;
    f->facts = (struct smtpd_filter_facts){0};
    f->recipients = f->top = 0;
    f->begun = f->decided = false;
    f->verdict = (struct smtpd_filter_verdict){0};
    f->out = (struct smtpd_filtered){0};
    f->next_piece = NULL;
    for (size_t i = 0; i < f->n; i++)
        f->list[i].done = f->list[i].skip_body = false;
}

void smtpd_filters_free(struct smtpd_filters *f) {
    if (!f)
        return;
    forget_message(f);
    for (size_t i = 0; i < f->n; i++) {
        smtpd_milter_close(&f->list[i]);
        buf_done(&f->list[i].refusal_text);
    }
    arena_done(&f->arena);
    buf_done(&f->header);
    buf_done(&f->chunk);
    buf_done(&f->helo);
    buf_done(&f->text);
    free(f->list);
    free(f);
}

// --- asking

// What was put into m->out is sent; `v` says what comes of it. `quiet`: no answer comes.
static FIBER_FN bool ask(struct smtpd_filters *f, struct smtpd_milter *m, bool quiet, struct smtpd_filter_verdict *v,
                         struct err *e) {
    struct milter_answer a;
    *v = (struct smtpd_filter_verdict){.filter = m->index};
    if (quiet)
        return smtpd_milter_send(m, false, e);
    return smtpd_milter_answer(m, m->config->reply, &a, e) && smtpd_filter_judge(f, m, &a, v, e);
}

static FIBER_FN bool tell_connect(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_verdict *v,
                                  struct err *e) {
    const struct smtpd_filter_facts *facts = &f->facts;
    m->told_connect = true;
    if (smtpd_milter_is(m, MILTER_NO_CONNECT))
        return true;
    struct buf literal BUF_AUTO = {.max = 64};
    if (facts->client.family == NETADDR_NONE)
        buf_add_str(&literal, "unknown");
    else
        netaddr_add_literal(&literal, &facts->client);
    smtpd_filter_macros(f, m, MILTER_STAGE_CONNECT, MILTER_CONNECT, NULL);
    milter_put_connect(&m->out, facts->name.n ? facts->name : buf_slice(&literal), &facts->client);
    return ask(f, m, smtpd_milter_is(m, MILTER_NR_CONNECT), v, e);
}

static FIBER_FN bool tell_helo(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_verdict *v,
                               struct err *e) {
    m->told_helo = true;
    if (smtpd_milter_is(m, MILTER_NO_HELO))
        return true;
    smtpd_filter_macros(f, m, MILTER_STAGE_HELO, MILTER_HELO, NULL);
    milter_put_text(&m->out, MILTER_HELO, buf_slice(&f->helo));
    return ask(f, m, smtpd_milter_is(m, MILTER_NR_HELO), v, e);
}

static void keep_refusal(struct smtpd_milter *m, const struct smtpd_filter_verdict *v) {
    m->refusal = *v;
    buf_reset(&m->refusal_text);
    buf_add(&m->refusal_text, v->text);
    m->refusal.text = buf_slice(&m->refusal_text);
}

// CONNECT and HELO, where they weren't told or aren't true any more. An answer to them holds for what follows.
static FIBER_FN bool introduce(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_verdict *v,
                               struct err *e) {
    *v = (struct smtpd_filter_verdict){0};
    if (m->state == SMTPD_MILTER_FRESH && !smtpd_milter_open(f, m, e))
        return false;
    if (!m->told_connect && !tell_connect(f, m, v, e))
        return false;
    if (v->what == SMTPD_FILTER_GO_ON && !m->done && !m->told_helo && !tell_helo(f, m, v, e))
        return false;
    if (m->done) {
        smtpd_milter_close(m);
        m->state = SMTPD_MILTER_OVER;
    }
    if (v->what != SMTPD_FILTER_GO_ON)
        keep_refusal(m, v);
    return true;
}

static FIBER_FN bool tell_mail(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_verdict *v,
                               struct err *e) {
    m->in_message = true;
    if (smtpd_milter_is(m, MILTER_NO_MAIL))
        return true;
    smtpd_filter_macros(f, m, MILTER_STAGE_MAIL, MILTER_MAIL, NULL);
    milter_put_path(&m->out, MILTER_MAIL, f->sender, f->params);
    return ask(f, m, smtpd_milter_is(m, MILTER_NR_MAIL), v, e);
}

static FIBER_FN bool introduce_and_tell_mail(struct smtpd_filters *f, struct smtpd_milter *m,
                                             struct smtpd_filter_verdict *v, struct err *e) {
    if (m->refusal.what != SMTPD_FILTER_GO_ON) {
        *v = m->refusal;
        return true;
    }
    if (!introduce(f, m, v, e))
        return false;
    return v->what != SMTPD_FILTER_GO_ON || m->state != SMTPD_MILTER_OPEN || tell_mail(f, m, v, e);
}

static FIBER_FN bool tell_recipient(struct smtpd_filters *f, struct smtpd_milter *m, const struct err *refused,
                                    struct smtpd_filter_verdict *v, struct err *e) {
    if (smtpd_milter_is(m, MILTER_NO_RCPT))
        return true;
    smtpd_filter_macros(f, m, MILTER_STAGE_RCPT, MILTER_RCPT, refused);
    milter_put_path(&m->out, MILTER_RCPT, f->recipient, f->params);
    return ask(f, m, smtpd_milter_is(m, MILTER_NR_RCPT), v, e);
}

static FIBER_FN bool tell_data(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_verdict *v,
                               struct err *e) {
    if (smtpd_milter_is(m, MILTER_NO_DATA))
        return true;
    smtpd_filter_macros(f, m, MILTER_STAGE_DATA, MILTER_DATA, NULL);
    milter_put(&m->out, MILTER_DATA, SLICE_EMPTY);
    return ask(f, m, smtpd_milter_is(m, MILTER_NR_DATA), v, e);
}

// After a refusal or a wish to discard nobody is told more.
static bool goes_on(struct smtpd_filters *f, struct smtpd_milter *m, bool told, const struct err *e,
                    struct smtpd_filter_verdict *v) {
    if (!told && smtpd_filter_failed(f, m, e, v))
        v->what = SMTPD_FILTER_GO_ON;
    if (m->done)
        m->in_message = false;
    return v->what == SMTPD_FILTER_GO_ON;
}

static bool listens(const struct smtpd_milter *m) { return m->state == SMTPD_MILTER_OPEN && !m->done; }

// --- the calls

// Who is there, or what he calls himself, isn't what the filters were told.
static void notice_changes(struct smtpd_filters *f) {
    f->outside->facts(f->arg, &f->facts);
    const struct smtpd_filter_facts *facts = &f->facts;
    bool other = f->client.family != NETADDR_NONE && !netaddr_same_ip(&f->client, &facts->client);
    bool helo = !slice_eq(buf_slice(&f->helo), facts->helo) || f->tls != (facts->tls_version.n > 0);
    for (size_t i = 0; i < f->n; i++) {
        struct smtpd_milter *m = &f->list[i];
        if (other && m->state != SMTPD_MILTER_FAILED) {
            smtpd_milter_close(m);
            *m = (struct smtpd_milter){.config = m->config, .index = m->index, .refusal_text = m->refusal_text};
        }
        if (helo && m->told_helo) {
            m->told_helo = false;
            m->refusal = (struct smtpd_filter_verdict){0};
        }
    }
    f->client = facts->client;
    f->tls = facts->tls_version.n > 0;
    buf_reset(&f->helo);
    buf_add(&f->helo, slice_upto(facts->helo, HELO_MAX));
}

static struct slice path_of(struct smtpd_filters *f, struct slice mailbox) {
    return arena_printf(&f->arena, "<%.*s>", SLICE_ARG(mailbox));
}

void smtpd_filters_mail(struct smtpd_filters *f, struct slice mailbox, struct slice params,
                        struct smtpd_filter_verdict *v) {
    *v = (struct smtpd_filter_verdict){0};
    smtpd_filters_abort(f);
    notice_changes(f);
    f->sender = path_of(f, mailbox);
    f->params = arena_dup(&f->arena, params);
    for (size_t i = 0; i < f->n; i++) {
        struct smtpd_milter *m = &f->list[i];
        struct err e = {.text = "it broke off before"};
        bool told =
            m->state != SMTPD_MILTER_FAILED && (m->state == SMTPD_MILTER_OVER || introduce_and_tell_mail(f, m, v, &e));
        if (!goes_on(f, m, told, &e, v))
            return;
    }
}

void smtpd_filters_rcpt(struct smtpd_filters *f, struct slice mailbox, struct slice params,
                        struct smtpd_filter_verdict *v) {
    *v = (struct smtpd_filter_verdict){0};
    f->recipient = path_of(f, mailbox);
    f->params = params;
    for (size_t i = 0; i < f->n; i++) {
        struct smtpd_milter *m = &f->list[i];
        struct err e;
        if (listens(m) && !goes_on(f, m, tell_recipient(f, m, NULL, v, &e), &e, v))
            return;
    }
    f->recipients++;
}

void smtpd_filters_rcpt_refused(struct smtpd_filters *f, struct slice mailbox, const struct err *why) {
    f->recipient = path_of(f, mailbox);
    f->params = SLICE_EMPTY;
    for (size_t i = 0; i < f->n; i++) {
        struct smtpd_milter *m = &f->list[i];
        struct smtpd_filter_verdict v = {0};
        struct err e;
        if (listens(m) && smtpd_milter_is(m, MILTER_REJECTED_RCPT) && !tell_recipient(f, m, why, &v, &e))
            smtpd_filter_failed(f, m, &e, &v);
    }
}

void smtpd_filters_data(struct smtpd_filters *f, struct smtpd_filter_verdict *v) {
    *v = (struct smtpd_filter_verdict){0};
    for (size_t i = 0; i < f->n; i++) {
        struct smtpd_milter *m = &f->list[i];
        struct err e;
        if (listens(m) && !goes_on(f, m, tell_data(f, m, v, &e), &e, v))
            return;
    }
}

void smtpd_filters_unknown(struct smtpd_filters *f, struct slice line, struct smtpd_filter_verdict *v) {
    *v = (struct smtpd_filter_verdict){0};
    for (size_t i = 0; i < f->n; i++) {
        struct smtpd_milter *m = &f->list[i];
        struct err e;
        if (!listens(m) || smtpd_milter_is(m, MILTER_NO_UNKNOWN))
            continue;
        milter_put_text(&m->out, MILTER_UNKNOWN, line);
        if (!ask(f, m, smtpd_milter_is(m, MILTER_NR_UNKNOWN), v, &e)) {
            smtpd_filter_failed(f, m, &e, v);
            *v = (struct smtpd_filter_verdict){0}; // it is refused anyway; what comes next meets the failure
        } else if (!goes_on(f, m, true, NULL, v)) {
            return;
        }
    }
}

void smtpd_filters_abort(struct smtpd_filters *f) {
    for (size_t i = 0; i < f->n; i++) {
        struct smtpd_milter *m = &f->list[i];
        if (m->in_message && m->state == SMTPD_MILTER_OPEN)
            milter_put(&m->out, MILTER_ABORT, SLICE_EMPTY);
        if (m->transport)
            smtpd_milter_try_send(m);
        m->in_message = false;
    }
    forget_message(f);
}
