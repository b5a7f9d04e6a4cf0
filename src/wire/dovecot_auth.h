// dovecot_auth: the client's side of Dovecot's authentication protocol, version 1.1 and up (doc/auth-protocol.txt of
// Dovecot): lines of fields with tabs between them. Bytes to values and back; no I/O.
//
//     C: VERSION 1 1          S: VERSION 1 2
//     C: CPID 4711            S: MECH PLAIN plaintext
//                             S: SPID 99
//                             S: CUID 3
//                             S: COOKIE 9bd5...
//                             S: DONE
//     C: AUTH 1 PLAIN service=smtp nologin secured lip=192.0.2.1 rip=198.51.100.7 resp=AGFsaWNlAHNlY3JldA==
//     S: OK 1 user=alice       or   FAIL 1 user=alice temp
#pragma once

#include "base/buf.h"
#include "wire/netaddr.h"

enum {
    DOVECOT_AUTH_LINE_MAX = 64 * 1024, // bytes, of either side
    DOVECOT_AUTH_MAJOR = 1,
};

enum dovecot_auth_kind {
    DOVECOT_AUTH_VERSION, // `id` is the major version
    DOVECOT_AUTH_MECH,    // `name`
    DOVECOT_AUTH_DONE,
    DOVECOT_AUTH_OK,    // `id`, `user`
    DOVECOT_AUTH_FAIL,  // `id`, perhaps `user`, `reason`
    DOVECOT_AUTH_CONT,  // `id`
    DOVECOT_AUTH_OTHER, // SPID, CUID, COOKIE, and what later versions may add
};

struct dovecot_auth_line {
    enum dovecot_auth_kind kind;
    uint32_t id;
    struct slice name;   // MECH
    struct slice user;   // OK, FAIL; still with Dovecot's escapes
    struct slice reason; // FAIL; likewise
    bool temporary;      // FAIL: not the password's fault
    bool disabled;       // FAIL: the user exists, and may not log in
};

// A line without its LF. False when it is malformed.
bool dovecot_auth_parse(struct slice line, struct dovecot_auth_line *out);

// A value without its escapes (0x01 and a character for NUL, 0x01, tab, CR, LF). False when one is cut off.
bool dovecot_auth_unescape(struct slice value, struct buf *out);

// The first lines of a client.
bool dovecot_auth_hello(struct buf *out, uint32_t process_id);

struct dovecot_auth_request {
    uint32_t id; // from 1, unique on this connection
    struct slice mechanism;
    struct slice session; // for Dovecot's log
    struct netaddr client, local;
    struct slice response; // initial; not yet in base64
};
bool dovecot_auth_request(struct buf *out, const struct dovecot_auth_request *r);

// Gives a request up.
bool dovecot_auth_cancel(struct buf *out, uint32_t id);
