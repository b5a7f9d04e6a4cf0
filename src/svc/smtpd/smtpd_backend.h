// smtpd_backend: what a session asks of the rest of the house: who a recipient is, who a user is and what it may do,
// what is known of a stranger, and to keep a message. In a process these are links to lookup, auth, policy, resolver
// and queue; in a dialogue test a table.
#pragma once

#include "core/message/message.h"
#include "core/message/message_auth.h"
#include "core/message/message_gate.h"
#include "core/message/message_policy.h"
#include "mail/oracle/oracle.h"
#include "rt/fiber/fiber.h"
#include "rt/transport.h"

struct smtpd_backend {
    const struct smtpd_backend_ops *ops;
};

struct smtpd_slot;  // a large message on its way
struct smtpd_asked; // a conversation of SASL that stands open

struct smtpd_backend_ops {
    // A recipient of a domain of ours. On success `out` (slices in `arena`) says who that is; false: temporary.
    FIBER_FN bool (*expand)(struct smtpd_backend *b, struct slice address, struct arena *arena,
                            struct message_expand_reply *out, struct err *e);
    // True: the message is durable. False: `e` has the reply for the client; whether it was kept may be unknown. `slot`
    // (NULL for a small message) holds what came before m->content; it is ended, whatever comes of it.
    FIBER_FN bool (*submit)(struct smtpd_backend *b, struct message_submit *m, struct smtpd_slot *slot, struct err *e);
    // A large message in pieces of at most MESSAGE_INLINE_MAX bytes, and then submit or give_up. `front` puts a piece
    // before all others, into the `reserve` bytes that `open` asked for.
    FIBER_FN bool (*open)(struct smtpd_backend *b, uint32_t reserve, struct smtpd_slot **slot, struct err *e);
    FIBER_FN bool (*piece)(struct smtpd_backend *b, struct smtpd_slot *slot, struct slice bytes, struct err *e);
    FIBER_FN bool (*front)(struct smtpd_backend *b, struct smtpd_slot *slot, struct slice bytes, struct err *e);
    void (*give_up)(struct smtpd_backend *b, struct smtpd_slot *slot);
    // A conversation of SASL (RFC 4422). True: `out`, views into `space`; after a CHALLENGE `*asked` waits for
    // auth_continue or auth_cancel, and after any other result there is none any more. False: `e`, nobody could be
    // asked, and there is none any more.
    FIBER_FN bool (*auth_begin)(struct smtpd_backend *b, const struct message_auth_begin *m, struct smtpd_asked **asked,
                                struct buf *space, struct message_auth_reply *out, struct err *e);
    FIBER_FN bool (*auth_continue)(struct smtpd_backend *b, struct smtpd_asked **asked, struct slice response,
                                   struct buf *space, struct message_auth_reply *out, struct err *e);
    void (*auth_cancel)(struct smtpd_backend *b, struct smtpd_asked *asked);
    // Whether a user may send this much. False: temporary. `out`'s texts are in `arena`.
    FIBER_FN bool (*use)(struct smtpd_backend *b, const struct message_use *m, struct arena *arena,
                         struct message_use_reply *out, struct err *e);
    // Whether a user may send as this address. False: temporary.
    FIBER_FN bool (*owns)(struct smtpd_backend *b, struct slice user, struct slice address, bool *out, struct err *e);
    // --- about strangers. False: nobody could be asked, which never speaks against them. Texts are in `arena`.
    FIBER_FN void (*ask)(struct smtpd_backend *b, const struct oracle_question *questions, size_t n,
                         struct mono deadline, struct arena *arena, struct oracle_answer *answers);
    FIBER_FN bool (*client)(struct smtpd_backend *b, const struct message_client *m, struct arena *arena,
                            struct message_client_reply *out);
    FIBER_FN bool (*tally)(struct smtpd_backend *b, const struct message_tally *m, struct arena *arena,
                           struct message_tally_reply *out);
    FIBER_FN bool (*greylist)(struct smtpd_backend *b, const struct message_greylist *m,
                              struct message_greylist_reply *out);
    FIBER_FN bool (*match)(struct smtpd_backend *b, struct slice table, struct slice value, bool *out);
    // A connection to config->gate.filters[index] (smtpd_filter.h, smtpd_delegation.h).
    FIBER_FN bool (*filter_open)(struct smtpd_backend *b, size_t index, struct transport **out, struct err *e);
    // --- news; nobody answers
    void (*seen)(struct smtpd_backend *b, const struct message_seen *m);
    void (*record)(struct smtpd_backend *b, const struct record *r);
    void (*dmarc_seen)(struct smtpd_backend *b, const struct message_dmarc_seen *m);
    // ---
    uint64_t (*queue_id)(struct smtpd_backend *b);
    struct wall (*now)(struct smtpd_backend *b);
};
