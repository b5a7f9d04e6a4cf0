// smtpd_pace: waiting for content, and measuring it.
#include "svc/smtpd/smtpd_pace.h"

#include "rt/loop.h"
#include "svc/smtpd/smtpd_session.h"

static bool fast_enough(struct smtpd_session *s, size_t arrived, struct err *e) {
    struct smtpd_pace p = s->pace;
    p.bytes += arrived;
    if (p.waited_ms < SMTPD_PACE_MS)
        return true;
    s->pace = (struct smtpd_pace){0};
    if (!smtpd_session_gives_way(s) || p.bytes >= (uint64_t)p.waited_ms * SMTPD_PACE_RATE / MS_SECOND)
        return true;
    return err_set(e, ERR_TIMEOUT, "timed out: %llu bytes came in %lld seconds", (unsigned long long)p.bytes,
                   (long long)(p.waited_ms / MS_SECOND));
}

bool smtpd_pace_receive(struct smtpd_session *s, struct slice *view, struct err *e) {
    struct mono since = loop_now(fiber_loop());
    s->waits_since = since;
    bool got = stream_peek(&s->stream, smtpd_session_patience(s, s->shared->config->timeouts.data_block), view, e);
    s->waits_since = (struct mono){0};
    s->pace.waited_ms += mono_ms_between(since, loop_now(fiber_loop()));
    return got && fast_enough(s, view->n, e);
}

void smtpd_pace_consume(struct smtpd_session *s, size_t n) {
    stream_consume(&s->stream, n);
    s->pace.bytes += n;
}
