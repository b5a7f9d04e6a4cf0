// helo_test: names that clients give themselves.
#include "core/gate/helo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static const char text[] = "version 1\nhostname mx.example.org\nlisten mx 203.0.113.1:25\n"
                           "table people inline { \"alice\" }\n"
                           "domain example.org { recipients people; deliver maildir \"/m/{local}\" }\n";

// v: valid, q: qualified, l: literal, o: ours
static const struct {
    const char *name, *expected;
} cases[] = {
    {"mail.example.net", "vq"},
    {"MAIL.Example.NET", "vq"},
    {"mail.example.net.", "vq"},
    {"localhost", "v"},
    {"under_score.example.net", "vq"},
    {"b\xc3\xbc"
     "cher.example",
     "vq"},
    {"192.0.2.1", ""},
    {"example.123", ""},
    {"-x.example.net", ""},
    {"a..b", ""},
    {".", ""},
    {"", ""},
    {"a b", ""},
    {"user@example.net", ""},
    {"[192.0.2.1]", "vql"},
    {"[IPv6:2001:db8::1]", "vql"},
    {"[ipv6:2001:db8::1]", "vql"},
    {"[2001:db8::1]", ""},
    {"[IPv6:192.0.2.1]", ""},
    {"[192.0.2]", ""},
    {"[]", ""},
    {"[", ""},
    {"mx.example.org", "vqo"},
    {"MX.example.org.", "vqo"},
    {"example.org", "vqo"},
    {"sub.example.org", "vq"},
    {"[203.0.113.1]", "vqlo"},
    {"[203.0.113.2]", "vql"},
};

static void test_names(void **state) {
    struct config_report report = {0};
    struct config *c = config_parse(slice_str(text), SLICE("/"), &report);
    struct netaddr local;
    assert_non_null(c);
    assert_true(netaddr_parse_ip(SLICE("203.0.113.1"), &local));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct helo h = helo_look(c, slice_str(cases[i].name), &local);
        char found[8];
        snprintf(found, sizeof found, "%s%s%s%s", h.valid ? "v" : "", h.qualified ? "q" : "", h.literal ? "l" : "",
                 h.ours ? "o" : "");
        if (strcmp(found, cases[i].expected))
            fail_msg("\"%s\": \"%s\", not \"%s\"", cases[i].name, found, cases[i].expected);
    }
    config_free(c);
    config_report_done(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
