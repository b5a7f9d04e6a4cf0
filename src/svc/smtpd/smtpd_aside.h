// smtpd_aside: the header section of a message, held aside while its body goes on, for all but trusted clients: what is
// put in front of it, and what is changed in it, is known at the end only.
//
//     content: bytes --smtp_body--> raw --+-- header --> head ... at the end --> front
//                                         +-- body ----> held --> pieces
//     front:   Received, what the end of the body made known, the header section
#pragma once

#include "mail/arc/arc.h"
#include "mail/dkim/dkim_verify.h"
#include "rt/fiber/fiber.h"

struct smtpd_content;
struct smtpd_session;
struct smtpd_submit;

enum { SMTPD_ASIDE_FRONT = 128 * 1024 }; // bytes in front of the header section

struct smtpd_aside {
    struct buf raw;              // decoded: the header until it is whole, then what was read last
    struct buf head;             // the header section: a user's put right, a stranger's without what is forged in it
    struct buf came;             // as it came, where that is something else
    struct buf front;            // what stands before it; at the end with it
    size_t top;                  // bytes of `head` that a filter wants in front of even that
    size_t grows;                // bytes that filters may add to the header section
    struct smtpd_submit *submit; // NULL: no user's
    bool in_body;
    bool verifies; // a stranger's signatures
    bool seals;    // (smtpd_seal.h)
    struct dkim_body sealed;
    struct dkim_verify dkim;
    struct arc_verify arc;
    bool discarded; // policy said so: it is taken, and goes nowhere
};

// In the transaction's arena, NULL when that is full.
struct smtpd_aside *smtpd_aside_new(struct smtpd_session *s);

// What was decoded into `raw`; the body's part of it is added to c->held.
FIBER_FN MUST_CHECK bool smtpd_aside_take(struct smtpd_content *c, struct smtpd_session *s, struct err *e);

// The content has ended: what policy and filters say of it, and do to it. `*body`: a filter made another one; then
// each piece of it, and its end.
FIBER_FN MUST_CHECK bool smtpd_aside_judge(struct smtpd_content *c, struct smtpd_session *s, bool *body, struct err *e);
void smtpd_aside_replace(struct smtpd_content *c, struct slice piece);
MUST_CHECK bool smtpd_aside_replaced(struct smtpd_content *c, struct err *e);

// `front` is complete then.
FIBER_FN MUST_CHECK bool smtpd_aside_end(struct smtpd_content *c, struct smtpd_session *s, struct err *e);

// Bytes that `front` has at most; known once the header is whole.
uint32_t smtpd_aside_room(const struct smtpd_aside *a);

void smtpd_aside_done(struct smtpd_aside *a); // takes NULL
