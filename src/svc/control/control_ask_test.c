// control_ask_test: requests as the command line sends them, and what must be refused.
#include "svc/control/control_ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ID "1F8K6Z7Q2M3NP"

static void takes_what_is_meant(void **state) {
    static const struct {
        const char *line;
        enum control_what what;
        bool id;
        const char *domain;
    } cases[] = {
        {"{\"do\":\"status\"}", CONTROL_STATUS, false, ""},
        {" {\"do\" : \"queue-list\"} ", CONTROL_QUEUE_LIST, false, ""},
        {"{\"do\":\"queue-show\",\"id\":\"" ID "\"}", CONTROL_QUEUE_SHOW, true, ""},
        {"{\"do\":\"queue-retry\",\"all\":true}", CONTROL_QUEUE_RETRY, false, ""},
        {"{\"do\":\"queue-delete\",\"domain\":\"example.com\"}", CONTROL_QUEUE_DELETE, false, "example.com"},
        {"{\"do\":\"reload\",\"later\":[1]}", CONTROL_RELOAD, false, ""},
        {"{\"do\":\"sender-list\"}", CONTROL_SENDER_LIST, false, ""},
        {"{\"do\":\"sender-clear\",\"what\":\"192.0.2.1\"}", CONTROL_SENDER_CLEAR, false, ""},
        {"{\"do\":\"sender-clear\",\"all\":true}", CONTROL_SENDER_CLEAR, false, ""},
        {"{\"do\":\"sender-block\",\"what\":\"192.0.2.0/24\"}", CONTROL_SENDER_BLOCK, false, ""},
        {"{\"do\":\"sender-allow\",\"what\":\"example.net\"}", CONTROL_SENDER_ALLOW, false, ""},
        {"{\"do\":\"lockout-list\"}", CONTROL_LOCKOUT_LIST, false, ""},
        {"{\"do\":\"lockout-clear\",\"what\":\"192.0.2.1\"}", CONTROL_LOCKOUT_CLEAR, false, ""},
        {"{\"do\":\"lockout-clear\",\"all\":true}", CONTROL_LOCKOUT_CLEAR, false, ""},
        {"{\"do\":\"guard-list\"}", CONTROL_GUARD_LIST, false, ""},
        {"{\"do\":\"guard-release\",\"user\":\"ann\"}", CONTROL_GUARD_RELEASE, false, ""},
        {"{\"do\":\"guard-block\",\"user\":\"ann\",\"delete\":true}", CONTROL_GUARD_BLOCK, false, ""},
        {"{\"do\":\"user-uses\",\"user\":\"ann\"}", CONTROL_USER_USES, false, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct control_ask ask;
        struct err e;
        assert_true(control_ask_parse(slice_str(cases[i].line), &ask, &e));
        assert_int_equal(ask.what, cases[i].what);
        assert_int_equal(ask.id != 0, cases[i].id);
        assert_string_equal(ask.domain, cases[i].domain);
    }
}

static void refuses_with_a_reason(void **state) {
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"", "one line with a JSON object"},
        {"[]", "one line with a JSON object"},
        {"{\"do\":\"status\"", "one line with a JSON object"},
        {"{\"do\":\"status\",\"do\":\"stop\"}", "one line with a JSON object"},
        {"{}", "is not known"},
        {"{\"do\":7}", "is not known"},
        {"{\"do\":\"dance\"}", "\"dance\" is not known"},
        {"{\"do\":\"queue-show\"}", "name one message"},
        {"{\"do\":\"queue-show\",\"all\":true}", "name one message"},
        {"{\"do\":\"queue-delete\"}", "name one message, a domain, or all"},
        {"{\"do\":\"queue-delete\",\"all\":false}", "name one message, a domain, or all"},
        {"{\"do\":\"queue-delete\",\"all\":true,\"domain\":\"a.example\"}", "name one message, a domain, or all"},
        {"{\"do\":\"queue-retry\",\"id\":\"xyz\"}", "\"xyz\" is no queue id"},
        {"{\"do\":\"sender-clear\"}", "name one address, network, domain or mailbox, or all"},
        {"{\"do\":\"sender-block\"}", "name one address or network"},
        {"{\"do\":\"sender-allow\",\"what\":\"\"}", "name one address or network"},
        {"{\"do\":\"lockout-clear\"}", "name one account, address or network, or all"},
        {"{\"do\":\"lockout-clear\",\"what\":\"ann\",\"all\":true}", "name one account, address or network, or all"},
        {"{\"do\":\"guard-release\"}", "name one user"},
        {"{\"do\":\"guard-block\",\"user\":\"\"}", "name one user"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct control_ask ask;
        struct err e = {0};
        assert_false(control_ask_parse(slice_str(cases[i].line), &ask, &e));
        assert_non_null(strstr(e.text, cases[i].why));
    }
}

static void depth_costs_no_stack(void **state) {
    enum { N = 4096 };
    char *deep = malloc(N);
    struct control_ask ask;
    struct err e;
    memset(deep, '[', N);
    assert_false(control_ask_parse(slice_of(deep, N), &ask, &e));
    free(deep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_meant),
        cmocka_unit_test(refuses_with_a_reason),
        cmocka_unit_test(depth_costs_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
