// auth_results: the Authentication-Results field (RFC 8601): ours written, and any that claims to be ours found.
#pragma once

#include "mail/arc/arc.h"
#include "mail/dkim/dkim_verify.h"
#include "mail/dmarc/dmarc.h"
#include "mail/spf/spf.h"

struct auth_results {
    struct slice authserv;              // our host name
    const struct spf_verdict *spf;      // NULL: not checked; of the reverse-path
    struct slice spf_sender;            // smtp.mailfrom; empty with a null reverse-path
    const struct spf_verdict *helo_spf; // NULL: not checked
    struct slice helo;                  // smtp.helo
    const struct dkim_verify *dkim;     // NULL: not checked
    const struct dmarc_verdict *dmarc;
    const struct arc_verify *arc;
    struct slice from; // header.from's domain
    struct netaddr ip; // policy.iprev; family NONE: not checked
    int iprev;         // enum auth_results_iprev
    struct slice user; // auth=pass smtp.auth=; empty: nobody logged in
};

enum auth_results_iprev { AUTH_IPREV_PASS, AUTH_IPREV_FAIL, AUTH_IPREV_TEMPERROR, AUTH_IPREV_PERMERROR };

// Adds the field, folded, with its name and CRLF. Whatever strangers chose is quoted or left out so that it stays one
// field that reads as it should. "none" where nothing was checked. False: `out` is full.
bool auth_results_write(const struct auth_results *r, struct buf *out);

// Whether the value of an Authentication-Results (or ARC's) field speaks in our name: its authserv-id, comments and
// case aside, is `ours` or a name below it (RFC 8601 5). One that can't be read counts as forged if our name stands
// anywhere before its first ';'.
bool auth_results_forged(struct slice value, struct slice ours);
