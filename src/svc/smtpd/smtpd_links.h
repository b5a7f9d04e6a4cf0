// smtpd_links: the backend of real life: queue, lookup, auth and policy are asked over links.
#pragma once

#include "core/config/config.h"
#include "rt/world.h"
#include "svc/peer.h"
#include "svc/smtpd/smtpd_backend.h"
#include "svc/smtpd/smtpd_links_auth.h"
#include "svc/smtpd/smtpd_links_gate.h"
#include "svc/smtpd/smtpd_oracle.h"

struct smtpd_links {
    struct smtpd_backend backend;
    struct world *world;
    const struct config *config;
    struct peer connect, queue, lookup, policy, history, report;
    struct smtpd_oracle oracle;
    struct smtpd_records records;
    struct smtpd_auths auths;
    uint32_t ids; // counted up for queue_id_make
};

static inline struct smtpd_links *smtpd_links_of(struct smtpd_backend *b) {
    return LIST_ENTRY(b, struct smtpd_links, backend);
}

// `handle` gets what is no answer: METRICS.
void smtpd_links_init(struct smtpd_links *l, struct world *w, const struct config *c, struct fiber_group *group,
                      void (*handle)(void *service, struct peer_link *from, const struct link_frame *frame),
                      void *service);
void smtpd_links_done(struct smtpd_links *l);

// Where a link to that process belongs; NULL: it is nobody who is asked here.
struct peer *smtpd_links_peer(struct smtpd_links *l, enum role role, uint32_t instance);
