// smtpd_links_auth: choosing a process, asking it, and letting go.
#include "svc/smtpd/smtpd_links_auth.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    THERE_MS = 5 * MS_SECOND, // for a process that is just being started again
    LOOK_MS = 20,
    ANSWER_MS = 2 * MS_MINUTE, // hashing has a queue, and failures are told with a delay
    HEAD_MAX = 4096,           // bytes of all but the response
    PACKED_MAX = MESSAGE_SASL_MAX + HEAD_MAX,
};

// A conversation lives in the process where it was begun: one that starts anew knows nothing of it.
struct smtpd_asked {
    struct smtpd_auth_peer *at;
    struct peer_link *link; // held
    uint64_t conversation;
};

void smtpd_auths_init(struct smtpd_auths *a, struct loop *loop, uint32_t n, const struct peer *like) {
    *a = (struct smtpd_auths){.loop = loop, .n = n};
    a->peers = mem_new(n + 1, sizeof *a->peers);
    for (uint32_t i = 0; i < n; i++)
        a->peers[i].peer = *like;
}

void smtpd_auths_done(struct smtpd_auths *a) {
    free(a->peers);
    a->peers = NULL;
}

static bool away(struct err *e) { return err_smtp(e, 454, "4.7.0", "log-ins are not possible now, please try later"); }

static struct smtpd_auth_peer *least_busy(struct smtpd_auths *a) {
    struct smtpd_auth_peer *best = NULL;
    for (uint32_t i = 0; i < a->n; i++) {
        struct smtpd_auth_peer *p = &a->peers[i];
        if (peer_is_up(&p->peer) && (!best || p->open < best->open))
            best = p;
    }
    return best;
}

static FIBER_FN struct smtpd_auth_peer *wait_for_one(struct smtpd_auths *a, struct err *e) {
    struct smtpd_auth_peer *found;
    int64_t waited = 0;
    while (!(found = least_busy(a))) {
        if (waited >= THERE_MS) {
            away(e);
            return NULL;
        }
        if (!fiber_sleep(LOOK_MS)) {
            err_set(e, ERR_CANCELLED, "stopped");
            return NULL;
        }
        waited += LOOK_MS;
    }
    return found;
}

static void let_go(struct smtpd_asked *asked) {
    asked->at->open--;
    peer_drop(asked->link);
    free(asked);
}

// Takes the packed bytes, which may hold a password, and wipes them.
static FIBER_FN bool ask(struct smtpd_auths *a, struct smtpd_asked **asked, enum link_type type, struct buf *packed,
                         struct buf *space, struct message_auth_reply *out, struct err *e) {
    struct slice payload = buf_slice(packed);
    enum link_type reply_type;
    buf_reset(space);
    bool ok = !packed->failed &&
              link_call((*asked)->link->link, type, &payload, 1, loop_in_ms(a->loop, ANSWER_MS), &reply_type, space, e);
    if (packed->p)
        explicit_bzero(packed->p, packed->n);
    buf_done(packed);
    ok = ok && reply_type == LINK_AUTH_REPLY && message_auth_reply_unpack(buf_slice(space), out);
    if (ok && out->result == MESSAGE_AUTH_CHALLENGE) {
        (*asked)->conversation = out->conversation;
        return true;
    }
    let_go(*asked);
    *asked = NULL;
    return ok || (e->kind == ERR_CANCELLED ? false : away(e));
}

bool smtpd_auths_begin(struct smtpd_auths *a, const struct message_auth_begin *m, struct smtpd_asked **asked,
                       struct buf *space, struct message_auth_reply *out, struct err *e) {
    struct buf packed = {.max = PACKED_MAX};
    struct smtpd_auth_peer *at = wait_for_one(a, e);
    if (!at)
        return false;
    *asked = MEM_NEW(struct smtpd_asked);
    **asked = (struct smtpd_asked){.at = at, .link = peer_hold(at->peer.now)};
    at->open++;
    e->kind = ERR_TEMPORARY;
    buf_reserve(&packed, m->initial.n + HEAD_MAX); // growing would leave copies of a password
    message_auth_begin_pack(&packed, m);
    return ask(a, asked, LINK_AUTH_BEGIN, &packed, space, out, e);
}

bool smtpd_auths_continue(struct smtpd_auths *a, struct smtpd_asked **asked, struct slice response, struct buf *space,
                          struct message_auth_reply *out, struct err *e) {
    struct buf packed = {.max = PACKED_MAX};
    struct message_auth_continue m = {.conversation = (*asked)->conversation, .response = response};
    e->kind = ERR_TEMPORARY;
    buf_reserve(&packed, response.n + HEAD_MAX);
    message_auth_continue_pack(&packed, &m);
    return ask(a, asked, LINK_AUTH_CONTINUE, &packed, space, out, e);
}

void smtpd_auths_cancel(struct smtpd_auths *a, struct smtpd_asked *asked) {
    struct buf packed BUF_AUTO = {.max = 256};
    struct message_auth_continue m = {.conversation = asked->conversation};
    (void)a;
    if (message_auth_continue_pack(&packed, &m))
        link_send1(asked->link->link, LINK_AUTH_CANCEL, 0, buf_slice(&packed));
    let_go(asked);
}
