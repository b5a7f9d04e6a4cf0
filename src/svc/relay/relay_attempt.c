// relay_attempt: kept connections first, then host after host.
#include "svc/relay/relay_attempt.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
    ARENA_MAX = 8 * 1024 * 1024,
    ADDRESSES_TRIED = 8, // of one attempt; the rest has its turn in the next, in another order
    SESSIONS_TRIED = 3,  // of one attempt that got a greeting but no answer
    READ_DEADLINE_MS = MS_MINUTE,
};

struct attempt {
    struct relay_shared *relay;
    struct peer_link *queue; // held
    uint64_t id;             // of the WORK frame
    char *payload;           // owned; what `work` looks into
    struct arena arena;
    struct message_work work;
    struct relay_mail mail;
    struct message_outcome outcome;
    struct slice destination; // for the pool
    bool secure;              // REQUIRETLS (RFC 8689): over verified TLS or not at all
    bool strict;              // and to hosts that offer it; not for notifications (RFC 8689 5)
    struct relay_hosts hosts;
    struct mono began, connected;
};

static void attempt_free(struct attempt *a) {
    peer_drop(a->queue);
    arena_done(&a->arena);
    free(a->payload);
    free(a);
}

// --- what an attempt asks of the queue

static FIBER_FN bool read_content(void *arg, uint64_t offset, struct buf *to, struct err *e) {
    struct attempt *a = arg;
    char space[64];
    struct buf payload = {.p = space, .cap = sizeof space, .max = sizeof space};
    struct message_read m = {.queue_id = a->work.queue_id, .offset = offset, .n = MESSAGE_INLINE_MAX};
    struct slice part;
    enum link_type type;
    if (!message_read_pack(&payload, &m))
        return err_set(e, ERR_BUG, "a READ does not fit");
    part = buf_slice(&payload);
    return link_call(a->queue->link, LINK_READ, &part, 1, loop_in_ms(fiber_loop(), READ_DEADLINE_MS), &type, to, e);
}

static bool outcome_is_wanted(void *arg) {
    struct attempt *a = arg;
    return link_is_up(a->queue->link);
}

static void send_outcome(struct attempt *a) {
    BUF_AUTO struct buf packed = {.max = LINK_PAYLOAD_MAX};
    struct mono now = loop_now(a->relay->group.loop);
    a->outcome.recipients = a->mail.results;
    a->outcome.recipients_n = a->work.recipients_n;
    a->outcome.ms_transfer = (uint32_t)mono_ms_between(a->connected.ns ? a->connected : a->began, now);
    metric_observe(&a->relay->metric, METRIC_ATTEMPT_SECONDS, METRIC_TRANSPORT_RELAY, now.ns - a->began.ns);
    if (message_outcome_pack(&packed, &a->outcome))
        link_send1(a->queue->link, LINK_OUTCOME, a->id, buf_slice(&packed));
}

// For all that are not decided: `e` with its own status, or `subject.detail` of RFC 3463 where it has none.
static void decide_by_err(struct attempt *a, const struct err *e, uint16_t subject, uint16_t detail) {
    bool permanent = err_is_permanent(e);
    uint16_t enhanced[3] = {permanent ? 5 : 4, e->enhanced[0] ? e->enhanced[1] : subject,
                            e->enhanced[0] ? e->enhanced[2] : detail};
    relay_mail_decide(&a->mail, permanent ? MESSAGE_FAILED : MESSAGE_DEFERRED, e->smtp, enhanced, slice_str(e->text));
}

// --- sessions

// The message over one session, which is given up or kept afterwards. SENT_NOT: `e`, another may be tried.
static FIBER_FN enum relay_sent send_over(struct attempt *a, struct relay_session *s, struct err *e) {
    struct relay_shared *r = a->relay;
    a->outcome.remote = arena_dup(&a->arena, slice_of(s->remote, s->remote_n));
    a->outcome.tls = s->tls;
    a->connected = loop_now(r->group.loop);
    a->outcome.ms_connect = (uint32_t)mono_ms_between(a->began, a->connected);
    enum relay_sent sent = relay_session_send(s, &a->mail, e);
    a->outcome.connection_use = s->messages;
    if (sent == RELAY_SENT)
        relay_pool_give(&r->pool, a->destination, s);
    else
        relay_pool_end(&r->pool, s);
    a->outcome.site = sent == RELAY_SENT ? MESSAGE_SITE_WORKED : MESSAGE_SITE_FAILED;
    if (sent == RELAY_SENT_UNKNOWN)
        decide_by_err(a, e, 4, 2);
    return sent;
}

