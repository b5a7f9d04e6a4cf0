// dmarc_report_read: an XML parser that calls back, and a path of elements that says where a text belongs. A document
// type is refused, and with it all entities.
#include "mail/dmarc/dmarc_report.h"

#include "base/num.h"

#include <expat.h>
#include <stdio.h>

enum { DEPTH_MAX = 32, NAME_MAX_BYTES = 24, LIST_MAX = 1000, REPLACEMENT = 0xfffd };

// What an element inside of `parent` is to us.
struct place {
    const char *parent, *name;
    enum {
        REPORT, // a slice of the report, at `offset`
        ROW,    // of the row
        AUTH,
        REASON,
        NUMBER, // of the report: begin, end
        COUNT,
        ERROR,
    } kind;
    size_t offset;
};

#define OF(type, member) offsetof(struct type, member)
static const struct place places[] = {
    {"feedback", "version", REPORT, OF(dmarc_report, version)},
    {"report_metadata", "org_name", REPORT, OF(dmarc_report, organisation)},
    {"report_metadata", "email", REPORT, OF(dmarc_report, email)},
    {"report_metadata", "extra_contact_info", REPORT, OF(dmarc_report, contact)},
    {"report_metadata", "report_id", REPORT, OF(dmarc_report, id)},
    {"report_metadata", "generator", REPORT, OF(dmarc_report, generator)},
    {"report_metadata", "error", ERROR, 0},
    {"date_range", "begin", NUMBER, OF(dmarc_report, begin)},
    {"date_range", "end", NUMBER, OF(dmarc_report, end)},
    {"policy_published", "domain", REPORT, OF(dmarc_report, domain)},
    {"policy_published", "discovery_method", REPORT, OF(dmarc_report, discovery)},
    {"policy_published", "p", REPORT, OF(dmarc_report, p)},
    {"policy_published", "sp", REPORT, OF(dmarc_report, sp)},
    {"policy_published", "np", REPORT, OF(dmarc_report, np)},
    {"policy_published", "adkim", REPORT, OF(dmarc_report, adkim)},
    {"policy_published", "aspf", REPORT, OF(dmarc_report, aspf)},
    {"policy_published", "fo", REPORT, OF(dmarc_report, fo)},
    {"policy_published", "testing", REPORT, OF(dmarc_report, testing)},
    {"policy_published", "pct", REPORT, OF(dmarc_report, pct)},
    {"row", "source_ip", ROW, OF(dmarc_report_row, source)},
    {"row", "count", COUNT, 0},
    {"policy_evaluated", "disposition", ROW, OF(dmarc_report_row, disposition)},
    {"policy_evaluated", "dkim", ROW, OF(dmarc_report_row, dkim)},
    {"policy_evaluated", "spf", ROW, OF(dmarc_report_row, spf)},
    {"reason", "type", REASON, OF(dmarc_report_reason, type)},
    {"reason", "comment", REASON, OF(dmarc_report_reason, comment)},
    {"identifiers", "header_from", ROW, OF(dmarc_report_row, from)},
    {"identifiers", "envelope_from", ROW, OF(dmarc_report_row, envelope_from)},
    {"identifiers", "envelope_to", ROW, OF(dmarc_report_row, envelope_to)},
    {"dkim", "domain", AUTH, OF(dmarc_report_auth, domain)},
    {"dkim", "selector", AUTH, OF(dmarc_report_auth, selector)},
    {"dkim", "result", AUTH, OF(dmarc_report_auth, result)},
    {"dkim", "human_result", AUTH, OF(dmarc_report_auth, human)},
    {"spf", "domain", AUTH, OF(dmarc_report_auth, domain)},
    {"spf", "scope", AUTH, OF(dmarc_report_auth, scope)},
    {"spf", "result", AUTH, OF(dmarc_report_auth, result)},
    {"spf", "human_result", AUTH, OF(dmarc_report_auth, human)},
};

struct list {
    char *items;
    size_t n, cap;
};

