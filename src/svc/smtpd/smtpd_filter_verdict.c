// smtpd_filter_verdict: what an answer of a filter means, or that there is none.
#include "svc/smtpd/smtpd_filter_inside.h"

#include "wire/smtp_reply.h"

#include <stdarg.h>
#include <stdio.h>

void smtpd_filter_say(struct smtpd_filters *f, const struct smtpd_milter *m, const char *format, ...) {
    char words[SMTPD_FILTER_WORDS];
    va_list args;
    if (!f->outside->said)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    f->outside->said(f->arg, m->config, slice_str(words));
}

void smtpd_filter_count(struct smtpd_filters *f, enum metric_label_FILTER result) {
    if (f->outside->counted)
        f->outside->counted(f->arg, result);
}

static void refuse(struct smtpd_filters *f, const struct smtpd_milter *m, int code, const char *enhanced,
                   struct slice text, struct smtpd_filter_verdict *v) {
    *v = (struct smtpd_filter_verdict){.what = SMTPD_FILTER_REFUSE, .filter = m->index, .end = code == 421};
    buf_reset(&f->text);
    buf_add(&f->text, text);
    v->text = buf_slice(&f->text);
    err_smtp(&v->why, code, enhanced, "%.*s", SLICE_ARG(v->text));
}

static void refuse_as(struct smtpd_filters *f, const struct smtpd_milter *m, int code, const char *enhanced,
                      const char *text, struct smtpd_filter_verdict *v) {
    refuse(f, m, code, enhanced, slice_str(text), v);
}

void smtpd_filters_reply(const struct smtpd_filter_verdict *v, struct buf *out) {
    char enhanced[24] = "";
    if (v->why.enhanced[0])
        snprintf(enhanced, sizeof enhanced, "%u.%u.%u", v->why.enhanced[0], v->why.enhanced[1], v->why.enhanced[2]);
    smtp_reply_format(out, v->why.smtp, enhanced, v->text);
}

bool smtpd_filter_failed(struct smtpd_filters *f, struct smtpd_milter *m, const struct err *why,
                         struct smtpd_filter_verdict *v) {
    bool new = m->state != SMTPD_MILTER_FAILED;
    if (new) {
        smtpd_filter_say(f, m, "broke off: %s", why->text);
        smtpd_filter_count(f, METRIC_FILTER_FAILED);
    }
    m->state = SMTPD_MILTER_FAILED;
    m->in_message = false;
    smtpd_milter_close(m);
    if (why->kind == ERR_CANCELLED) {
        refuse_as(f, m, 421, "4.3.2", "the server is stopping, please try again later", v);
        return false;
    }
    switch (m->config->failure) {
    case CONFIG_FILTER_ACCEPT:
        return true;
    case CONFIG_FILTER_QUARANTINE:
        f->out.quarantine = true;
        f->out.reason = arena_printf(&f->arena, "the filter %.*s could not be asked", SLICE_ARG(m->config->name));
        return true;
    case CONFIG_FILTER_REJECT:
        refuse_as(f, m, 550, "5.7.1", "a filter that has to see the message can't be asked", v);
        return false;
    case CONFIG_FILTER_TEMPFAIL:
        break;
    }
    refuse_as(f, m, 451, "4.7.1", "a filter can't be asked now, please try again later", v);
    return false;
}

static bool judge_reply(struct smtpd_filters *f, struct smtpd_milter *m, const struct milter_answer *a,
                        struct smtpd_filter_verdict *v, struct err *e) {
    struct buf text BUF_AUTO = {.max = SMTPD_FILTER_TEXT_MAX};
    struct milter_reply r;
    if (!milter_reply_read(a->value, &r, &text))
        return err_set(e, ERR_TEMPORARY, "the reply that it gives is none");
    refuse(f, m, r.code, r.enhanced[0] ? r.enhanced : r.code < 500 ? "4.7.1" : "5.7.1", buf_slice(&text), v);
    return true;
}

// What to say of a refusal; cut so that nobody's log is flooded.
static void say_refusal(struct smtpd_filters *f, const struct smtpd_milter *m, const struct smtpd_filter_verdict *v) {
    smtpd_filter_say(f, m, "%s: %d %u.%u.%u %s", v->why.smtp < 500 ? "tempfail" : "reject", v->why.smtp,
                     v->why.enhanced[0], v->why.enhanced[1], v->why.enhanced[2], v->why.text);
}

bool smtpd_filter_judge(struct smtpd_filters *f, struct smtpd_milter *m, const struct milter_answer *a,
                        struct smtpd_filter_verdict *v, struct err *e) {
    *v = (struct smtpd_filter_verdict){.filter = m->index};
    switch (a->kind) {
    case MILTER_CONTINUE:
        return true;
    case MILTER_ACCEPT:
        m->done = true;
        smtpd_filter_count(f, METRIC_FILTER_ACCEPT);
        return true;
    case MILTER_DISCARD:
        smtpd_filter_count(f, METRIC_FILTER_DISCARD);
        v->what = SMTPD_FILTER_DISCARD;
        smtpd_filter_say(f, m, "discard");
        return true;
    case MILTER_REJECT:
        refuse_as(f, m, 550, "5.7.1", "refused by a filter", v);
        break;
    case MILTER_TEMPFAIL:
        refuse_as(f, m, 451, "4.7.1", "a filter asks to try again later", v);
        break;
    case MILTER_CONNECTION_FAILS:
    case MILTER_SHUTDOWN:
        refuse_as(f, m, 421, "4.7.0", "the connection is refused by a filter", v);
        break;
    case MILTER_REPLY:
        if (!judge_reply(f, m, a, v, e))
            return false;
        break;
    default:
        return err_set(e, ERR_TEMPORARY, "an answer that may not come here ('%c')", (char)a->kind);
    }
    smtpd_filter_count(f, v->why.smtp < 500 ? METRIC_FILTER_TEMPFAIL : METRIC_FILTER_REJECT);
    say_refusal(f, m, v);
    return true;
}
