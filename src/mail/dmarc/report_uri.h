// report_uri: where somebody wants reports sent: the URIs of DMARC's rua and ruf (RFC 9989 4.6) and of TLSRPT's rua
// (RFC 8460 3).
#pragma once

#include "base/arena.h"

// Whether it is a URI (RFC 3986) with its commas, semicolons and exclamation marks encoded.
bool report_uri_ok(struct slice uri);

bool report_uri_is_mail(struct slice uri); // mailto:

// The mailbox of a mailto: URI, percent-decoded, in `arena`; what stands after "?" is left out. False: it is none.
bool report_uri_mailbox(struct slice uri, struct arena *arena, struct slice *out);
