// policy: what users and their clients may do for now, and what is remembered of strangers. It counts failed log-ins
// and locks (core/policy/lockout.h), keeps to quotas (core/policy/quota.h), and holds what is far beyond an account's own past
// (core/policy/guard.h). Of strangers it knows what they earned and lost (core/policy/standing.h), whether they came back
// (core/policy/greylist.h), how much they do (core/policy/rates.h), and how much mail there is in all (core/policy/volume.h).
//
// All of it is in memory; a store on disk gets what changed once a second, so that a kill forgets no more than that. At
// most POLICY_BATCH entries go there at once, oldest change first: a flood of 100,000 new clients takes five seconds to
// be kept, and meanwhile a kill may cost those five.
//
//     auth        TRY before a secret is looked at, TRIED afterwards
//     submission  USE: at MAIL and RCPT to ask, at the end of content to count
//     smtpd       CLIENT, TALLY, GREYLIST about strangers, and SEEN: how they behaved. submission as well: whom users
//                 wrote to
//     control     lists, clears, releases, blocks
//     inject      gets a NOTICE for the administrator, once, when an account begins to be held
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/disk/store.h"
#include "rt/world.h"

struct policy_service;

enum { POLICY_BATCH = 20000 }; // entries

struct policy_service *policy_new(struct world *w, const struct config *c);

// Takes the store and reads all of it; NULL: nothing is kept. `why` (may be NULL or empty) says what was wrong with it.
MUST_CHECK bool policy_start(struct policy_service *s, struct store *store, const char *why, struct err *e);

// ROLE_AUTH, ROLE_SUBMISSION, ROLE_SMTPD, ROLE_INJECT or ROLE_CONTROL.
void policy_attach(struct policy_service *s, struct link *link, enum role peer);

void policy_stop(struct policy_service *s);
struct fiber_group *policy_fibers(struct policy_service *s);
void policy_free(struct policy_service *s); // takes NULL; its fibers have ended. Keeps what changed last
