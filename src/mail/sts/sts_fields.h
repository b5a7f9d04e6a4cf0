// sts_fields: lists of fields as MTA-STS (RFC 8461 3.1) and TLSRPT (RFC 8460 3) records have them: "v=...;
// name=value;".
#pragma once

#include "base/err.h"

struct sts_field {
    struct slice name, value; // the value as it stands, without white space around
};

struct sts_fields {
    struct slice text, rest;
};

// `version`: "v=STSv1". False, and "column N: ...", where the text doesn't begin with it and a semicolon.
MUST_CHECK bool sts_fields_begin(struct slice text, const char *version, struct sts_fields *out, struct err *e);

// The next field; false at the end, or with `e` filled where there is none.
bool sts_fields_next(struct sts_fields *f, struct sts_field *out, struct err *e);

// Of an unknown field's value (sts-ext-value): printing, without "=" and ";". False with `e` filled.
MUST_CHECK bool sts_fields_check_value(const struct sts_fields *f, const struct sts_field *field, struct err *e);

// A letter or digit, then up to 31 of these, "_", "-" and ".".
bool sts_fields_name_ok(struct slice name);

// "column N: why", for a place in `text`. Returns false.
bool sts_fields_wrong(struct slice text, const char *at, struct err *e, const char *why);
