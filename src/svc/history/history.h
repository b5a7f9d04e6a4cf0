// history: keeps why things were decided, as sessions and the queue tell it, for `posthouse explain` to read: numbered
// files below STATE/history (core/history/record_file.h), the oldest removed past `history size` and `history days`. It never
// syncs and is never waited for: what a crash of the machine takes is only history. Where the disk is full it stops,
// says so once, and looks again every minute.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

struct history_service;

// `w->disk` is the state directory.
struct history_service *history_new(struct world *w, const struct config *c);
MUST_CHECK bool history_start(struct history_service *s, struct err *e);

// ROLE_SMTPD, ROLE_SUBMISSION, ROLE_QUEUE or ROLE_CONTROL.
void history_attach(struct history_service *s, struct link *link, enum role peer);

// Who is to stop first takes what others have on their way: until nothing came for a moment, a second at most.
FIBER_FN void history_drain(struct history_service *s);
void history_stop(struct history_service *s);
struct fiber_group *history_fibers(struct history_service *s);
void history_free(struct history_service *s); // takes NULL; its fibers have ended. Writes what came last
