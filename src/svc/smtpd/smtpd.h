// smtpd: the process that faces the internet: accepts connections, holds a session for each within the limits, and
// hands messages to the queue. It opens no file, connects to nobody, executes nothing. Submission is the same service
// in processes of its own: its clients are users, who authenticate.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/metric.h"
#include "rt/world.h"

struct smtpd_service;
struct tls_server;
struct keys_client;

// `role`: SMTPD or SUBMISSION.
struct smtpd_service *smtpd_new(struct world *w, const struct config *c, enum role role);

// TLS is offered from now on; without it listeners with implicit TLS only close. Outlives the service.
void smtpd_offer_tls(struct smtpd_service *s, struct tls_server *tls);

// Messages of users are signed with what `keys` knows. Outlives the service.
void smtpd_sign_with(struct smtpd_service *s, struct keys_client *keys);

// Takes a link to queue, lookup, policy, or one of the processes of auth, and its like again whenever that process was
// started anew. Ends on METRICS' side of control as well.
void smtpd_attach(struct smtpd_service *s, struct link *link, enum role peer, uint32_t instance);

// Accepts on `l` from now on; taken. `as`: what the configuration says of it; NULL: nothing, without implicit TLS.
void smtpd_listen(struct smtpd_service *s, struct listener *l, const struct config_listen *as);

// No new connections; sessions that wait for a command end now with 421, the others after the transaction in hand.
void smtpd_stop(struct smtpd_service *s);

// Sessions that are open.
size_t smtpd_sessions(const struct smtpd_service *s);

// Ends everything at once; joins its fibers.
FIBER_FN void smtpd_close(struct smtpd_service *s);
void smtpd_free(struct smtpd_service *s); // closed, or its group never ran; takes NULL
