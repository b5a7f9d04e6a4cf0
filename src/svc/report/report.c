// report: counting, keeping, sending.
#include "svc/report/report.h"

#include "base/mem.h"
#include "core/report/report_book.h"
#include "mail/dmarc/dmarc_destination.h"
#include "mail/dmarc/dmarc_report_mail.h"
#include "mail/header/header.h"
#include "rt/journal.h"
#include "svc/keys_client.h"
#include "svc/link_oracle.h"
#include "svc/metrics.h"
#include "svc/signing.h"

#include <assert.h>
#include <stdlib.h>

enum {
    KEEP_MS = 5 * MS_SECOND,    // between looks for what changed
    LOOK_MS = 10 * MS_SECOND,   // for reports that are due
    BETWEEN_MS = 200,           // two reports
    ANSWER_MS = 30 * MS_SECOND, // of DNS
    WAIT_MS = 30 * MS_SECOND,   // for inject, or keys, to be there
    SIGNED_MAX = DMARC_REPORT_MAIL_MAX + 64 * 1024,
    KEEP_BATCH = 5000,
    KEY_MAX = 64,
    VALUE_MAX = 8192,
};

static const size_t arena_max = (size_t)256 << 20;

struct report_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer smtpd, resolver, inject, control;
    struct keys_client *keys; // NULL: nobody signs
    struct oracle oracle;
    struct report_book book;
    struct store *store; // NULL: nothing is kept
    bool changed, failing;
    struct metric metric;
};

// --- counting

static void from_smtpd(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct report_service *s = service;
    ARENA_AUTO struct arena arena = {.max = 256 * 1024};
    struct message_dmarc_seen m;
    if (frame->type != LINK_DMARC_SEEN || !message_dmarc_seen_unpack(frame->payload, &arena, &m)) {
        link_break(from->link, "not for report, or malformed");
        return;
    }
    bool counted = report_book_add(&s->book, &m);
    metric_add_at(&s->metric, METRIC_DMARC_SEEN, counted ? METRIC_RESULT_OK : METRIC_RESULT_FAILED, 1);
    s->changed |= counted;
}

static void not_for_us(void *service, struct peer_link *from, const struct link_frame *frame) {
    link_break(from->link, "nothing was asked");
}

static void from_control(void *service, struct peer_link *from, const struct link_frame *frame) {
    struct report_service *s = service;
    metrics_answer(&s->metric, s->world, from, frame);
}

// --- keeping

static bool put_changes(struct report_service *s, bool *more, struct err *e) {
    BUF_AUTO struct buf key = {.max = KEY_MAX}, value = {.max = VALUE_MAX};
    *more = true;
    for (size_t i = 0; i < KEEP_BATCH && *more; i++) {
        buf_reset(&key);
        buf_reset(&value);
        *more = report_book_next_change(&s->book, &key, &value);
        if (*more && s->store &&
            !(value.n ? store_put(s->store, buf_slice(&key), buf_slice(&value), e)
                      : store_remove(s->store, buf_slice(&key), e)))
            return false;
    }
    return !s->store || store_commit(s->store, e);
}

static void keep(struct report_service *s) {
    struct err e = {0};
    bool more = false;
    s->changed = false;
    if (put_changes(s, &more, &e)) {
        s->changed |= more;
        s->failing = false;
        return;
    }
    if (!s->failing)
        journal_event(s->world->journal, JOURNAL_ERROR, "dmarc-results-not-kept", JOURNAL_ERR(&e));
    s->failing = true;
    report_book_change_all(&s->book);
    s->changed = true;
}

static void keep_on(void *arg) {
    struct report_service *s = arg;
    while (fiber_sleep(s->failing ? MS_MINUTE : KEEP_MS))
        while (s->changed && !fiber_cancelled()) {
            keep(s);
            if (s->failing)
                break;
            fiber_yield();
        }
}

struct loading {
    struct report_book *book;
    size_t malformed;
};

static bool load_one(void *arg, struct slice key, struct slice value) {
    struct loading *l = arg;
    l->malformed += !report_book_load(l->book, key, value);
    return true;
}

// --- sending

struct sending {
    struct report_service *s;
    struct report_domain *d; // stays while it is sent: only this fiber removes one
    struct arena arena;
    struct dmarc_report report;
    uint64_t messages;
    struct slice seen[DMARC_URIS_MAX]; // addresses
    size_t seen_n;
    bool later, sent;
};

