// policy_ask: what lockout and guard share: a request with one name in it, and answers collected into a list.
#pragma once

#include "cmd/args.h"

#include <jansson.h>

// Asks {"do":DO, KEY:NAME, ...}; `name` NULL leaves it out, and `flag` (may be NULL) is set to true. The lines but the
// last go into `*lines`, an array; the last one into `*last`. Both are the
// caller's to json_decref. Gives an exit code.
int policy_ask(const struct args *a, const char *verb, const char *key, const char *name, const char *flag,
               json_t **lines, json_t **last);

// With --json: prints the lines and the last as they are.
void policy_print(const json_t *lines, const json_t *last);

const char *policy_text(const json_t *o, const char *key); // "" where there is none
json_int_t policy_number(const json_t *o, const char *key);

// The longest text of `key`, at least `least`, at most 60: a column's width.
int policy_width(const json_t *lines, const char *key, int least);

// Foreign text in a column.
void policy_column(const char *text, int width);