struct reader {
    XML_Parser parser;
    struct arena *arena;
    struct dmarc_report report;
    char path[DEPTH_MAX][NAME_MAX_BYTES];
    size_t depth;
    struct buf text;
    struct list rows, auths, reasons, errors;
    struct dmarc_report_row row;
    struct dmarc_report_auth auth;
    struct dmarc_report_reason reason;
    const char *wrong;
};

static void stop(struct reader *r, const char *why) {
    if (!r->wrong)
        r->wrong = why;
    XML_StopParser(r->parser, XML_FALSE);
}

static void add(struct reader *r, struct list *l, const void *item, size_t size, size_t max) {
    if (l->n == max)
        return;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 4;
        char *more = arena_alloc(r->arena, cap * size);
        if (!more) {
            stop(r, "it is too large");
            return;
        }
        if (l->n)
            memcpy(more, l->items, l->n * size);
        l->items = more;
        l->cap = cap;
    }
    memcpy(l->items + l->n++ * size, item, size);
}

// --- where we are

// Without its name space ("ns:name", or as expat gives it "uri|name").
static const char *local_name(const char *name) {
    const char *at = strrchr(name, '|');
    const char *colon = strrchr(at ? at : name, ':');
    return colon ? colon + 1 : at ? at + 1 : name;
}

static bool is_at(const struct reader *r, size_t up, const char *name) {
    return r->depth > up && !strcmp(r->path[r->depth - 1 - up], name);
}

static const struct place *find_place(const struct reader *r) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (is_at(r, 0, places[i].name) && is_at(r, 1, places[i].parent))
            return &places[i];
    return NULL;
}

// An element of that name stands in two places, as a result and as what was evaluated.
static bool is_auth(const struct reader *r) {
    return is_at(r, 1, "auth_results") && (is_at(r, 0, "dkim") || is_at(r, 0, "spf"));
}

// --- values

static void put(struct reader *r, void *object, size_t offset, struct slice text) {
    struct slice kept = arena_dup(r->arena, text);
    if (text.n && !kept.p)
        stop(r, "it is too large");
    else
        memcpy((char *)object + offset, &kept, sizeof kept);
}

static void put_number(struct reader *r, size_t offset, struct slice text) {
    int64_t value;
    uint64_t number;
    if (!num_u64(text, INT64_MAX, &number))
        return;
    value = (int64_t)number;
    memcpy((char *)&r->report + offset, &value, sizeof value);
}

static void put_error(struct reader *r, struct slice text) {
    struct slice kept = arena_dup(r->arena, text);
    if (text.n && kept.p)
        add(r, &r->errors, &kept, sizeof kept, LIST_MAX);
}

static void take_text(struct reader *r, const struct place *p) {
    struct slice text = slice_trim(buf_slice(&r->text));
    switch (p->kind) {
    case REPORT:
        put(r, &r->report, p->offset, text);
        break;
    case ROW:
        put(r, &r->row, p->offset, text);
        break;
    case AUTH:
        put(r, &r->auth, p->offset, text);
        break;
    case REASON:
        put(r, &r->reason, p->offset, text);
        break;
    case NUMBER:
        put_number(r, p->offset, text);
        break;
    case COUNT:
        if (!num_u64(text, UINT64_MAX, &r->row.count))
            r->row.count = 0;
        break;
    case ERROR:
        put_error(r, text);
        break;
    }
}

// --- called back

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes) {
    struct reader *r = arg;
    (void)attributes;
    if (r->depth == DEPTH_MAX) {
        stop(r, "its elements are too deep");
        return;
    }
    snprintf(r->path[r->depth++], NAME_MAX_BYTES, "%s", local_name(name));
    if (r->depth == 1 && !is_at(r, 0, "feedback"))
        stop(r, "it is no report: its root is not feedback");
    buf_reset(&r->text);
    if (is_at(r, 0, "record")) {
        r->row = (struct dmarc_report_row){0};
        r->auths = r->reasons = (struct list){0};
    } else if (is_auth(r)) {
        r->auth = (struct dmarc_report_auth){.dkim = is_at(r, 0, "dkim")};
    } else if (is_at(r, 0, "reason")) {
        r->reason = (struct dmarc_report_reason){.type = SLICE_EMPTY};
    }
}

