// link_frame: the frames between our own processes: a header, and the one table of types with who may send what.
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum role {
    ROLE_MASTER,
    ROLE_SMTPD,
    ROLE_QUEUE,
    ROLE_RELAY,
    ROLE_DELIVER,
    ROLE_INJECT,
    ROLE_RESOLVER,
    ROLE_LOOKUP,
    ROLE_CONTROL,
    ROLE_SUBMISSION, // smtpd for users: the same service on other ports, in a process of its own
    ROLE_AUTH,
    ROLE_PAM,
    ROLE_FETCH,
    ROLE_POLICY,
    ROLE_KEYS,
    ROLE_HISTORY,
    ROLE_REPORT,
    ROLE_CONNECT,
    ROLE_COUNT
};

const char *role_name(enum role r); // "smtpd"

#define ROLE_BIT(r) (1u << ROLE_##r)
#define ROLE_SESSIONS (ROLE_BIT(SMTPD) | ROLE_BIT(SUBMISSION))
#define ROLE_SIGNS (ROLE_SESSIONS | ROLE_BIT(REPORT))
#define ROLE_WORKERS (ROLE_BIT(RELAY) | ROLE_BIT(DELIVER) | ROLE_BIT(INJECT))
#define ROLE_ASKS_DNS (ROLE_BIT(RELAY) | ROLE_SESSIONS | ROLE_BIT(CONTROL) | ROLE_BIT(REPORT))
#define ROLE_ANY ((1u << ROLE_COUNT) - 1)

