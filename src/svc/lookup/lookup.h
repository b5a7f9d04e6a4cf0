// lookup: the process that knows the tables: who a recipient is (EXPAND), who may send as whom (OWNS), and whether
// something is in a table that rules of policy name (MATCH). Each is answered by its _REPLY.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

struct lookup_service;

// w->disk, if any, is the directory in which the tables' paths begin; in a process there is none. Reads all tables.
struct lookup_service *lookup_new(struct world *w, const struct config *c);

// ROLE_SMTPD, ROLE_INJECT or ROLE_CONTROL.
void lookup_attach(struct lookup_service *s, struct link *link, enum role peer);

void lookup_stop(struct lookup_service *s);
struct fiber_group *lookup_fibers(struct lookup_service *s);
void lookup_free(struct lookup_service *s); // takes NULL; its fibers have ended
