// config_value: settings of the simple types, from and to their written form.
#pragma once

#include "base/buf.h"
#include "core/config/config_schema.h"

// One word of a COUNT, SIZE, TIME, CHOICE or SWITCH (or of one end of a range), within the directive's bounds.
bool config_value_parse(const struct config_directive *d, struct slice word, uint64_t *out);

// What was expected, for people: "a size from 64K to 1G". The words are in `text`.
void config_value_expected(const struct config_directive *d, char *text, size_t n);

bool config_value_write(struct buf *b, const struct config_directive *d, uint64_t value);

// A setting's place in the configuration; `second` is the upper end of a range.
void config_value_store(struct config *c, const struct config_directive *d, bool second, uint64_t value);
uint64_t config_value_load(const struct config *c, const struct config_directive *d, bool second);
