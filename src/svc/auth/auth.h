// auth: the process that finds out who a user is. submission carries the bytes of SASL (RFC 4422) between the client
// and here; the mechanisms run here (wire/sasl.h), and what they ask is answered by the back ends of the configuration
// (auth_backend.h).
//
//   submission  AUTH_BEGIN, AUTH_CONTINUE -> AUTH_REPLY, each on a fiber; AUTH_CANCEL
//   policy      TRY before a secret is looked at, TRIED after it; while policy is away, log-ins go on
//   pam, fetch  PAM_CHECK, FETCH
//
// A failure is told after the delay that policy asks for, counted from when the question came, so that neither an
// unknown user nor the kind of failure shows in the time. Where hashing alone takes longer, unknown users cost a
// hashing too.
//
// Secrets: the bytes that a client sent are wiped as soon as they were looked at; what went through the buffers of a
// link is overwritten by what comes next, not wiped.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

enum {
    AUTH_CONVERSATIONS_MAX = 10000,     // past it, the one that is silent for longest is forgotten
    AUTH_SILENCE_MS = 10 * MS_MINUTE,   // then a conversation is forgotten
    AUTH_DELAY_MAX_MS = 90 * MS_SECOND, // a failure is told by then, whatever policy says
    AUTH_POLICY_MS = 2 * MS_SECOND,     // then policy counts as away
    AUTH_STOP_MS = 1 * MS_SECOND,
};

struct auth_service;

struct auth_service *auth_new(struct world *w, const struct config *c);

// Reads the files of the back ends: to be called with the rights that it will keep, so that a file that could not be
// read again later is told of now.
void auth_start(struct auth_service *s);

// ROLE_SUBMISSION, ROLE_POLICY, ROLE_PAM, ROLE_FETCH or ROLE_CONTROL.
void auth_attach(struct auth_service *s, struct link *link, enum role peer);

// Gives log-ins that are under way AUTH_STOP_MS to end.
FIBER_FN void auth_stop(struct auth_service *s);
struct fiber_group *auth_fibers(struct auth_service *s);
void auth_free(struct auth_service *s); // takes NULL; its fibers have ended
