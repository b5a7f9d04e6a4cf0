// report: the process that sends aggregate reports of DMARC (RFC 9990), where `dmarc reports` is configured. Sessions
// tell what became of each message of a domain that wants reports (DMARC_SEEN); core/report/report_book.h counts. When a
// stretch is over, a report goes to each address that may have it, as a mail that keys signs where it has a key for
// the domain that it is from, and that inject puts into the queue (POST).
// Counts are in memory, and a few seconds later in a store.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/disk/store.h"
#include "rt/world.h"

struct report_service;

// `keys`: how many processes hold private keys.
struct report_service *report_new(struct world *w, const struct config *c, uint32_t keys);

// Takes the store and reads all of it; NULL: nothing is kept. `why` (may be NULL or empty) says what was wrong with it.
MUST_CHECK bool report_start(struct report_service *s, struct store *store, const char *why, struct err *e);

// ROLE_SMTPD, ROLE_RESOLVER, ROLE_INJECT, ROLE_KEYS or ROLE_CONTROL.
void report_attach(struct report_service *s, struct link *link, enum role peer, uint32_t instance);

void report_stop(struct report_service *s);
struct fiber_group *report_fibers(struct report_service *s);
void report_free(struct report_service *s); // takes NULL; its fibers have ended. Keeps what changed last
