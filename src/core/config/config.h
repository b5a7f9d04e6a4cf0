// config: what the administrator said, typed and complete: every default is filled in. One schema table
// (config_schema.c) gives names, types, defaults and documentation; the manual page and `config --effective` are made
// from it.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "core/config/config_gate.h"
#include "wire/netaddr.h"

#include <stdint.h>

struct config_place {
    uint32_t line, column; // from 1; 0 for a built-in default
};

// mx: other servers, port 25; AUTH is never offered. submission: users, who must authenticate; ports 587 (STARTTLS) and
// 465 (implicit TLS).
enum config_listen_role { CONFIG_LISTEN_MX, CONFIG_LISTEN_HTTP, CONFIG_LISTEN_SUBMISSION };

struct config_listen {
    enum config_listen_role role;
    bool tls_implicit; // submission: TLS begins with the connection (RFC 8314)
    struct netaddr at;
    struct config_place place;
};

enum config_table_kind {
    CONFIG_TABLE_FILE,
    CONFIG_TABLE_ALIASES,
    CONFIG_TABLE_INLINE,
    CONFIG_TABLE_CIDR,
    CONFIG_TABLE_REGEX
};

// file: one name a line. aliases: aliases(5). inline: names, or `name = a, b` pairs, given in the configuration. cidr:
// one network a line, regex: one pattern a line: for rules of policy only.
struct config_table {
    struct slice name;
    enum config_table_kind kind;
    struct slice path; // empty: inline
    struct slice text; // inline: in the form of aliases(5)
    bool named;        // by a domain, or by `senders`
    bool matched;      // a rule of policy asks it (core/rules/match.h)
    struct config_place place;
};

struct config_domain {
    struct slice name; // lower case, A-labels; never empty
    size_t *tables;    // indices into config.tables, in order of precedence
    size_t tables_n;
    bool any_recipient;   // `recipients any`
    struct slice maildir; // pattern with {domain} {local}; empty where `deliver` is absent: then it must be relayed
    bool relayed;         // `deliver relay`: ours to take, routed by `route` (a backup MX, a gateway)
    char tag;             // '+' by default; 0 when turned off
    struct slice junk;    // folder of the Maildir for what policy quarantines, ".Junk"; empty: as everything else
    struct config_place place;
};

enum config_route_kind { CONFIG_ROUTE_MX, CONFIG_ROUTE_HOST, CONFIG_ROUTE_HOLD };

struct config_route {
    struct slice domain; // lower case; "*" for all; ".example.org" for all below example.org
    enum config_route_kind kind;
    struct slice host; // HOST: a name or an address without brackets; MX is not asked
    uint16_t port;     // HOST and MX; 25 unless said
    struct config_place place;
};

enum config_line_ends { CONFIG_LINES_REFUSE, CONFIG_LINES_REPAIR };
enum config_resolver_kind { CONFIG_RESOLVER_SYSTEM, CONFIG_RESOLVER_FORWARD, CONFIG_RESOLVER_RECURSIVE };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_tls_out { CONFIG_TLS_OUT_MAY, CONFIG_TLS_OUT_NEVER };

// A chain and its private key, PEM. The names it serves are the certificate's own; the first is for clients that name
// none, or one that nobody has.
struct config_certificate {
    struct slice certificate, key; // paths
    struct slice ocsp;             // path of a DER response to staple; empty: none
    struct config_place place;
};

// old: TLS 1.0 up and CBC suites, for machines that can't do better; on submission and mx alike.
enum config_tls_profile { CONFIG_TLS_MODERN, CONFIG_TLS_OLD };

// Who signs for whom: messages whose From is in `domain` get a signature d=`signer`, s=`selector`. Several rules for
// one domain all sign.
struct config_dkim {
    struct slice domain; // "example.org"; ".example.org" for all below; "*" for the rest; the most particular counts
    struct slice signer, selector;
    struct slice key; // path, PEM; RSA of at least 2048 bits, or Ed25519
    struct config_place place;
};

enum config_auth_kind {
    CONFIG_AUTH_FILE,
    CONFIG_AUTH_PAM,
    CONFIG_AUTH_DOVECOT,
    CONFIG_AUTH_JWT,
    CONFIG_AUTH_INTROSPECT
};

