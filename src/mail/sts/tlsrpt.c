// tlsrpt: its fields, and the URIs of rua.
#include "mail/sts/tlsrpt.h"

#include "mail/dmarc/report_uri.h"
#include "mail/sts/sts_fields.h"

static bool mailbox_ok(struct slice uri) {
    ARENA_AUTO struct arena arena = {.max = 16 * 1024};
    struct slice mailbox;
    return report_uri_mailbox(uri, &arena, &mailbox);
}

// RFC 8460 3: reports are posted to its host.
static bool has_host(struct slice uri) {
    struct slice rest = slice_from(uri, 6);
    return slice_starts(rest, SLICE("//")) && rest.n > 2 && !strchr("/?#:", rest.p[2]);
}

static bool add_uri(const struct sts_fields *f, struct slice uri, struct tlsrpt_record *r, struct err *e) {
    const char *at = uri.p;
    uri = slice_trim(uri);
    bool mail = report_uri_is_mail(uri), web = slice_istarts(uri, SLICE("https:"));
    if (!report_uri_ok(uri))
        return sts_fields_wrong(f->text, uri.n ? uri.p : at, e, "this is no URI");
    if (mail && !mailbox_ok(uri))
        return sts_fields_wrong(f->text, uri.p, e, "this is no mailto: URI with an address");
    if (web && !has_host(uri))
        return sts_fields_wrong(f->text, uri.p, e, "this is no https: URI with a host");
    if ((mail || web) && r->rua_n < TLSRPT_URIS_MAX)
        r->rua[r->rua_n++] = uri;
    return true;
}

static bool read_rua(const struct sts_fields *f, struct slice value, struct tlsrpt_record *r, struct err *e) {
    struct slice one;
    bool more = true;
    while (more) {
        more = slice_cut(value, ',', &one, &value);
        if (!add_uri(f, one, r, e))
            return false;
    }
    return true;
}

bool tlsrpt_record_parse(struct slice text, struct tlsrpt_record *out, struct err *e) {
    struct sts_fields fields;
    struct sts_field f;
    struct tlsrpt_record r = {.rua_n = 0};
    struct err wrong = {0};
    bool has_rua = false;
    if (!sts_fields_begin(text, "v=TLSRPTv1", &fields, e))
        return false;
    while (sts_fields_next(&fields, &f, &wrong)) {
        bool is_rua = slice_eq(f.name, SLICE("rua"));
        if (is_rua ? !read_rua(&fields, f.value, &r, e) : !sts_fields_check_value(&fields, &f, e))
            return false;
        has_rua |= is_rua;
    }
    if (wrong.text[0]) {
        if (e)
            *e = wrong;
        return false;
    }
    if (!has_rua)
        return sts_fields_wrong(text, NULL, e, "rua= is missing");
    *out = r;
    return true;
}
