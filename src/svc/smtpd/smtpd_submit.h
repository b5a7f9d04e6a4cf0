// smtpd_submit: what is done with a user's message, and with nobody else's, while its content passes (smtpd_content.h):
// it is put right (RFC 6409 8), held against what its sender may do, and signed.
//
//     raw (smtpd_aside.h) --submit_header, submit_lines--> head, held
//                                    |
//                              signing_body
//     front: Received, DKIM-Signature, and what the end of the body made known
//
// Only what submit_header.h and submit_lines.h name is changed. MIME-Version, Content-Type: text/plain; charset=utf-8
// and Content-Transfer-Encoding: 8bit are added where there is none of them and the body is UTF-8 with bytes over 127;
// other undeclared bytes are left alone, since nobody knows what they mean. An empty line is put between header and
// body where there is none. NUL is refused: it would be lost on the way (RFC 5322 4), and the signature with it.
#pragma once

#include "mail/submit/submit_lines.h"
#include "svc/signing.h"

struct smtpd_content;
struct smtpd_session;

struct smtpd_submit {
    struct submit_header found;
    struct submit_lines lines;
    struct signing sign;
};

// For a session of a user; in the transaction's arena, NULL when that is full.
struct smtpd_submit *smtpd_submit_new(struct smtpd_session *s);

// The header section as it came; what it becomes is added to the `head` of c->aside.
MUST_CHECK bool smtpd_submit_header(struct smtpd_content *c, struct smtpd_session *s, struct slice section,
                                    struct err *e);

// A piece of the body; what it becomes is added to c->held.
void smtpd_submit_body(struct smtpd_content *c, struct slice bytes);

// The body has ended; what is left of it is added to c->held.
MUST_CHECK bool smtpd_submit_body_end(struct smtpd_content *c, struct err *e);

// A filter changed the header section, or made another body that follows: what is signed is what will leave.
MUST_CHECK bool smtpd_submit_changed(struct smtpd_content *c, struct smtpd_session *s, bool body, struct err *e);

// The content has ended: the user's rights and quota, and signatures, which are added to the `front` of c->aside.
FIBER_FN MUST_CHECK bool smtpd_submit_end(struct smtpd_content *c, struct smtpd_session *s, struct err *e);

void smtpd_submit_done(struct smtpd_submit *u); // takes NULL

// --- for MAIL and at the end

// 550 5.7.1 unless the user may send as `address`; 451 when nobody knows.
FIBER_FN MUST_CHECK bool smtpd_submit_owns(struct smtpd_session *s, struct slice address, struct err *e);

// Whether the user's quota lets this pass; `ask`: nothing is counted. On true, `*hold`: it is to be held.
FIBER_FN MUST_CHECK bool smtpd_submit_use(struct smtpd_session *s, uint64_t size, bool ask, bool *hold, struct err *e);
