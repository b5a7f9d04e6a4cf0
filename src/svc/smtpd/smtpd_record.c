// smtpd_record: facts that cost nothing, put together.
#include "svc/smtpd/smtpd_record.h"

#include "base/hash.h"
#include "core/route/route.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_session.h"

enum { WROTE_MS = 10 * MS_MINUTE };

static enum record_outcome outcome_of(const struct smtpd_transaction *t, const struct err *why) {
    if (why)
        return why->smtp / 100 == 5 ? RECORD_REFUSED : RECORD_DEFERRED;
    return t && (t->envelope.flags & ENVELOPE_HOLD) ? RECORD_HELD : RECORD_ACCEPTED;
}

static void add_transaction(struct smtpd_session *s, struct slice *recipients, struct record *r) {
    const struct smtpd_transaction *t = s->transaction;
    r->queue_id = t->content.begun ? t->content.queue_id : 0;
    r->sender = t->envelope.sender;
    r->filters = t->said;
    r->filters_n = t->said_n;
    r->tags = t->envelope.tags;
    r->tags_n = t->envelope.tags_n;
    r->recipients = recipients;
    for (size_t i = 0; i < t->envelope.recipients_n && i < RECORD_LIST_MAX; i++)
        recipients[r->recipients_n++] = t->envelope.recipients[i].address;
}

void smtpd_record(struct smtpd_session *s, enum record_stage stage, struct slice recipient, const struct err *why) {
    struct smtpd_backend *b = s->shared->backend;
    struct slice recipients[RECORD_LIST_MAX];
    if (!s->shared->config->gate.history.size)
        return;
    struct record r = {.when = b->ops->now(b),
                       .stage = stage,
                       .outcome = outcome_of(s->transaction, why),
                       .session = slice_of(s->id, sizeof s->id),
                       .client = s->client,
                       .helo = buf_slice(&s->helo),
                       .user = buf_slice(&s->user)};
    if (s->transaction)
        add_transaction(s, recipients, &r);
    if (recipient.n) {
        r.recipients = &recipient;
        r.recipients_n = 1;
    }
    if (why) {
        r.code = (uint16_t)why->smtp;
        memcpy(r.enhanced, why->enhanced, sizeof r.enhanced);
        r.text = slice_str(why->text);
    }
    b->ops->record(b, &r);
}

void smtpd_record_filter(struct smtpd_session *s, struct slice name, struct slice words) {
    struct smtpd_transaction *t = s->transaction;
    if (t && !t->said)
        t->said = arena_alloc(&s->arena, SMTPD_RECORD_FILTERS * sizeof *t->said);
    if (!t || !t->said || t->said_n == SMTPD_RECORD_FILTERS)
        return;
    t->said[t->said_n++] =
        (struct record_filter){.name = arena_dup(&s->arena, name), .words = arena_dup(&s->arena, words)};
}

// Whether this address was told of already; from now on it was.
static bool told(struct smtpd_wrote *w, struct slice address) {
    struct mono now = loop_now(fiber_loop());
    if (!w)
        return false;
    if (mono_ms_between(w->since, now) > WROTE_MS) {
        memset(w->hashes, 0, sizeof w->hashes);
        w->since = now;
    }
    uint64_t hash = hash_sip(&w->key, address) | 1, *place = &w->hashes[hash / 2 % SMTPD_WROTE_KEPT];
    bool was = *place == hash;
    *place = hash;
    return was;
}

void smtpd_record_wrote(struct smtpd_session *s) {
    const struct envelope *env = &s->transaction->envelope;
    struct smtpd_backend *b = s->shared->backend;
    for (size_t i = 0; env->sender.n && i < env->recipients_n; i++) {
        struct slice address = env->recipients[i].address;
        if (route_is_local(s->shared->config, slice_from(address, slice_rfind(address, '@') + 1)) ||
            told(s->shared->wrote, address))
            continue;
        b->ops->seen(b, &(struct message_seen){.what = MESSAGE_SEEN_WROTE, .client = s->client, .recipient = address});
    }
}
