// dmarc_report_write: elements in the order of RFC 9990's schema.
#include "mail/dmarc/dmarc_report.h"

#include "base/printable.h"

// --- text

static const char *entity(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    default:
        return NULL;
    }
}

static void add_text(struct buf *out, struct slice text) {
    while (text.n) {
        uint32_t code;
        size_t n = printable_decode(text, &code);
        const char *as = entity(*text.p);
        if (as)
            buf_add_str(out, as);
        else if (n && printable_safe(code))
            buf_add(out, slice_upto(text, n));
        else
            buf_add_char(out, '?');
        text = slice_from(text, n ? n : 1);
    }
}

// --- elements

static void indent(struct buf *out, unsigned depth) {
    for (unsigned i = 0; i < depth; i++)
        buf_add_str(out, "  ");
}

static void open_element(struct buf *out, unsigned depth, const char *name) {
    indent(out, depth);
    buf_addf(out, "<%s>\n", name);
}

static void close_element(struct buf *out, unsigned depth, const char *name) {
    indent(out, depth);
    buf_addf(out, "</%s>\n", name);
}

static void add_element(struct buf *out, unsigned depth, const char *name, struct slice text) {
    indent(out, depth);
    buf_addf(out, "<%s>", name);
    add_text(out, text);
    buf_addf(out, "</%s>\n", name);
}

static void add_optional(struct buf *out, unsigned depth, const char *name, struct slice text) {
    if (text.n)
        add_element(out, depth, name, text);
}

static void add_number(struct buf *out, unsigned depth, const char *name, int64_t value) {
    indent(out, depth);
    buf_addf(out, "<%s>%lld</%s>\n", name, (long long)value, name);
}

// --- the parts

static void write_metadata(const struct dmarc_report *r, struct buf *out) {
    open_element(out, 1, "report_metadata");
    add_element(out, 2, "org_name", r->organisation);
    add_element(out, 2, "email", r->email);
    add_optional(out, 2, "extra_contact_info", r->contact);
    add_element(out, 2, "report_id", r->id);
    open_element(out, 2, "date_range");
    add_number(out, 3, "begin", r->begin);
    add_number(out, 3, "end", r->end);
    close_element(out, 2, "date_range");
    for (size_t i = 0; i < r->errors_n; i++)
        add_element(out, 2, "error", r->errors[i]);
    add_optional(out, 2, "generator", r->generator);
    close_element(out, 1, "report_metadata");
}

static void write_policy(const struct dmarc_report *r, struct buf *out) {
    open_element(out, 1, "policy_published");
    add_element(out, 2, "domain", r->domain);
    add_optional(out, 2, "discovery_method", r->discovery);
    add_element(out, 2, "p", r->p);
    add_optional(out, 2, "sp", r->sp);
    add_optional(out, 2, "np", r->np);
    add_optional(out, 2, "fo", r->fo);
    add_optional(out, 2, "adkim", r->adkim);
    add_optional(out, 2, "aspf", r->aspf);
    add_optional(out, 2, "testing", r->testing);
    add_optional(out, 2, "pct", r->pct);
    close_element(out, 1, "policy_published");
}

static void write_row(const struct dmarc_report_row *row, struct buf *out) {
    open_element(out, 2, "row");
    add_element(out, 3, "source_ip", row->source);
    add_number(out, 3, "count", row->count > INT64_MAX ? INT64_MAX : (int64_t)row->count);
    open_element(out, 3, "policy_evaluated");
    add_element(out, 4, "disposition", row->disposition);
    add_element(out, 4, "dkim", row->dkim);
    add_element(out, 4, "spf", row->spf);
    for (size_t i = 0; i < row->reasons_n; i++) {
        open_element(out, 4, "reason");
        add_element(out, 5, "type", row->reasons[i].type);
        add_optional(out, 5, "comment", row->reasons[i].comment);
        close_element(out, 4, "reason");
    }
    close_element(out, 3, "policy_evaluated");
    close_element(out, 2, "row");
}

static void write_auth(const struct dmarc_report_auth *a, struct buf *out) {
    const char *name = a->dkim ? "dkim" : "spf";
    open_element(out, 3, name);
    add_element(out, 4, "domain", a->domain);
    if (a->dkim)
        add_element(out, 4, "selector", a->selector);
    else
        add_optional(out, 4, "scope", a->scope);
    add_element(out, 4, "result", a->result);
    add_optional(out, 4, "human_result", a->human);
    close_element(out, 3, name);
}

static void write_auths(const struct dmarc_report_row *row, bool dkim, struct buf *out) {
    size_t written = 0;
    for (size_t i = 0; i < row->auths_n && written < DMARC_REPORT_AUTHS; i++)
        if (row->auths[i].dkim == dkim) {
            write_auth(&row->auths[i], out);
            written++;
        }
}

static void write_record(const struct dmarc_report_row *row, struct buf *out) {
    open_element(out, 1, "record");
    write_row(row, out);
    open_element(out, 2, "identifiers");
    add_element(out, 3, "header_from", row->from);
    add_element(out, 3, "envelope_from", row->envelope_from);
    add_optional(out, 3, "envelope_to", row->envelope_to);
    close_element(out, 2, "identifiers");
    open_element(out, 2, "auth_results");
    write_auths(row, true, out);
    write_auths(row, false, out);
    close_element(out, 2, "auth_results");
    close_element(out, 1, "record");
}

bool dmarc_report_write(const struct dmarc_report *r, struct buf *out) {
    buf_add_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n");
    add_optional(out, 1, "version", r->version);
    write_metadata(r, out);
    write_policy(r, out);
    for (size_t i = 0; i < r->rows_n && !out->failed; i++)
        write_record(&r->rows[i], out);
    return buf_add_str(out, "</feedback>\n");
}
