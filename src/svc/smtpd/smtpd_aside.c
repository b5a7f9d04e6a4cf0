// smtpd_aside: header first, then the body as it comes, then what stands in front.
#include "svc/smtpd/smtpd_aside.h"

#include "mail/header/auth_results.h"
#include "svc/smtpd/smtpd_filter_session.h"
#include "svc/smtpd/smtpd_seal.h"
#include "svc/smtpd/smtpd_session.h"
#include "svc/smtpd/smtpd_submit.h"

struct smtpd_aside *smtpd_aside_new(struct smtpd_session *s) {
    struct smtpd_aside *a = ARENA_NEW(&s->arena, struct smtpd_aside);
    size_t header = s->shared->config->limits.header_size;
    if (!a || (smtpd_is_submission(s) && !(a->submit = smtpd_submit_new(s))))
        return NULL;
    a->raw.max = header + SMTPD_CONTENT_HELD;
    a->head.max = a->came.max = 2 * header + SMTPD_CONTENT_HELD;
    a->front.max = a->head.max + SMTPD_ASIDE_FRONT;
    a->grows = smtpd_filter_wanted(s) ? header : 0;
    return a;
}

void smtpd_aside_done(struct smtpd_aside *a) {
    if (!a)
        return;
    smtpd_submit_done(a->submit);
    dkim_verify_done(&a->dkim);
    arc_verify_done(&a->arc);
    smtpd_seal_done(a);
    buf_done(&a->came);
    buf_done(&a->raw);
    buf_done(&a->head);
    buf_done(&a->front);
}

uint32_t smtpd_aside_room(const struct smtpd_aside *a) {
    size_t room = a->head.n + a->grows + SMTPD_ASIDE_FRONT;
    return (uint32_t)(room < MESSAGE_RESERVE_MAX ? room : MESSAGE_RESERVE_MAX);
}

static bool out_of_memory(struct err *e) { return err_smtp(e, 451, "4.3.0", "out of memory for the message"); }

static FIBER_FN void add_body(struct smtpd_content *c, struct smtpd_session *s, struct slice bytes) {
    size_t before = c->held.n;
    if (c->aside->submit) {
        smtpd_submit_body(c, bytes);
    } else {
        smtpd_gate_body(c->aside, bytes);
        smtpd_seal_body(c->aside, bytes);
        buf_add(&c->held, bytes);
    }
    smtpd_filter_body(s, slice_from(buf_slice(&c->held), before));
}

static bool is_forged(const struct header_field *f, struct slice hostname) {
    return slice_ieq(f->name, SLICE("Authentication-Results")) && auth_results_forged(f->value, hostname);
}

// What speaks in our name and isn't from us goes (RFC 8601 5). Signatures are verified over what came.
static void remove_forged(struct smtpd_aside *a, struct slice hostname) {
    struct slice rest = buf_slice(&a->head);
    struct header_field f;
    bool any = false;
    while (!any && header_next(&rest, &f))
        any = is_forged(&f, hostname);
    if (!any)
        return;
    a->came = a->head;
    a->head = (struct buf){.max = a->came.max};
    rest = buf_slice(&a->came);
    while (header_next(&rest, &f))
        if (!is_forged(&f, hostname))
            buf_add(&a->head, f.whole);
    buf_add(&a->head, rest);
}

// What stands between header and body stays what it was, an empty line or nothing, but for users.
static FIBER_FN bool end_header(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    struct slice all = buf_slice(&a->raw), section = header_section(slice_upto(all, (size_t)c->header.bytes));
    if (a->submit && !smtpd_submit_header(c, s, section, e))
        return false;
    a->in_body = true;
    if (a->submit) {
        buf_add_str(&c->held, "\r\n");
    } else if (buf_add(&a->head, section)) {
        buf_add(&c->held, slice_from(slice_upto(all, (size_t)c->header.bytes), section.n));
        smtpd_gate_header(a, s);
        smtpd_seal_begin(a, s);
        if (!s->trusted)
            remove_forged(a, s->shared->config->hostname);
    }
    smtpd_filter_header(a, s);
    add_body(c, s, slice_from(all, (size_t)c->header.bytes));
    return !a->head.failed || out_of_memory(e);
}

bool smtpd_aside_take(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    if (a->raw.failed)
        return out_of_memory(e);
    if (!a->in_body && !c->header.done)
        return true;
    if (a->in_body)
        add_body(c, s, buf_slice(&a->raw));
    else if (!end_header(c, s, e))
        return false;
    buf_reset(&a->raw);
    return true;
}

void smtpd_aside_replace(struct smtpd_content *c, struct slice piece) {
    if (c->aside->submit) {
        smtpd_submit_body(c, piece);
        return;
    }
    smtpd_seal_body(c->aside, piece);
    buf_add(&c->held, piece);
}

bool smtpd_aside_replaced(struct smtpd_content *c, struct err *e) {
    return !c->aside->submit || smtpd_submit_body_end(c, e);
}

// The last of the body, that filters weren't told of.
static FIBER_FN bool end_body(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    header_scan_end(&c->header);
    if (!smtpd_aside_take(c, s, e)) // a header that has no body
        return false;
    size_t before = c->held.n;
    if (a->submit && !smtpd_submit_body_end(c, e))
        return false;
    smtpd_filter_body(s, slice_from(buf_slice(&c->held), before));
    return true;
}

bool smtpd_aside_judge(struct smtpd_content *c, struct smtpd_session *s, bool *body, struct err *e) {
    struct smtpd_aside *a = c->aside;
    *body = false;
    if (!end_body(c, s, e))
        return false;
    enum smtpd_gate_says says = smtpd_gate_content(c, s, e);
    if (says == SMTPD_GATE_TAKE)
        says = smtpd_filter_content(c, s, body, e);
    a->discarded = says == SMTPD_GATE_DISCARD;
    if (*body)
        smtpd_seal_begin(a, s);
    if (says != SMTPD_GATE_TAKE)
        return says == SMTPD_GATE_DISCARD;
    return !a->submit || (a->came.n == 0 && !*body) || smtpd_submit_changed(c, s, *body, e);
}

static bool join(struct smtpd_aside *a) {
    struct slice head = buf_slice(&a->head);
    struct buf all = {.max = a->front.max};
    if (a->top == 0)
        return buf_add(&a->front, head);
    buf_add(&all, slice_upto(head, a->top));
    buf_add(&all, buf_slice(&a->front));
    buf_add(&all, slice_from(head, a->top));
    buf_done(&a->front);
    a->front = all;
    return !all.failed;
}

bool smtpd_aside_end(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    if (a->submit && !smtpd_submit_end(c, s, e))
        return false;
    smtpd_seal_finish(a, s);
    return (join(a) && !c->held.failed) || out_of_memory(e);
}