static void tell(const struct sending *x, struct slice to, const struct err *e) {
    const struct report_service *s = x->s;
    if (!e)
        journal_event(s->world->journal, JOURNAL_INFO, "dmarc-report-sent", JOURNAL_STR("domain", x->report.domain),
                      JOURNAL_STR("to", to), JOURNAL_STR("report", x->report.id),
                      JOURNAL_UINT("rows", x->report.rows_n), JOURNAL_UINT("messages", x->messages));
    else
        journal_event(s->world->journal, JOURNAL_WARNING, "dmarc-report-not-sent",
                      JOURNAL_STR("domain", x->report.domain), JOURNAL_STR("to", to),
                      JOURNAL_BOOL("dropped", err_is_permanent(e)), JOURNAL_ERR(e));
}

// The process that has the keys says soon after its start whom they are for.
static FIBER_FN const struct message_keys_set *wait_for_keys(struct report_service *s, struct err *e) {
    struct mono until = loop_in_ms(s->world->loop, WAIT_MS);
    const struct message_keys_set *set;
    while (!(set = keys_client_set(s->keys)) && mono_before(loop_now(s->world->loop), until))
        if (!fiber_sleep(BETWEEN_MS))
            break;
    if (!set)
        err_set(e, ERR_TEMPORARY, "it can't be signed now: the keys process is not there");
    return set;
}

static struct slice domain_of(struct slice address) { return slice_from(address, slice_rfind(address, '@') + 1); }

static struct slice body_of(struct slice mail) {
    struct slice rest = slice_from(mail, header_section(mail).n);
    return slice_from(rest, slice_find(rest, '\n') + 1);
}

// Signed as users' mail is, since reports have to pass DMARC themselves (RFC 9990 3.5.2): the signatures, and `mail`.
static FIBER_FN bool sign(struct report_service *s, struct slice mail, struct buf *out, struct err *e) {
    struct signing signing = {0};
    struct signer signer = signer_of_keys(s->keys);
    const struct message_keys_set *set = s->keys ? wait_for_keys(s, e) : NULL;
    if (s->keys && !set)
        return false;
    if (set)
        signing_begin(&signing, set->dkims, set->dkims_n, domain_of(s->config->gate.reports.from), mail);
    signing_body(&signing, body_of(mail));
    bool ok = signing_finish(&signing, world_wall(s->world), &signer, out, e);
    signing_done(&signing);
    return ok && (buf_add(out, mail) || err_set(e, ERR_PERMANENT, "the report is too large"));
}

static FIBER_FN bool post(struct sending *x, struct slice to, struct err *e) {
    struct report_service *s = x->s;
    BUF_AUTO struct buf content = {.max = DMARC_REPORT_MAIL_MAX}, out = {.max = SIGNED_MAX},
                        frame = {.max = LINK_PAYLOAD_MAX};
    struct dmarc_report_mail mail = {.hostname = s->config->hostname,
                                     .from = s->config->gate.reports.from,
                                     .to = to,
                                     .report = &x->report,
                                     .now = world_wall(s->world)};
    if (!dmarc_report_mail_write(&mail, &content))
        return err_set(e, ERR_PERMANENT, "the report is too large");
    if (!sign(s, buf_slice(&content), &out, e))
        return false;
    struct message_post m = {.sender = mail.from, .recipient = to, .content = buf_slice(&out)};
    if (!message_post_pack(&frame, &m))
        return err_set(e, ERR_PERMANENT, "the report is too large");
    struct peer_link *link = peer_wait(&s->inject, loop_in_ms(s->world->loop, WAIT_MS), e);
    bool ok = link && (link_send1(link->link, LINK_POST, 0, buf_slice(&frame)) ||
                       err_set(e, ERR_TEMPORARY, "inject does not take it"));
    peer_drop(link);
    return ok;
}

static void ask_resolver(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                         struct oracle_answer *answers) {
    struct report_service *s = LIST_ENTRY(o, struct report_service, oracle);
    struct mono deadline = loop_in_ms(s->world->loop, ANSWER_MS);
    link_oracle_ask(&s->resolver, questions, n, deadline, deadline, arena, answers);
}

// Whether another URI stood for that address.
static bool is_again(struct sending *x, struct slice to) {
    for (size_t i = 0; i < x->seen_n; i++)
        if (slice_ieq(x->seen[i], to))
            return true;
    x->seen[x->seen_n++] = to;
    return false;
}

static FIBER_FN void send_to(struct sending *x, struct slice uri) {
    struct report_service *s = x->s;
    struct slice to = uri;
    struct err e = {0};
    enum dmarc_destination d = dmarc_destination_check(x->report.domain, uri, &s->oracle, &x->arena, &to, &e);
    if (d == DMARC_DESTINATION_GOOD && is_again(x, to))
        return;
    bool ok = d == DMARC_DESTINATION_GOOD && post(x, to, &e);
    x->later |= !ok && !err_is_permanent(&e);
    x->sent |= ok;
    metric_add_at(&s->metric, METRIC_DMARC_REPORTS, ok ? METRIC_RESULT_OK : METRIC_RESULT_FAILED, 1);
    tell(x, to, ok ? NULL : &e);
}

