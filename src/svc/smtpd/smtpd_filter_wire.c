// smtpd_filter_wire: a connection to a filter: packets out, answers in, and what was agreed upon.
#include "svc/smtpd/smtpd_filter_inside.h"

#include "rt/fiber/loop.h"

enum {
    READ_AT_ONCE = 4096,
    OUT_HIGH = 64 * 1024, // bytes that are sent though nothing is waited for
    OUT_MAX = 1024 * 1024,
    WISHES_MAX = 16 * 1024,
};

// --- sending

bool smtpd_milter_send(struct smtpd_milter *m, bool now, struct err *e) {
    if (m->out.failed)
        return err_set(e, ERR_TEMPORARY, "out of memory for a filter");
    if (m->out.n == 0 || (!now && m->out.n < OUT_HIGH))
        return true;
    struct mono deadline = loop_in_ms(fiber_loop(), m->config->reply);
    if (!transport_write_all(m->transport, buf_slice(&m->out), deadline, e))
        return false;
    if (m->out.cap > OUT_HIGH)
        buf_trim(&m->out);
    else
        buf_reset(&m->out);
    return true;
}

void smtpd_milter_try_send(struct smtpd_milter *m) {
    size_t put = 0;
    if (m->out.n && m->transport->ops->write(m->transport, buf_slice(&m->out), &put, NULL) == TRANSPORT_SOME)
        buf_drop(&m->out, put);
}

// --- reading

static FIBER_FN bool read_some(struct smtpd_milter *m, size_t want, struct mono deadline, struct err *e) {
    size_t got, room = want > READ_AT_ONCE ? want : READ_AT_ONCE;
    char *to = buf_reserve(&m->in, room);
    if (!to)
        return err_set(e, ERR_TEMPORARY, "out of memory for a filter");
    if (!transport_read_some(m->transport, to, room, deadline, &got, e))
        return false;
    buf_commit(&m->in, got);
    return true;
}

// An idle connection holds no buffer.
static void forget_used(struct smtpd_milter *m) {
    buf_drop(&m->in, m->in_used);
    m->in_used = 0;
    if (m->in.n == 0)
        buf_trim(&m->in);
}

static FIBER_FN bool next_packet(struct smtpd_milter *m, struct mono deadline, struct milter_answer *out,
                                 struct err *e) {
    size_t used;
    forget_used(m);
    for (;;)
        switch (milter_take(buf_slice(&m->in), out, &used)) {
        case MILTER_WHOLE:
            m->in_used = used;
            return true;
        case MILTER_BAD:
            return err_set(e, ERR_TEMPORARY, "what it says is no milter protocol");
        case MILTER_MORE:
            if (!read_some(m, used - m->in.n, deadline, e))
                return false;
        }
}

bool smtpd_milter_answer(struct smtpd_milter *m, int64_t ms, struct milter_answer *out, struct err *e) {
    int64_t most = ms > SMTPD_FILTER_PROGRESS_MS ? ms : SMTPD_FILTER_PROGRESS_MS;
    struct mono end = loop_in_ms(fiber_loop(), most);
    if (!smtpd_milter_send(m, true, e))
        return false;
    for (unsigned n = 0; n < SMTPD_FILTER_PROGRESS_MAX; n++) {
        struct mono next = loop_in_ms(fiber_loop(), ms);
        if (!next_packet(m, next.ns < end.ns ? next : end, out, e))
            return false;
        if (out->kind != MILTER_PROGRESS)
            return true;
    }
    return err_set(e, ERR_TEMPORARY, "it says that it makes progress, and no more");
}

// --- the beginning

// The lists are views into a packet: kept.
static bool keep_wishes(struct smtpd_milter *m, struct err *e) {
    struct slice *lists = m->options.macros;
    m->wishes.max = WISHES_MAX;
    for (size_t i = 0; i < MILTER_STAGE_COUNT; i++)
        buf_add(&m->wishes, lists[i]);
    if (m->wishes.failed)
        return err_set(e, ERR_TEMPORARY, "it wants too many macros");
    size_t at = 0;
    for (size_t i = 0; i < MILTER_STAGE_COUNT; at += lists[i].n, i++)
        if (lists[i].p)
            lists[i] = slice_of(m->wishes.p ? m->wishes.p + at : "", lists[i].n);
    return true;
}

static FIBER_FN bool agree(struct smtpd_milter *m, struct err *e) {
    const struct milter_options ours = {.version = MILTER_VERSION, .actions = MILTER_ACTIONS, .steps = MILTER_STEPS};
    struct milter_answer a;
    milter_put_options(&m->out, &ours);
    if (!smtpd_milter_answer(m, m->config->reply, &a, e))
        return false;
    if (a.kind != MILTER_OPTIONS_ANSWER)
        return err_set(e, ERR_TEMPORARY, "it doesn't negotiate");
    if (a.options.version < MILTER_VERSION_LEAST || a.options.version > MILTER_VERSION)
        return err_set(e, ERR_TEMPORARY, "it speaks version %u of the protocol", a.options.version);
    if (a.options.actions & ~ours.actions)
        return err_set(e, ERR_TEMPORARY, "it wants to do what isn't offered (0x%x)", a.options.actions & ~ours.actions);
    if (a.options.steps & ~ours.steps)
        return err_set(e, ERR_TEMPORARY, "it wants steps that aren't offered (0x%x)", a.options.steps & ~ours.steps);
    m->options = a.options;
    if (m->options.version < 3) // such a filter knows of neither
        m->options.steps |= MILTER_NO_UNKNOWN;
    if (m->options.version < 4)
        m->options.steps |= MILTER_NO_DATA;
    return keep_wishes(m, e);
}

bool smtpd_milter_open(struct smtpd_filters *f, struct smtpd_milter *m, struct err *e) {
    m->in.max = 4 + MILTER_PACKET_MAX + READ_AT_ONCE;
    m->out.max = OUT_MAX;
    if (!f->outside->open(f->arg, m->index, &m->transport, e)) {
        m->transport = NULL;
        return false;
    }
    if (!agree(m, e))
        return err_while(e, "negotiating");
    m->state = SMTPD_MILTER_OPEN;
    return true;
}

void smtpd_milter_close(struct smtpd_milter *m) {
    if (m->transport && m->state == SMTPD_MILTER_OPEN) {
        milter_put(&m->out, MILTER_QUIT, SLICE_EMPTY);
        smtpd_milter_try_send(m);
    }
    if (m->transport)
        m->transport->ops->close(m->transport);
    m->transport = NULL;
    buf_done(&m->in);
    buf_done(&m->out);
    buf_done(&m->wishes);
    m->in_used = 0;
}
