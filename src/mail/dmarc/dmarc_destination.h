// dmarc_destination: whether aggregate reports may go where a record wants them (RFC 9990 4): to the organisation's own
// addresses, and to those who say in DNS that they take them, so that nobody can have reports sent to a victim.
#pragma once

#include "mail/dmarc/dmarc.h"

enum dmarc_destination { DMARC_DESTINATION_GOOD, DMARC_DESTINATION_REFUSED, DMARC_DESTINATION_LATER };

// `uri`: of rua, in the record that was found at `record_domain`. GOOD: `*mailbox` is where to, maybe another one of
// the same host, as that host wishes. Else `e` says why. Slices are in `arena`.
enum dmarc_destination dmarc_destination_check(struct slice record_domain, struct slice uri, struct oracle *o,
                                               struct arena *arena, struct slice *mailbox, struct err *e);
