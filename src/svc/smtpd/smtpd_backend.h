// smtpd_backend: what a session asks of the rest of the house: who a recipient is, and to keep a message. In a process
// these are links to lookup and queue; in a dialogue test a table.
#pragma once

#include "core/message.h"
#include "rt/fiber.h"

struct smtpd_backend {
    const struct smtpd_backend_ops *ops;
};

struct smtpd_slot; // a large message on its way

struct smtpd_backend_ops {
    // A recipient of a domain of ours. On success `out` (slices in `arena`) says who that is; false: temporary.
    FIBER_FN bool (*expand)(struct smtpd_backend *b, struct slice address, struct arena *arena,
                            struct message_expand_reply *out, struct err *e);
    // True: the message is durable. False: `e` has the reply for the client; whether it was kept may be unknown. `slot`
    // (NULL for a small message) holds what came before m->content; it is ended, whatever comes of it.
    FIBER_FN bool (*submit)(struct smtpd_backend *b, struct message_submit *m, struct smtpd_slot *slot, struct err *e);
    // A large message in pieces of at most MESSAGE_INLINE_MAX bytes, and then submit or give_up.
    FIBER_FN bool (*open)(struct smtpd_backend *b, struct smtpd_slot **slot, struct err *e);
    FIBER_FN bool (*piece)(struct smtpd_backend *b, struct smtpd_slot *slot, struct slice bytes, struct err *e);
    void (*give_up)(struct smtpd_backend *b, struct smtpd_slot *slot);
    uint64_t (*queue_id)(struct smtpd_backend *b);
    struct wall (*now)(struct smtpd_backend *b);
};
