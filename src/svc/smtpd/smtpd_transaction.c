// smtpd_transaction: MAIL, RCPT, and who may send where.
#include "svc/smtpd/smtpd_transaction.h"

#include "core/route/route.h"
#include "svc/smtpd/smtpd_filter_session.h"
#include "svc/smtpd/smtpd_gate.h"
#include "svc/smtpd/smtpd_message.h"
#include "svc/smtpd/smtpd_reply.h"
#include "svc/smtpd/smtpd_session.h"
#include "svc/smtpd/smtpd_submit.h"

void smtpd_transaction_end(struct smtpd_session *s) {
    smtpd_filter_end(s);
    if (s->transaction)
        smtpd_content_done(&s->transaction->content, s);
    s->transaction = NULL;
    arena_reset(&s->arena);
}

static bool begin(struct smtpd_session *s, struct err *e) {
    struct smtpd_transaction *t = ARENA_NEW(&s->arena, struct smtpd_transaction);
    if (!t)
        return err_smtp(e, 451, "4.3.0", "out of memory");
    t->envelope.client = slice_of(s->client_text, s->client_text_n);
    t->envelope.session = slice_of(s->id, sizeof s->id);
    t->envelope.helo = buf_slice(&s->helo); // a new one ends the transaction first
    t->envelope.user = buf_slice(&s->user);
    s->transaction = t;
    return true;
}

static bool out_of_room(struct err *e) { return err_smtp(e, 452, "4.5.3", "too many recipients for one transaction"); }

static bool address_in_arena(struct smtpd_session *s, const struct address *a, struct slice *out, struct err *e) {
    char bytes[2 * ADDRESS_MAX + 4];
    struct buf text = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    address_add(&text, a);
    *out = arena_dup(&s->arena, buf_slice(&text));
    return out->p || out_of_room(e);
}

static bool read_address(struct smtpd_session *s, struct slice mailbox, enum address_role role, struct address *a,
                         struct err *e) {
    return address_parse(mailbox, role, &s->arena, a, e) && (a->domain.n == 0 || address_normalize(a, &s->arena, e));
}

// --- MAIL

static bool may_begin(struct smtpd_session *s) {
    if (s->helo.n == 0) {
        smtpd_refuse(s, SLICE("503 5.5.1 send EHLO first\r\n"));
        return false;
    }
    if (s->transaction) {
        smtpd_refuse(s, SLICE("503 5.5.1 a transaction has begun already; RSET ends it\r\n"));
        return false;
    }
    if (smtpd_is_submission(s) && s->user.n == 0) {
        smtpd_refuse(s, SLICE("530 5.7.0 authentication required\r\n"));
        return false;
    }
    if (!s->trusted && s->messages >= s->shared->config->limits.messages_per_session) {
        smtpd_reply_named(s, SLICE("421 4.7.0 "), SLICE(" enough messages for one session, please connect again"));
        smtpd_end(s, METRIC_REASON_LIMIT);
        return false;
    }
    return true;
}

static bool set_sender(struct smtpd_session *s, const struct smtp_command *c, struct err *e) {
    struct envelope *env = &s->transaction->envelope;
    struct address a;
    uint64_t size_max = s->shared->config->limits.message_size;
    if (c->has_size && c->size > size_max) {
        metric_add_at(s->shared->metrics, METRIC_MESSAGES_REFUSED, METRIC_REASON_SIZE, 1);
        return err_smtp(e, 552, "5.3.4", "the message is larger than %llu bytes", (unsigned long long)size_max);
    }
    s->transaction->size = c->size;
    env->flags = (c->smtputf8 ? ENVELOPE_SMTPUTF8 : 0u) | (c->body == SMTP_BODY_8BITMIME ? ENVELOPE_8BIT : 0u);
    if (c->path.mailbox.n == 0)
        return true; // the null reverse-path
    return read_address(s, c->path.mailbox, ADDRESS_SENDER, &a, e) && address_in_arena(s, &a, &env->sender, e);
}