//  type            who may send it                       to whom                  payload: see core/message/message*.h
#define LINK_TYPES(X)                                                                                                \
    X(SUBMIT,         ROLE_SESSIONS | ROLE_BIT(INJECT),     ROLE_BIT(QUEUE))   /* a whole message to keep            */ \
    X(SUBMIT_OPEN,    ROLE_SESSIONS | ROLE_BIT(INJECT),     ROLE_BIT(QUEUE))   /* a large one begins                 */ \
    X(SUBMIT_PIECE,   ROLE_SESSIONS | ROLE_BIT(INJECT),     ROLE_BIT(QUEUE))   /* goes on                            */ \
    X(SUBMIT_ABORT,   ROLE_SESSIONS | ROLE_BIT(INJECT),     ROLE_BIT(QUEUE))   /* is given up                        */ \
    X(SUBMIT_REPLY,   ROLE_BIT(QUEUE),                      ROLE_SESSIONS | ROLE_BIT(INJECT)) /* durable, or why not */ \
    X(WORK,           ROLE_BIT(QUEUE),                      ROLE_WORKERS)      /* an attempt to make                 */ \
    X(OUTCOME,        ROLE_WORKERS,                         ROLE_BIT(QUEUE))   /* how it ended, per recipient        */ \
    X(READ,           ROLE_WORKERS,                         ROLE_BIT(QUEUE))   /* a piece of large content, please   */ \
    X(READ_REPLY,     ROLE_BIT(QUEUE),                      ROLE_WORKERS)                                             \
    X(RESOLVE,        ROLE_ASKS_DNS,                        ROLE_BIT(RESOLVER))                                        \
    X(RESOLVE_REPLY,  ROLE_BIT(RESOLVER),                   ROLE_ASKS_DNS)                                             \
    X(EXPAND,         ROLE_SESSIONS | ROLE_BIT(INJECT),     ROLE_BIT(LOOKUP))  /* who is this recipient?             */ \
    X(EXPAND_REPLY,   ROLE_BIT(LOOKUP),                     ROLE_SESSIONS | ROLE_BIT(INJECT))                       \
    X(OWNS,           ROLE_BIT(SUBMISSION),                 ROLE_BIT(LOOKUP))  /* may this user send as that address? */ \
    X(OWNS_REPLY,     ROLE_BIT(LOOKUP),                     ROLE_BIT(SUBMISSION))                                      \
    X(AUTH_BEGIN,     ROLE_BIT(SUBMISSION),                 ROLE_BIT(AUTH))    /* a conversation of SASL               */ \
    X(AUTH_CONTINUE,  ROLE_BIT(SUBMISSION),                 ROLE_BIT(AUTH))                                            \
    X(AUTH_CANCEL,    ROLE_BIT(SUBMISSION),                 ROLE_BIT(AUTH))    /* not answered                         */ \
    X(AUTH_REPLY,     ROLE_BIT(AUTH),                       ROLE_BIT(SUBMISSION))                                      \
    X(PAM_CHECK,      ROLE_BIT(AUTH),                       ROLE_BIT(PAM))                                             \
    X(PAM_REPLY,      ROLE_BIT(PAM),                        ROLE_BIT(AUTH))                                            \
    X(FETCH,          ROLE_BIT(AUTH),                       ROLE_BIT(FETCH))   /* a request by HTTPS                   */ \
    X(FETCH_REPLY,    ROLE_BIT(FETCH),                      ROLE_BIT(AUTH))                                            \
    X(TRY,            ROLE_BIT(AUTH),                       ROLE_BIT(POLICY))  /* may this client try this account?    */ \
    X(TRY_REPLY,      ROLE_BIT(POLICY),                     ROLE_BIT(AUTH))                                            \
    X(TRIED,          ROLE_BIT(AUTH),                       ROLE_BIT(POLICY))  /* how it went; not answered            */ \
    X(USE,            ROLE_BIT(SUBMISSION),                 ROLE_BIT(POLICY))  /* a message of a user                  */ \
    X(USE_REPLY,      ROLE_BIT(POLICY),                     ROLE_BIT(SUBMISSION))                                      \
    X(NOTICE,         ROLE_BIT(POLICY),                     ROLE_BIT(INJECT))  /* to the administrator; not answered   */ \
    X(KEYS_WATCH,     ROLE_SIGNS,                           ROLE_BIT(KEYS))    /* certificates, now and when they change */ \
    X(KEYS_SET,       ROLE_BIT(KEYS),                       ROLE_SIGNS)                                                \
    X(KEYS_SIGN,      ROLE_SIGNS,                           ROLE_BIT(KEYS))                                            \
    X(KEYS_SIGNED,    ROLE_BIT(KEYS),                       ROLE_SIGNS)                                                \
    X(CLIENT,         ROLE_BIT(SMTPD),                      ROLE_BIT(POLICY))  /* somebody connected                   */ \
    X(CLIENT_REPLY,   ROLE_BIT(POLICY),                     ROLE_BIT(SMTPD))                                           \
    X(TALLY,          ROLE_BIT(SMTPD),                      ROLE_BIT(POLICY))  /* one more, within the rates?          */ \
    X(TALLY_REPLY,    ROLE_BIT(POLICY),                     ROLE_BIT(SMTPD))                                           \
    X(GREYLIST,       ROLE_BIT(SMTPD),                      ROLE_BIT(POLICY))                                          \
    X(GREYLIST_REPLY, ROLE_BIT(POLICY),                     ROLE_BIT(SMTPD))                                           \
    X(SEEN,           ROLE_SESSIONS,                        ROLE_BIT(POLICY))  /* how somebody behaved; not answered   */ \
    X(MATCH,          ROLE_SESSIONS,                        ROLE_BIT(LOOKUP))  /* is this in a table of policy?        */ \
    X(MATCH_REPLY,    ROLE_BIT(LOOKUP),                     ROLE_SESSIONS)                                             \
    X(FILTER,         ROLE_SESSIONS,                        ROLE_BIT(CONNECT)) /* a connection to a filter, please     */ \
    X(FILTER_REPLY,   ROLE_BIT(CONNECT),                    ROLE_SESSIONS)                                             \
    X(DMARC_SEEN,     ROLE_BIT(SMTPD),                      ROLE_BIT(REPORT))  /* for its domain's report; not answered */ \
    X(POST,           ROLE_BIT(REPORT),                     ROLE_BIT(INJECT))  /* a message of our own; not answered   */ \
    X(RECORDS,        ROLE_SESSIONS | ROLE_BIT(QUEUE),      ROLE_BIT(HISTORY)) /* why; not answered                    */ \
    X(METRICS,        ROLE_BIT(CONTROL),                    ROLE_ANY)                                                 \
    X(METRICS_REPLY,  ROLE_ANY,                             ROLE_BIT(CONTROL))                                        \
    X(QUEUE_LIST,     ROLE_BIT(CONTROL),                    ROLE_BIT(QUEUE))                                          \
    X(QUEUE_SHOW,     ROLE_BIT(CONTROL),                    ROLE_BIT(QUEUE))                                          \
    X(QUEUE_RETRY,    ROLE_BIT(CONTROL),                    ROLE_BIT(QUEUE))                                          \
    X(QUEUE_DELETE,   ROLE_BIT(CONTROL),                    ROLE_BIT(QUEUE))                                          \
    X(QUEUE_REPLY,    ROLE_BIT(QUEUE),                      ROLE_BIT(CONTROL))                                        \
    X(LOCKOUT_LIST,   ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(LOCKOUT_CLEAR,  ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(GUARD_LIST,     ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(GUARD_RELEASE,  ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(GUARD_BLOCK,    ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(USER_USES,      ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))  /* when were which secrets last used?   */ \
    X(SENDER_LIST,    ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))  /* what is remembered of strangers?     */ \
    X(SENDER_CLEAR,   ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(SENDER_BLOCK,   ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(SENDER_ALLOW,   ROLE_BIT(CONTROL),                    ROLE_BIT(POLICY))                                          \
    X(SENDER_REPLY,   ROLE_BIT(POLICY),                     ROLE_BIT(CONTROL))                                        \
    X(POLICY_REPLY,   ROLE_BIT(POLICY),                     ROLE_BIT(CONTROL))                                         \
    X(MASTER_STATUS,  ROLE_BIT(CONTROL),                    ROLE_BIT(MASTER))                                         \
    X(MASTER_STOP,    ROLE_BIT(CONTROL),                    ROLE_BIT(MASTER))                                         \
    X(MASTER_RELOAD,  ROLE_BIT(CONTROL),                    ROLE_BIT(MASTER))                                         \
    X(MASTER_REPLY,   ROLE_BIT(MASTER),                     ROLE_BIT(CONTROL))

enum link_type {
#define X(name, from, to) LINK_##name,
    LINK_TYPES(X)
#undef X
    LINK_TYPE_COUNT
};

const char *link_type_name(enum link_type t);
bool link_type_allowed(enum link_type t, enum role from, enum role to);

enum {
    LINK_HEADER = 16,               // u32 payload length, u16 type, u16 flags, u64 id
    LINK_PAYLOAD_MAX = 8 * 1024 * 1024, // bytes
};

struct link_frame {
    enum link_type type;
    uint64_t id; // of the request; the answer carries the same
    struct slice payload;
    bool with_fd; // a descriptor comes along; FILTER_REPLY alone may have one
};

// Writes the header of a frame whose payload has `n` bytes.
void link_frame_header(char to[LINK_HEADER], enum link_type type, uint64_t id, size_t n);
void link_frame_header_with_fd(char to[LINK_HEADER], enum link_type type, uint64_t id, size_t n);

enum link_frame_got { LINK_FRAME_WHOLE, LINK_FRAME_MORE, LINK_FRAME_BAD };

// The first frame of `in`. WHOLE: `*out`, and `*used` bytes of the input. MORE: `*used` is how many bytes are wanted
// in all (at least LINK_HEADER). BAD: type, length or flags are wrong.
enum link_frame_got link_frame_parse(struct slice in, struct link_frame *out, size_t *used);
