// connect: the process that opens connections to filters of others for the sessions, which may connect to nobody. It
// reads and writes nothing on them.
//
//     FILTER {a filter's name}  ->  FILTER_REPLY {} and the connected socket, or FILTER_REPLY {why there is none}
//
// Only what the configuration names is connected to, so that who takes over a session reaches nothing else.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

enum { CONNECT_AT_ONCE = 1000 }; // attempts under way; more are told so

struct connect_service;

struct connect_service *connect_new(struct world *w, const struct config *c);

// SMTPD, SUBMISSION, or CONTROL.
void connect_attach(struct connect_service *s, struct link *link, enum role peer);

void connect_stop(struct connect_service *s);
struct fiber_group *connect_fibers(struct connect_service *s);
void connect_free(struct connect_service *s); // takes NULL; its fibers have ended
