// oracle_zone: an oracle that reads its answers from text, which stands for all of DNS: master-file syntax (RFC 1035 5,
// $ORIGIN, $TTL, parentheses, quoted strings, @, relative names) with A, AAAA, MX, PTR, TXT and CNAME; other types are
// there and no answer to anything, SPF among them (RFC 7208 3.1). Instead of a type, of its data, or of both a line may
// say that DNS fails:
//
//     slow.example.    TIMEOUT              or  slow.example. TXT TIMEOUT   for one type
//     broken.example.  SERVFAIL                 broken.example. MX SERVFAIL
//     gone.example.    NXDOMAIN
//
// For all types it means those that no other line of that name gives. A name that nothing is said of is NXDOMAIN, one
// with other types or with names below it NODATA. CNAMEs are followed, * stands for what isn't there (RFC 4592).
//
// It is read as people mean it: TTL and class may be left out, names without $ORIGIN are absolute with and without the
// final dot, a line that begins with blanks and then no type begins with its name, one that begins with # is a comment.
// Text that isn't quoted is all that stands there, blanks and semicolons (but not one after a blank) included:
// TXT v=DMARC1; p=none. Names may be any bytes as \DDD; an owner in U-labels stands for the one in A-labels, too;
// a record of a name that is too long for DNS is read and never found.
#pragma once

#include "base/err.h"
#include "mail/oracle/oracle.h"

struct oracle_zone;

enum { ORACLE_ZONE_TEXT_MAX = 16 << 20 }; // bytes

// NULL: `e` names the line. The text isn't needed afterwards.
struct oracle_zone *oracle_zone_new(struct slice text, struct err *e);
struct oracle *oracle_zone_oracle(struct oracle_zone *z);
void oracle_zone_free(struct oracle_zone *z); // takes NULL

// Adds to an empty or a filled one, for tests that build theirs: a line as above.
struct oracle_zone *oracle_zone_empty(void);
MUST_CHECK bool oracle_zone_add(struct oracle_zone *z, struct slice line, struct err *e);
