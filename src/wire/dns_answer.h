// dns_answer: a DNS response (RFC 1035 4) as values: the records of one type at the end of the
// chain of CNAMEs that begins at the question.
#pragma once

#include "base/arena.h"
#include "wire/netaddr.h"

enum {
    DNS_TYPE_A = 1,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
};

struct dns_record {
    uint16_t preference; // MX
    struct netaddr ip;   // A, AAAA
    struct slice text;   // MX, PTR: a name without final dot, "" for the root; TXT: the strings joined; in the arena
};

struct dns_answer {
    unsigned rcode;         // 0 no error, 3 no such domain (RFC 1035 4.1.1)
    uint32_t ttl;           // seconds: the smallest of the chain and the records; 0 where there is none
    struct slice canonical; // where the chain ends, as `text`
    struct dns_record *records;
    size_t n;
    bool referral; // no answer, but the names of others to ask (RFC 2308 2.1, 2.2): never that there is nothing
};

// Takes at most `most` records. What names a host that can't be written down (a dot or a control character inside a
// label), and an IPv4 address dressed as IPv6, is left out. False for a malformed packet, or when `arena` is full.
bool dns_answer_parse(struct slice packet, uint16_t type, size_t most, struct arena *arena, struct dns_answer *out);
