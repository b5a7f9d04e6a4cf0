// spf_macro: the macro language of SPF records (RFC 7208 7).
#pragma once

#include "base/buf.h"
#include "base/when.h"
#include "wire/netaddr.h"

enum { SPF_EXPANSION_MAX = 8192 }; // bytes; what grows beyond it is no name and no sentence that anybody means

struct spf_macro_values {
    struct slice sender, local, sender_domain; // s l o
    struct slice domain;                       // d
    struct slice helo, receiver;               // h r
    struct slice validated;                    // p, "unknown" where there is none
    struct netaddr ip;                         // i v c
    struct wall now;                           // t
};

// Whether `text` is well-formed; if not, where (0-based) and why. An explanation may have spaces, and c, r and t (7.2).
bool spf_macro_check(struct slice text, bool explanation, size_t *at, const char **why);

// Whether `text` is a domain-spec: as above, and what it ends with could be a top-level domain (7.1).
bool spf_macro_check_domain(struct slice text, size_t *at, const char **why);

// Whether %{p} is in it, which asks DNS.
bool spf_macro_uses_validated(struct slice text);

// Of a checked text. False when `to` is full.
bool spf_macro_expand(struct slice text, const struct spf_macro_values *v, struct buf *to);
