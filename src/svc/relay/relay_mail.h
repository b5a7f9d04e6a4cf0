// relay_mail: one message on its way over a session, with a result for each recipient.
#pragma once

#include "core/message/message.h"
#include "rt/fiber/fiber.h"
#include "wire/smtp_ext.h"
#include "wire/smtp_reply.h"

enum { RELAY_REASON_MAX = 500 }; // bytes

struct relay_mail {
    const struct message_work *work;
    struct arena *arena;                       // for reasons
    struct message_outcome_recipient *results; // one for each of the work's recipients
    bool *decided;                             // whether the result stands; only the others are sent
    bool *accepted;                            // by RCPT, in this session
    // A piece of content at `offset`, at least a byte; only called where work->content is empty.
    FIBER_FN bool (*read)(void *arg, uint64_t offset, struct buf *to, struct err *e);
    // Whether somebody still wants to know the outcome: asked before the final dot. May be NULL.
    bool (*wanted)(void *arg);
    void *arg;
};

// Sets up the results, all undecided and deferred. False: no memory.
bool relay_mail_init(struct relay_mail *m, const struct message_work *work, struct arena *arena);

// Decides for all that are not decided yet. `smtp` 0: our own words.
void relay_mail_decide(struct relay_mail *m, enum message_result result, int smtp, const uint16_t enhanced[3],
                       struct slice reason);

// Decides by a reply: for those that RCPT accepted, or with `all` for all. 2xx is delivered: to be called with one
// only after the end of the content.
void relay_mail_decide_by_reply(struct relay_mail *m, const struct smtp_reply *reply, bool all);

// Takes the reply to the RCPT of recipient `i`: accepted, or decided.
void relay_mail_take_rcpt(struct relay_mail *m, size_t i, const struct smtp_reply *reply);

bool relay_mail_all_decided(const struct relay_mail *m);
bool relay_mail_any_accepted(const struct relay_mail *m);

// Decides for all when a server with these extensions can't take the message: too large, 8-bit (RFC 6152 3), needs
// SMTPUTF8 (RFC 6531 3.5). False: the content can't be read now.
FIBER_FN bool relay_mail_check(struct relay_mail *m, const struct smtp_ext *ext, struct slice remote, struct err *e);

// Decides for those whose address can't be sent. False when nobody is left.
bool relay_mail_addresses(struct relay_mail *m);

// A piece of the content: all of it from `offset` where it came with the work, else in `to`.
FIBER_FN bool relay_mail_piece(struct relay_mail *m, uint64_t offset, struct buf *to, struct slice *piece,
                               struct err *e);
