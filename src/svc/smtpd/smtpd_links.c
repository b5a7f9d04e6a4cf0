// smtpd_links: requests to the other processes, and their answers as values.
#include "svc/smtpd/smtpd_links.h"

#include "base/mem.h"
#include "core/queue/queue_id.h"
#include "svc/smtpd/smtpd_filter_open.h"

#include <stdlib.h>

enum {
    LOOKUP_MS = 30 * MS_SECOND,
    POLICY_MS = 5 * MS_SECOND,
    QUEUE_THERE_MS = 10 * MS_SECOND, // for a queue that is just being started again
    QUEUE_MS = 5 * MS_MINUTE,        // for a slow disk; a client waits ten minutes (RFC 5321 4.5.3.2.6)
    HEAD_MAX = 4 * 1024 * 1024,
    REPLY_MAX = 4 * 1024 * 1024,
};

static bool busy(struct err *e) {
    if (e->kind == ERR_CANCELLED)
        return false;
    return err_smtp(e, 451, "4.3.0", "the server is busy, please try again later");
}

static bool expand(struct smtpd_backend *b, struct slice address, struct arena *arena, struct message_expand_reply *out,
                   struct err *e) {
    struct smtpd_links *l = smtpd_links_of(b);
    struct buf reply BUF_AUTO = {.max = REPLY_MAX};
    struct mono deadline = loop_in_ms(l->world->loop, LOOKUP_MS);
    enum link_type type;
    if (!peer_call(&l->lookup, LINK_EXPAND, address, deadline, &type, &reply, e))
        return busy(e);
    struct slice kept = arena_dup(arena, buf_slice(&reply));
    if (type != LINK_EXPAND_REPLY || !kept.p || !message_expand_reply_unpack(kept, arena, out))
        return busy(e);
    return true;
}

// A slot lives on the link where it was opened: a queue that starts anew knows nothing of it.
struct smtpd_slot {
    struct peer_link *link;
    uint32_t number;
};

// Some failures have no status of their own: that of their code, then.
static bool refuse(const struct message_submit_reply *r, struct err *e) {
    int code = r->smtp ? r->smtp : 451;
    const char *usual = code == 452 ? "4.3.1" : code >= 500 ? "5.3.0" : "4.3.0";
    err_smtp(e, code, usual, "%.*s", SLICE_ARG(r->text));
    if (r->enhanced[0])
        memcpy(e->enhanced, r->enhanced, sizeof e->enhanced);
    return false;
}

static bool understand(struct slice payload, uint32_t *slot, struct err *e) {
    struct message_submit_reply answer;
    if (!message_submit_reply_unpack(payload, &answer))
        return busy(e);
    if (!answer.ok)
        return refuse(&answer, e);
    if (slot)
        *slot = answer.slot;
    return true;
}

// One request, asked once: a link that breaks before the answer leaves it open whether the message was kept, and the
// client, who asks again, may make it two (RFC 1047).
static bool ask_queue(struct smtpd_links *l, struct peer_link *link, enum link_type type, const struct slice parts[2],
                      uint32_t *slot, struct err *e) {
    struct buf reply BUF_AUTO = {.max = REPLY_MAX};
    enum link_type reply_type;
    struct mono deadline = loop_in_ms(l->world->loop, QUEUE_MS);
    return link_call(link->link, type, parts, 2, deadline, &reply_type, &reply, e)
               ? understand(buf_slice(&reply), slot, e)
               : busy(e);
}

static struct peer_link *queue_link(struct smtpd_links *l, struct err *e) {
    struct peer_link *link = peer_wait(&l->queue, loop_in_ms(l->world->loop, QUEUE_THERE_MS), e);
    if (!link)
        busy(e);
    return link;
}

static void free_slot(struct smtpd_slot *slot) {
    if (slot)
        peer_drop(slot->link);
    free(slot);
}

