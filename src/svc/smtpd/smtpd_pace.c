// smtpd_pace: waiting for content and commands, and measuring that.
#include "svc/smtpd/smtpd_pace.h"

#include "rt/fiber/loop.h"
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

// --- commands

struct mono smtpd_pace_patience(const struct smtpd_session *s) {
    struct mono usual = smtpd_session_patience(s, s->shared->config->timeouts.command);
    struct mono left = loop_in_ms(fiber_loop(), SMTPD_PACE_COMMANDS_MS - s->talked_ms);
    return smtpd_session_gives_way(s) && left.ns < usual.ns ? left : usual;
}

// Of a wait that began before sessions were scarce, no more counts than there is patience for then.
bool smtpd_pace_command(struct smtpd_session *s, struct mono since, struct err *e) {
    int64_t waited = mono_ms_between(since, loop_now(fiber_loop()));
    if (!smtpd_session_gives_way(s))
        return true;
    s->talked_ms += waited < SMTPD_STRESS_MS ? waited : SMTPD_STRESS_MS;
    return s->talked_ms < SMTPD_PACE_COMMANDS_MS ||
           err_set(e, ERR_TIMEOUT, "timed out: %lld seconds of commands without a message",
                   (long long)(s->talked_ms / MS_SECOND));
}

void smtpd_pace_recipient(struct smtpd_session *s) {
    s->talked_ms -= s->talked_ms < SMTPD_PACE_RECIPIENT_MS ? s->talked_ms : SMTPD_PACE_RECIPIENT_MS;
}

void smtpd_pace_message(struct smtpd_session *s) { s->talked_ms = 0; }
