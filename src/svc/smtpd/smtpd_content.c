// smtpd_content: decoding, checking and handing on.
#include "svc/smtpd/smtpd_content.h"

#include "core/queue/queue_id.h"
#include "mail/header/received.h"
#include "svc/smtpd/smtpd_aside.h"
#include "svc/smtpd/smtpd_filter_session.h"
#include "svc/smtpd/smtpd_session.h"

enum { FIRST_ROOM = 2048 }; // bytes: for our Received field, and a small message of unknown size

static void add_received(struct smtpd_content *c, struct smtpd_session *s, struct buf *to) {
    const struct config *config = s->shared->config;
    const struct smtpd_transaction *t = s->transaction;
    char id[QUEUE_ID_TEXT];
    queue_id_print(c->queue_id, id);
    struct received field = {
        .helo = buf_slice(&s->helo),
        .client = s->client,
        .hostname = config->hostname,
        .queue_id = slice_of(id, sizeof id),
        .recipient = t->accepted == 1 ? t->for_whom : SLICE_EMPTY,
        .esmtp = s->esmtp,
        .tls = s->tls,
        .authenticated = s->user.n > 0,
        .user = config->received_user ? buf_slice(&s->user) : SLICE_EMPTY,
        .cipher = s->tls && s->shared->tls_cipher ? slice_str(s->shared->tls_cipher(s->stream.transport)) : SLICE_EMPTY,
        .utf8 = (t->envelope.flags & ENVELOPE_SMTPUTF8) != 0,
        .when = t->envelope.arrived,
    };
    received_add(to, &field);
}

static void give_up_slot(struct smtpd_content *c, struct smtpd_session *s) {
    if (c->slot)
        s->shared->backend->ops->give_up(s->shared->backend, c->slot);
    c->slot = NULL;
}

void smtpd_content_refuse(struct smtpd_content *c, struct smtpd_session *s, const struct err *why) {
    if (c->refused)
        return;
    c->refused = true;
    c->why = *why;
    c->body.mode = SMTP_BODY_DISCARD;
    buf_done(&c->held);
    give_up_slot(c, s);
}

static void begin_aside(struct smtpd_content *c, struct smtpd_session *s) {
    struct err e;
    c->aside = smtpd_aside_new(s);
    if (!c->aside) {
        err_smtp(&e, 451, "4.3.0", "out of memory for the message");
        smtpd_content_refuse(c, s, &e);
    }
}

void smtpd_content_begin(struct smtpd_content *c, struct smtpd_session *s) {
    struct smtpd_backend *backend = s->shared->backend;
    const struct config *config = s->shared->config;
    struct smtpd_transaction *t = s->transaction;
    bool submission = smtpd_is_submission(s);
    uint64_t id = c->queue_id ? c->queue_id : backend->ops->queue_id(backend);
    *c = (struct smtpd_content){.begun = true, .queue_id = id, .held = {.max = SMTPD_CONTENT_HELD}};
    // Room for all of it at once where the client said how much comes: growing copies it again and again.
    buf_reserve(&c->held, FIRST_ROOM + (size_t)(t->size < MESSAGE_INLINE_MAX ? t->size : MESSAGE_INLINE_MAX));
    c->body.mode = config->line_ends == CONFIG_LINES_REPAIR || submission ? SMTP_BODY_REPAIR : SMTP_BODY_REFUSE;
    t->envelope.arrived = backend->ops->now(backend);
    if (!s->trusted || smtpd_filter_wanted(s))
        begin_aside(c, s);
    if (!c->refused)
        add_received(c, s, c->aside ? &c->aside->front : &c->held);
}

static bool within_limits(const struct smtpd_content *c, const struct smtpd_session *s, struct err *e) {
    const struct config_limits *limits = &s->shared->config->limits;
    if (c->body.size > limits->message_size)
        return err_smtp(e, 552, "5.3.4", "the message is larger than %llu bytes",
                        (unsigned long long)limits->message_size);
    if (c->header.bytes > limits->header_size)
        return err_smtp(e, 552, "5.3.4", "the header is larger than %u bytes", limits->header_size);
    if (c->header.received > limits->hops)
        return err_smtp(e, 554, "5.4.6", "too many hops (%u Received fields): this is a mail loop", limits->hops);
    if (c->body.mode == SMTP_BODY_REFUSE && c->body.bare_lf)
        return err_smtp(e, 554, "5.6.0", "the content has a bare LF; lines must end in CRLF");
    if (c->body.mode == SMTP_BODY_REFUSE && c->body.bare_cr)
        return err_smtp(e, 554, "5.6.0", "the content has a bare CR; lines must end in CRLF");
    return !c->held.failed || err_smtp(e, 451, "4.3.0", "out of memory for the message");
}

static bool send_piece(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    uint32_t reserve = c->aside ? smtpd_aside_room(c->aside) : 0;
    if (!c->slot && !backend->ops->open(backend, reserve, &c->slot, e))
        return false;
    size_t sent = 0;
    for (; c->held.n - sent >= MESSAGE_INLINE_MAX; sent += MESSAGE_INLINE_MAX)
        if (!backend->ops->piece(backend, c->slot, slice_of(c->held.p + sent, MESSAGE_INLINE_MAX), e))
            return false;
    buf_drop(&c->held, sent);
    return true;
}

// Where decoded bytes go.
static struct buf *decoded(struct smtpd_content *c) { return c->aside ? &c->aside->raw : &c->held; }

