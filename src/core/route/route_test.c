// route_test: which directive decides, and under which name the mail waits.
#include "core/route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define BASE                                                                                                           \
    "hostname mx.example.org; listen mx 127.0.0.1:25\n"                                                                \
    "domain here.example { recipients any; deliver maildir /m }\n"                                                     \
    "domain backup.example { recipients any; deliver relay }\n"                                                        \
    "domain hub.example { recipients any; deliver relay }\n"

static const char routes[] = BASE "route hub.example via 192.0.2.25:2525\n"
                                  "route .corp.example via hub.corp.example\n"
                                  "route deep.corp.example via [2001:db8::1]:26\n"
                                  "route .a.corp.example hold\n"
                                  "route slow.example hold\n"
                                  "route via.example via mx port 2526\n";

static struct config *parse(const char *text) {
    struct config_report report;
    struct config *c = config_parse(slice_str(text), SLICE("/d"), &report);
    config_report_done(&report);
    assert_non_null(c);
    return c;
}

struct row {
    const char *domain;
    enum route_kind kind;
    uint32_t line; // of the directive that decides
    const char *destination;
};

static void check_by(struct route (*find)(const struct config *c, struct slice domain), const char *text,
                     const struct row *rows, size_t n) {
    struct config *c = parse(text);
    ARENA_AUTO struct arena arena = {.max = 65536};
    for (size_t i = 0; i < n; i++) {
        struct route route = find(c, slice_str(rows[i].domain));
        struct slice name = route_destination(&arena, &route);
        print_message("%s -> %.*s\n", rows[i].domain, SLICE_ARG(name));
        assert_int_equal(route.kind, rows[i].kind);
        assert_int_equal(route.place->line, rows[i].line);
        assert_string_equal(name.p, rows[i].destination);
    }
    config_free(c);
}

static void check(const char *text, const struct row *rows, size_t n) { check_by(route_for, text, rows, n); }

static void test_routes(void **state) {
    static const struct row rows[] = {
        {"here.example", ROUTE_DELIVER, 2, "deliver:here.example"},
        {"HERE.Example.", ROUTE_DELIVER, 2, "deliver:here.example"},
        {"sub.here.example", ROUTE_MX, 0, "relay:sub.here.example"},
        {"backup.example", ROUTE_MX, 0, "relay:backup.example"},
        {"Hub.example", ROUTE_HOST, 5, "relay:[192.0.2.25]:2525"},
        {"corp.example", ROUTE_MX, 0, "relay:corp.example"},
        {"x.corp.example", ROUTE_HOST, 6, "relay:[hub.corp.example]:25"},
        {"xcorp.example", ROUTE_MX, 0, "relay:xcorp.example"},
        {"y.x.corp.example", ROUTE_HOST, 6, "relay:[hub.corp.example]:25"},
        {"deep.corp.example", ROUTE_HOST, 7, "relay:[2001:db8::1]:26"},
        {"b.a.corp.example", ROUTE_HOLD, 8, "hold:b.a.corp.example"},
        {"a.corp.example", ROUTE_HOST, 6, "relay:[hub.corp.example]:25"},
        {"SLOW.example", ROUTE_HOLD, 9, "hold:slow.example"},
        {"via.example", ROUTE_MX, 10, "relay:via.example:2526"},
        {"Other.Example", ROUTE_MX, 0, "relay:other.example"},
        {"_under.example", ROUTE_MX, 0, "relay:_under.example"},
        {"[192.0.2.1]", ROUTE_HOST, 0, "relay:[192.0.2.1]:25"},
        {"[IPv6:2001:DB8::2]", ROUTE_HOST, 0, "relay:[2001:db8::2]:25"},
        {"[2001:db8::2]", ROUTE_BAD, 0, "bad:[2001:db8::2]"},
        {"[IPv6:192.0.2.1]", ROUTE_BAD, 0, "bad:[ipv6:192.0.2.1]"},
        {"[here.example]", ROUTE_BAD, 0, "bad:[here.example]"},
        {"[192.0.2.1", ROUTE_BAD, 0, "bad:[192.0.2.1"},
        {"", ROUTE_BAD, 0, "bad:"},
        {".", ROUTE_BAD, 0, "bad:."},
        {"a..b", ROUTE_BAD, 0, "bad:a..b"},
        {"*", ROUTE_BAD, 0, "bad:*"},
        {".corp.example", ROUTE_BAD, 0, "bad:.corp.example"},
        {"a b", ROUTE_BAD, 0, "bad:a b"},
    };
    check(routes, rows, sizeof rows / sizeof *rows);
}

static void test_everything_elsewhere(void **state) {
    static const struct row smart[] = {
        {"here.example", ROUTE_DELIVER, 2, "deliver:here.example"},
        {"other.example", ROUTE_HOST, 5, "relay:[192.0.2.9]:25"},
        {"[192.0.2.1]", ROUTE_HOST, 5, "relay:[192.0.2.9]:25"},
    };
    check(BASE "route * via 192.0.2.9", smart, sizeof smart / sizeof *smart);
    static const struct row port[] = {
        {"other.example", ROUTE_MX, 5, "relay:other.example:2526"},
        {"[192.0.2.1]", ROUTE_HOST, 5, "relay:[192.0.2.1]:2526"},
    };
    check(BASE "route * via mx port 2526", port, sizeof port / sizeof *port);
    static const struct row hold[] = {{"[192.0.2.1]", ROUTE_HOLD, 5, "hold:[192.0.2.1]"}};
    check(BASE "route * hold", hold, sizeof hold / sizeof *hold);
}

static void test_released(void **state) {
    static const struct row rows[] = {
        {"b.a.corp.example", ROUTE_HOST, 6, "relay:[hub.corp.example]:25"}, // the next best route
        {"slow.example", ROUTE_MX, 0, "relay:slow.example"},
        {"hub.example", ROUTE_HOST, 5, "relay:[192.0.2.25]:2525"},
        {"here.example", ROUTE_DELIVER, 2, "deliver:here.example"},
    };
    check_by(route_released, routes, rows, sizeof rows / sizeof *rows);
    static const struct row all[] = {
        {"other.example", ROUTE_MX, 0, "relay:other.example"},
        {"[192.0.2.1]", ROUTE_HOST, 0, "relay:[192.0.2.1]:25"},
    };
    check_by(route_released, BASE "route * hold", all, sizeof all / sizeof *all);
}

static void test_local(void **state) {
    struct config *c = parse(routes);
    assert_ptr_equal(route_is_local(c, SLICE("HERE.example")), &c->domains[0]);
    assert_ptr_equal(route_is_local(c, SLICE("backup.example.")), &c->domains[1]);
    assert_null(route_is_local(c, SLICE("sub.here.example")));
    assert_null(route_is_local(c, SLICE("")));
    assert_null(route_is_local(c, SLICE("[127.0.0.1]")));
    struct route relayed = route_for(c, SLICE("backup.example"));
    assert_ptr_equal(relayed.domain, &c->domains[1]);
    config_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_everything_elsewhere),
        cmocka_unit_test(test_released),
        cmocka_unit_test(test_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
