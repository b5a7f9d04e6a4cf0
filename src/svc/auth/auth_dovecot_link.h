// auth_dovecot_link: a connection to Dovecot's auth, shared by all who ask. Made when it is wanted, made again when it
// broke; a request that was lost with it is made once more.
#pragma once

#include "svc/auth/auth_backend.h"
#include "wire/dovecot_auth.h"

struct auth_dovecot_link;

enum auth_dovecot_said { AUTH_DOVECOT_OK, AUTH_DOVECOT_FAIL, AUTH_DOVECOT_DISABLED, AUTH_DOVECOT_CANT };

struct auth_dovecot_link *auth_dovecot_link_new(struct auth_means *m, struct slice path);
void auth_dovecot_link_free(struct auth_dovecot_link *l); // its fiber has ended

// `r->id` is set. CANT: it doesn't do this mechanism. OK: the user in the arena. False: nobody could say.
FIBER_FN MUST_CHECK bool auth_dovecot_ask(struct auth_dovecot_link *l, struct dovecot_auth_request *r,
                                          struct arena *arena, enum auth_dovecot_said *said, struct slice *user,
                                          struct err *e);
