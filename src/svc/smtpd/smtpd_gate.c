// smtpd_gate: a session as the gate's outside, and verdicts carried out.
#include "svc/smtpd/smtpd_gate.h"

#include "base/mem.h"
#include "core/gate/gate.h"
#include "core/queue/queue_id.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_aside.h"
#include "svc/smtpd/smtpd_delegation.h"
#include "svc/smtpd/smtpd_record.h"
#include "svc/smtpd/smtpd_reply.h"
#include "svc/smtpd/smtpd_session.h"
#include "svc/smtpd/smtpd_waited.h"

#include <stdlib.h>

struct smtpd_gate {
    struct smtpd_session *session;
    struct gate *gate;
    struct oracle oracle;
    struct gate_outside outside;
    struct mono deadline;    // of the questions of this stage
    bool pipelined;          // was told
    bool refused_by_rule;    // the refusal at hand is recorded
    bool has_content;        // the gate was told of the message's
    uint32_t misdeed_tarpit; // ms that replies to errors wait
};

// --- the outside

static struct smtpd_session *session_of(void *arg) { return ((struct smtpd_gate *)arg)->session; }
static struct smtpd_backend *backend_of(void *arg) { return session_of(arg)->shared->backend; }

static void hurry(void *arg, int64_t ms) { ((struct smtpd_gate *)arg)->deadline = loop_in_ms(fiber_loop(), ms); }

static struct wall now(void *arg) { return backend_of(arg)->ops->now(backend_of(arg)); }

static FIBER_FN void ask_dns(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                             struct oracle_answer *answers) {
    struct smtpd_gate *g = LIST_ENTRY(o, struct smtpd_gate, oracle);
    struct smtpd_backend *b = backend_of(g);
    b->ops->ask(b, questions, n, g->deadline, arena, answers);
}

static FIBER_FN bool ask_client(void *arg, const struct message_client *m, struct arena *arena,
                                struct message_client_reply *out) {
    return backend_of(arg)->ops->client(backend_of(arg), m, arena, out);
}

static FIBER_FN bool ask_greylist(void *arg, const struct message_greylist *m, struct message_greylist_reply *out) {
    return backend_of(arg)->ops->greylist(backend_of(arg), m, out);
}

static FIBER_FN bool ask_table(void *arg, struct slice table, struct slice value, bool *out) {
    return backend_of(arg)->ops->match(backend_of(arg), table, value, out);
}

static void seen(struct smtpd_session *s, enum message_seen_what what, struct slice domain, struct slice recipient) {
    struct smtpd_backend *b = s->shared->backend;
    struct message_seen m = {.what = what,
                             .client = s->client,
                             .local = config_is_local(s->shared->config, &s->client),
                             .domain = domain,
                             .recipient = recipient};
    b->ops->seen(b, &m);
}

static void wire(void *arg, struct gate_wire *out) {
    struct smtpd_session *s = session_of(arg);
    *out = (struct gate_wire){.hello = s->helo.n && !s->esmtp,
                              .size = s->transaction ? s->transaction->size : 0,
                              .stress = s->shared->stress};
    if (!s->tls || !s->shared->tls_told)
        return;
    struct smtpd_tls_told told = {0}; // names are left out
    s->shared->tls_told(s->stream.transport, &told);
    out->tls_version = slice_str(told.version);
    out->cipher = slice_str(told.cipher);
    out->cipher_bits = told.bits;
}

// DUNNO and OK are what mostly comes.
static void note_answer(struct smtpd_session *s, const struct config_filter *f, struct slice answer) {
    bool warns = slice_istarts(answer, SLICE("WARN"));
    if (slice_ieq(answer, SLICE("DUNNO")) || slice_ieq(answer, SLICE("OK")))
        return;
    journal_event(s->shared->journal, warns ? JOURNAL_WARNING : JOURNAL_INFO, "filter-said",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("filter", f->name),
                  JOURNAL_STR("words", answer));
}

static void odd_answer(void *arg, const struct config_filter *f, struct slice answer) {
    struct smtpd_session *s = session_of(arg);
    journal_event(s->shared->journal, JOURNAL_WARNING, "filter-not-obeyed",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("filter", f->name),
                  JOURNAL_STR("words", answer));
}

