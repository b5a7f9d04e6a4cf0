// config_report: collects mistakes while a configuration is read. Text of the file is shown cut and with everything
// that isn't printable escaped, so that a mistake is safe on a terminal and in a log.
#pragma once

#include "core/config/config.h"

enum { CONFIG_MISTAKES_MAX = 20 };

void config_report_start(struct config_report *r);

// Past CONFIG_MISTAKES_MAX a mistake is dropped; readers look at config_report_full() to stop early.
void config_report_add(struct config_report *r, struct config_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool config_report_full(const struct config_report *r) { return r->n >= CONFIG_MISTAKES_MAX; }

// `s` in quotes for people, in the report's arena.
struct slice config_report_quote(struct config_report *r, struct slice s);

// "expected EXPECTED, found "FOUND"; did you mean "NEAR"?"; the last part only where `near` is not NULL.
void config_report_word(struct config_report *r, struct config_place place, const char *expected, struct slice found,
                        const char *near);

// In the order of the text.
void config_report_sort(struct config_report *r);
