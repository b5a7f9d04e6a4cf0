// oracle_zone: an oracle that reads its answers from text, which stands for all of DNS: master-file syntax (RFC 1035 5,
// $ORIGIN, $TTL, parentheses, quoted strings, @, relative names) with A, AAAA, MX, PTR, TXT, CNAME, and SPF as TXT;
// other types are there and no answer to anything. Instead of a type and its data a line may say
//
//     slow.example.    TIMEOUT              or  slow.example. TXT TIMEOUT   for one type
//     broken.example.  SERVFAIL                 broken.example. MX SERVFAIL
//     gone.example.    NXDOMAIN
//
// A name that nothing is said of is NXDOMAIN, one with other types or with names below it NODATA. CNAMEs are followed,
// * stands for what isn't there (RFC 4592). TTL and class may be left out. Names may be any bytes as \DDD.
#pragma once

#include "base/err.h"
#include "mail/oracle.h"

struct oracle_zone;

// NULL: `e` names the line. The text isn't needed afterwards.
struct oracle_zone *oracle_zone_new(struct slice text, struct err *e);
struct oracle *oracle_zone_oracle(struct oracle_zone *z);
void oracle_zone_free(struct oracle_zone *z); // takes NULL

// Adds to an empty or a filled one, for tests that build theirs: a line as above.
struct oracle_zone *oracle_zone_empty(void);
bool oracle_zone_add(struct oracle_zone *z, struct slice line, struct err *e);