// What this message holds, among what all do.
static void count(struct smtpd_content *c, struct smtpd_session *s) {
    const struct smtpd_aside *a = c->aside;
    uint64_t now = c->held.cap + (a ? a->raw.cap + a->head.cap + a->came.cap + a->front.cap : 0);
    s->shared->held += now - c->counted;
    c->counted = now;
}

// What was decoded since `before` bytes were there.
static FIBER_FN void check(struct smtpd_content *c, struct smtpd_session *s, size_t before) {
    struct err e;
    if (c->refused)
        return;
    header_scan_feed(&c->header, slice_from(buf_slice(decoded(c)), before));
    if (!within_limits(c, s, &e) || (c->aside && !smtpd_aside_take(c, s, &e)) ||
        (c->held.n >= 2 * MESSAGE_INLINE_MAX && !send_piece(c, s, &e)))
        smtpd_content_refuse(c, s, &e);
    count(c, s);
}

bool smtpd_content_read_data(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    while (!c->body.done) {
        struct slice view;
        size_t consumed = 0, before = decoded(c)->n;
        if (!smtpd_pace_receive(s, &view, e))
            return err_while(e, "receiving content");
        smtp_body_feed(&c->body, view, decoded(c), &consumed);
        smtpd_pace_consume(s, consumed);
        check(c, s, before);
    }
    return true;
}

bool smtpd_content_read_chunk(struct smtpd_content *c, struct smtpd_session *s, uint64_t n, bool last, struct err *e) {
    while (n) {
        struct slice view;
        size_t before = decoded(c)->n;
        if (!smtpd_pace_receive(s, &view, e))
            return err_while(e, "receiving a chunk");
        view = slice_upto(view, n < view.n ? (size_t)n : view.n);
        smtp_body_chunk(&c->body, view, decoded(c));
        smtpd_pace_consume(s, view.n);
        n -= view.n;
        check(c, s, before);
    }
    if (last) {
        size_t before = decoded(c)->n;
        smtp_body_chunks_end(&c->body, decoded(c));
        check(c, s, before);
    }
    return true;
}

// Into the room that was left for it, its end first.
static FIBER_FN bool send_front(const struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    struct slice rest = buf_slice(&c->aside->front);
    while (rest.n) {
        size_t n = rest.n < MESSAGE_INLINE_MAX ? rest.n : MESSAGE_INLINE_MAX;
        if (!backend->ops->front(backend, c->slot, slice_from(rest, rest.n - n), e))
            return false;
        rest.n -= n;
    }
    return true;
}

// What stands in front goes there: into the same frame where all fits.
static FIBER_FN bool put_front(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct buf *front = &c->aside->front;
    if (c->slot || front->n + c->held.n > MESSAGE_INLINE_MAX)
        return send_piece(c, s, e) && send_front(c, s, e);
    if (!buf_add(front, buf_slice(&c->held)))
        return err_smtp(e, 451, "4.3.0", "out of memory for the message");
    buf_done(&c->held);
    c->held = *front;
    *front = (struct buf){0};
    return true;
}

// A filter made another body; an empty line is before it, whatever came.
static FIBER_FN bool replace_body(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct slice piece;
    give_up_slot(c, s);
    buf_reset(&c->held);
    buf_add_str(&c->held, "\r\n");
    while (smtpd_filter_piece(s, &piece)) {
        smtpd_aside_replace(c, piece);
        if (c->held.n >= 2 * MESSAGE_INLINE_MAX && !send_piece(c, s, e))
            return false;
    }
    return smtpd_aside_replaced(c, e);
}

static FIBER_FN bool end_aside(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    bool body;
    if (!smtpd_aside_judge(c, s, &body, e))
        return false;
    if (c->aside->discarded)
        return true;
    return (!body || replace_body(c, s, e)) && smtpd_aside_end(c, s, e) && put_front(c, s, e);
}

// All but the last piece is with the queue then.
static FIBER_FN bool settle(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    if (c->aside && !end_aside(c, s, e))
        return false;
    return c->held.n <= MESSAGE_INLINE_MAX || send_piece(c, s, e);
}

bool smtpd_content_submit(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    struct err why;
    if (!c->refused && !settle(c, s, &why))
        smtpd_content_refuse(c, s, &why);
    if (c->refused) {
        *e = c->why;
        return false;
    }
    c->discarded = s->transaction->envelope.recipients_n == 0 || (c->aside && c->aside->discarded);
    if (c->discarded) {
        give_up_slot(c, s);
        return true;
    }
    if (c->header.tls_optional && !(s->transaction->envelope.flags & ENVELOPE_REQUIRETLS)) // RFC 8689 4.1
        s->transaction->envelope.flags |= ENVELOPE_TLS_OPTIONAL;
    struct message_submit m = {
        .queue_id = c->queue_id,
        .envelope = s->transaction->envelope,
        .content = buf_slice(&c->held),
    };
    struct smtpd_slot *slot = c->slot;
    c->slot = NULL;
    return backend->ops->submit(backend, &m, slot, e);
}

void smtpd_content_done(struct smtpd_content *c, struct smtpd_session *s) {
    if (!c->begun)
        return;
    give_up_slot(c, s);
    smtpd_aside_done(c->aside);
    buf_done(&c->held);
    s->shared->held -= c->counted;
    c->begun = false;
}