static FIBER_FN bool ask_delegation(void *arg, const struct config_filter *f, struct slice request, struct arena *arena,
                                    struct slice *answer) {
    struct smtpd_session *s = session_of(arg);
    struct err e;
    if (!s->shared->delegation)
        return false;
    if (smtpd_delegation_ask(s->shared->delegation, f, request, arena, answer, &e)) {
        note_answer(s, f, *answer);
        return true;
    }
    journal_event(s->shared->journal, JOURNAL_WARNING, "filter-failed",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)), JOURNAL_STR("filter", f->name),
                  JOURNAL_STR("why", slice_str(e.text)));
    return false;
}

static void talked_early(struct smtpd_session *s) {
    smtpd_waited_forget(s->shared->waited, &s->client);
    seen(s, MESSAGE_SEEN_EARLY, SLICE_EMPTY, SLICE_EMPTY);
}

// Who can't wait for the greeting is no mail server (RFC 5321 4.3.1): nobody else gains by that. Who waited lately need
// not do it again; what it says all the same before it is greeted was said too early still.
static FIBER_FN bool early(void *arg, int64_t ms) {
    struct smtpd_session *s = session_of(arg);
    struct slice view;
    struct err e;
    bool waited = smtpd_waited_knows(s->shared->waited, &s->client, loop_now(fiber_loop()));
    s->idle = true;
    bool talked = stream_peek(&s->stream, loop_in_ms(fiber_loop(), waited ? 0 : ms), &view, &e);
    s->idle = false;
    if (talked)
        talked_early(s);
    else if (!waited && e.kind == ERR_TIMEOUT) // and didn't hang up
        smtpd_waited_note(s->shared->waited, &s->client, loop_now(fiber_loop()));
    return talked;
}

static void record(void *arg, const struct record *r) {
    if (session_of(arg)->shared->config->gate.history.size)
        backend_of(arg)->ops->record(backend_of(arg), r);
}

static void dmarc_seen(void *arg, const struct message_dmarc_seen *m) {
    if (session_of(arg)->shared->config->gate.reports.from.n)
        backend_of(arg)->ops->dmarc_seen(backend_of(arg), m);
}

// --- a client

static bool is_stranger(const struct smtpd_session *s) { return !s->trusted && !smtpd_is_submission(s); }

static struct smtpd_gate *gate_for(struct smtpd_session *s) {
    struct smtpd_gate *g = MEM_NEW(struct smtpd_gate);
    *g = (struct smtpd_gate){.session = s, .oracle = {ask_dns}};
    g->outside = (struct gate_outside){
        .hurry = hurry,
        .now = now,
        .client = ask_client,
        .greylist = ask_greylist,
        .early = early,
        .in_table = ask_table,
        .ask = ask_delegation,
        .wire = wire,
        .odd = odd_answer,
        .record = record,
        .dmarc_seen = dmarc_seen,
        .list_states = s->shared->list_states,
    };
    g->gate = gate_new(s->shared->config, &g->outside, &g->oracle, g);
    if (g->gate)
        return g;
    free(g);
    return NULL;
}

void smtpd_gate_done(struct smtpd_session *s) {
    if (s->gate)
        gate_free(s->gate->gate);
    free(s->gate);
    s->gate = NULL;
}

void smtpd_gate_tarpit(struct smtpd_session *s, int64_t ms) {
    struct mono until = loop_in_ms(fiber_loop(), ms < GATE_TARPIT_MAX_MS ? ms : GATE_TARPIT_MAX_MS);
    while (ms > 0 && !s->shared->stopping && fiber_cond_wait(&s->shared->stopped, until) == FIBER_WOKEN) {
    }
}

