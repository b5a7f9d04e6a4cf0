// message_auth: payloads of the links about who a user is: submission asks auth, auth asks pam and fetch. The bytes of
// SASL (RFC 4422) are carried, not looked at, between client and auth: submission never knows a password.
#pragma once

#include "base/arena.h"
#include "base/pack.h"
#include "wire/netaddr.h"

enum { MESSAGE_SASL_MAX = 16 * 1024, MESSAGE_USER_MAX = 320 }; // bytes of a decoded response; of a user's name

// --- submission -> auth
//
//   AUTH_BEGIN {mechanism, what is known of the client, perhaps the first response}  -> AUTH_REPLY
//   AUTH_CONTINUE {conversation, response}                                           -> AUTH_REPLY
//   AUTH_CANCEL {conversation}, not answered: the client sent "*", or has gone
//
// A conversation ends with a reply other than CHALLENGE; auth forgets one that is silent for ten minutes, or whose link
// has gone.

struct message_auth_begin {
    struct slice mechanism; // upper case, as the client named it: "SCRAM-SHA-256"
    struct slice session;   // id, for the log
    struct netaddr client, local;
    bool has_initial;
    struct slice initial;       // decoded; may be empty though there is one ("=")
    struct slice tls_exporter;  // channel binding tls-exporter (RFC 9266), 32 bytes; empty: TLS 1.2
    struct slice tls_end_point; // tls-server-end-point (RFC 5929): hash of our certificate; empty: unknown
    struct slice client_subject; // EXTERNAL: the user that the client's verified certificate names; empty: none
};
bool message_auth_begin_pack(struct buf *b, const struct message_auth_begin *m);
bool message_auth_begin_unpack(struct slice payload, struct message_auth_begin *out);

struct message_auth_continue {
    uint64_t conversation;
    struct slice response; // decoded; empty for AUTH_CANCEL
};
bool message_auth_continue_pack(struct buf *b, const struct message_auth_continue *m);
bool message_auth_continue_unpack(struct slice payload, struct message_auth_continue *out);

// FAILED: wrong name or password, nobody says which. LOCKED: too many failures, later. TROUBLE: nobody could say.
// BAD: against the mechanism's grammar; counts as a failure of the client, not of the account.
enum message_auth_result {
    MESSAGE_AUTH_OK, MESSAGE_AUTH_CHALLENGE, MESSAGE_AUTH_FAILED, MESSAGE_AUTH_LOCKED, MESSAGE_AUTH_TROUBLE,
    MESSAGE_AUTH_BAD,
};

struct message_auth_reply {
    enum message_auth_result result;
    uint64_t conversation;  // CHALLENGE
    struct slice challenge; // CHALLENGE: not yet in base64. OK: empty
    struct slice user;      // OK: who it is, lower case. FAILED, LOCKED: who was tried, where known; for the log
    struct slice secret;    // OK: name of the app password used; empty: the main one
    struct slice why;       // for our log, never for the client
};
bool message_auth_reply_pack(struct buf *b, const struct message_auth_reply *m);
bool message_auth_reply_unpack(struct slice payload, struct message_auth_reply *out);

// --- auth -> pam: PAM_CHECK -> PAM_REPLY

struct message_pam_check {
    struct slice service, user, password, client; // client: text of the address, PAM_RHOST
};
bool message_pam_check_pack(struct buf *b, const struct message_pam_check *m);
bool message_pam_check_unpack(struct slice payload, struct message_pam_check *out);

enum message_pam_result { MESSAGE_PAM_OK, MESSAGE_PAM_FAILED, MESSAGE_PAM_UNKNOWN, MESSAGE_PAM_TROUBLE };

struct message_pam_reply {
    enum message_pam_result result;
    struct slice why;
};
bool message_pam_reply_pack(struct buf *b, const struct message_pam_reply *m);
bool message_pam_reply_unpack(struct slice payload, struct message_pam_reply *out);

// --- auth -> fetch: FETCH -> FETCH_REPLY

struct message_fetch {
    struct slice url;      // https, or http to a loopback address
    struct slice user_password; // "id:secret" for HTTP Basic; empty: none
    struct slice body;     // POST, application/x-www-form-urlencoded; empty: GET
    uint32_t timeout_ms, size_max; // bytes of the answer
};
bool message_fetch_pack(struct buf *b, const struct message_fetch *m);
bool message_fetch_unpack(struct slice payload, struct message_fetch *out);

struct message_fetch_reply {
    uint32_t status;   // HTTP; 0: there was no answer
    struct slice body;
    struct slice why;  // status 0
};
bool message_fetch_reply_pack(struct buf *b, const struct message_fetch_reply *m);
bool message_fetch_reply_unpack(struct slice payload, struct message_fetch_reply *out);
