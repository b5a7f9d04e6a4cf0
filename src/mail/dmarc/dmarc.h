// dmarc: what the domain in From wants done with mail that isn't from it (RFC 9989, which replaces RFC 7489): the
// record is found by walking up the tree of DNS, at most eight names (4.10), with np, psd and t; no list of public
// suffixes.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "mail/dkim/dkim_verify.h"
#include "mail/oracle/oracle.h"
#include "mail/spf/spf.h"

enum dmarc_result { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };
enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

const char *dmarc_result_name(enum dmarc_result r);
const char *dmarc_policy_name(enum dmarc_policy p);

enum { DMARC_URIS_MAX = 16 };

struct dmarc_record {
    enum dmarc_policy policy, subdomain, missing; // p, sp, np, each with its default filled in (4.7)
    bool strict_dkim, strict_spf;                 // adkim=s, aspf=s
    bool testing;                                 // t=y
    enum dmarc_psd psd;
    bool fo_0, fo_1, fo_d, fo_s;
    struct slice rua[DMARC_URIS_MAX], ruf[DMARC_URIS_MAX]; // mailto: URIs as written, without a size suffix
    size_t rua_n, ruf_n;
};

// Slices are views into `text`. False: it is no DMARC record that could be used; `e` says why and where.
MUST_CHECK bool dmarc_record_parse(struct slice text, struct dmarc_record *out, struct err *e);

// The value of fo as a record would have it, "0" where it said none, in `arena`. Empty: that is full.
struct slice dmarc_record_fo(const struct dmarc_record *r, struct arena *arena);

struct dmarc_signature {
    struct slice domain; // d=
    struct slice selector;
    enum dkim_result result;
};

struct dmarc_query {
    struct slice
        from_domain; // of the From field; any case, A- or U-labels. Empty: there is none, or more than one: PERMERROR
    enum spf_result spf;
    struct slice spf_domain; // that SPF was checked for; the MAIL identity, or HELO's when the reverse-path was null
    const struct dmarc_signature *dkim;
    size_t dkim_n;
};

struct dmarc_verdict {
    enum dmarc_result result;   // NONE: there is no record
    enum dmarc_policy policy;   // that holds for this From, as published: p, sp or np
    enum dmarc_policy asks;     // FAIL: what is asked for now: policy, one step milder where t=y. Else NONE
    struct slice from_domain;   // normalised
    struct slice organisation;  // the organizational domain of From
    struct slice record_domain; // where the record was found; empty: nowhere
    struct slice record_text;
    struct dmarc_record record;
    bool dkim_aligned, spf_aligned; // by an identifier that passed
    bool missing;                   // From's domain does not exist: np held
    struct slice why;               // for people: "SPF passed for example.net, which is not example.org"
};

// `policy`, one step milder where t=y (4.7).
enum dmarc_policy dmarc_policy_held(const struct dmarc_verdict *v);

void dmarc_check(const struct dmarc_query *q, struct oracle *o, struct arena *arena, struct dmarc_verdict *out);

// The organizational domain of `domain` (4.10.2): a view into it as it is written here, lower case in A-labels. False:
// DNS didn't answer, or `arena` is full.
bool dmarc_organisation(struct slice domain, struct oracle *o, struct arena *arena, struct slice *out);