// Runs a stage's rules. False: it is refused, for `e`.
static FIBER_FN bool decide(struct smtpd_session *s, enum config_stage stage, struct gate_verdict *v, struct err *e) {
    *v = (struct gate_verdict){0};
    gate_decide(s->gate->gate, stage, v);
    smtpd_gate_tarpit(s, v->tarpit_ms);
    if (v->outcome != GATE_REFUSE)
        return true;
    *e = v->why;
    s->gate->refused_by_rule = true;
    s->ends_with_refusal = v->end;
    s->misdeed = MESSAGE_SEEN_REFUSED;
    if (e->smtp >= 500) // who is put off hasn't done wrong
        seen(s, MESSAGE_SEEN_REFUSED, SLICE_EMPTY, SLICE_EMPTY);
    return false;
}

static void turn_away(struct smtpd_session *s, const struct err *e) {
    journal_event(s->shared->journal, JOURNAL_INFO, "client-refused",
                  JOURNAL_STR("session", slice_of(s->id, sizeof s->id)),
                  JOURNAL_STR("client", slice_of(s->client_text, s->client_text_n)), JOURNAL_INT("code", e->smtp),
                  JOURNAL_ERR(e));
    s->ends_with_refusal = false;
    smtpd_reply_err(s, e);
    smtpd_end(s, METRIC_REASON_POLICY);
}

static bool within_connections(struct smtpd_session *s, struct err *e) {
    const struct message_client_reply *standing = gate_standing(s->gate->gate);
    if (!standing)
        return true;
    s->gate->misdeed_tarpit = (uint32_t)standing->tarpit_ms;
    if (standing->ok)
        return true;
    err_smtp(e, 421, "4.7.0", "%.*s", SLICE_ARG(standing->text));
    gate_refused(s->gate->gate, CONFIG_STAGE_CONNECT, e);
    return false;
}

bool smtpd_gate_connect(struct smtpd_session *s) {
    struct gate_verdict v;
    struct err e;
    smtpd_gate_done(s);
    if (!is_stranger(s))
        return true;
    s->gate = gate_for(s);
    if (!s->gate) {
        err_smtp(&e, 421, "4.3.0", "out of memory, please try again later");
        turn_away(s, &e);
        return false;
    }
    gate_client(s->gate->gate,
                &(struct gate_client_facts){
                    .ip = s->client, .local = s->local, .session = slice_of(s->id, sizeof s->id), .tls = s->tls});
    if (!decide(s, CONFIG_STAGE_CONNECT, &v, &e) || !within_connections(s, &e)) {
        turn_away(s, &e);
        return false;
    }
    return !s->ending;
}

void smtpd_gate_tls(struct smtpd_session *s) {
    if (s->gate)
        gate_tls(s->gate->gate);
}

bool smtpd_gate_helo(struct smtpd_session *s, struct slice name, struct err *e) {
    struct gate_verdict v;
    if (!s->gate)
        return true;
    gate_helo(s->gate->gate, name);
    return decide(s, CONFIG_STAGE_HELO, &v, e);
}

void smtpd_gate_pipelined(struct smtpd_session *s) {
    if (!s->gate || s->gate->pipelined)
        return;
    s->gate->pipelined = true;
    gate_pipelined(s->gate->gate);
    talked_early(s);
}

// --- rates

static bool has_rate(const struct smtpd_session *s, enum config_rate_what what) {
    const struct config_gate *c = &s->shared->config->gate;
    for (size_t i = 0; i < c->rates_n; i++)
        if (c->rates[i].what == what)
            return true;
    return false;
}

static FIBER_FN bool within_rates(struct smtpd_session *s, enum config_rate_what what, struct slice recipient,
                                  struct err *e) {
    ARENA_AUTO struct arena arena = {.max = 4096};
    struct smtpd_backend *b = s->shared->backend;
    struct slice sender = s->transaction ? s->transaction->envelope.sender : SLICE_EMPTY;
    size_t at = slice_rfind(sender, '@');
    struct message_tally m = {.what = what,
                              .client = s->client,
                              .local = config_is_local(s->shared->config, &s->client),
                              .helo = buf_slice(&s->helo),
                              .sender_domain = at < sender.n ? slice_from(sender, at + 1) : SLICE_EMPTY,
                              .recipient = recipient};
    struct message_tally_reply reply;
    bool ends = what == CONFIG_RATE_UNKNOWN || what == CONFIG_RATE_ERRORS; // policy has more to say of those
    if ((!ends && !has_rate(s, what)) || !b->ops->tally(b, &m, &arena, &reply))
        return true;
    s->gate->misdeed_tarpit = reply.tarpit_ms > s->gate->misdeed_tarpit ? reply.tarpit_ms : s->gate->misdeed_tarpit;
    if (reply.ok)
        return true;
    metric_add_at(s->shared->metrics, ends ? METRIC_SESSIONS_REFUSED : METRIC_MESSAGES_REFUSED, METRIC_REASON_POLICY,
                  1);
    return err_smtp(e, ends ? 421 : 451, ends ? "4.7.0" : "4.7.1", "%.*s", SLICE_ARG(reply.text));
}

