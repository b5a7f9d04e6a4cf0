// pam: the process that asks PAM whether a password is a user's. Its modules are programs of others that may block,
// hang, crash, and change the process they are in: each question is asked in a child (rt/child.h), killed when it takes
// too long. PAM's own delays after a failure are turned off: auth waits, and holds nobody else up by it.
//
// Nothing but auth talks to it. It keeps what rights it was started with, since modules want them: pam_unix reads
// /etc/shadow as root.
#pragma once

#include "rt/link.h"
#include "rt/world.h"

enum {
    PAM_CHILDREN_MAX = 16,         // at once
    PAM_WAITING_MAX = 1000,        // questions that wait for a child; past it: TROUBLE
    PAM_CHECK_MS = 30 * MS_SECOND, // then a child is killed
};

struct pam_service;

// `directory` describes PAM's services; NULL: the system's, /etc/pam.d.
struct pam_service *pam_new(struct world *w, const char *directory);

// ROLE_AUTH or ROLE_CONTROL.
void pam_attach(struct pam_service *s, struct link *link, enum role peer);

void pam_stop(struct pam_service *s);
struct fiber_group *pam_fibers(struct pam_service *s);
void pam_free(struct pam_service *s); // takes NULL; its fibers have ended