// Who knows the users. Asked in the file's order: the first that knows the user decides.
struct config_auth {
    enum config_auth_kind kind;
    struct slice path;             // FILE: passwords; DOVECOT: socket; JWT: JWKS; INTROSPECT: file with ID:SECRET
    struct slice service;          // PAM
    struct slice url;              // INTROSPECT
    struct slice issuer, audience; // JWT, INTROSPECT: checked where not empty
    struct slice claim;            // JWT, INTROSPECT: what names the user; "email" unless said (INTROSPECT: "username")
    struct config_place place;
};

enum config_mechanism {
    CONFIG_MECHANISM_PLAIN,
    CONFIG_MECHANISM_LOGIN,
    CONFIG_MECHANISM_SCRAM_SHA_1, // only when asked for
    CONFIG_MECHANISM_SCRAM_SHA_256,
    CONFIG_MECHANISM_SCRAM_SHA_256_PLUS,
    CONFIG_MECHANISM_EXTERNAL,
    CONFIG_MECHANISM_OAUTHBEARER,
    CONFIG_MECHANISM_XOAUTH2,
    CONFIG_MECHANISM_COUNT
};
extern const char *const config_mechanism_names[CONFIG_MECHANISM_COUNT + 1]; // "plain"; NULL ends

struct config_quota { // 0: no bound
    uint32_t messages_hour, messages_day;
    uint32_t recipients_hour, recipients_day;
    uint64_t message_size; // bytes
};

// `user NAME { ... }`: what is particular about one user.
struct config_user {
    struct slice name; // as it authenticates, lower case
    bool any_sender;   // `senders any`
    bool quota_set[5]; // which fields of `quota` were given; the others are config.quota's
    struct config_quota quota;
    struct config_place place;
};

// Failed log-ins. Past the bound an account, address or network is locked; a lock's time doubles with each one.
struct config_lockout {
    uint32_t account, address, network; // failures within `window`; 0: none
    int64_t window;                     // ms
    int64_t time_first, time_most;      // ms that a lock lasts
    int64_t delay_first, delay_most;    // ms of waiting before a failure is told; doubles with each one
};

// A user's own past, and what is far beyond it.
struct config_guard {
    bool on;
    int64_t learn;       // ms of past that are needed before anything is held
    uint32_t factor;     // times the busiest hour of the past
    uint32_t least;      // messages or recipients an hour that are never too many
    struct slice notify; // address; empty: postmaster@hostname
};

struct config_limits {
    uint32_t sessions;             // all sessions of a listener; 421 past it
    uint32_t sessions_per_client;  // by address; trusted networks are exempt; 421
    uint32_t messages_per_session; // trusted networks are exempt; 421
    uint32_t recipients;           // a transaction; 452 (RFC 5321 4.5.3.1.8 asks for at least 100)
    uint64_t message_size;         // bytes; 552; announced by SIZE
    uint32_t header_size;          // bytes of the header section; 552
    uint32_t command_line;         // bytes with CRLF; 500 (at least 512)
    uint32_t errors;               // failed commands a session; 421
    uint32_t hops;                 // Received fields; 554 loop
};

struct config_timeouts {                                                   // milliseconds; RFC 5321 4.5.3.2
    int64_t command, data_block;                                           // server: 5 min, 3 min
    int64_t connect, greeting, mail, rcpt, data_init, data_send, data_end; // client: 30 s, 5, 5, 5, 2, 3, 10 min
};

struct config_queue {
    int64_t retry_first, retry_most;              // milliseconds: first wait, longest wait
    int64_t expire;                               // milliseconds: then an undelivered recipient bounces
    uint32_t concurrency_first, concurrency_most; // attempts at once to one destination
    uint32_t attempts;                            // attempts at once to all
    uint64_t segment_size;                        // bytes of one log segment
    uint64_t reserve;                             // bytes of free disk below which new mail is refused with 452
};

