// sts_fields: cutting at semicolons.
#include "mail/sts/sts_fields.h"

bool sts_fields_wrong(struct slice text, const char *at, struct err *e, const char *why) {
    return err_set(e, ERR_PERMANENT, "column %zu: %s", at ? (size_t)(at - text.p) + 1 : text.n + 1, why);
}

bool sts_fields_name_ok(struct slice name) {
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_alnum(name.p[i]) && (i == 0 || !strchr("_-.", name.p[i])))
            return false;
    return name.n > 0 && name.n <= 32;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static struct slice trim(struct slice s) {
    while (s.n && is_blank(s.p[0]))
        s = slice_from(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool sts_fields_begin(struct slice text, const char *version, struct sts_fields *out, struct err *e) {
    struct slice first, rest, v = slice_str(version);
    bool more = slice_cut(text, ';', &first, &rest);
    while (first.n && is_blank(first.p[first.n - 1]))
        first.n--;
    if (!slice_eq(first, v))
        return err_set(e, ERR_PERMANENT, "column 1: a record begins with %s and a semicolon", version);
    if (!more)
        return err_set(e, ERR_PERMANENT, "column %zu: a semicolon and more is missing", text.n + 1);
    *out = (struct sts_fields){text, rest};
    return true;
}

bool sts_fields_next(struct sts_fields *f, struct sts_field *out, struct err *e) {
    struct slice whole, name, value;
    if (trim(f->rest).n == 0)
        return false;
    slice_cut(f->rest, ';', &whole, &f->rest);
    const char *at = trim(whole).n ? trim(whole).p : whole.p;
    if (!slice_cut(trim(whole), '=', &name, &value))
        return sts_fields_wrong(f->text, at, e, "a field and = are wanted here");
    if (!sts_fields_name_ok(name))
        return sts_fields_wrong(f->text, at, e, "a field's name has up to 32 letters, digits, _, - and .");
    if (value.n == 0)
        return sts_fields_wrong(f->text, name.p + name.n + 1, e, "a value is missing");
    *out = (struct sts_field){name, value};
    return true;
}

bool sts_fields_check_value(const struct sts_fields *f, const struct sts_field *field, struct err *e) {
    for (size_t i = 0; i < field->value.n; i++) {
        char c = field->value.p[i];
        if (c <= ' ' || c > '~' || c == '=')
            return sts_fields_wrong(f->text, field->value.p + i, e, "this can't stand in a value");
    }
    return true;
}
