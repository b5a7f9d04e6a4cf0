// policy_ask: what lockout, guard and sender share: a request with one name in it, and its answer, shown as JSON or in
// words.
#pragma once

#include "cmd/args.h"

#include <jansson.h>

// Asks {"do":VERB, KEY:NAME, ...}; `name` NULL leaves it out, and `flag` (may be NULL) is set to true. `show` tells the
// lines but the last, an array, and the last. `*n` (may be NULL) is how much was found or changed. Gives an exit code.
int policy_ask(const struct args *a, const char *verb, const char *key, const char *name, const char *flag,
               void (*show)(const struct args *a, const json_t *lines, const json_t *last), json_int_t *n);

// COMMAND list [NAME].
int policy_list(const struct args *a, const char *command, const char *key,
                void (*show)(const struct args *a, const json_t *lines, const json_t *last));

// COMMAND clear NAME, or --all. `names` are what NAME may be.
int policy_clear(const struct args *a, const char *command, const char *names);

const char *policy_text(const json_t *o, const char *key); // "" where there is none
json_int_t policy_number(const json_t *o, const char *key);

// The longest text of `key`, at least `least`, at most 60: a column's width.
int policy_width(const json_t *lines, const char *key, int least);

// Foreign text in a column.
void policy_column(const char *text, int width);
