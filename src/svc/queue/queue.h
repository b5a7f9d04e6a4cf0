// queue: the process that keeps mail: the only writer of mail on disk, the one schedule. It never parses a message.
//
//     smtpd, inject --SUBMIT--> queue --WORK--> relay, deliver, inject
//                   <-250 only after sync-      <-READ, OUTCOME--
//     control --METRICS, QUEUE_*--> queue
//
// What it has acknowledged it keeps until each recipient is delivered, or its sender has been told (or can't be): over
// any crash, of itself or of others.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

struct queue_service;

// `w` and `c` live longer than it.
struct queue_service *queue_new(struct world *w, const struct config *c);

// Reads the log and opens it for mail. A full disk is no failure: mail is refused with 452 until there is room.
MUST_CHECK bool queue_start(struct queue_service *q, struct err *e);

// Takes the link. A worker's (ROLE_RELAY, DELIVER, INJECT) is given work at once.
void queue_attach(struct queue_service *q, struct link *link, enum role peer);

// No more work is handed out, what is known is made durable, and all fibers are cancelled. To be called once the
// workers have stopped: attempts that are still under way are made again after the next start.
void queue_stop(struct queue_service *q);

// All its fibers; cancelling them is a crash. queue_free wants them to have ended.
struct fiber_group *queue_fibers(struct queue_service *q);
void queue_free(struct queue_service *q); // takes NULL