static void fill_sender(struct sending *x) {
    const struct config *c = x->s->config;
    x->report.organisation = c->gate.reports.organisation;
    x->report.email = c->gate.reports.from;
    x->report.generator = SLICE("Posthouse");
    for (size_t i = 0; i < x->report.rows_n; i++)
        x->messages += x->report.rows[i].count;
}

static FIBER_FN void send_all(struct sending *x) {
    struct dmarc_record record;
    struct err e = {0};
    if (!report_book_fill(&x->s->book, x->d, &x->arena, &x->report)) {
        err_set(&e, ERR_PERMANENT, "the report is too large");
        tell(x, SLICE_EMPTY, &e);
        return;
    }
    // A record that is not one any more, or wants nothing: nobody is told.
    struct slice text = arena_dup(&x->arena, report_domain_record(x->d));
    if (!dmarc_record_parse(text, &record, NULL) || x->report.rows_n == 0)
        return;
    fill_sender(x);
    for (size_t i = 0; i < record.rua_n; i++)
        send_to(x, record.rua[i]);
}

static FIBER_FN void send_one(struct report_service *s, struct report_domain *d) {
    struct sending *x = MEM_NEW(struct sending);
    *x = (struct sending){.s = s, .d = d, .arena = {.max = arena_max}};
    bounded_pin(&s->book.domains, &d->entry, true);
    send_all(x);
    bounded_pin(&s->book.domains, &d->entry, false);
    if (x->sent || !x->later) // who has it doesn't get it again because another one can't be reached
        report_book_remove(&s->book, d);
    else if (!fiber_cancelled())
        report_book_later(&s->book, d, world_wall(s->world));
    s->changed = true;
    arena_done(&x->arena);
    free(x);
}

static void send_on(void *arg) {
    struct report_service *s = arg;
    while (fiber_sleep(LOOK_MS)) {
        struct report_domain *d;
        while (!fiber_cancelled() && (d = report_book_due(&s->book, world_wall(s->world)))) {
            send_one(s, d);
            if (!fiber_sleep(BETWEEN_MS))
                return;
        }
    }
}

// --- the service

struct report_service *report_new(struct world *w, const struct config *c, uint32_t keys) {
    struct report_service *s = MEM_NEW(struct report_service);
    struct hash_key key;
    *s = (struct report_service){.world = w, .config = c};
    world_random(w, &key, sizeof key);
    fiber_group_init(&s->group, w->loop, "report");
    s->smtpd = (struct peer){.group = &s->group, .handle = from_smtpd, .service = s};
    s->resolver = s->inject = (struct peer){.group = &s->group, .handle = not_for_us, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = from_control, .service = s};
    s->oracle.ask = ask_resolver;
    s->keys = keys ? keys_client_new(w, &s->group, keys) : NULL;
    report_book_init(&s->book, c->gate.reports.every, &key);
    metrics_begin(&s->metric, w);
    return s;
}

// Without a store it goes on: better reports with gaps than none.
bool report_start(struct report_service *s, struct store *store, const char *why, struct err *e) {
    struct loading l = {.book = &s->book};
    struct err reason = {0};
    s->store = store;
    bool loaded = !store || store_each(store, SLICE_EMPTY, load_one, &l, &reason);
    if ((why && *why) || !loaded || l.malformed)
        journal_event(s->world->journal, JOURNAL_WARNING, "dmarc-results-not-loaded",
                      JOURNAL_UINT("malformed", l.malformed), JOURNAL_Z("reason", why && *why ? why : reason.text));
    return fiber_spawn(&s->group, "keep", keep_on, s, e) && fiber_spawn(&s->group, "send", send_on, s, e);
}

void report_attach(struct report_service *s, struct link *link, enum role peer, uint32_t instance) {
    if (peer == ROLE_KEYS && s->keys) {
        keys_client_attach(s->keys, link, instance);
        return;
    }
    peer_attach(peer == ROLE_SMTPD      ? &s->smtpd
                : peer == ROLE_RESOLVER ? &s->resolver
                : peer == ROLE_INJECT   ? &s->inject
                                        : &s->control,
                link);
}

void report_stop(struct report_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *report_fibers(struct report_service *s) {
    return &s->group;
}

void report_free(struct report_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    do
        keep(s);
    while (s->changed && !s->failing);
    store_free(s->store);
    keys_client_free(s->keys);
    report_book_done(&s->book);
    free(s);
}
