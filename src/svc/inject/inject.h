// inject: the process that brings our own mail into the queue: notifications of failed delivery (mail/dsn/dsn.h). NOTIFY
// work from the queue becomes a message that is SUBMITted on the same link; when it is durable the work is done. And a
// NOTICE of policy to the administrator, and a POST of report, which nobody waits for (inject_notice.h, inject_post.h).
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

struct inject_service;

struct inject_service *inject_new(struct world *w, const struct config *c);

// ROLE_QUEUE, ROLE_LOOKUP, ROLE_POLICY, ROLE_REPORT or ROLE_CONTROL.
void inject_attach(struct inject_service *s, struct link *link, enum role peer);

void inject_stop(struct inject_service *s);
struct fiber_group *inject_fibers(struct inject_service *s);
void inject_free(struct inject_service *s); // takes NULL; its fibers have ended
