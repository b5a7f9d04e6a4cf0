// relay_reply: replies, line by line.
#include "svc/relay/relay_reply.h"

#include "rt/fiber/loop.h"

static struct slice without_ending(struct slice line) {
    line.n -= line.n && line.p[line.n - 1] == '\n';
    line.n -= line.n && line.p[line.n - 1] == '\r';
    return line;
}

static FIBER_FN bool read_lines(struct relay_session *s, struct mono deadline, struct err *e) {
    for (;;) {
        struct slice line;
        bool too_long;
        if (!stream_line(&s->stream, SMTP_REPLY_LINE_MAX + 2, deadline, &line, &too_long, e))
            return false;
        if (too_long)
            return err_set(e, ERR_TEMPORARY, "the server's reply has a line that is too long");
        switch (smtp_reply_line(&s->reply, without_ending(line), e)) {
        case SMTP_REPLY_WHOLE:
            return true;
        case SMTP_REPLY_MORE:
            break;
        case SMTP_REPLY_BAD:
            return false;
        }
    }
}

bool relay_reply(struct relay_session *s, int64_t timeout_ms, struct err *e) {
    if (s->broken)
        return err_set(e, ERR_TEMPORARY, "the connection is not usable any more");
    if (!read_lines(s, loop_in_ms(fiber_loop(), timeout_ms), e)) {
        s->broken = true;
        return false;
    }
    if (s->reply.code == 421) // RFC 5321 3.8: it closes now
        s->broken = true;
    return true;
}

bool relay_reply_none(struct relay_session *s, struct err *e) {
    if (s->broken)
        return err_set(e, ERR_TEMPORARY, "the connection is not usable any more");
    if (stream_unread(&s->stream) == 0)
        return true;
    s->broken = true;
    return err_set(e, ERR_TEMPORARY, "the server spoke out of turn");
}

bool relay_reply_refused(struct relay_session *s, struct err *e) {
    smtp_reply_err(&s->reply, e);
    e->kind = ERR_TEMPORARY;
    return false;
}
