// smtpd_links: the backend of real life: lookup and queue are asked over links.
#pragma once

#include "rt/world.h"
#include "svc/peer.h"
#include "svc/smtpd/smtpd_backend.h"

struct smtpd_links {
    struct smtpd_backend backend;
    struct world *world;
    struct peer queue, lookup;
    uint32_t ids; // counted up for queue_id_make
};

// `handle` gets what is no answer: METRICS.
void smtpd_links_init(struct smtpd_links *l, struct world *w, struct fiber_group *group,
                      void (*handle)(void *service, struct peer_link *from, const struct link_frame *frame),
                      void *service);
