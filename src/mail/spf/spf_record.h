// spf_record: an SPF record (RFC 7208 4.6, 5, 6, 12) as terms, each of them checked.
#pragma once

#include "base/err.h"
#include "mail/spf/spf.h"

enum spf_mechanism { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS };

struct spf_term {
    enum spf_mechanism mechanism;
    enum spf_result result; // of its qualifier
    struct slice text;      // as it is written
    struct slice domain;    // domain-spec; empty: the domain whose record this is
    uint8_t ip[16];         // IP4, IP6: in network order
    uint8_t bits4, bits6;   // prefix lengths
};

struct spf_record {
    struct slice terms; // for spf_record_next
    struct slice redirect, exp;
};

// `e` says what is wrong, and at which column.
MUST_CHECK bool spf_record_parse(struct slice text, struct spf_record *out, struct err *e);

// Takes the next mechanism off the terms of a record that was parsed; false at the end.
bool spf_record_next(struct slice *terms, struct spf_term *out);
