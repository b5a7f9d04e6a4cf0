// smtpd_filter_session: between a session and its filters.
#include "svc/smtpd/smtpd_filter_session.h"

#include "core/queue_id.h"
#include "svc/smtpd/smtpd_aside.h"
#include "svc/smtpd/smtpd_filter.h"
#include "svc/smtpd/smtpd_session.h"

enum { PARAMS_MAX = 1024 };

// --- what filters are asked with

static FIBER_FN bool open_filter(void *arg, size_t index, struct transport **out, struct err *e) {
    struct smtpd_session *s = arg;
    struct smtpd_backend *b = s->shared->backend;
    return b->ops->filter_open(b, index, out, e);
}

static struct slice tls_version(struct slice cipher) {
    return slice_starts(cipher, SLICE("TLS_")) ? SLICE("TLSv1.3") : SLICE("TLSv1.2");
}

static struct slice tls_bits(struct slice cipher) {
    return slice_search(cipher, SLICE("128")) < cipher.n ? SLICE("128") : SLICE("256");
}

static void add_tls(const struct smtpd_session *s, struct smtpd_filter_facts *out) {
    if (!s->tls || !s->shared->tls_cipher)
        return;
    out->cipher = slice_str(s->shared->tls_cipher(s->stream.transport));
    out->tls_version = tls_version(out->cipher);
    out->cipher_bits = tls_bits(out->cipher);
}

// Mechanisms are told as SASL writes them.
static struct slice auth_type(struct smtpd_session *s) {
    struct slice name = slice_str(s->auth_type);
    char *to = arena_alloc(&s->arena, name.n + 1);
    for (size_t i = 0; to && i < name.n; i++)
        to[i] = name.p[i] >= 'a' && name.p[i] <= 'z' ? (char)(name.p[i] - ('a' - 'A')) : name.p[i];
    return slice_of(to, to ? name.n : 0);
}

// It was asked for at MAIL, so nobody waits for it here. Of trusted clients and users DNS isn't asked.
static void add_name(struct smtpd_session *s, struct smtpd_filter_facts *out) {
    bool confirmed;
    out->ptr = smtpd_gate_client_name(s, &confirmed);
    if (!s->gate && netaddr_is_loopback(&s->client)) {
        out->ptr = SLICE("localhost");
        confirmed = true;
    }
    out->name = confirmed ? out->ptr : SLICE_EMPTY;
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
    };
    add_name(s, out);
    add_tls(s, out);
    if (t && t->content.begun) {
        queue_id_print(t->content.queue_id, s->transaction->id);
        out->queue_id = slice_of(t->id, sizeof t->id);
    }
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

static struct slice params_of(const struct smtp_command *c, struct buf *to) {
    static const char *const bodies[] = {[SMTP_BODY_7BIT] = " BODY=7BIT", [SMTP_BODY_8BITMIME] = " BODY=8BITMIME"};
    if (c->has_size)
        buf_addf(to, " SIZE=%llu", (unsigned long long)c->size);
    if (c->body != SMTP_BODY_UNSAID)
        buf_add_str(to, bodies[c->body]);
    if (c->smtputf8)
        buf_add_str(to, " SMTPUTF8");
    if (c->requiretls)
        buf_add_str(to, " REQUIRETLS");
    return buf_slice(to);
}

bool smtpd_filter_mail(struct smtpd_session *s, const struct smtp_command *c, struct err *e) {
    char space[PARAMS_MAX];
    struct buf params = {.p = space, .cap = sizeof space, .max = sizeof space};
    struct smtpd_filter_verdict v;
    if (!s->filters)
        s->filters = smtpd_filters_new(s->shared->config, s->shared->role, &outside, s);
    if (!s->filters)
        return true;
    bool confirmed;
    smtpd_gate_client_name(s, &confirmed); // a question of DNS, for facts()
    smtpd_filters_mail(s->filters, c->path.mailbox, params_of(c, &params), &v);
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

// What it says of that changes nothing: the command is refused.
void smtpd_filter_unknown(struct smtpd_session *s, struct slice line) {
    struct smtpd_filter_verdict v;
    if (asks(s))
        smtpd_filters_unknown(s->filters, line, &v);
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

static bool named(const struct envelope_recipient *r, struct slice address) {
    return slice_eq(r->address, address) || slice_eq(r->original, address);
}

static void remove_recipient(struct smtpd_session *s, struct slice address) {
    struct envelope *env = &s->transaction->envelope;
    size_t kept = 0;
    for (size_t i = 0; i < env->recipients_n; i++)
        if (!named(&env->recipients[i], address))
            env->recipients[kept++] = env->recipients[i];
    env->recipients_n = kept;
}

// One that isn't there is as if the filter hadn't named it; what can't be found out now is to be tried again.
static FIBER_FN bool add_recipient(struct smtpd_session *s, struct slice address, struct err *e) {
    struct err why;
    if (smtpd_transaction_add(s, address, &why))
        return true;
    journal_event(s->shared->journal, JOURNAL_WARNING, "filter-recipient-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("to", address), JOURNAL_ERR(&why));
    if (err_is_permanent(&why))
        return true;
    *e = why;
    return false;
}

static FIBER_FN bool change_envelope(struct smtpd_session *s, const struct smtpd_filtered *f, struct err *e) {
    struct envelope *env = &s->transaction->envelope;
    if (f->sender_changed)
        env->sender = arena_dup(&s->arena, f->sender);
    if (f->sender_changed && f->sender.n && !env->sender.p)
        return err_smtp(e, 451, "4.3.0", "out of memory for the message");
    for (size_t i = 0; i < f->removed_n; i++)
        remove_recipient(s, f->removed[i]);
    for (size_t i = 0; i < f->added_n; i++)
        if (!add_recipient(s, f->added[i], e))
            return false;
    env->flags |= f->quarantine ? ENVELOPE_HOLD : 0u;
    return true;
}

// Signatures are verified over what came, and policy looks at it until the message is through: it stays.
static bool change_header(struct smtpd_aside *a, struct slice header, struct err *e) {
    struct buf changed = {.max = a->head.max};
    if (!buf_add(&changed, header))
        return err_smtp(e, 451, "4.3.0", "out of memory for the message");
    if (a->came.n == 0)
        a->came = a->head;
    else
        buf_done(&a->head);
    a->head = changed;
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
    if (!change_envelope(s, &f, e) || (f.header_changed && !change_header(c->aside, f.header, e)))
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
