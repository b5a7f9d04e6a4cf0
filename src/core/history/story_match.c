// story_match: which records are meant, and which belong together.
#include "core/history/story.h"

#include "core/queue/queue_id.h"

// As events and other servers write a client: [192.0.2.1], [IPv6:2001:db8::1], 192.0.2.1:25.
static bool parse_net(struct slice text, struct netaddr_net *out) {
    struct netaddr at;
    if (netaddr_parse_net(text, out))
        return true;
    if (!netaddr_parse_endpoint(text, &at)) {
        bool bracketed = text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
        struct slice inner = bracketed ? slice_of(text.p + 1, text.n - 2) : text;
        if (!netaddr_parse_ip(slice_from(inner, slice_istarts(inner, SLICE("IPv6:")) ? 5 : 0), &at))
            return false;
    }
    at.port = 0;
    *out = (struct netaddr_net){.base = at, .bits = at.family == NETADDR_V4 ? 32 : 128};
    return true;
}

void story_wish_parse(struct slice text, struct story_wish *out) {
    *out = (struct story_wish){.text = text, .null_sender = slice_eq(text, SLICE("<>"))};
    if (text.n > 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
        out->text = slice_of(text.p + 1, text.n - 2);
    if (!queue_id_parse(text, &out->queue_id))
        out->queue_id = 0;
    out->has_net = parse_net(text, &out->net);
}

static struct slice domain_of(struct slice address) { return slice_from(address, slice_rfind(address, '@') + 1); }

static bool names(struct slice wish, struct slice address) {
    if (address.n == 0 || wish.n == 0)
        return false;
    struct slice domain = slice_from(wish, wish.p[0] == '@');
    return slice_ieq(wish, address) || slice_ieq(domain, domain_of(address));
}

bool story_matches(const struct story_wish *w, const struct record *r) {
    if ((w->queue_id && r->queue_id == w->queue_id) || (r->session.n && slice_ieq(w->text, r->session)))
        return true;
    if (w->has_net)
        return r->client.family != NETADDR_NONE && netaddr_in_net(&r->client, &w->net);
    if (w->null_sender && r->sender.n == 0 && r->stage >= RECORD_MAIL && r->stage <= RECORD_CONTENT)
        return true;
    if (names(w->text, r->sender) || names(w->text, r->user) || (r->helo.n && slice_ieq(w->text, r->helo)))
        return true;
    for (size_t i = 0; i < r->recipients_n; i++)
        if (names(w->text, r->recipients[i]))
            return true;
    return false;
}

void story_key(const struct record *r, struct buf *to) {
    pack_u64(to, r->queue_id);
    if (!r->queue_id)
        pack_slice(to, slice_upto(r->session, 250));
}

int story_order(const struct record *a, const struct record *b) {
    if (a->when.ms != b->when.ms)
        return a->when.ms < b->when.ms ? -1 : 1;
    return (int)a->stage - (int)b->stage;
}
