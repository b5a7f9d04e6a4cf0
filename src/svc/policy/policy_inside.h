// policy_inside: what the sources of policy share.
#pragma once

#include "core/policy/greylist.h"
#include "core/policy/guard.h"
#include "core/policy/lockout.h"
#include "core/message/message_policy.h"
#include "core/policy/quota.h"
#include "core/policy/rates.h"
#include "core/policy/standing.h"
#include "core/policy/volume.h"
#include "rt/journal.h"
#include "rt/metric.h"
#include "svc/peer.h"
#include "svc/policy/policy.h"
#include "svc/policy/policy_secrets.h"

enum {
    POLICY_KEEP_MS = MS_SECOND,
    POLICY_AGAIN_MS = MS_MINUTE,
    POLICY_TURN_MS = 1000,  // that a try waits for its turn; well below what auth waits for us
    POLICY_TURNS_MAX = 500, // tries that wait; one more is refused
};

struct policy_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer auth, submission, smtpd, inject, control;
    struct metric metric;
    struct lockout lockout;
    struct quota quota;
    struct guard guard;
    struct policy_secrets secrets;
    struct standing standing;
    struct greylist greylist;
    struct rates rates;
    struct volume volume;
    struct store *store;       // NULL: nothing is kept
    bool changed;              // since it was kept
    bool failing;              // the last batch was not kept
    struct fiber_cond changes; // for the fiber that keeps
    struct fiber_cond told;    // how a try went
    size_t turns;              // tries that wait
};

// policy.c: what was changed is to be kept, and told where somebody is to be told.
void policy_changed(struct policy_service *s);

static inline struct rates_now policy_rates_now(const struct policy_service *s) {
    return (struct rates_now){loop_now(s->world->loop), world_wall(s->world)};
}

// policy_keep.c
bool policy_load(struct policy_service *s, const char *why, struct err *e); // and spawns the fiber that keeps
void policy_keep(struct policy_service *s);                                 // what changed, now

// policy_admin.c
void policy_admin(void *service, struct peer_link *from, const struct link_frame *frame);

// policy_strangers.c
void policy_from_smtpd(void *service, struct peer_link *from, const struct link_frame *frame);
void policy_take_seen(struct policy_service *s, struct peer_link *from, const struct link_frame *frame);
void policy_strangers_metrics(struct policy_service *s);

// policy_senders.c
void policy_senders(struct policy_service *s, struct peer_link *from, const struct link_frame *frame);