void smtpd_gate_misdeed(struct smtpd_session *s, enum message_seen_what what) {
    struct err e;
    if (!s->gate)
        return;
    enum config_rate_what rate = what == MESSAGE_SEEN_UNKNOWN ? CONFIG_RATE_UNKNOWN : CONFIG_RATE_ERRORS;
    if (what != MESSAGE_SEEN_REFUSED)
        seen(s, what, SLICE_EMPTY, SLICE_EMPTY);
    if (what != MESSAGE_SEEN_REFUSED && !within_rates(s, rate, SLICE_EMPTY, &e) && !s->ending) {
        smtpd_gate_refused(s, s->transaction ? CONFIG_STAGE_RECIPIENT : CONFIG_STAGE_HELO, SLICE_EMPTY, &e);
        smtpd_reply_err(s, &e);
        s->ending = true;
    }
    smtpd_gate_tarpit(s, s->gate->misdeed_tarpit);
}

// --- a transaction

bool smtpd_gate_mail(struct smtpd_session *s, struct err *e) {
    struct gate_verdict v;
    if (!s->gate)
        return true;
    s->gate->has_content = false;
    gate_mail(s->gate->gate, s->transaction->envelope.sender);
    if (within_rates(s, CONFIG_RATE_MESSAGES, SLICE_EMPTY, e))
        return decide(s, CONFIG_STAGE_MAIL, &v, e);
    smtpd_gate_refused(s, CONFIG_STAGE_MAIL, SLICE_EMPTY, e);
    return false;
}

enum smtpd_gate_says smtpd_gate_recipient(struct smtpd_session *s, struct slice address, struct slice *instead,
                                          struct err *e) {
    struct gate_verdict v;
    *instead = SLICE_EMPTY;
    if (!s->gate)
        return SMTPD_GATE_TAKE;
    if (!within_rates(s, CONFIG_RATE_RECIPIENTS, address, e))
        return SMTPD_GATE_REFUSE;
    gate_recipient(s->gate->gate, address, s->transaction->accepted + 1);
    if (!decide(s, CONFIG_STAGE_RECIPIENT, &v, e))
        return SMTPD_GATE_REFUSE;
    *instead = v.redirect.n ? arena_dup(&s->arena, v.redirect) : SLICE_EMPTY;
    return v.outcome == GATE_DISCARD ? SMTPD_GATE_DISCARD : SMTPD_GATE_TAKE;
}

void smtpd_gate_refused(struct smtpd_session *s, enum config_stage stage, struct slice recipient,
                        const struct err *why) {
    if (!s->gate) {
        smtpd_record(s, (enum record_stage)stage, recipient, why);
        return;
    }
    if (s->gate->refused_by_rule) {
        s->gate->refused_by_rule = false;
        return;
    }
    if (stage == CONFIG_STAGE_RECIPIENT && s->transaction)
        gate_recipient(s->gate->gate, recipient, s->transaction->accepted + 1);
    gate_refused(s->gate->gate, stage, why);
}

struct slice smtpd_gate_client_name(struct smtpd_session *s, bool *confirmed) {
    *confirmed = false;
    return s->gate ? gate_client_name(s->gate->gate, confirmed) : SLICE_EMPTY;
}

void smtpd_gate_filter(struct smtpd_session *s, struct slice name, struct slice words) {
    if (s->gate)
        gate_filter(s->gate->gate, name, words);
    else
        smtpd_record_filter(s, name, words);
}

