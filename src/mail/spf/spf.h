// spf: whether a client may send in the name of a domain (RFC 7208), as a pure function of DNS.
//
// Limits: 10 terms that ask DNS, 10 names of an MX or PTR, 2 look-ups that find nothing (4.6.4); past them PERMERROR.
// The oracle's time limit is the time limit (TEMPERROR).
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/when.h"
#include "mail/oracle/oracle.h"

enum spf_result { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR };

const char *spf_result_name(enum spf_result r); // "pass"

struct spf_query {
    struct netaddr ip;
    struct slice helo;
    struct slice sender;   // reverse-path, local@domain; empty: the HELO identity is checked as postmaster@helo (2.4)
    struct slice receiver; // our name, for %{r}
    struct wall now;       // for %{t}
};

struct spf_verdict {
    enum spf_result result;
    bool helo;           // the HELO identity was checked
    struct slice domain; // that was checked
    struct slice
        mechanism; // what decided, as it is written, with the domain whose record it stands in: "example.org: -all"
    struct slice explanation; // FAIL: exp= expanded, of printable ASCII; empty where there is none
    struct slice problem;     // PERMERROR, TEMPERROR: for people
    unsigned lookups, voids;
};

// All slices of `out` are in `arena` or in the query.
void spf_check(const struct spf_query *q, struct oracle *o, struct arena *arena, struct spf_verdict *out);

// Whether a record is well-formed, for those who write one; `e` says what is wrong and where (column). Asks nobody.
MUST_CHECK bool spf_record_check(struct slice record, struct err *e);

// Whether a TXT record is an SPF record at all: "v=spf1" and then a space or nothing.
bool spf_is_record(struct slice txt);