static bool has_room(const struct smtpd_session *s, struct err *e) {
    uint64_t most = s->shared->config->gate.memory;
    return !most || s->shared->held < most ||
           err_smtp(e, 451, "4.3.2", "too much mail is coming in now, please try again later");
}

// A user's rights and quota, as far as they can be told now; of a stranger, what policy says.
static FIBER_FN bool check_sender(struct smtpd_session *s, struct err *e) {
    struct slice sender = s->transaction->envelope.sender;
    bool hold;
    if (!has_room(s, e))
        return false;
    if (!smtpd_is_submission(s))
        return smtpd_gate_mail(s, e);
    return (sender.n == 0 || smtpd_submit_owns(s, sender, e)) &&
           smtpd_submit_use(s, s->transaction->size, true, &hold, e);
}

static void note_sender(struct smtpd_session *s, const struct err *e) {
    struct slice sender = s->transaction->envelope.sender;
    smtpd_gate_refused(s, CONFIG_STAGE_MAIL, SLICE_EMPTY, e);
    metric_add_at(s->shared->metrics, METRIC_MESSAGES_REFUSED, smtpd_message_reason(s, e), 1);
    journal_event(s->shared->journal, JOURNAL_INFO, "sender-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", s->transaction->envelope.client), JOURNAL_OPT("user", buf_slice(&s->user)),
                  JOURNAL_STR("from", sender), JOURNAL_INT("code", e->smtp), JOURNAL_ERR(e));
}

void smtpd_mail(struct smtpd_session *s, const struct smtp_command *c) {
    struct err e;
    if (!may_begin(s))
        return;
    if (!s->esmtp && stream_unread(&s->stream)) // after HELO nobody knows that PIPELINING is offered
        smtpd_gate_pipelined(s);
    bool begun = begin(s, &e) && set_sender(s, c, &e);
    bool taken = begun && check_sender(s, &e) && smtpd_filter_mail(s, c, &e);
    if (begun && !taken)
        note_sender(s, &e);
    if (!taken) {
        smtpd_transaction_end(s);
        smtpd_refuse_err(s, &e);
        return;
    }
    smtpd_reply(s, SLICE("250 2.1.0 sender ok\r\n"));
}

// --- RCPT

static bool make_room(struct smtpd_session *s) {
    struct smtpd_transaction *t = s->transaction;
    size_t n = t->envelope.recipients_n;
    if (n < t->recipients_cap)
        return true;
    size_t cap = n ? n * 2 : 2;
    struct envelope_recipient *more = arena_alloc(&s->arena, cap * sizeof *more);
    if (!more)
        return false;
    if (n)
        memcpy(more, t->envelope.recipients, n * sizeof *more);
    t->envelope.recipients = more;
    t->recipients_cap = cap;
    return true;
}

static bool add_recipient(struct smtpd_session *s, struct slice address, struct slice original, struct err *e) {
    struct envelope *env = &s->transaction->envelope;
    for (size_t i = 0; i < env->recipients_n; i++)
        if (slice_eq(env->recipients[i].address, address))
            return true; // asked for twice, or reached by two aliases: delivered once
    if (env->recipients_n == ENVELOPE_RECIPIENTS_MAX || !make_room(s))
        return out_of_room(e);
    env->recipients[env->recipients_n++] = (struct envelope_recipient){
        .address = address,
        .original = slice_eq(address, original) ? SLICE_EMPTY : original,
    };
    return true;
}

static bool refuse_as(struct smtpd_session *s, enum metric_label_REASON reason) {
    metric_add_at(s->shared->metrics, METRIC_RECIPIENTS_REFUSED, reason, 1);
    return false;
}