// --- content

void smtpd_gate_header(struct smtpd_aside *a, struct smtpd_session *s) {
    struct smtpd_backend *b = s->shared->backend;
    struct slice header = buf_slice(&a->head);
    a->verifies = s->gate && dkim_verify_begin(&a->dkim, header, b->ops->now(b), &s->arena) &&
                  arc_verify_begin(&a->arc, header, b->ops->now(b), &s->arena);
}

void smtpd_gate_body(struct smtpd_aside *a, struct slice piece) {
    if (!a->verifies)
        return;
    dkim_verify_body(&a->dkim, piece);
    arc_verify_body(&a->arc, piece);
}

static bool add_fields(struct smtpd_aside *a, struct gate *g, const struct gate_verdict *v, struct err *e) {
    gate_results(g, &a->front);
    for (size_t i = 0; i < v->headers_n; i++) {
        buf_add(&a->front, v->headers[i]);
        buf_add_str(&a->front, "\r\n");
    }
    return !a->front.failed || err_smtp(e, 451, "4.3.0", "out of memory for a header");
}

static FIBER_FN bool apply(struct smtpd_session *s, const struct gate_verdict *v, struct err *e) {
    struct envelope *env = &s->transaction->envelope;
    env->tags = v->tags;
    env->tags_n = v->tags_n;
    env->flags |= (v->hold ? ENVELOPE_HOLD : 0u) | (v->quarantine ? ENVELOPE_QUARANTINE : 0u);
    if (v->redirect.n == 0)
        return v->bcc.n == 0 || smtpd_transaction_add(s, v->bcc, e);
    struct envelope_recipient *to = ARENA_NEW(&s->arena, struct envelope_recipient);
    if (!to)
        return err_smtp(e, 451, "4.3.0", "out of memory");
    *to = (struct envelope_recipient){.address = arena_dup(&s->arena, v->redirect)};
    env->recipients = to;
    env->recipients_n = 1;
    return true;
}

static struct slice *addresses(struct smtpd_session *s, size_t *n) {
    const struct envelope *env = &s->transaction->envelope;
    struct slice *list = arena_alloc(&s->arena, (env->recipients_n + 1) * sizeof *list);
    *n = list ? env->recipients_n : 0;
    for (size_t i = 0; i < *n; i++)
        list[i] = env->recipients[i].address;
    return list;
}

enum smtpd_gate_says smtpd_gate_content(struct smtpd_content *c, struct smtpd_session *s, struct err *e) {
    struct smtpd_aside *a = c->aside;
    struct gate_verdict v;
    if (!s->gate)
        return SMTPD_GATE_TAKE;
    struct gate_content content = {
        .queue_id = c->queue_id,
        .size = c->body.size,
        .hops = c->header.received,
        .header = buf_slice(a->came.n ? &a->came : &a->head),
        .dkim = a->verifies ? &a->dkim : NULL,
        .arc = a->verifies ? &a->arc : NULL,
    };
    content.recipients = addresses(s, &content.recipients_n);
    gate_content(s->gate->gate, &content);
    s->gate->has_content = true;
    if (!decide(s, CONFIG_STAGE_CONTENT, &v, e))
        return SMTPD_GATE_REFUSE;
    if (v.outcome == GATE_DISCARD)
        return SMTPD_GATE_DISCARD;
    return add_fields(a, s->gate->gate, &v, e) && apply(s, &v, e) ? SMTPD_GATE_TAKE : SMTPD_GATE_REFUSE;
}

void smtpd_gate_told(struct smtpd_session *s, const struct err *why) {
    if (!s->gate) {
        smtpd_record(s, RECORD_CONTENT, SLICE_EMPTY, why);
        if (!why)
            smtpd_record_wrote(s);
        return;
    }
    if (!why)
        seen(s, MESSAGE_SEEN_GOOD, gate_proven_domain(s->gate->gate), SLICE_EMPTY);
    if (s->gate->has_content)
        gate_told(s->gate->gate, why);
    else if (why)
        gate_refused(s->gate->gate, CONFIG_STAGE_CONTENT, why);
    s->gate->refused_by_rule = false;
}
