// policy_strangers: what smtpd asks about those who are nobody's users: may they come in, are they within the rates,
// have they come back; and what it tells of how they behaved.
#include "svc/policy/policy_inside.h"

#include "core/route/route.h"

enum { REPLY_MAX = 1024, ANSWER_PAYLOAD_MAX = 512 };

// Answers are small, and many: without memory of their own.
#define ANSWER(name)                                                                                                   \
    char name##_bytes[ANSWER_PAYLOAD_MAX];                                                                             \
    struct buf name = {.p = name##_bytes, .cap = sizeof name##_bytes, .max = sizeof name##_bytes}

static void malformed(struct peer_link *from, const struct link_frame *frame) {
    BUF_AUTO struct buf b = {.max = REPLY_MAX};
    buf_addf(&b, "a malformed %s", link_type_name(frame->type));
    buf_add_char(&b, 0);
    link_break(from->link, b.p);
}

static bool is_stranger(const struct policy_service *s, const struct netaddr *client, bool local) {
    return !local && client->family != NETADDR_NONE && !config_trusts(s->config, client);
}

// --- rates

static void note_refusal(struct policy_service *s, const struct message_tally *m, const struct rates_refusal *r) {
    BUF_AUTO struct buf ip = {.max = 64};
    metric_add_at(&s->metric, METRIC_RATES_REFUSED, m->what, 1);
    if (!r->first)
        return;
    if (m->client.family != NETADDR_NONE)
        netaddr_add_ip(&ip, &m->client);
    journal_event(s->world->journal, JOURNAL_WARNING, "rate-reached",
                  JOURNAL_Z("what", config_rate_what_names[m->what]),
                  JOURNAL_Z("by", config_rate_by_names[r->rate->by]), JOURNAL_OPT("client", buf_slice(&ip)),
                  JOURNAL_Z("reason", r->text), JOURNAL_UINT("line", r->rate->line));
}

static bool within_rates(struct policy_service *s, const struct message_tally *m, struct rates_refusal *refusal) {
    _Static_assert((int)METRIC_RATE_ERRORS == (int)CONFIG_RATE_ERRORS &&
                       (int)METRIC_RATE__COUNT == (int)CONFIG_RATE_WHATS,
                   "the metric's labels are the configuration's words");
    if (rates_take(&s->rates, m, loop_now(s->world->loop), refusal)) {
        policy_changed(s);
        return true;
    }
    note_refusal(s, m, refusal);
    return false;
}

static void say_shut_out(const struct netaddr *client, const struct standing_client *c, struct buf *text) {
    char name[CLIENT_NAME], words[32];
    buf_add(text, client_name_address(client, name));
    if (c->blocked) {
        buf_add_str(text, " is blocked here");
        return;
    }
    quota_words(words, c->until_ms);
    buf_addf(text, " misbehaved too often; try again in %s", words);
}

// Who does wrong on and on need not come again to hear of it.
static void add_standing(struct policy_service *s, const struct message_tally *m, struct buf *text,
                         struct message_tally_reply *r) {
    bool wrong = m->what == CONFIG_RATE_UNKNOWN || m->what == CONFIG_RATE_ERRORS;
    if (!wrong || !is_stranger(s, &m->client, m->local))
        return;
    struct standing_client c = standing_of_client(&s->standing, &m->client, world_wall(s->world));
    r->tarpit_ms = (uint32_t)c.tarpit_ms;
    if (!r->ok || !c.shut_out)
        return;
    r->ok = false;
    say_shut_out(&m->client, &c, text);
    r->text = buf_slice(text);
}

static void answer_tally(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    ANSWER(text);
    ANSWER(b);
    struct rates_refusal refusal;
    struct message_tally m;
    struct message_tally_reply r = {.ok = true};
    if (!message_tally_unpack(frame->payload, &m)) {
        malformed(from, frame);
        return;
    }
    r.ok = within_rates(s, &m, &refusal);
    if (!r.ok) {
        r.line = refusal.rate->line;
        r.text = slice_str(refusal.text);
    }
    add_standing(s, &m, &text, &r);
    if (message_tally_reply_pack(&b, &r))
        link_send1(from->link, LINK_TALLY_REPLY, frame->id, buf_slice(&b));
}

// --- connections

static void look_at_client(struct policy_service *s, const struct message_client *m, struct buf *text,
                           struct message_client_reply *r) {
    struct message_tally tally = {.what = CONFIG_RATE_CONNECTIONS, .client = m->client, .local = m->local};
    struct rates_refusal refusal;
    struct standing_client c = {.known = false};
    if (is_stranger(s, &m->client, m->local))
        c = standing_of_client(&s->standing, &m->client, world_wall(s->world));
    *r = (struct message_client_reply){.ok = true,
                                       .known = c.known,
                                       .shut_out = c.shut_out,
                                       .until_ms = c.until_ms,
                                       .tarpit_ms = c.tarpit_ms,
                                       .asks_senders = s->standing.blocked_names > 0};
    if (c.shut_out) {
        say_shut_out(&m->client, &c, text);
    } else if (!within_rates(s, &tally, &refusal)) {
        r->ok = false;
        buf_add_str(text, refusal.text);
    }
    r->text = buf_slice(text);
}

static void answer_client(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    ANSWER(text);
    ANSWER(b);
    struct message_client m;
    struct message_client_reply r;
    if (!message_client_unpack(frame->payload, &m)) {
        malformed(from, frame);
        return;
    }
    look_at_client(s, &m, &text, &r);
    if (message_client_reply_pack(&b, &r))
        link_send1(from->link, LINK_CLIENT_REPLY, frame->id, buf_slice(&b));
}

// --- greylisting

static struct message_greylist_reply remembered(struct policy_service *s, const struct message_greylist *m) {
    struct wall now = world_wall(s->world);
    if (standing_knows_domain(&s->standing, m->domain, now) ||
        (m->client.family != NETADDR_NONE && standing_of_client(&s->standing, &m->client, now).known))
        return (struct message_greylist_reply){.proven = MESSAGE_PROVEN_KNOWN};
    return greylist_ask(&s->greylist, m, now);
}

static struct message_greylist_reply ask_greylist(struct policy_service *s, const struct message_greylist *m) {
    struct message_greylist_reply r = remembered(s, m);
    r.blocked = standing_blocks_sender(&s->standing, m->sender);
    return r;
}

static void answer_greylist(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    ANSWER(b);
    struct message_greylist m;
    _Static_assert((int)METRIC_GREYLIST_WROTE_TO == (int)MESSAGE_PROVEN_WROTE_TO,
                   "the metric's labels are the answers");
    if (!message_greylist_unpack(frame->payload, &m)) {
        malformed(from, frame);
        return;
    }
    struct message_greylist_reply r = ask_greylist(s, &m);
    if (!m.only_ask)
        metric_add_at(&s->metric, METRIC_GREYLISTED, r.proven, 1);
    if (message_greylist_reply_pack(&b, &r))
        link_send1(from->link, LINK_GREYLIST_REPLY, frame->id, buf_slice(&b));
    policy_changed(s);
}

// --- how they behaved

static void note_news(struct policy_service *s, const struct standing_news *n) {
    BUF_AUTO struct buf until = {.max = 64};
    struct journal *j = s->world->journal;
    if (n->shut_out) {
        wall_add_rfc3339(&until, n->until);
        metric_add(&s->metric, METRIC_SHUT_OUTS, 1);
        journal_event(j, JOURNAL_WARNING, "client-shut-out", JOURNAL_STR("client", n->what),
                      JOURNAL_UINT("points", n->points), JOURNAL_STR("until", buf_slice(&until)),
                      JOURNAL_Z("reason", n->why));
    }
    if (n->probing) {
        metric_add(&s->metric, METRIC_PROBINGS, 1);
        journal_event(j, JOURNAL_WARNING, "recipient-probing", JOURNAL_Z("kind", standing_kind_name(n->prober_kind)),
                      JOURNAL_STR("what", n->prober), JOURNAL_UINT("unknown", n->unknown));
    }
}

static void count_volume(struct policy_service *s, enum volume_figure f) {
    struct wall now = world_wall(s->world);
    if (!volume_count(&s->volume, f, 1, now))
        return;
    struct volume_look look = volume_look(&s->volume, f, now);
    journal_event(s->world->journal, JOURNAL_WARNING, "volume-unusual", JOURNAL_Z("what", volume_figure_name(f)),
                  JOURNAL_UINT("value", look.value), JOURNAL_UINT("baseline", look.baseline));
}

static void wrote(struct policy_service *s, struct slice recipient) {
    struct slice domain = slice_from(recipient, slice_rfind(recipient, '@') + 1);
    if (!domain.n || route_is_local(s->config, domain))
        return;
    greylist_wrote(&s->greylist, recipient, world_wall(s->world));
    count_volume(s, VOLUME_OUT);
}

static void behaved(struct policy_service *s, const struct message_seen *m) {
    struct standing_news news;
    if (m->what == MESSAGE_SEEN_GOOD)
        count_volume(s, VOLUME_IN);
    if (m->what == MESSAGE_SEEN_UNKNOWN)
        count_volume(s, VOLUME_UNKNOWN);
    if (!is_stranger(s, &m->client, m->local))
        return;
    standing_seen(&s->standing, m->what, &m->client, m->domain, world_wall(s->world), &news);
    note_news(s, &news);
}

void policy_take_seen(struct policy_service *s, struct peer_link *from, const struct link_frame *frame) {
    struct message_seen m;
    if (!message_seen_unpack(frame->payload, &m)) {
        malformed(from, frame);
        return;
    }
    if (m.what == MESSAGE_SEEN_WROTE)
        wrote(s, m.recipient);
    else
        behaved(s, &m);
    policy_changed(s);
}

void policy_from_smtpd(void *service, struct peer_link *from, const struct link_frame *frame) {
    switch (frame->type) {
    case LINK_CLIENT:
        answer_client(service, from, frame);
        break;
    case LINK_TALLY:
        answer_tally(service, from, frame);
        break;
    case LINK_GREYLIST:
        answer_greylist(service, from, frame);
        break;
    case LINK_SEEN:
        policy_take_seen(service, from, frame);
        break;
    default:
        link_break(from->link, "not for policy");
    }
}

// --- the metrics

static void set_volume(struct policy_service *s, enum volume_figure f) {
    struct volume_look look = volume_look(&s->volume, f, world_wall(s->world));
    metric_set_at(&s->metric, METRIC_VOLUME_HOUR, f, (int64_t)look.value);
    metric_set_at(&s->metric, METRIC_VOLUME_BASELINE, f, (int64_t)look.baseline);
    metric_set_at(&s->metric, METRIC_VOLUME_UNUSUAL, f, look.unusual);
}

void policy_strangers_metrics(struct policy_service *s) {
    static const unsigned standing[STANDING_KINDS] = {METRIC_MEMORY_ADDRESSES, METRIC_MEMORY_NETWORKS,
                                                      METRIC_MEMORY_DOMAINS};
    static const unsigned greylist[GREYLIST_KINDS] = {METRIC_MEMORY_WAITING, METRIC_MEMORY_PROVEN,
                                                      METRIC_MEMORY_WROTE_TO, METRIC_MEMORY_WROTE_TO_DOMAINS};
    for (int k = 0; k < STANDING_KINDS; k++)
        metric_set_at(&s->metric, METRIC_POLICY_ENTRIES, standing[k], (int64_t)s->standing.by[k].map.n);
    for (int k = 0; k < GREYLIST_KINDS; k++)
        metric_set_at(&s->metric, METRIC_POLICY_ENTRIES, greylist[k], (int64_t)s->greylist.by[k].map.n);
    metric_set_at(&s->metric, METRIC_POLICY_ENTRIES, METRIC_MEMORY_MARKS, (int64_t)s->standing.marks.map.n);
    metric_set_at(&s->metric, METRIC_POLICY_ENTRIES, METRIC_MEMORY_RATES, (int64_t)rates_entries(&s->rates));
    metric_set(&s->metric, METRIC_SHUT_OUT, standing_shut_out(&s->standing, world_wall(s->world)));
    for (int f = 0; f < VOLUME_FIGURES; f++)
        set_volume(s, (enum volume_figure)f);
}
