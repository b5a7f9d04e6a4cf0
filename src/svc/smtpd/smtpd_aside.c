// smtpd_aside: header first, then the body as it comes, then what stands in front.
#include "svc/smtpd/smtpd_aside.h"

#include "mail/received.h"
#include "svc/smtpd/smtpd_session.h"
#include "svc/smtpd/smtpd_submit.h"

struct smtpd_aside *smtpd_aside_new(struct smtpd_session *s) {
    struct smtpd_aside *a = ARENA_NEW(&s->arena, struct smtpd_aside);
    size_t header = s->shared->config->limits.header_size;
    if (!a || (smtpd_is_submission(s) && !(a->submit = smtpd_submit_new(s))))
        return NULL;
    a->raw.max = header + SMTPD_CONTENT_HELD;
    a->head.max = 2 * header + SMTPD_CONTENT_HELD;
    a->front.max = a->head.max + SMTPD_ASIDE_FRONT;
    return a;
}

void smtpd_aside_done(struct smtpd_aside *a) {
    if (!a)
        return;
    smtpd_submit_done(a->submit);
    buf_done(&a->raw);
    buf_done(&a->head);
    buf_done(&a->front);
}

uint32_t smtpd_aside_room(const struct smtpd_aside *a) {
    size_t room = a->head.n + SMTPD_ASIDE_FRONT;
    return (uint32_t)(room < MESSAGE_RESERVE_MAX ? room : MESSAGE_RESERVE_MAX);
}

static bool out_of_memory(struct err *e) { return err_smtp(e, 451, "4.3.0", "out of memory for the message"); }

static void add_body(struct smtpd_content *c, struct slice bytes) {
    if (c->aside->submit)
        smtpd_submit_body(c, bytes);
    else
        buf_add(&c->held, bytes);
}

// What stands between header and body stays what it was, an empty line or nothing, but for users.
static FIBER_FN bool end_header(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    struct slice all = buf_slice(&a->raw), section = header_section(slice_upto(all, (size_t)c->header.bytes));
    if (a->submit && !smtpd_submit_header(c, s, section, e))
        return false;
    a->in_body = true;
    if (a->submit)
        buf_add_str(&c->held, "\r\n");
    else if (buf_add(&a->head, section))
        buf_add(&c->held, slice_from(slice_upto(all, (size_t)c->header.bytes), section.n));
    add_body(c, slice_from(all, (size_t)c->header.bytes));
    return !a->head.failed || out_of_memory(e);
}

bool smtpd_aside_take(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    if (a->raw.failed)
        return out_of_memory(e);
    if (!a->in_body && !c->header.done)
        return true;
    if (a->in_body)
        add_body(c, buf_slice(&a->raw));
    else if (!end_header(c, s, e))
        return false;
    buf_reset(&a->raw);
    return true;
}

bool smtpd_aside_end(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    header_scan_end(&c->header);
    if (!smtpd_aside_take(c, s, e)) // a header that has no body
        return false;
    if (a->submit && !smtpd_submit_end(c, s, e))
        return false;
    return (buf_add(&a->front, buf_slice(&a->head)) && !c->held.failed) || out_of_memory(e);
}