static void end_record(struct reader *r) {
    r->row.auths = (struct dmarc_report_auth *)(void *)r->auths.items;
    r->row.auths_n = r->auths.n;
    r->row.reasons = (struct dmarc_report_reason *)(void *)r->reasons.items;
    r->row.reasons_n = r->reasons.n;
    if (r->rows.n == DMARC_REPORT_ROWS)
        stop(r, "it has too many records");
    add(r, &r->rows, &r->row, sizeof r->row, DMARC_REPORT_ROWS);
}

static void XMLCALL on_end(void *arg, const XML_Char *name) {
    struct reader *r = arg;
    (void)name;
    const struct place *p = find_place(r);
    if (p)
        take_text(r, p);
    else if (is_auth(r))
        add(r, &r->auths, &r->auth, sizeof r->auth, LIST_MAX);
    else if (is_at(r, 0, "reason"))
        add(r, &r->reasons, &r->reason, sizeof r->reason, LIST_MAX);
    else if (is_at(r, 0, "record"))
        end_record(r);
    buf_reset(&r->text);
    r->depth--;
}

// What doesn't fit is left out.
static void XMLCALL on_text(void *arg, const XML_Char *text, int n) {
    struct reader *r = arg;
    buf_add(&r->text, slice_upto(slice_of(text, (size_t)n), r->text.max - r->text.n));
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                               int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    stop(arg, "it has a document type, which no report needs");
}

// Of those that expat doesn't know: ASCII, and one sign for each other byte. Only names of people and of organisations
// have these.
static int XMLCALL on_encoding(void *arg, const XML_Char *name, XML_Encoding *info) {
    (void)arg, (void)name;
    for (int i = 0; i < 256; i++)
        info->map[i] = i < 128 ? i : REPLACEMENT;
    info->data = NULL;
    info->convert = NULL;
    info->release = NULL;
    return XML_STATUS_OK;
}

// --- the whole

// Some write an empty line in front, which XML doesn't allow before its declaration.
static struct slice skip_blank_lines(struct slice xml) {
    if (slice_starts(xml, SLICE("\xef\xbb\xbf")))
        xml = slice_from(xml, 3);
    while (xml.n && ascii_space(xml.p[0]))
        xml = slice_from(xml, 1);
    return xml;
}

static bool parse(struct reader *r, struct slice xml, struct err *e) {
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    XML_SetUnknownEncodingHandler(r->parser, on_encoding, NULL);
    if (XML_Parse(r->parser, xml.p ? xml.p : "", (int)xml.n, 1) == XML_STATUS_OK)
        return true;
    return err_set(e, ERR_PERMANENT, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r->parser),
                   r->wrong ? r->wrong : XML_ErrorString(XML_GetErrorCode(r->parser)));
}

static bool finish(struct reader *r, struct dmarc_report *out, struct err *e) {
    if (r->report.domain.n == 0)
        return err_set(e, ERR_PERMANENT, "it is no report: it says no domain");
    r->report.rows = (struct dmarc_report_row *)(void *)r->rows.items;
    r->report.rows_n = r->rows.n;
    r->report.errors = (struct slice *)(void *)r->errors.items;
    r->report.errors_n = r->errors.n;
    *out = r->report;
    return true;
}

bool dmarc_report_read(struct slice xml, struct arena *arena, struct dmarc_report *out, struct err *e) {
    struct reader r = {.parser = XML_ParserCreate(NULL), .arena = arena, .text = {.max = DMARC_REPORT_TEXT_MAX}};
    if (xml.n > DMARC_REPORT_XML_MAX || !r.parser) {
        XML_ParserFree(r.parser);
        return err_set(e, r.parser ? ERR_PERMANENT : ERR_TEMPORARY, "it is too large");
    }
    bool ok = parse(&r, skip_blank_lines(xml), e) && finish(&r, out, e);
    XML_ParserFree(r.parser);
    buf_done(&r.text);
    return ok;
}
