// smtpd_links_auth: conversations of SASL over the links to the processes of auth: each goes to the one that has fewest
// open, and stays with it.
#pragma once

#include "rt/world.h"
#include "svc/peer.h"
#include "svc/smtpd/smtpd_backend.h"

// One process of auth.
struct smtpd_auth_peer {
    struct peer peer;
    size_t open; // conversations
};

struct smtpd_auths {
    struct loop *loop;
    struct smtpd_auth_peer *peers;
    uint32_t n;
};

void smtpd_auths_init(struct smtpd_auths *a, struct loop *loop, uint32_t n, const struct peer *like);
void smtpd_auths_done(struct smtpd_auths *a);

// As in smtpd_backend_ops.
FIBER_FN bool smtpd_auths_begin(struct smtpd_auths *a, const struct message_auth_begin *m, struct smtpd_asked **asked,
                                struct buf *space, struct message_auth_reply *out, struct err *e);
FIBER_FN bool smtpd_auths_continue(struct smtpd_auths *a, struct smtpd_asked **asked, struct slice response,
                                   struct buf *space, struct message_auth_reply *out, struct err *e);
void smtpd_auths_cancel(struct smtpd_auths *a, struct smtpd_asked *asked);
