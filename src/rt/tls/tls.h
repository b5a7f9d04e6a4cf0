// tls: TLS over a transport, by OpenSSL. A server has certificates but no private keys: it asks whoever has them for
// each signature, and its fiber waits meanwhile.
#pragma once

#include "core/message/message_keys.h"
#include "rt/transport.h"

struct tls_server; // certificates, ticket keys and what we offer
struct tls_client;

struct tls_server_setup {
    const char *name;       // sessions are resumed only where it is the same: the role
    bool old_profile;       // TLS 1.0 up and CBC suites as well
    int64_t ticket_life;    // ms that a session can be resumed; 0: never
    struct slice client_ca; // PEM: who vouches for clients' certificates; empty: none are asked for
    // A signature for a certificate's key; called on the fiber of a handshake.
    FIBER_FN bool (*sign)(void *arg, const struct message_keys_sign *what, struct buf *out);
    void *sign_arg;
};

// Has no certificate yet. NULL and `e` when it can't be set up.
struct tls_server *tls_server_new(const struct tls_server_setup *setup, struct err *e);
void tls_server_free(struct tls_server *s); // takes NULL; its transports are closed

// Takes what counts from now on; sessions that are open go on as they are. Certificates that can't be used are left
// out: false, and `e` says why of the first of them.
bool tls_server_update(struct tls_server *s, const struct message_keys_set *set, struct err *e);

// `ca`: path of PEM certificates of those who vouch for servers, read now; NULL: the system's, read when first needed
// though opened now.
struct tls_client *tls_client_new(const char *ca, struct err *e);
void tls_client_free(struct tls_client *c); // takes NULL

// A handshake. When it succeeds `*out` is the transport over `inner`, which it owns from then on. When it fails `inner`
// is still the caller's, and fit only to be closed. A server without a certificate waits for one.
FIBER_FN MUST_CHECK bool tls_accept(struct tls_server *s, struct transport *inner, struct mono deadline,
                                    struct transport **out, struct err *e);
// For opportunistic use: the server's certificate isn't verified (RFC 7435). `name` goes into SNI when it is a host
// name; may be empty.
FIBER_FN MUST_CHECK bool tls_connect(struct tls_client *c, struct transport *inner, struct slice name,
                                     struct mono deadline, struct transport **out, struct err *e);
// The server must show a certificate for `name` by somebody we trust.
FIBER_FN MUST_CHECK bool tls_connect_verified(struct tls_client *c, struct transport *inner, struct slice name,
                                              struct mono deadline, struct transport **out, struct err *e);

// --- of a transport from above

const char *tls_version(struct transport *t); // "TLSv1.3"
const char *tls_cipher(struct transport *t);  // "TLS_AES_256_GCM_SHA384"
int tls_bits(struct transport *t);            // of the cipher's key
bool tls_resumed(struct transport *t);

// Channel bindings; both add to `out`, nothing where there is none.
// tls-exporter (RFC 9266): 32 bytes, with TLS 1.3, or 1.2 with the extended master secret.
void tls_exporter(struct transport *t, struct buf *out);
// tls-server-end-point (RFC 5929 4): the hash of our certificate. None when the session was resumed: which certificate
// the client saw at first isn't known.
void tls_server_end_point(struct transport *t, struct buf *out);

// Whom the client's verified certificate names: its first mail address (subjectAltName), else its common name. Adds
// nothing when it showed none that `client_ca` vouches for, or a name with a NUL in it.
void tls_client_user(struct transport *t, struct buf *out);

// The names in that certificate, and of who issued it: "/O=Example/CN=alice". Adds nothing likewise.
void tls_client_names(struct transport *t, struct buf *subject, struct buf *issuer);
