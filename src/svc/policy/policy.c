// policy: questions of auth and submission, and their answers.
#include "svc/policy/policy_inside.h"

#include "base/mem.h"
#include "core/route/route.h"
#include "svc/metrics.h"

#include <assert.h>
#include <stdlib.h>

enum { REPLY_MAX = 4096, NOTICE_MAX = 4096 };

// --- the administrator is told once

// Where `guard notify` says nothing: the postmaster of our own host name where that takes mail here, else of the domain
// of ours that it lies in, else of our first one. Mail to a host name that is not ours would come back to us.
static struct slice postmaster_domain(const struct config *c) {
    struct slice hostname = c->hostname, found = hostname;
    if (route_is_local(c, hostname))
        return hostname;
    for (size_t i = 0; i < c->domains_n; i++) {
        struct slice name = c->domains[i].name,
                     tail = slice_from(hostname, hostname.n > name.n ? hostname.n - name.n : 0);
        if (i == 0 || slice_ieq(tail, name))
            found = name;
    }
    return found;
}

static bool tell(struct policy_service *s, struct slice user, struct slice why) {
    BUF_AUTO struct buf to = {.max = 512}, text = {.max = NOTICE_MAX}, subject = {.max = 512}, frame = {.max = 8192};
    struct slice notify = s->config->guard.notify, hostname = s->config->hostname;
    if (notify.n)
        buf_add(&to, notify);
    else
        buf_addf(&to, "postmaster@%.*s", SLICE_ARG(postmaster_domain(s->config)));
    buf_addf(&subject, "Mail of %.*s is held", SLICE_ARG(user));
    buf_addf(&text,
             "The account %.*s at %.*s sends far more than it used to:\n\n    %.*s\n\n"
             "What it sends from now on is accepted and held. If its password has been stolen,\n"
             "give it another one first. Then decide:\n\n"
             "    posthouse queue list\n"
             "    posthouse guard release %.*s\n        lets the mail go, and allows as much from now on\n"
             "    posthouse guard block %.*s\n        refuses its log-ins and its mail; with --delete, deletes what is "
             "held\n",
             SLICE_ARG(user), SLICE_ARG(hostname), SLICE_ARG(why), SLICE_ARG(user), SLICE_ARG(user));
    struct message_notice notice = {.to = buf_slice(&to), .subject = buf_slice(&subject), .text = buf_slice(&text)};
    return message_notice_pack(&frame, &notice) && link_send1(s->inject.now->link, LINK_NOTICE, 0, buf_slice(&frame));
}

static void tell_all(struct policy_service *s) {
    struct slice user, why;
    while (peer_is_up(&s->inject) && guard_next_untold(&s->guard, &user, &why)) {
        if (!tell(s, user, why))
            break;
        guard_told(&s->guard, user);
    }
}

void policy_changed(struct policy_service *s) {
    tell_all(s);
    s->changed = true;
    fiber_cond_wake_all(&s->changes);
}

static void note_verdict(struct policy_service *s, struct slice user, const struct netaddr *client,
                         const struct guard_verdict *v) {
    BUF_AUTO struct buf ip = {.max = 64};
    if (!v->began)
        return;
    netaddr_add_ip(&ip, client);
    journal_event(s->world->journal, JOURNAL_WARNING, "guard-held", JOURNAL_STR("user", user),
                  JOURNAL_OPT("client", buf_slice(&ip)), JOURNAL_Z("figure", guard_figure_name(v->figure)),
                  JOURNAL_UINT("value", v->value), JOURNAL_UINT("bound", v->bound), JOURNAL_STR("reason", v->why));
}

// --- auth: log-ins

static struct lockout_answer look(struct policy_service *s, const struct message_try *m) {
    return lockout_try(&s->lockout, &m->client, config_trusts(s->config, &m->client), m->user, world_wall(s->world));
}

static void say(struct policy_service *s, struct peer_link *to, uint64_t id, const struct message_try *m,
                const struct lockout_answer *a) {
    BUF_AUTO struct buf b = {.max = REPLY_MAX};
    struct message_try_reply r = {.locked = a->locked, .delay_ms = a->delay_ms};
    if (a->locked)
        r.why = slice_str(lockout_kind_name(a->by));
    if (m->user.n && guard_is_blocked(&s->guard, m->user)) {
        r.locked = true;
        r.why = SLICE("blocked");
    }
    if (message_try_reply_pack(&b, &r))
        link_send1(to->link, LINK_TRY_REPLY, id, buf_slice(&b));
}

// A try that has to wait until others are told of: a program that comes with fifty connections at once is no attack.
struct turn {
    struct policy_service *s;
    struct peer_link *from; // held
    uint64_t id;
    struct message_try m;
    char user[]; // what m looks into
};

