// auth_backend: what the service wants of those who know users, in one small interface: a password file, PAM, Dovecot,
// keys and issuers of tokens; tables of SQL and LDAP can come beside them.
//
// The back ends are asked in the configuration's order. The first that knows the user decides; one that is in trouble
// ends it too, since nobody can say whether it knows the user.
#pragma once

#include "base/arena.h"
#include "core/config/config.h"
#include "rt/metric.h"
#include "rt/world.h"
#include "svc/auth/auth_turns.h"
#include "svc/peer.h"
#include "wire/sasl.h"

enum auth_verdict {
    AUTH_OK,
    AUTH_WRONG,   // the user is known here, and this isn't its secret
    AUTH_UNKNOWN, // not known here, or it can't be told whether: the next is asked
    AUTH_TROUBLE, // `e` says why
};

// Views that live as long as the question takes.
struct auth_question {
    struct slice user;   // lower case; with a token: as the client says, perhaps empty
    struct slice secret; // password or token
    enum sasl_mechanism mechanism;
    struct slice session;
    struct netaddr client, local;
};

struct auth_found {
    struct slice user;   // who it truly is, where that isn't question.user; in the arena
    struct slice secret; // name of the secret that fitted; in the arena
};

struct auth_backend {
    const struct auth_backend_ops *ops;
    struct list entry;
};

// Any but `free` may be NULL: it can't say, which is AUTH_UNKNOWN. `e` is filled for the log by any verdict but OK.
struct auth_backend_ops {
    void (*start)(struct auth_backend *b); // reads its files, as the user and in the jail that it will have
    FIBER_FN enum auth_verdict (*password)(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                                           struct auth_found *out, struct err *e);
    FIBER_FN enum auth_verdict (*token)(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                                        struct auth_found *out, struct err *e);
    // The keys of a user's secrets, in the arena.
    enum auth_verdict (*scram)(struct auth_backend *b, struct slice user, enum digest_kind digest, struct arena *arena,
                               struct sasl_scram *out, struct err *e);
    // Whether it knows this user at all: OK or UNKNOWN.
    enum auth_verdict (*knows)(struct auth_backend *b, struct slice user, struct err *e);
    // Takes the time that checking a password usually takes: for users whom nobody knows.
    FIBER_FN void (*waste)(struct auth_backend *b, const struct auth_question *q);
    // Fills what makes unknown users look like known ones in SCRAM; false: nothing is known.
    bool (*fake)(struct auth_backend *b, struct sasl_facts *out);
    void (*free)(struct auth_backend *b);
};

// What back ends are given of the service.
struct auth_means {
    struct world *world;
    struct fiber_group *group;
    struct auth_turns hashing; // for the processor
    struct auth_turns asking;  // for PAM and for issuers of tokens
    struct peer *pam, *fetch;
    struct metric *metric;
    bool (*connect)(struct loop *loop, struct slice path, struct transport **out, struct err *e); // net_unix_connect
};

struct auth_backend *auth_file_new(struct auth_means *m, const struct config_auth *c);
struct auth_backend *auth_pam_new(struct auth_means *m, const struct config_auth *c);
struct auth_backend *auth_dovecot_new(struct auth_means *m, const struct config_auth *c);
struct auth_backend *auth_jwt_new(struct auth_means *m, const struct config_auth *c);
struct auth_backend *auth_introspect_new(struct auth_means *m, const struct config_auth *c);

// All of the configuration, in its order.
void auth_backends_init(struct list *all, struct auth_means *m, const struct config *c);
void auth_backends_start(struct list *all);
void auth_backends_done(struct list *all);

FIBER_FN enum auth_verdict auth_backends_password(struct list *all, const struct auth_question *q, struct arena *arena,
                                                  struct auth_found *out, struct err *e);
FIBER_FN enum auth_verdict auth_backends_token(struct list *all, const struct auth_question *q, struct arena *arena,
                                               struct auth_found *out, struct err *e);
enum auth_verdict auth_backends_scram(struct list *all, struct slice user, enum digest_kind digest, struct arena *arena,
                                      struct sasl_scram *out, struct err *e);

// A certificate vouches for its user; but where every back end could say whether there is such a user, one must.
enum auth_verdict auth_backends_certificate(struct list *all, struct slice user, struct err *e);
void auth_backends_fake(struct list *all, struct sasl_facts *out);
