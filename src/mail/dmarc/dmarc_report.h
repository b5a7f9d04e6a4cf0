// dmarc_report: an aggregate report (RFC 9990; those of RFC 7489 are read as well): whose mail came from where, and
// what became of it.
//
//     <feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
//       <report_metadata>org_name email report_id date_range</report_metadata>
//       <policy_published>domain p sp np ...</policy_published>
//       <record>row(source_ip count policy_evaluated) identifiers auth_results</record> ...
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    DMARC_REPORT_AUTHS = 100,                // signatures of a row; more are left out (RFC 9990 3.1.3)
    DMARC_REPORT_ROWS = 100 * 1000,          // read at most
    DMARC_REPORT_XML_MAX = 64 * 1024 * 1024, // bytes
    DMARC_REPORT_TEXT_MAX = 4096,            // bytes of one element's text; the rest is cut
};

struct dmarc_report_auth {
    bool dkim;                     // else SPF
    struct slice domain, selector; // selector: DKIM
    struct slice scope;            // SPF: mfrom, helo; empty: not said
    struct slice result, human;
};

struct dmarc_report_reason {
    struct slice type, comment;
};

struct dmarc_report_row {
    struct slice source; // address
    uint64_t count;
    struct slice disposition;   // none pass quarantine reject
    struct slice dkim, spf;     // pass fail: aligned
    struct slice from;          // header_from
    struct slice envelope_from; // empty: not said, or null
    struct slice envelope_to;
    struct dmarc_report_reason *reasons;
    size_t reasons_n;
    struct dmarc_report_auth *auths;
    size_t auths_n;
};

struct dmarc_report {
    struct slice version, organisation, email, contact, id, generator;
    struct slice *errors;
    size_t errors_n;
    int64_t begin, end; // seconds since 1970
    struct slice domain, discovery, p, sp, np, adkim, aspf, fo, testing, pct;
    struct dmarc_report_row *rows;
    size_t rows_n;
};

// XML. What is empty and optional is left out; what XML can't hold becomes "?". False: `out` is full.
bool dmarc_report_write(const struct dmarc_report *r, struct buf *out);

// Slices are in `arena`. Unknown elements are passed over, as is any name space. False: no XML, or no report.
MUST_CHECK bool dmarc_report_read(struct slice xml, struct arena *arena, struct dmarc_report *out, struct err *e);
