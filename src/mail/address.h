// address: mailboxes of the envelope (RFC 5321 4.1.2, 4.1.3, 4.5.3.1; RFC 6531 3.3). Only what a MAIL or RCPT may
// hold: the wider syntax of header fields (RFC 5322: comments, folding, obsolete forms) is refused.
//
// Beyond the grammar an underscore is taken in domains, since there are hosts that have one. An address literal is IPv4
// or IPv6: a General-address-literal needs a tag that a standard names (RFC 5321 4.1.3), and there is no other.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "wire/netaddr.h"

enum {
    ADDRESS_LOCAL_MAX = 64,   // bytes of a local part, quotes and backslashes counted (RFC 5321 4.5.3.1.1)
    ADDRESS_DOMAIN_MAX = 255, // bytes of a domain (4.5.3.1.2)
    ADDRESS_MAX = 254,        // bytes of all: a path has 256 with its <> (4.5.3.1.3)
    ADDRESS_LABEL_MAX = 63,   // bytes of a label in A-form (RFC 1035 2.3.4)
};

enum address_role {
    ADDRESS_SENDER,    // errors are 501 5.1.7; the null reverse-path is the caller's to see before
    ADDRESS_RECIPIENT, // errors are 501 5.1.3; "postmaster" alone is taken, with an empty domain (RFC 5321 4.5.1)
};

struct address {
    struct slice local;  // what is meant: without quotes and backslashes; may hold any character then, "@" too
    struct slice domain; // as sent, with its brackets when it is a literal
    bool quoted;         // the local part came quoted
    bool literal;        // the domain is an address literal
    bool utf8;           // bytes over 127 somewhere: needs SMTPUTF8
    struct netaddr ip;   // of a literal
};

// `mailbox` without <> and without source route, as smtp_path.mailbox is. Slices of `out` are views into it, except
// for a local part with backslashes, which is in `arena`.
MUST_CHECK bool address_parse(struct slice mailbox, enum address_role role, struct arena *arena, struct address *out,
                              struct err *e);

// Makes the domain what everything below compares and routes by: lower case, A-labels (RFC 5891 5, by IDNA2008
// non-transitional), literals in the one form "[192.0.2.1]" or "[IPv6:2001:db8::1]"; and `utf8` what is still true
// after that. The new domain is in `arena`. 553 5.1.2 where there is no such form.
MUST_CHECK bool address_normalize(struct address *a, struct arena *arena, struct err *e);

// The same for a domain alone, for example of the configuration; no literal.
MUST_CHECK bool address_normalize_domain(struct slice domain, struct arena *arena, struct slice *out, struct err *e);

// Whether it is a domain by the grammar above, in A- or U-labels. An empty one isn't.
bool address_domain_ok(struct slice domain);

// "local@domain", the local part quoted only where it must be; without "@" when the domain is empty.
bool address_add(struct buf *b, const struct address *a);
bool address_add_local(struct buf *b, struct slice local);

// Whether the local part asks to be routed on: "user%host", "host!user", "user@host" (which can only come quoted). A
// server that would rewrite such an address for the next hop, or for itself, would be a relay for anyone.
bool address_routing_trick(struct slice local);
