// keys_client: what sessions have of the processes that hold private keys: the latest set of certificates and names of
// signers, and signatures. Survives their restart.
#pragma once

#include "core/message/message_keys.h"
#include "rt/world.h"
#include "svc/peer.h"

struct keys_client;

// `instances`: how many keys processes there are. Their links' readers run in `group`; freed when that has ended.
struct keys_client *keys_client_new(struct world *w, struct fiber_group *group, uint32_t instances);
void keys_client_free(struct keys_client *k); // takes NULL

// Takes the link.
void keys_client_attach(struct keys_client *k, struct link *link, uint32_t instance);

// Called with each set that differs from the one before; must not wait.
void keys_client_on_set(struct keys_client *k, void (*changed)(void *arg, const struct message_keys_set *set),
                        void *arg);

// The latest; NULL before there is any. Valid until the caller waits. message_keys_set.dkims are the rules of who signs
// for which domain, those of `posthouse dkim` among them; empty towards smtpd on port 25.
const struct message_keys_set *keys_client_set(const struct keys_client *k);

// A signature into `out`, asked again of another or a restarted process when one dies meanwhile. Fails (temporary)
// after five seconds, or when the key isn't there any more.
FIBER_FN MUST_CHECK bool keys_client_sign(struct keys_client *k, const struct message_keys_sign *what, struct buf *out,
                                          struct err *e);
