// policy_test_house: what the tests of policy share: the service on one loop, auth, submission, smtpd, inject and
// control played by the test, and a store that is the test's own.
#pragma once

#include "core/message/message_policy.h"
#include "rt/fiber/fiber.h"
#include "svc/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct house {
    struct loop *loop;
    struct world world;
    struct config *config;
    struct policy_service *policy;
    struct fiber_group group;
    struct link *auth, *submission, *smtpd, *inject, *control;
    struct buf notices;
    unsigned notices_n;
    void (*script)(struct house *h);
    struct wall start;
};

extern struct store *kept; // stands for the disk: outlives a service

struct lent {
    struct store store;
    bool fails;
};
extern struct lent lent;

// A store that keeps in `kept`, and fails when `lent` says so.
struct store *lend(void);
size_t kept_entries(void);
void attach_inject(struct house *h);
// The whole life of a service, with `script` on a fiber.
void run(struct wall start, struct store *store, void (*script)(struct house *));
struct netaddr ip(const char *address);
// Asks; the answer must be of type `want`.
void call(struct link *l, enum link_type type, const struct buf *payload, enum link_type want, struct buf *reply);