// A recipient of ours, through the tables.
static FIBER_FN bool take_local(struct smtpd_session *s, struct slice address, struct err *e) {
    struct smtpd_backend *backend = s->shared->backend;
    struct message_expand_reply found;
    if (!backend->ops->expand(backend, address, &s->arena, &found, e))
        return refuse_as(s, METRIC_REASON_TEMPORARY);
    if (found.result == MESSAGE_EXPAND_UNKNOWN) {
        err_smtp(e, 550, "5.1.1", "no such recipient here");
        return refuse_as(s, METRIC_REASON_UNKNOWN);
    }
    if (found.result == MESSAGE_EXPAND_BROKEN) { // which one is no stranger's business: it is in lookup's event
        err_smtp(e, 451, "4.3.5", "an alias for this recipient is configured wrongly here, please try again later");
        return refuse_as(s, METRIC_REASON_TEMPORARY);
    }
    if (found.result != MESSAGE_EXPAND_OK) {
        err_smtp(e, 451, "4.3.0", "the recipient can't be looked up now, please try again later");
        return refuse_as(s, METRIC_REASON_TEMPORARY);
    }
    size_t before = s->transaction->envelope.recipients_n;
    for (size_t i = 0; i < found.addresses_n; i++)
        if (!add_recipient(s, found.addresses[i], address, e)) {
            s->transaction->envelope.recipients_n = before;
            return refuse_as(s, METRIC_REASON_LIMIT);
        }
    return true;
}

static bool deny_relay(struct smtpd_session *s, struct err *e) {
    err_smtp(e, 550, "5.7.1", "relaying denied: this domain is not served here and your address is not trusted");
    return refuse_as(s, METRIC_REASON_RELAY);
}

static bool may_relay(const struct smtpd_session *s) { return smtpd_is_submission(s) ? s->user.n > 0 : s->trusted; }

// Never an open relay: an address that asks to be routed on is refused from strangers even when its domain is ours,
// since whoever takes it next might follow it.
static FIBER_FN bool take_recipient(struct smtpd_session *s, const struct smtp_command *c, struct slice *whole,
                                    struct err *e) {
    struct address a;
    if (c->path.utf8 && !(s->transaction->envelope.flags & ENVELOPE_SMTPUTF8)) { // RFC 6531 3.4
        err_smtp(e, 553, "5.6.7", "the address needs SMTPUTF8");
        return refuse_as(s, METRIC_REASON_SYNTAX);
    }
    if (!read_address(s, c->path.mailbox, ADDRESS_RECIPIENT, &a, e))
        return refuse_as(s, METRIC_REASON_SYNTAX);
    if (!may_relay(s) && (c->path.route.n || address_routing_trick(a.local)))
        return deny_relay(s, e);
    const struct config_domain *domain = a.domain.n ? route_is_local(s->shared->config, a.domain) : NULL;
    if (a.domain.n && !domain && !may_relay(s))
        return deny_relay(s, e);
    if (!address_in_arena(s, &a, whole, e))
        return refuse_as(s, METRIC_REASON_LIMIT);
    if (a.domain.n == 0 || (domain && !(domain->relayed && domain->any_recipient)))
        return take_local(s, *whole, e);
    return add_recipient(s, *whole, *whole, e);
}

static FIBER_FN bool take_named(struct smtpd_session *s, struct slice address, struct err *e) {
    struct address a;
    struct slice whole;
    if (!read_address(s, address, ADDRESS_RECIPIENT, &a, e) || !address_in_arena(s, &a, &whole, e))
        return false;
    const struct config_domain *domain = a.domain.n ? route_is_local(s->shared->config, a.domain) : NULL;
    if (a.domain.n == 0 || (domain && !(domain->relayed && domain->any_recipient)))
        return take_local(s, whole, e);
    return add_recipient(s, whole, whole, e);
}

