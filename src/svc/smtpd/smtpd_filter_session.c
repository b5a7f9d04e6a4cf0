// smtpd_filter_session: between a session and its filters.
#include "svc/smtpd/smtpd_filter_session.h"

#include "base/utf8.h"
#include "core/queue/queue_id.h"
#include "svc/smtpd/smtpd_aside.h"
#include "svc/smtpd/smtpd_filter.h"
#include "svc/smtpd/smtpd_name.h"
#include "svc/smtpd/smtpd_session.h"
#include "wire/xtext.h"

enum { DN_MAX = 1024 };

// --- what filters are asked with

static FIBER_FN bool open_filter(void *arg, size_t index, struct transport **out, struct err *e) {
    struct smtpd_session *s = arg;
    struct smtpd_backend *b = s->shared->backend;
    return b->ops->filter_open(b, index, out, e);
}

static void add_tls(struct smtpd_session *s, struct smtpd_filter_facts *out) {
    struct smtpd_tls_told told = {.subject = {.max = DN_MAX}, .issuer = {.max = DN_MAX}};
    if (!s->tls || !s->shared->tls_told)
        return;
    s->shared->tls_told(s->stream.transport, &told);
    out->cipher = slice_str(told.cipher);
    out->tls_version = slice_str(told.version);
    out->cipher_bits = arena_printf(&s->arena, "%d", told.bits);
    out->cert_subject = arena_dup(&s->arena, buf_slice(&told.subject));
    out->cert_issuer = arena_dup(&s->arena, buf_slice(&told.issuer));
    buf_done(&told.subject);
    buf_done(&told.issuer);
}

// Mechanisms are told as SASL writes them.
static struct slice auth_type(struct smtpd_session *s) {
    struct slice name = slice_str(s->auth_type);
    char *to = arena_alloc(&s->arena, name.n + 1);
    for (size_t i = 0; to && i < name.n; i++)
        to[i] = name.p[i] >= 'a' && name.p[i] <= 'z' ? (char)(name.p[i] - ('a' - 'A')) : name.p[i];
    return slice_of(to, to ? name.n : 0);
}

static struct slice author(struct smtpd_session *s, struct slice submitter) {
    struct buf text BUF_AUTO = {.max = submitter.n + 1};
    return xtext_decode(submitter, &text) ? arena_dup(&s->arena, buf_slice(&text)) : SLICE_EMPTY;
}

static void facts(void *arg, struct smtpd_filter_facts *out) {
    struct smtpd_session *s = arg;
    const struct smtpd_transaction *t = s->transaction;
    *out = (struct smtpd_filter_facts){
        .client = s->client,
        .local = s->local,
        .helo = buf_slice(&s->helo),
        .esmtp = s->esmtp,
        .user = buf_slice(&s->user),
        .auth_type = s->user.n ? auth_type(s) : SLICE_EMPTY,
        .author = t->author,
        .queue_id = slice_of(t->id, sizeof t->id),
    };
    bool confirmed;
    out->ptr = smtpd_name(s, &confirmed); // known by now: nobody waits
    out->name = confirmed ? out->ptr : SLICE_EMPTY;
    add_tls(s, out);
}

static void said(void *arg, const struct config_filter *f, struct slice words) {
    struct smtpd_session *s = arg;
    struct slice session = slice_of(s->id, sizeof s->id);
    if (slice_starts(words, SLICE("broke off")))
        journal_event(s->shared->journal, JOURNAL_WARNING, "filter-failed", JOURNAL_STR("session", session),
                      JOURNAL_STR("filter", f->name), JOURNAL_STR("why", words));
    else
        journal_event(s->shared->journal, JOURNAL_INFO, "filter-said", JOURNAL_STR("session", session),
                      JOURNAL_STR("filter", f->name), JOURNAL_STR("words", words));
    smtpd_gate_filter(s, f->name, words);
}

static void counted(void *arg, enum metric_label_FILTER result) {
    struct smtpd_session *s = arg;
    metric_add_at(s->shared->metrics, METRIC_FILTERS, result, 1);
}

static void ended(void *arg, int64_t ns) {
    struct smtpd_session *s = arg;
    metric_observe(s->shared->metrics, METRIC_FILTER_SECONDS, 0, ns);
}

static bool hold(void *arg, int64_t bytes) {
    struct smtpd_session *s = arg;
    uint64_t most = s->shared->config->gate.memory;
    if (bytes > 0 && most && s->shared->held + (uint64_t)bytes > most)
        return false;
    s->shared->held += (uint64_t)bytes;
    return true;
}

static const struct smtpd_filter_outside outside = {
    .open = open_filter, .facts = facts, .said = said, .counted = counted, .ended = ended, .hold = hold};

// --- the envelope

bool smtpd_filter_wanted(const struct smtpd_session *s) {
    return s->filters || smtpd_filters_wanted(s->shared->config, s->shared->role);
}

static bool go_on(struct smtpd_session *s, const struct smtpd_filter_verdict *v, struct err *e) {
    if (v->what == SMTPD_FILTER_DISCARD)
        s->transaction->discarded = true;
    if (v->what != SMTPD_FILTER_REFUSE)
        return true;
    *e = v->why;
    s->ends_with_refusal = s->ends_with_refusal || v->end;
    return false;
}

static bool asks(const struct smtpd_session *s) { return s->filters && s->transaction && !s->transaction->discarded; }

// What facts() gives that isn't known without asking.
static FIBER_FN void find_facts(struct smtpd_session *s, const struct smtp_command *c) {
    struct smtpd_transaction *t = s->transaction;
    struct smtpd_backend *b = s->shared->backend;
    bool confirmed;
    smtpd_name(s, &confirmed);
    t->author = author(s, c->submitter);
    t->content.queue_id = b->ops->queue_id(b);
    queue_id_print(t->content.queue_id, t->id);
}

