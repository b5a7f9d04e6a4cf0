// smtpd_waited: which strangers waited for their greeting lately, so that they need not wait each time. An address is
// one, an IPv6 /64 as well. At most SMTPD_WAITED_MAX, oldest first out; each for a day, whatever it does meanwhile but
// talking early. One per process, in memory only.
#pragma once

#include "base/bounded.h"
#include "base/when.h"
#include "wire/netaddr.h"

enum { SMTPD_WAITED_MAX = 50000 };

struct smtpd_waited {
    struct bounded clients;
};

void smtpd_waited_init(struct smtpd_waited *w, const struct hash_key *key); // `key`: random
void smtpd_waited_done(struct smtpd_waited *w);

// Whether it waited, less than a day ago. Of nobody (NULL) and of a client without an address it isn't known.
bool smtpd_waited_knows(struct smtpd_waited *w, const struct netaddr *client, struct mono now);

void smtpd_waited_note(struct smtpd_waited *w, const struct netaddr *client, struct mono now); // it waited; takes NULL
void smtpd_waited_forget(struct smtpd_waited *w, const struct netaddr *client); // it talked early; takes NULL