static void wait_turn(void *arg) {
    struct turn *t = arg;
    struct policy_service *s = t->s;
    struct mono deadline = loop_in_ms(s->world->loop, POLICY_TURN_MS);
    struct lockout_answer a;
    enum fiber_wake woken;
    do {
        woken = fiber_cond_wait(&s->told, deadline);
        a = look(s, &t->m);
    } while (a.crowded && woken == FIBER_WOKEN);
    if (woken != FIBER_CANCELLED)
        say(s, t->from, t->id, &t->m, &a);
    s->turns--;
    peer_drop(t->from);
    free(t);
}

static bool give_turn(struct policy_service *s, struct peer_link *from, uint64_t id, const struct message_try *m) {
    struct turn *t = s->turns < POLICY_TURNS_MAX ? mem_new(1, sizeof *t + m->user.n) : NULL;
    struct err e;
    if (!t)
        return false;
    *t = (struct turn){.s = s, .from = peer_hold(from), .id = id, .m = *m};
    if (m->user.n)
        memcpy(t->user, m->user.p, m->user.n);
    t->m.user = slice_of(t->user, m->user.n);
    if (fiber_spawn(&s->group, "turn", wait_turn, t, &e)) {
        s->turns++;
        return true;
    }
    peer_drop(t->from);
    free(t);
    return false;
}

static void answer_try(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct message_try m;
    if (!message_try_unpack(frame->payload, &m)) {
        link_break(from->link, "a malformed TRY");
        return;
    }
    struct lockout_answer a = look(s, &m);
    if (!a.crowded || !give_turn(s, from, frame->id, &m))
        say(s, from, frame->id, &m, &a);
}

static void note_lock(struct policy_service *s, const struct lockout_lock *l, const struct message_tried *m) {
    static const unsigned labels[] = {METRIC_LOCKOUT_ACCOUNT, METRIC_LOCKOUT_ADDRESS, METRIC_LOCKOUT_NETWORK};
    BUF_AUTO struct buf until = {.max = 64}, ip = {.max = 64};
    wall_add_rfc3339(&until, l->until);
    netaddr_add_ip(&ip, &m->client);
    metric_add_at(&s->metric, METRIC_LOCKOUTS, labels[l->kind], 1);
    journal_event(s->world->journal, JOURNAL_WARNING, "locked-out", JOURNAL_Z("kind", lockout_kind_name(l->kind)),
                  JOURNAL_STR("what", l->what), JOURNAL_UINT("failures", l->failures),
                  JOURNAL_STR("until", buf_slice(&until)), JOURNAL_OPT("client", buf_slice(&ip)),
                  JOURNAL_OPT("user", m->user));
}

// Where the owner logs in from, failures are a sign of somebody else in its place. Those from elsewhere are not: else
// anybody could have anybody's mail held.
static void count_failure(struct policy_service *s, const struct message_tried *m, struct wall now) {
    if (!m->user.n || !lockout_knows(&s->lockout, &m->client, m->user, now))
        return;
    struct guard_verdict v = guard_count(&s->guard, m->user, 0, 1, now);
    note_verdict(s, m->user, &m->client, &v);
}

static void take_tried(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct lockout_lock began[LOCKOUT_KINDS];
    struct wall now = world_wall(s->world);
    struct message_tried m;
    if (!message_tried_unpack(frame->payload, &m)) {
        link_break(from->link, "a malformed TRIED");
        return;
    }
    bool trusted = config_trusts(s->config, &m.client);
    size_t n = lockout_tried(&s->lockout, &m.client, trusted, m.user, m.ok, now, began);
    for (size_t i = 0; i < n; i++)
        note_lock(s, &began[i], &m);
    if (m.ok && m.user.n)
        policy_secrets_used(&s->secrets, m.user, m.secret, now);
    if (!m.ok)
        count_failure(s, &m, now);
    fiber_cond_wake_all(&s->told);
    policy_changed(s);
}

static void from_auth(void *service, struct peer_link *from, const struct link_frame *frame) {
    if (frame->type == LINK_TRY)
        answer_try(service, from, frame);
    else if (frame->type == LINK_TRIED)
        take_tried(service, from, frame);
    else
        link_break(from->link, "not for policy");
}

// --- submission: messages

