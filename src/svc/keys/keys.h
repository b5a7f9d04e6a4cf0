// keys: the process that holds private keys, of TLS and DKIM, and no other does. It reads them, and certificates with
// their chains and stapled responses, notices when the files change, tells sessions what there is, and signs.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/metric.h"
#include "rt/world.h"

struct keys_service;

// `tickets`: a ticket_chain from master, the same for every keys process; empty where no session is resumed.
struct keys_service *keys_new(struct world *w, const struct config *c, uint32_t instance, struct slice tickets);

// Reads all files. False and `e` when there is a certificate in the configuration but none that can be used.
MUST_CHECK bool keys_start(struct keys_service *s, struct err *e);

void keys_attach(struct keys_service *s, struct link *link, enum role peer);
void keys_stop(struct keys_service *s);
struct fiber_group *keys_fibers(struct keys_service *s);
void keys_free(struct keys_service *s); // takes NULL
