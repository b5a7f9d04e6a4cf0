// verify_message: SPF, DKIM, ARC and DMARC of one message, for `posthouse verify`.
#pragma once

#include "mail/arc/arc.h"
#include "mail/dkim/dkim_verify.h"
#include "mail/dmarc/dmarc.h"
#include "mail/spf/spf.h"

struct verify_wish {
    bool spf, dkim, arc, dmarc; // to be shown; what DMARC needs is evaluated as well
    struct netaddr ip;          // family NONE: SPF can't be checked
    struct slice helo, from;
    struct wall now;
    struct slice content; // lines end in CRLF
    struct slice name;    // of the host that verifies
};

struct verify_found {
    bool spf_done, helo_done;
    struct spf_verdict spf, helo; // of the reverse-path; of HELO
    struct dkim_verify dkim;
    struct arc_verify arc;
    struct slice author; // the domain in From; empty: none
    struct err author_why;
    struct dmarc_verdict dmarc;
    struct slice results; // Authentication-Results, folded, with its CRLF
};

// Fills `out`, whose slices are in `arena`; false: out of memory. verify_done in any case.
bool verify_message(const struct verify_wish *w, struct oracle *o, struct arena *arena, struct verify_found *out);
void verify_done(struct verify_found *f);
