// auth_inside: what the sources of auth share.
#pragma once

#include "base/map.h"
#include "core/message/message_auth.h"
#include "svc/auth/auth.h"
#include "svc/auth/auth_backend.h"

struct auth_service {
    struct world *world;
    const struct config *config;
    struct fiber_group group;
    struct peer submission, policy, pam, fetch, control;
    struct metric metric;
    struct auth_means means;
    struct list backends;
    uint8_t fake_secret[32]; // where no file has a better one
    uint32_t mechanisms;     // that are offered
    struct map by_id;
    struct list silent; // conversations that wait for the client, the oldest first
    struct list busy;   // those with a fiber
    uint64_t last_id;
    struct loop_timer sweep;
    bool policy_away; // and the journal knows
};

// Of one client's AUTH command.
struct auth_conversation {
    struct list entry; // silent or busy
    struct auth_service *service;
    uint64_t id;
    struct peer_link *from; // held
    struct sasl sasl;
    enum sasl_mechanism mechanism;
    struct netaddr client, local;
    char session[40];  // NUL-terminated, cut
    struct mono since; // silent
    bool is_busy, cancelled;
    bool sasl_waits;              // for what the client says to a challenge
    bool tried;                   // policy was asked
    char asked[MESSAGE_USER_MAX]; // about whom
    size_t asked_n;
    int64_t delay_ms; // of a failure, since then
    char why[ERR_TEXT];
};

// One frame of a conversation, on its fiber.
struct auth_request {
    struct auth_conversation *c;
    uint64_t id; // of the frame
    struct mono began;
    struct buf payload; // wiped at the end
    struct message_auth_begin begin;
    struct slice response;
    bool is_begin;
};

// --- auth_conversation.c

void auth_conversation_from_asker(void *service, struct peer_link *from, const struct link_frame *frame);
void auth_conversation_free(struct auth_conversation *c);
void auth_conversation_on_sweep(struct loop_timer *t);

// --- auth_converse.c: a request from its bytes to its reply

FIBER_FN void auth_converse(struct auth_request *r);

// --- auth_policy.c

// False: don't look at the secret. Sets tried and delay_ms.
FIBER_FN bool auth_policy_lets(struct auth_request *r, struct slice user, struct err *why);
void auth_policy_tell(struct auth_conversation *c, struct slice user, struct slice secret, bool ok);