static bool submit(struct smtpd_backend *b, struct message_submit *m, struct smtpd_slot *slot, struct err *e) {
    struct buf head BUF_AUTO = {.max = HEAD_MAX};
    struct smtpd_links *l = smtpd_links_of(b);
    struct peer_link *link = slot ? peer_hold(slot->link) : queue_link(l, e);
    bool done = false;
    m->slot = slot ? slot->number : 0;
    if (link && !message_submit_pack_head(&head, m))
        err_smtp(e, 452, "4.5.3", "too many recipients for one transaction");
    else if (link)
        done = ask_queue(l, link, LINK_SUBMIT, (struct slice[]){buf_slice(&head), m->content}, NULL, e);
    peer_drop(link);
    free_slot(slot);
    return done;
}

static bool open_slot(struct smtpd_backend *b, uint32_t reserve, struct smtpd_slot **slot, struct err *e) {
    struct buf head BUF_AUTO = {.max = 64};
    struct smtpd_links *l = smtpd_links_of(b);
    struct peer_link *link = queue_link(l, e);
    uint32_t number;
    if (!link)
        return false;
    message_open_pack(&head, reserve);
    if (!ask_queue(l, link, LINK_SUBMIT_OPEN, (struct slice[]){buf_slice(&head), SLICE_EMPTY}, &number, e)) {
        peer_drop(link);
        return false;
    }
    *slot = MEM_NEW(struct smtpd_slot);
    **slot = (struct smtpd_slot){.link = link, .number = number};
    return true;
}

static bool piece(struct smtpd_backend *b, struct smtpd_slot *slot, struct slice bytes, struct err *e) {
    struct buf head BUF_AUTO = {.max = 64};
    message_piece_pack_head(&head, slot->number);
    return ask_queue(smtpd_links_of(b), slot->link, LINK_SUBMIT_PIECE, (struct slice[]){buf_slice(&head), bytes}, NULL,
                     e);
}

static bool front(struct smtpd_backend *b, struct smtpd_slot *slot, struct slice bytes, struct err *e) {
    struct buf head BUF_AUTO = {.max = 64};
    message_front_pack_head(&head, slot->number);
    return ask_queue(smtpd_links_of(b), slot->link, LINK_SUBMIT_PIECE, (struct slice[]){buf_slice(&head), bytes}, NULL,
                     e);
}

static void give_up(struct smtpd_backend *b, struct smtpd_slot *slot) {
    struct buf head BUF_AUTO = {.max = 64};
    (void)b;
    message_piece_pack_head(&head, slot->number);
    link_send1(slot->link->link, LINK_SUBMIT_ABORT, 0, buf_slice(&head));
    free_slot(slot);
}

// --- users

static bool auth_begin(struct smtpd_backend *b, const struct message_auth_begin *m, struct smtpd_asked **asked,
                       struct buf *space, struct message_auth_reply *out, struct err *e) {
    return smtpd_auths_begin(&smtpd_links_of(b)->auths, m, asked, space, out, e);
}

static bool auth_continue(struct smtpd_backend *b, struct smtpd_asked **asked, struct slice response, struct buf *space,
                          struct message_auth_reply *out, struct err *e) {
    return smtpd_auths_continue(&smtpd_links_of(b)->auths, asked, response, space, out, e);
}

static void auth_cancel(struct smtpd_backend *b, struct smtpd_asked *asked) {
    smtpd_auths_cancel(&smtpd_links_of(b)->auths, asked);
}

static bool use(struct smtpd_backend *b, const struct message_use *m, struct arena *arena,
                struct message_use_reply *out, struct err *e) {
    struct buf packed BUF_AUTO = {.max = HEAD_MAX};
    struct buf reply BUF_AUTO = {.max = REPLY_MAX};
    struct smtpd_links *l = smtpd_links_of(b);
    struct mono deadline = loop_in_ms(l->world->loop, POLICY_MS);
    enum link_type type;
    if (!message_use_pack(&packed, m) ||
        !peer_call(&l->policy, LINK_USE, buf_slice(&packed), deadline, &type, &reply, e))
        return busy(e);
    struct slice kept = arena_dup(arena, buf_slice(&reply));
    if (type != LINK_USE_REPLY || !kept.p || !message_use_reply_unpack(kept, out))
        return busy(e);
    return true;
}

