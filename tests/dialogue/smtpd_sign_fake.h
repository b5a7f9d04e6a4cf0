// smtpd_sign_fake: a process that has keys, for tests: it signs for one domain, always with the same bytes.
#pragma once

#include "svc/smtpd/smtpd_session.h"

struct fake_signer {
    struct message_keys_dkim rule;
    struct message_keys_set set;
    bool unheard; // it has not said yet whom it signs for
    bool away;    // it doesn't answer
};

// d=`domain`, s=s1, Ed25519.
void fake_signer_begin(struct fake_signer *f, struct slice domain, struct smtpd_shared *shared);
