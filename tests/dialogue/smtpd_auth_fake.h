// smtpd_auth_fake: the processes of auth as a session sees them: users bob (secret) and alice@example.org (wonder) by
// PLAIN, by LOGIN, and by a game of three steps under the names of SCRAM; EXTERNAL takes whom the certificate names.
#pragma once

#include "svc/smtpd/smtpd_backend.h"

struct fake_auth {
    bool away;       // nobody can be asked
    bool locked;     // everybody is
    bool trouble;    // nobody can say
    int64_t slow_ms; // before each answer
    int open;        // conversations
    uint64_t begun;
};

FIBER_FN bool fake_auth_begin(struct fake_auth *a, const struct message_auth_begin *m, struct smtpd_asked **asked,
                              struct buf *space, struct message_auth_reply *out, struct err *e);
FIBER_FN bool fake_auth_continue(struct fake_auth *a, struct smtpd_asked **asked, struct slice response,
                                 struct buf *space, struct message_auth_reply *out, struct err *e);
void fake_auth_cancel(struct fake_auth *a, struct smtpd_asked *asked);
