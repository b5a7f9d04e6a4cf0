// relay_reply: taking a server's replies, for relay_session and relay_send.
#pragma once

#include "svc/relay/relay_session.h"

// The next whole reply into s->reply. False: timed out, closed, or no reply at all; the session is broken.
FIBER_FN MUST_CHECK bool relay_reply(struct relay_session *s, int64_t timeout_ms, struct err *e);

// Before a command that waits for its reply: what lies there already was said out of turn, and would be taken for the
// answer. False: broken.
MUST_CHECK bool relay_reply_none(struct relay_session *s, struct err *e);

// The reply as the reason why something failed for now: of kind temporary, with the server's code.
bool relay_reply_refused(struct relay_session *s, struct err *e);
