// mta_sts: the record, and the policy line by line.
#include "mail/sts/mta_sts.h"

#include "base/num.h"
#include "mail/address.h"
#include "mail/sts/sts_fields.h"


static const char version[] = "v=STSv1";

// --- the record

static bool check_id(const struct sts_fields *f, struct slice id, struct err *e) {
    if (id.n > MTA_STS_ID_MAX)
        return sts_fields_wrong(f->text, id.p + MTA_STS_ID_MAX, e, "an id has up to 32 letters and digits");
    for (size_t i = 0; i < id.n; i++)
        if (!ascii_alnum(id.p[i]))
            return sts_fields_wrong(f->text, id.p + i, e, "an id has letters and digits only");
    return true;
}

bool mta_sts_record_parse(struct slice text, struct mta_sts_record *out, struct err *e) {
    struct sts_fields fields;
    struct sts_field f;
    struct mta_sts_record r = {0};
    struct err wrong = {0};
    if (!sts_fields_begin(text, version, &fields, e))
        return false;
    while (sts_fields_next(&fields, &f, &wrong)) {
        bool is_id = slice_eq(f.name, SLICE("id"));
        if (is_id && r.id.n)
            return sts_fields_wrong(text, f.name.p, e, "id= comes twice");
        if (is_id ? !check_id(&fields, f.value, e) : !sts_fields_check_value(&fields, &f, e))
            return false;
        if (is_id)
            r.id = f.value;
    }
    if (wrong.text[0]) {
        if (e)
            *e = wrong;
        return false;
    }
    if (r.id.n == 0)
        return sts_fields_wrong(text, NULL, e, "id= is missing");
    *out = r;
    return true;
}

// --- the policy

static const char *const modes[] = {"none", "testing", "enforce"};

const char *mta_sts_mode_name(enum mta_sts_mode m) { return modes[m]; }

struct reader {
    struct mta_sts_policy p;
    bool has_version, has_mode, has_age;
    size_t line;
    struct slice text; // of the line
    struct err *e;
};

static bool wrong(struct reader *r, const char *at, const char *why) {
    return err_set(r->e, ERR_PERMANENT, "line %zu, column %zu: %s", r->line, (size_t)(at - r->text.p) + 1, why);
}

static bool read_mode(struct reader *r, struct slice value) {
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (slice_eq(value, slice_str(modes[i]))) {
            r->p.mode = (enum mta_sts_mode)i;
            return r->has_mode = true;
        }
    return wrong(r, value.p, "a mode is enforce, testing or none");
}

static bool read_age(struct reader *r, struct slice value) {
    uint64_t age;
    if (value.n > 10 || !num_u64(value, UINT32_MAX, &age))
        return wrong(r, value.p, "max_age is a number of seconds, of up to ten digits");
    if (age > MTA_STS_AGE_MAX)
        return wrong(r, value.p, "max_age is at most 31557600, a year");
    r->p.max_age = (uint32_t)age;
    return r->has_age = true;
}

static bool read_mx(struct reader *r, struct slice value) {
    struct slice name = slice_starts(value, SLICE("*.")) ? slice_from(value, 2) : value;
    if (!address_domain_ok(name))
        return wrong(r, value.p, "an mx is a host's name, or *. and a domain");
    if (r->p.mx_n == MTA_STS_MX_MAX)
        return wrong(r, value.p, "there are more than 100 mx");
    r->p.mx[r->p.mx_n++] = value;
    return true;
}

static bool read_version(struct reader *r, struct slice value) {
    if (!slice_eq(value, SLICE("STSv1")))
        return wrong(r, value.p, "the version is STSv1");
    return r->has_version = true;
}

static bool check_extension(struct reader *r, struct slice name, struct slice value) {
    if (!sts_fields_name_ok(name))
        return wrong(r, name.p, "a field's name has up to 32 letters, digits, _, - and .");
    for (size_t i = 0; i < value.n; i++)
        if ((uint8_t)value.p[i] < ' ' || value.p[i] == 0x7f)
            return wrong(r, value.p + i, "this can't stand in a value");
    return true;
}

// A field that comes again is passed over, but for mx (RFC 8461 3.2).
static bool read_field(struct reader *r, struct slice name, struct slice value) {
    if (value.n == 0)
        return wrong(r, name.p, "a value is missing");
    if (slice_eq(name, SLICE("version")))
        return r->has_version || read_version(r, value);
    if (slice_eq(name, SLICE("mode")))
        return r->has_mode || read_mode(r, value);
    if (slice_eq(name, SLICE("max_age")))
        return r->has_age || read_age(r, value);
    if (slice_eq(name, SLICE("mx")))
        return read_mx(r, value);
    return check_extension(r, name, value);
}

static bool read_line(struct reader *r) {
    struct slice name, value;
    if (!slice_cut(r->text, ':', &name, &value))
        return wrong(r, r->text.p, "a field and : are wanted here");
    return read_field(r, name, slice_trim(value));
}

static bool is_whole(struct reader *r) {
    const char *why = !r->has_version                           ? "version: STSv1 is missing"
                      : !r->has_mode                            ? "mode: is missing"
                      : !r->has_age                             ? "max_age: is missing"
                      : r->p.mode != MTA_STS_NONE && !r->p.mx_n ? "mx: is missing"
                                                                : NULL;
    return !why || wrong(r, r->text.p + r->text.n, why);
}

bool mta_sts_policy_parse(struct slice text, struct mta_sts_policy *out, struct err *e) {
    struct reader r = {.e = e, .text = slice_of("", 0)};
    if (text.n > MTA_STS_POLICY_MAX)
        return err_set(e, ERR_PERMANENT, "line 1, column 1: a policy has at most 65536 bytes");
    while (text.n) {
        struct slice line;
        slice_cut(text, '\n', &line, &text);
        if (slice_ends(line, SLICE("\r")))
            line.n--;
        r.line++;
        r.text = line;
        if (!read_line(&r))
            return false;
    }
    if (!is_whole(&r))
        return false;
    *out = r.p;
    return true;
}