static void use(struct policy_service *s, const struct message_use *m, struct quota_refusal *refusal,
                struct message_use_reply *r) {
    struct config_quota bounds = config_quota_of(s->config, m->user);
    struct wall now = world_wall(s->world);
    if (guard_is_blocked(&s->guard, m->user)) {
        *r = (struct message_use_reply){
            .smtp = 550, .enhanced = {5, 7, 1}, .text = SLICE("this account is blocked; ask your administrator")};
        return;
    }
    if ((m->only_ask || m->recipients) &&
        !quota_allows(&s->quota, &bounds, m->user, m->recipients, m->size, now, refusal)) {
        *r = (struct message_use_reply){.smtp = refusal->smtp, .text = slice_str(refusal->text)};
        memcpy(r->enhanced, refusal->enhanced, sizeof r->enhanced);
        return;
    }
    r->ok = true;
    if (m->only_ask)
        return;
    if (m->recipients)
        quota_count(&s->quota, m->user, m->recipients, now);
    struct guard_verdict v = guard_count(&s->guard, m->user, m->recipients, m->refused, now);
    note_verdict(s, m->user, &m->client, &v);
    r->hold = v.state == GUARD_HOLDING;
    r->why = r->hold ? v.why : SLICE_EMPTY;
}

static void answer_use(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    BUF_AUTO struct buf b = {.max = REPLY_MAX};
    struct message_use m;
    struct message_use_reply r = {.ok = false};
    struct quota_refusal refusal;
    if (!message_use_unpack(frame->payload, &m) || !m.user.n) {
        link_break(from->link, "a malformed USE");
        return;
    }
    use(s, &m, &refusal, &r);
    unsigned label = !r.ok ? METRIC_USE_REFUSED : r.hold ? METRIC_USE_HELD : METRIC_USE_OK;
    if (!m.only_ask || !r.ok)
        metric_add_at(&s->metric, METRIC_USES, label, 1);
    if (message_use_reply_pack(&b, &r))
        link_send1(from->link, LINK_USE_REPLY, frame->id, buf_slice(&b));
    if (r.ok && !m.only_ask)
        policy_changed(s);
}

static void from_submission(void *service, struct peer_link *from, const struct link_frame *frame) {
    if (frame->type == LINK_USE)
        answer_use(service, from, frame);
    else if (frame->type == LINK_SEEN)
        policy_take_seen(service, from, frame);
    else
        link_break(from->link, "not for policy");
}

static void from_inject(void *service, struct peer_link *from, const struct link_frame *frame) {
    link_break(from->link, "inject has nothing to ask");
}

// --- the service

struct policy_service *policy_new(struct world *w, const struct config *c) {
    struct policy_service *s = MEM_NEW(struct policy_service);
    struct hash_key key;
    *s = (struct policy_service){.world = w, .config = c};
    world_random(w, &key, sizeof key);
    fiber_group_init(&s->group, w->loop, "policy");
    s->auth = (struct peer){.group = &s->group, .handle = from_auth, .service = s};
    s->submission = (struct peer){.group = &s->group, .handle = from_submission, .service = s};
    s->smtpd = (struct peer){.group = &s->group, .handle = policy_from_smtpd, .service = s};
    s->inject = (struct peer){.group = &s->group, .handle = from_inject, .service = s};
    s->control = (struct peer){.group = &s->group, .handle = policy_admin, .service = s};
    lockout_init(&s->lockout, &c->lockout, &key);
    quota_init(&s->quota, &key);
    guard_init(&s->guard, &c->guard, &key);
    policy_secrets_init(&s->secrets, &key);
    standing_init(&s->standing, &c->gate.shutout, &key);
    greylist_init(&s->greylist, &c->gate.greylist, &key);
    rates_init(&s->rates, c->gate.rates, c->gate.rates_n, &key);
    metrics_begin(&s->metric, w);
    return s;
}

bool policy_start(struct policy_service *s, struct store *store, const char *why, struct err *e) {
    s->store = store;
    return policy_load(s, why, e);
}

void policy_attach(struct policy_service *s, struct link *link, enum role peer) {
    struct peer *to = peer == ROLE_AUTH         ? &s->auth
                      : peer == ROLE_SUBMISSION ? &s->submission
                      : peer == ROLE_SMTPD      ? &s->smtpd
                      : peer == ROLE_INJECT     ? &s->inject
                                                : &s->control;
    peer_attach(to, link);
    tell_all(s);
}

void policy_stop(struct policy_service *s) { fiber_group_cancel(&s->group); }

struct fiber_group *policy_fibers(struct policy_service *s) {
    return &s->group;
}

void policy_free(struct policy_service *s) {
    if (!s)
        return;
    assert(s->group.n == 0);
    do
        policy_keep(s);
    while (s->changed && !s->failing);
    store_free(s->store);
    lockout_done(&s->lockout);
    quota_done(&s->quota);
    guard_done(&s->guard);
    policy_secrets_done(&s->secrets);
    standing_done(&s->standing);
    greylist_done(&s->greylist);
    rates_done(&s->rates);
    free(s);
}