static bool owns(struct smtpd_backend *b, struct slice user, struct slice address, bool *out, struct err *e) {
    struct buf packed BUF_AUTO = {.max = HEAD_MAX};
    struct buf reply BUF_AUTO = {.max = REPLY_MAX};
    struct smtpd_links *l = smtpd_links_of(b);
    struct mono deadline = loop_in_ms(l->world->loop, LOOKUP_MS);
    enum message_ownership result;
    enum link_type type;
    if (!message_owns_pack(&packed, &(struct message_owns){user, address}) ||
        !peer_call(&l->lookup, LINK_OWNS, buf_slice(&packed), deadline, &type, &reply, e))
        return busy(e);
    if (type != LINK_OWNS_REPLY || !message_owns_reply_unpack(buf_slice(&reply), &result) ||
        result == MESSAGE_OWNS_FAILED)
        return busy(e);
    *out = result == MESSAGE_OWNS_YES;
    return true;
}

// --- filters of others

static bool filter_open(struct smtpd_backend *b, size_t index, struct transport **out, struct err *e) {
    struct smtpd_links *l = smtpd_links_of(b);
    return smtpd_filter_open(&l->connect, l->world->loop, &l->config->gate.filters[index], out, e);
}

// --- ids and time

static uint64_t queue_id(struct smtpd_backend *b) {
    struct smtpd_links *l = smtpd_links_of(b);
    return queue_id_make(world_wall(l->world), l->ids++);
}

static struct wall now(struct smtpd_backend *b) { return world_wall(smtpd_links_of(b)->world); }

static const struct smtpd_backend_ops ops = {
    .expand = expand,
    .submit = submit,
    .open = open_slot,
    .piece = piece,
    .front = front,
    .give_up = give_up,
    .auth_begin = auth_begin,
    .auth_continue = auth_continue,
    .auth_cancel = auth_cancel,
    .use = use,
    .owns = owns,
    .ask = smtpd_links_ask,
    .client = smtpd_links_client,
    .tally = smtpd_links_tally,
    .greylist = smtpd_links_greylist,
    .match = smtpd_links_match,
    .seen = smtpd_links_seen,
    .record = smtpd_links_record,
    .dmarc_seen = smtpd_links_dmarc_seen,
    .filter_open = filter_open,
    .queue_id = queue_id,
    .now = now,
};

void smtpd_links_init(struct smtpd_links *l, struct world *w, const struct config *c, struct fiber_group *group,
                      void (*handle)(void *service, struct peer_link *from, const struct link_frame *frame),
                      void *service) {
    struct peer fresh = {.group = group, .handle = handle, .service = service};
    *l = (struct smtpd_links){.backend = {&ops},
                              .world = w,
                              .config = c,
                              .connect = fresh,
                              .queue = fresh,
                              .lookup = fresh,
                              .policy = fresh,
                              .history = fresh,
                              .report = fresh};
    smtpd_oracle_init(&l->oracle, w, c->hostname, &fresh);
    smtpd_links_records_init(l);
    smtpd_auths_init(&l->auths, w->loop, c->auth_workers, &fresh);
    world_random(w, &l->ids, sizeof l->ids);
}

void smtpd_links_done(struct smtpd_links *l) {
    smtpd_links_records_done(l);
    smtpd_auths_done(&l->auths);
}

struct peer *smtpd_links_peer(struct smtpd_links *l, enum role role, uint32_t instance) {
    switch (role) {
    case ROLE_QUEUE:
        return &l->queue;
    case ROLE_LOOKUP:
        return &l->lookup;
    case ROLE_POLICY:
        return &l->policy;
    case ROLE_CONNECT:
        return &l->connect;
    case ROLE_RESOLVER:
        return &l->oracle.resolver;
    case ROLE_HISTORY:
        return &l->history;
    case ROLE_REPORT:
        return &l->report;
    case ROLE_AUTH:
        return instance < l->auths.n ? &l->auths.peers[instance].peer : NULL;
    default:
        return NULL;
    }
}
