// config_test_parse: what the tests of the configuration share.
#pragma once

#include "core/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static inline struct config *parse(const char *text) {
    struct config_report report;
    struct config *c = config_parse(slice_str(text), SLICE("/etc/posthouse"), &report);
    for (size_t i = 0; i < report.n; i++)
        print_message("%u:%u: %.*s\n", report.mistakes[i].place.line, report.mistakes[i].place.column,
                      SLICE_ARG(report.mistakes[i].text));
    config_report_done(&report);
    assert_non_null(c);
    return c;
}

static inline void assert_slice(struct slice s, const char *text) {
    char shown[256];
    snprintf(shown, sizeof shown, "%.*s", SLICE_ARG(s));
    assert_string_equal(shown, text);
}
