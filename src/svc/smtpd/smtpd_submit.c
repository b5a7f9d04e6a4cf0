// smtpd_submit: header first, then the body as it comes, then what can only be said at the end.
#include "svc/smtpd/smtpd_submit.h"

#include "core/queue/queue_id.h"
#include "mail/header/received.h"
#include "svc/smtpd/smtpd_aside.h"
#include "svc/smtpd/smtpd_gate.h"
#include "svc/smtpd/smtpd_session.h"

enum {
    USER_MAX = 320, // bytes of a user's name in a reply, and of an address made from it
    MESSAGE_ID_MAX = 400,
};

static const char declaration[] = "MIME-Version: 1.0\r\n"
                                  "Content-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Transfer-Encoding: 8bit\r\n";

struct smtpd_submit *smtpd_submit_new(struct smtpd_session *s) {
    return ARENA_NEW(&s->arena, struct smtpd_submit);
}

void smtpd_submit_done(struct smtpd_submit *u) {
    if (u)
        signing_done(&u->sign);
}

// --- what a user may

bool smtpd_submit_owns(struct smtpd_session *s, struct slice address, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    struct slice user = slice_upto(buf_slice(&s->user), USER_MAX);
    bool may = false;
    if (!backend->ops->owns(backend, buf_slice(&s->user), address, &may, e))
        return false;
    return may || err_smtp(e, 550, "5.7.1", "%.*s may not send as %.*s", SLICE_ARG(user), SLICE_ARG(address));
}