bool smtpd_transaction_add(struct smtpd_session *s, struct slice address, struct err *e) {
    struct err why;
    if (take_named(s, address, &why))
        return true;
    journal_event(s->shared->journal, JOURNAL_WARNING, "filter-recipient-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("to", address), JOURNAL_ERR(&why));
    if (!err_is_permanent(&why))
        *e = why;
    return err_is_permanent(&why);
}

static void note_discarded(struct smtpd_session *s, struct slice to) {
    journal_event(s->shared->journal, JOURNAL_INFO, "recipient-discarded",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", s->transaction->envelope.client),
                  JOURNAL_STR("from", s->transaction->envelope.sender), JOURNAL_STR("to", to));
}

// What policy says of a recipient that could be taken. `before`: recipients without it.
static FIBER_FN bool judge(struct smtpd_session *s, struct slice whole, size_t before, struct err *e) {
    struct slice instead;
    enum smtpd_gate_says says = smtpd_gate_recipient(s, whole, &instead, e);
    if (says == SMTPD_GATE_TAKE && instead.n == 0)
        return true;
    s->transaction->envelope.recipients_n = before;
    if (says == SMTPD_GATE_REFUSE)
        return refuse_as(s, METRIC_REASON_POLICY);
    if (says == SMTPD_GATE_TAKE)
        return add_recipient(s, instead, whole, e);
    note_discarded(s, whole);
    return true;
}

static enum message_seen_what misdeed_of(const struct err *e) {
    bool unknown = e->enhanced[1] == 1 && e->enhanced[2] == 1, relay = e->enhanced[1] == 7 && e->enhanced[2] == 1;
    return unknown ? MESSAGE_SEEN_UNKNOWN : relay ? MESSAGE_SEEN_RELAY : MESSAGE_SEEN_ERROR;
}

static void note_refused(struct smtpd_session *s, const struct smtp_command *c, const struct err *e) {
    smtpd_gate_refused(s, CONFIG_STAGE_RECIPIENT, c->path.mailbox, e);
    journal_event(s->shared->journal, JOURNAL_INFO, "recipient-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", s->transaction->envelope.client), JOURNAL_STR("helo", buf_slice(&s->helo)),
                  JOURNAL_STR("from", s->transaction->envelope.sender), JOURNAL_STR("to", c->path.whole),
                  JOURNAL_INT("code", e->smtp), JOURNAL_ERR(e));
}

static bool filter_refused(struct smtpd_session *s, size_t before) {
    s->transaction->envelope.recipients_n = before;
    return refuse_as(s, METRIC_REASON_POLICY);
}

void smtpd_rcpt(struct smtpd_session *s, const struct smtp_command *c) {
    struct smtpd_transaction *t = s->transaction;
    struct err e;
    if (!t || t->chunking || t->spoilt) {
        smtpd_refuse(s, t ? SLICE("503 5.5.1 content has begun\r\n") : SLICE("503 5.5.1 send MAIL first\r\n"));
        return;
    }
    if (t->accepted >= s->shared->config->limits.recipients) {
        refuse_as(s, METRIC_REASON_LIMIT);
        smtpd_refuse(s, SLICE("452 4.5.3 too many recipients for one transaction\r\n"));
        return;
    }
    struct slice whole = SLICE_EMPTY;
    size_t before = t->envelope.recipients_n;
    bool possible = take_recipient(s, c, &whole, &e), good = possible && judge(s, whole, before, &e);
    if (!good)
        smtpd_filter_rcpt_refused(s, c, &e);
    else if (!smtpd_filter_rcpt(s, c, &e))
        good = filter_refused(s, before);
    if (!good) {
        t->refused++;
        note_refused(s, c, &e);
        s->misdeed = possible ? MESSAGE_SEEN_REFUSED : misdeed_of(&e);
        smtpd_refuse_err(s, &e);
        return;
    }
    smtpd_pace_recipient(s);
    if (++t->accepted == 1)
        t->for_whom = arena_dup(&s->arena, c->path.mailbox);
    smtpd_reply(s, SLICE("250 2.1.5 recipient ok\r\n"));
}