struct config {
    struct arena arena; // owns every slice below
    struct slice hostname;
    struct slice state;                      // directory of the queue log, absolute
    struct slice control;                    // path of the control socket, absolute
    struct slice user;                       // to run as when started by root; empty: stays
    struct config_certificate *certificates; // none: no STARTTLS
    size_t certificates_n;
    enum config_tls_profile tls_profile;
    struct slice
        tls_client_ca;       // path, PEM: who vouches for clients' certificates (EXTERNAL); empty: none are asked for
    struct slice tls_ca;     // path, PEM: who vouches for next hops where TLS is required; empty: the system's
    int64_t tls_ticket_life; // ms that a session can be resumed; 0: never
    struct config_dkim *dkims;
    size_t dkims_n;
    struct slice dkim_keys; // directory of `posthouse dkim`, absolute
    struct config_auth *auths;
    size_t auths_n;
    uint32_t mechanisms;   // 1 << enum config_mechanism
    struct slice senders;  // name of the table of senders; empty: none
    struct map user_index; // lower-case name to struct config_user
    struct config_user *users;
    size_t users_n;
    struct config_quota quota;
    struct config_lockout lockout;
    struct config_guard guard;
    bool received_user;             // the user's name in Received
    struct netaddr_net *proxy_from; // who may speak the PROXY protocol, and then must
    size_t proxy_from_n;
    struct netaddr_net *xclient_from; // who may use XCLIENT
    size_t xclient_from_n;
    enum config_tls_out tls_out;
    struct config_listen *listens;
    size_t listens_n;
    struct config_table *tables;
    size_t tables_n;
    struct config_domain *domains;
    size_t domains_n;
    struct netaddr_net *relay_from; // trusted networks
    size_t relay_from_n;
    bool open_relay;             // `yes-i-want-an-open-relay` was said; `check` warns
    struct config_route *routes; // in the file's order; a last `*` via mx is built in
    size_t routes_n;
    enum config_line_ends line_ends;
    enum config_resolver_kind resolver;
    struct netaddr *forwarders; // resolver forward; port 53 unless said
    size_t forwarders_n;
    bool dnssec;                // validate; on by default
    struct slice trust_anchors; // path of a zone file of DS and DNSKEY records; empty: the root's own
    struct slice root_hints;    // path of a zone file; recursive only; empty: the built-in ones
    enum config_log_format log_format;
    uint32_t smtpd_workers, relay_workers, submission_workers, auth_workers, keys_workers;
    struct config_limits limits;
    struct config_timeouts timeouts;
    struct config_queue queue;
    struct config_gate gate; // what strangers meet
    struct map domain_index; // lower-case name to struct config_domain
    struct map route_index;  // as written in `route`, lower case, to struct config_route
};

// A mistake in the text, for people.
struct config_mistake {
    struct config_place place;
    struct slice text; // what was expected, what was found, the nearest known word; in the report's arena
};

struct config_report {
    struct arena arena;
    struct config_mistake *mistakes;
    size_t n;
};

// Parses, completes and checks `text`. Gives NULL and the mistakes (at least one, at most 20) when it can't be used.
// Paths that are not absolute are taken from `directory`. Touches no file.
struct config *config_parse(struct slice text, struct slice directory, struct config_report *report);
void config_free(struct config *c);
void config_report_done(struct config_report *r);

// By its name; NULL where there is none.
struct config_table *config_table_find(const struct config *c, struct slice name);

// Whether mail from this client is relayed anywhere: `relay from`.
bool config_trusts(const struct config *c, const struct netaddr *client);

// Whether a client is a program of this machine, about which nothing is asked: loopback, unless `checks loopback` is on.
bool config_is_local(const struct config *c, const struct netaddr *client);

// Whether a client is in one of these networks.
bool config_in_nets(const struct netaddr_net *nets, size_t n, const struct netaddr *client);

// Whether there is a listener of that role.
bool config_listens(const struct config *c, enum config_listen_role role);

// What holds for a user (lower case): `user NAME` over the general one.
struct config_quota config_quota_of(const struct config *c, struct slice user);
bool config_any_sender(const struct config *c, struct slice user);

// Whether a listener's role has it at all; submission without TLS has none.
bool config_has_auth(const struct config *c, enum config_auth_kind kind);

// The whole configuration as it acts, defaults included, in its own language; parsing it gives the same.
bool config_write_effective(const struct config *c, struct buf *out);