static FIBER_FN bool over_kept(struct attempt *a, struct err *e) {
    struct relay_session *s;
    while ((s = relay_pool_take(&a->relay->pool, a->destination))) {
        if (send_over(a, s, e) != RELAY_SENT_NOT) {
            metric_add_at(&a->relay->metric, METRIC_CONNECTIONS_OUT, METRIC_CONNECTION_REUSED, 1);
            return true;
        }
        if (e->kind == ERR_CANCELLED)
            return false;
    }
    return false;
}

static FIBER_FN enum relay_opened connect_to(struct attempt *a, const struct relay_host *host, bool tls,
                                             struct relay_session **out, struct err *e) {
    struct relay_shared *r = a->relay;
    struct transport *t;
    struct relay_session_setup setup = {.hostname = r->config->hostname,
                                        .timeouts = &r->config->timeouts,
                                        .host = host->name,
                                        .at = host->at,
                                        .start_tls = !tls        ? NULL
                                                     : a->secure ? r->start_tls_verified
                                                                 : r->start_tls,
                                        .tls_needed = a->secure,
                                        .requiretls_needed = a->strict,
                                        .tls_arg = r->tls_arg,
                                        .refuse_self = a->hosts.mx};
    struct mono deadline = loop_in_ms(r->group.loop, r->config->timeouts.connect);
    if (net_connect(r->net, &host->at, deadline, &t, NULL, e))
        return relay_session_open(t, &setup, out, e);
    return RELAY_OPENED_NOT;
}

static void name_remote(struct attempt *a, const struct relay_host *host) {
    char ip[64];
    struct buf b = {.p = ip, .cap = sizeof ip, .max = sizeof ip};
    netaddr_add_ip(&b, &host->at);
    a->outcome.remote =
        arena_printf(&a->arena, "%.*s[%.*s]:%u", SLICE_ARG(host->name), SLICE_ARG(buf_slice(&b)), host->at.port);
}

// A certificate may be put right: not for good.
static void blame_tls(struct err *e) {
    if (e->enhanced[0] == 0) {
        const uint16_t cryptographic_failure[3] = {4, 7, 5};
        memcpy(e->enhanced, cryptographic_failure, sizeof e->enhanced);
    }
    err_while(e, "TLS, which the sender requires (REQUIRETLS)");
}

// A new session with one address; a failed handshake is answered by a second try without TLS (opportunistic), unless
// the sender requires it.
static FIBER_FN bool open_to(struct attempt *a, const struct relay_host *host, struct relay_session **out,
                             struct err *e) {
    struct metric *metric = &a->relay->metric;
    enum relay_opened opened = connect_to(a, host, true, out, e);
    if (opened == RELAY_OPENED_TLS_FAILED && e->kind != ERR_CANCELLED) {
        metric_add_at(metric, METRIC_TLS_OUT, METRIC_RESULT_FAILED, 1);
        if (a->secure)
            blame_tls(e);
        else
            opened = connect_to(a, host, false, out, e);
    }
    if (opened == RELAY_OPENED_SELF)
        relay_hosts_is_self(&a->hosts);
    if (opened == RELAY_OPENED && (*out)->tls)
        metric_add_at(metric, METRIC_TLS_OUT, METRIC_RESULT_OK, 1);
    metric_add_at(metric, METRIC_CONNECTIONS_OUT,
                  opened == RELAY_OPENED ? METRIC_CONNECTION_NEW : METRIC_CONNECTION_FAILED, 1);
    return opened == RELAY_OPENED;
}

// True when the message is settled. False: see a->hosts.why, or cancelled.
static FIBER_FN bool over_new(struct attempt *a, struct err *e) {
    struct relay_host host;
    int sessions = 0;
    for (int tried = 0; tried < ADDRESSES_TRIED && sessions < SESSIONS_TRIED; tried++) {
        struct relay_session *s;
        if (!relay_hosts_next(&a->hosts, &host, e))
            return false;
        name_remote(a, &host);
        if (open_to(a, &host, &s, e)) {
            sessions++;
            if (send_over(a, s, e) != RELAY_SENT_NOT)
                return true;
        }
        if (e->kind == ERR_CANCELLED)
            return false;
        relay_hosts_failed(&a->hosts, e);
    }
    return false;
}

// --- the attempt