static bool refuse_use(const struct message_use_reply *r, struct err *e) {
    char enhanced[24] = "4.7.0";
    struct buf text = {.p = enhanced, .cap = sizeof enhanced, .max = sizeof enhanced - 1};
    if (r->enhanced[0])
        buf_addf(&text, "%u.%u.%u", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    return err_smtp(e, r->smtp >= 400 && r->smtp < 600 ? r->smtp : 451, enhanced, "%.*s", SLICE_ARG(r->text));
}

bool smtpd_submit_use(struct smtpd_session *s, uint64_t size, bool ask, bool *hold, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    struct smtpd_transaction *t = s->transaction;
    struct message_use_reply reply;
    struct message_use m = {
        .user = buf_slice(&s->user),
        .client = s->client,
        .recipients = (uint32_t)t->envelope.recipients_n,
        .refused = t->refused,
        .size = size,
        .only_ask = ask,
    };
    if (!backend->ops->use(backend, &m, &s->arena, &reply, e))
        return false;
    if (!reply.ok)
        return refuse_use(&reply, e);
    *hold = reply.hold;
    if (reply.hold && !ask)
        journal_event(s->shared->journal, JOURNAL_WARNING, "message-held",
                      JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("user", m.user),
                      JOURNAL_STR("why", reply.why));
    if (reply.hold && !ask)
        smtpd_gate_filter(s, SLICE("guard"), reply.why);
    return true;
}

// --- the header

// Who sends it, as an address: the user's name, the reverse-path, or the name in our first domain.
static struct slice user_address(const struct smtpd_session *s, struct buf *space) {
    const struct config *config = s->shared->config;
    struct slice user = buf_slice(&s->user), sender = s->transaction->envelope.sender;
    if (slice_find(user, '@') < user.n)
        return user;
    if (sender.n)
        return sender;
    address_add_local(space, user);
    buf_add_char(space, '@');
    buf_add(space, config->domains_n ? config->domains[0].name : config->hostname);
    return buf_slice(space);
}

static void add_message_id(const struct smtpd_content *c, const struct smtpd_session *s, struct buf *to) {
    char id[QUEUE_ID_TEXT];
    queue_id_print(c->queue_id, id);
    buf_add(to, slice_of(id, sizeof id));
    buf_add_char(to, '.');
    buf_add(to, slice_of(s->id, sizeof s->id));
    buf_add_char(to, '@');
    buf_add(to, s->shared->config->hostname);
}

static struct slice domain_of(struct slice address) { return slice_from(address, slice_rfind(address, '@') + 1); }

static bool begin_signing(struct smtpd_aside *a, const struct smtpd_session *s, struct err *e) {
    const struct smtpd_shared *shared = s->shared;
    struct smtpd_submit *u = a->submit;
    if (!shared->signers)
        return true;
    const struct message_keys_set *set = shared->signers(shared->signer.arg);
    if (!set)
        return err_smtp(e, 451, "4.7.5", "the message can't be signed now, please try again later");
    signing_begin(&u->sign, set->dkims, set->dkims_n, domain_of(u->found.from.list[0]), buf_slice(&a->head));
    return true;
}

bool smtpd_submit_header(struct smtpd_content *c, struct smtpd_session *s, struct slice section, struct err *e) {
    struct smtpd_aside *a = c->aside;
    char address[2 * USER_MAX], id[MESSAGE_ID_MAX];
    struct buf space = {.p = address, .cap = sizeof address, .max = sizeof address};
    struct buf message_id = {.p = id, .cap = sizeof id, .max = sizeof id};
    add_message_id(c, s, &message_id);
    struct submit_header_facts facts = {.user = user_address(s, &space),
                                        .message_id = buf_slice(&message_id),
                                        .hostname = s->shared->config->hostname,
                                        .now = s->transaction->envelope.arrived};
    return submit_header_fix(section, &facts, &s->arena, &a->head, &a->submit->found, e) && begin_signing(a, s, e);
}

void smtpd_submit_body(struct smtpd_content *c, struct slice bytes) {
    struct smtpd_submit *u = c->aside->submit;
    size_t before = c->held.n;
    submit_lines_feed(&u->lines, bytes, &c->held);
    signing_body(&u->sign, slice_from(buf_slice(&c->held), before));
}

// --- the end

bool smtpd_submit_body_end(struct smtpd_content *c, struct err *e) {
    struct smtpd_submit *u = c->aside->submit;
    size_t before = c->held.n;
    submit_lines_end(&u->lines, &c->held);
    signing_body(&u->sign, slice_from(buf_slice(&c->held), before));
    return !c->body.nul || err_smtp(e, 550, "5.6.0", "the content has a NUL byte; it must be encoded");
}

static bool sign_header_anew(struct smtpd_aside *a, struct err *e) {
    struct dkim_sign_header *signed_header = &a->submit->sign.header;
    enum dkim_canon canon = signed_header->canon;
    dkim_sign_header_done(signed_header);
    return dkim_sign_header(canon, buf_slice(&a->head), signed_header) ||
           err_smtp(e, 451, "4.3.0", "out of memory for a header");
}

bool smtpd_submit_changed(struct smtpd_content *c, struct smtpd_session *s, bool body, struct err *e) {
    struct smtpd_submit *u = c->aside->submit;
    if (!body)
        return u->sign.n == 0 || sign_header_anew(c->aside, e);
    u->lines = (struct submit_lines){0};
    signing_done(&u->sign);
    return begin_signing(c->aside, s, e);
}

// The reverse-path was asked about at MAIL.
static FIBER_FN bool owns_all(struct smtpd_session *s, const struct mailboxes *m, struct err *e) {
    for (size_t i = 0; i < m->n; i++)
        if (!slice_eq(m->list[i], s->transaction->envelope.sender) && !smtpd_submit_owns(s, m->list[i], e))
            return false;
    return true;
}

static FIBER_FN bool check_rights(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    const struct submit_header *h = &c->aside->submit->found;
    struct envelope *env = &s->transaction->envelope;
    bool hold = false;
    if ((!h->from_added && !owns_all(s, &h->from, e)) || !owns_all(s, &h->sender, e) ||
        !smtpd_submit_use(s, c->body.size, false, &hold, e))
        return false;
    env->flags |= hold ? ENVELOPE_HOLD : 0u;
    return true;
}

static bool wants_declaration(const struct smtpd_submit *u) {
    return u->lines.eight && !u->lines.not_utf8 && !u->found.mime;
}

// The body has told what it is, so the header that is signed has more fields than at its beginning.
static bool declare(struct smtpd_aside *a, struct err *e) {
    struct dkim_sign_header *signed_header = &a->submit->sign.header;
    enum dkim_canon canon = signed_header->canon;
    struct buf whole BUF_AUTO = {.max = a->head.max + sizeof declaration};
    if (a->submit->sign.n == 0)
        return true;
    buf_add_str(&whole, declaration);
    buf_add(&whole, buf_slice(&a->head));
    dkim_sign_header_done(signed_header);
    return dkim_sign_header(canon, buf_slice(&whole), signed_header) ||
           err_smtp(e, 451, "4.3.0", "out of memory for a header");
}

static FIBER_FN bool sign(struct smtpd_aside *a, const struct smtpd_session *s, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    struct smtpd_submit *u = a->submit;
    bool declares = wants_declaration(u);
    if (declares && !declare(a, e))
        return false;
    if (u->sign.n && !signing_finish(&u->sign, backend->ops->now(backend), &s->shared->signer, &a->front, e))
        return false;
    if (declares)
        buf_add_str(&a->front, declaration);
    return !a->front.failed || err_smtp(e, 451, "4.3.0", "out of memory for a header");
}

bool smtpd_submit_end(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_submit *u = c->aside->submit;
    struct envelope *env = &s->transaction->envelope;
    if (!check_rights(c, s, e) || !sign(c->aside, s, e))
        return false;
    if (u->lines.eight)
        env->flags |= ENVELOPE_8BIT;
    return true;
}
