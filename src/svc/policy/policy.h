// policy: what users and their clients may do for now. It counts failed log-ins and locks (core/lockout.h), keeps to
// quotas (core/quota.h), and holds what is far beyond an account's own past (core/guard.h). All of it is in memory; a
// store on disk gets what changed once a second, so that a kill forgets no more than that.
//
//     auth        TRY before a secret is looked at, TRIED afterwards
//     submission  USE: at MAIL and RCPT to ask, at the end of content to count
//     control     lists, clears, releases, blocks
//     inject      gets a NOTICE for the administrator, once, when an account begins to be held
#pragma once

#include "core/config.h"
#include "rt/link.h"
#include "rt/store.h"
#include "rt/world.h"

struct policy_service;

struct policy_service *policy_new(struct world *w, const struct config *c);

// Takes the store and reads all of it; NULL: nothing is kept. `why` (may be NULL or empty) says what was wrong with it.
MUST_CHECK bool policy_start(struct policy_service *s, struct store *store, const char *why, struct err *e);

// ROLE_AUTH, ROLE_SUBMISSION, ROLE_INJECT or ROLE_CONTROL.
void policy_attach(struct policy_service *s, struct link *link, enum role peer);

void policy_stop(struct policy_service *s);
struct fiber_group *policy_fibers(struct policy_service *s);
void policy_free(struct policy_service *s); // takes NULL; its fibers have ended. Keeps what changed last