// False when cancelled: then nothing is said, and the queue hands the work out again.
static FIBER_FN bool run(struct attempt *a, struct err *e) {
    struct relay_shared *r = a->relay;
    struct relay_hosts_setup setup = {r->config, &r->resolver, &r->random, &a->arena};
    bool mx = a->work.kind == MESSAGE_WORK_RELAY_MX;
    e->kind = ERR_TEMPORARY;
    if (over_kept(a, e) || e->kind == ERR_CANCELLED)
        return e->kind != ERR_CANCELLED;
    if (!relay_hosts_start(&a->hosts, &setup, mx, a->work.host, a->work.port, e)) {
        a->outcome.site = a->hosts.answered ? MESSAGE_SITE_UNTRIED : MESSAGE_SITE_FAILED;
        e->smtp = 0; // our own words
        decide_by_err(a, e, 4, 4);
        return e->kind != ERR_CANCELLED;
    }
    if (a->strict && !a->hosts.secured) {
        err_smtp(e, 550, "5.7.30", "DNSSEC does not vouch for the MX of %.*s, which REQUIRETLS needs",
                 SLICE_ARG(a->work.host));
        e->smtp = 0; // our own words
        decide_by_err(a, e, 7, 30);
        return true;
    }
    a->outcome.site = MESSAGE_SITE_FAILED;
    e->kind = ERR_TEMPORARY;
    if (over_new(a, e))
        return e->kind != ERR_CANCELLED;
    if (a->hosts.failed)
        *e = e->kind == ERR_CANCELLED ? *e : a->hosts.why;
    if (err_is_permanent(e)) // DNS said it, not a server: nothing is wrong with the destination
        a->outcome.site = MESSAGE_SITE_UNTRIED;
    decide_by_err(a, e, 4, 1);
    return e->kind != ERR_CANCELLED;
}

static void attempt_body(void *arg) {
    struct attempt *a = arg;
    struct relay_shared *r = a->relay;
    struct err e = {0};
    if (run(a, &e))
        send_outcome(a);
    attempt_free(a);
    r->attempts--;
    r->ended(r);
}

static struct attempt *attempt_new(struct relay_shared *r, struct peer_link *queue, const struct link_frame *frame) {
    struct attempt *a = MEM_NEW(struct attempt);
    a->relay = r;
    a->queue = peer_hold(queue);
    a->id = frame->id;
    a->arena.max = ARENA_MAX;
    a->began = loop_now(r->group.loop);
    a->outcome.site = MESSAGE_SITE_UNTRIED;
    a->payload = mem_new(frame->payload.n + 1, 1);
    memcpy(a->payload, frame->payload.p, frame->payload.n);
    a->mail.read = read_content;
    a->mail.wanted = outcome_is_wanted;
    a->mail.arg = a;
    return a;
}

static bool attempt_is_sound(struct attempt *a, size_t n) {
    struct message_work *w = &a->work;
    if (!message_work_unpack(slice_of(a->payload, n), &a->arena, w))
        return false;
    a->secure = (w->flags & ENVELOPE_REQUIRETLS) != 0;
    a->strict = a->secure && w->sender.n;
    a->destination = arena_printf(&a->arena, "%c%s%u %.*s", w->kind == MESSAGE_WORK_RELAY_MX ? 'm' : 'h',
                                  a->strict   ? "!"
                                  : a->secure ? "?"
                                              : "",
                                  w->port, SLICE_ARG(w->host));
    return (w->kind == MESSAGE_WORK_RELAY_MX || w->kind == MESSAGE_WORK_RELAY_HOST) && w->host.n && w->recipients_n &&
           a->destination.p && (w->content.n == w->size || w->content.n == 0) &&
           relay_mail_init(&a->mail, w, &a->arena);
}

void relay_attempt_begin(struct relay_shared *r, struct peer_link *queue, const struct link_frame *frame, size_t most) {
    struct err e = {0};
    struct attempt *a = attempt_new(r, queue, frame);
    if (!attempt_is_sound(a, frame->payload.n)) {
        link_break(queue->link, "malformed work");
    } else if (r->attempts >= most) {
        err_smtp(&e, 451, "4.3.2", "too many attempts at once");
        decide_by_err(a, &e, 3, 2);
        send_outcome(a);
    } else if (fiber_spawn(&r->group, "relay", attempt_body, a, &e)) {
        r->attempts++;
        return;
    } else if (e.kind != ERR_CANCELLED) {
        decide_by_err(a, &e, 3, 2);
        send_outcome(a);
    }
    attempt_free(a);
}