bool smtpd_filter_mail(struct smtpd_session *s, const struct smtp_command *c, struct err *e) {
    struct smtpd_filter_verdict v;
    if (!s->filters)
        s->filters = smtpd_filters_new(s->shared->config, s->shared->role, &outside, s);
    if (!s->filters)
        return true;
    find_facts(s, c);
    smtpd_filters_mail(s->filters, c->path.mailbox, c->params, &v);
    return go_on(s, &v, e);
}

bool smtpd_filter_rcpt(struct smtpd_session *s, const struct smtp_command *c, struct err *e) {
    struct smtpd_filter_verdict v;
    if (!asks(s))
        return true;
    smtpd_filters_rcpt(s->filters, c->path.mailbox, SLICE_EMPTY, &v);
    return go_on(s, &v, e);
}

void smtpd_filter_rcpt_refused(struct smtpd_session *s, const struct smtp_command *c, const struct err *why) {
    if (asks(s))
        smtpd_filters_rcpt_refused(s->filters, c->path.mailbox, why);
}

bool smtpd_filter_data(struct smtpd_session *s, struct err *e) {
    struct smtpd_filter_verdict v;
    if (!asks(s))
        return true;
    smtpd_filters_data(s->filters, &v);
    return go_on(s, &v, e);
}

bool smtpd_filter_unknown(struct smtpd_session *s, struct slice line, struct err *e) {
    struct smtpd_filter_verdict v;
    if (!asks(s))
        return true;
    smtpd_filters_unknown(s->filters, line, &v);
    return v.what != SMTPD_FILTER_REFUSE || go_on(s, &v, e);
}

// --- content

void smtpd_filter_header(struct smtpd_aside *a, struct smtpd_session *s) {
    if (asks(s))
        smtpd_filters_header(s->filters, buf_slice(&a->head));
}

void smtpd_filter_body(struct smtpd_session *s, struct slice piece) {
    if (asks(s))
        smtpd_filters_body(s->filters, piece);
}

bool smtpd_filter_piece(struct smtpd_session *s, struct slice *out) { return smtpd_filters_piece(s->filters, out); }

static bool named(const struct envelope_recipient *r, struct slice address, bool any_case) {
    return any_case ? slice_ieq(r->address, address) || slice_ieq(r->original, address)
                    : slice_eq(r->address, address) || slice_eq(r->original, address);
}

static bool remove_named(struct envelope *env, struct slice address, bool any_case) {
    size_t kept = 0, before = env->recipients_n;
    for (size_t i = 0; i < before; i++)
        if (!named(&env->recipients[i], address, any_case))
            env->recipients[kept++] = env->recipients[i];
    env->recipients_n = kept;
    return kept < before;
}

// There are filters that write all addresses in lower case.
static void remove_recipient(struct smtpd_session *s, struct slice address) {
    struct envelope *env = &s->transaction->envelope;
    (void)(remove_named(env, address, false) || remove_named(env, address, true));
}

static FIBER_FN bool change_envelope(struct smtpd_session *s, const struct smtpd_filtered *f, struct err *e) {
    struct envelope *env = &s->transaction->envelope;
    if (f->sender_changed)
        env->sender = arena_dup(&s->arena, f->sender);
    if (f->sender_changed && f->sender.n && !env->sender.p)
        return err_smtp(e, 451, "4.3.0", "out of memory for the message");
    for (size_t i = 0; i < f->removed_n; i++)
        remove_recipient(s, f->removed[i]);
    if (!utf8_ascii(f->sender))
        env->flags |= ENVELOPE_SMTPUTF8;
    for (size_t i = 0; i < f->added_n; i++) {
        if (!smtpd_transaction_add(s, f->added[i], e))
            return false;
        if (!utf8_ascii(f->added[i]))
            env->flags |= ENVELOPE_SMTPUTF8;
    }
    env->flags |= f->quarantine ? ENVELOPE_HOLD : 0u;
    return true;
}

// Signatures are verified over what came, and policy looks at it until the message is through: it stays.
static bool change_header(struct smtpd_aside *a, const struct smtpd_filtered *f, struct err *e) {
    struct buf changed = {.max = a->head.max};
    if (!buf_add(&changed, f->header))
        return err_smtp(e, 451, "4.3.0", "out of memory for the message");
    if (a->came.n == 0)
        a->came = a->head;
    else
        buf_done(&a->head);
    a->head = changed;
    a->top = f->top;
    return true;
}

enum smtpd_gate_says smtpd_filter_content(struct smtpd_content *c, struct smtpd_session *s, bool *body, struct err *e) {
    struct smtpd_filtered f;
    *body = false;
    if (s->transaction->discarded)
        return SMTPD_GATE_DISCARD;
    if (!s->filters)
        return SMTPD_GATE_TAKE;
    smtpd_filters_end(s->filters, &f);
    if (!go_on(s, &f.verdict, e))
        return SMTPD_GATE_REFUSE;
    if (f.verdict.what == SMTPD_FILTER_DISCARD)
        return SMTPD_GATE_DISCARD;
    if (!change_envelope(s, &f, e) || (f.header_changed && !change_header(c->aside, &f, e)))
        return SMTPD_GATE_REFUSE;
    *body = f.body_changed;
    return SMTPD_GATE_TAKE;
}

void smtpd_filter_end(struct smtpd_session *s) {
    if (s->filters)
        smtpd_filters_abort(s->filters);
}

void smtpd_filter_done(struct smtpd_session *s) {
    smtpd_filters_free(s->filters);
    s->filters = NULL;
}
