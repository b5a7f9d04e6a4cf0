// config_test: what is accepted and how it comes out, the effective form, and every mistake at its place.
#include "core/config/config_test_parse.h"

static const char full[] =
    "version   1\n"
    "hostname  MX1.example.org\n"
    "state     /var/lib/posthouse          # default: state\n"
    "control   /run/posthouse/control.sock\n"
    "user      posthouse\n"
    "listen mx    127.0.0.1:2525\n"
    "listen mx    [::1]:25; listen http  127.0.0.1:8025\n"
    "tls certificate /etc/posthouse/cert.pem key \"/etc/a \\\"b\\\" \\\\.pem\"\n"
    "tls out never\n"
    "domain Example.ORG {\n"
    "    recipients users + aliases\n"
    "    deliver    maildir \"mail/{domain}/{local}\"\n"
    "    tag        \"-\"\n"
    "}\n"
    "domain example.net { recipients any; deliver relay }\n"
    "domain example.com { recipients staff; tag off; deliver maildir /m }\n"
    "table users   file    users\n"
    "table aliases aliases /etc/aliases\n"
    "table staff   inline { \"alice\"  \"sales = alice, bob\" }\n"
    "relay from 10.0.0.0/8 192.0.2.7 2001:db8::/32\n"
    "route example.edu   via 192.0.2.25:2525\n"
    "route .corp.example via Hub.corp.example\n"
    "route v6.example    via [2001:db8::1]:26\n"
    "route bare.example  via 2001:db8::1\n"
    "route slow.example  hold\n"
    "route *             via mx port 2526\n"
    "content line-ends repair\n"
    "resolver forward 127.0.0.1:5353 ::1\n"
    "resolver dnssec off\n"
    "resolver trust-anchors anchors\n"
    "log json\n"
    "workers smtpd 2 relay 3\n"
    "limit { sessions 10; sessions-per-client 9; messages-per-session 8; recipients 100; message-size 1M;\n"
    "    header-size 64K; command-line 512; errors 7; hops 40 }\n"
    "timeout { command 1m; data-block 250ms; connect 3s; greeting 1h; mail 4s; rcpt 5s; data-init 6s; data-send 7s\n"
    "    data-end 8s }\n"
    "queue { retry 1s .. 2m; expire 1d; concurrency 2 .. 3; attempts 4; segment 1M; reserve 0 }\n";

static void test_full(void **state) {
    struct config *c = parse(full);
    assert_slice(c->hostname, "mx1.example.org");
    assert_slice(c->certificates[0].key, "/etc/a \"b\" \\.pem");
    assert_int_equal(c->tls_out, CONFIG_TLS_OUT_NEVER);
    assert_int_equal(c->listens_n, 3);
    assert_int_equal(c->listens[2].role, CONFIG_LISTEN_HTTP);
    assert_int_equal(c->listens[2].place.column, 24);
    assert_slice(c->tables[0].path, "/etc/posthouse/users");
    assert_slice(c->tables[2].text, "alice\nsales: alice, bob\n");
    assert_slice(c->domains[0].name, "example.org");
    assert_slice(c->domains[0].maildir, "/etc/posthouse/mail/{domain}/{local}");
    assert_int_equal(c->domains[0].tables_n, 2);
    assert_int_equal(c->domains[0].tag, '-');
    assert_true(c->domains[1].relayed && c->domains[1].any_recipient);
    assert_int_equal(c->domains[2].tag, 0);
    assert_int_equal(c->relay_from_n, 3);
    assert_int_equal(c->routes_n, 6);
    assert_slice(c->routes[1].host, "hub.corp.example");
    assert_int_equal(c->routes[2].port, 26);
    assert_int_equal(c->routes[3].port, 25);
    assert_int_equal(c->routes[5].port, 2526);
    assert_int_equal(c->forwarders[1].port, 53);
    assert_false(c->dnssec);
    assert_int_equal(c->relay_workers, 3);
    assert_int_equal(c->limits.message_size, 1 << 20);
    assert_int_equal(c->timeouts.data_block, 250);
    assert_int_equal(c->queue.retry_most, 120000);
    assert_int_equal(c->queue.concurrency_most, 3);
    config_free(c);
}

static void test_defaults(void **state) {
    struct config *c = parse("hostname mx.example.org\nlisten mx *:25");
    assert_slice(c->state, "/etc/posthouse/state");
    assert_slice(c->control, "/etc/posthouse/state/control.sock");
    assert_int_equal(c->line_ends, CONFIG_LINES_REFUSE);
    assert_int_equal(c->tls_out, CONFIG_TLS_OUT_MAY);
    assert_true(c->dnssec);
    assert_int_equal(c->relay_from_n, 0);
    assert_int_equal(c->routes_n, 1);
    assert_int_equal(c->routes[0].kind, CONFIG_ROUTE_MX);
    assert_int_equal(c->routes[0].place.line, 0);
    assert_int_equal(c->limits.message_size, 50 << 20);
    assert_int_equal(c->limits.command_line, 2048);
    assert_int_equal(c->timeouts.data_end, 600000);
    assert_int_equal(c->queue.expire, 5LL * 86400000);
    assert_int_equal(c->queue.segment_size, 128 << 20);
    assert_int_equal(c->smtpd_workers, 1);
    config_free(c);
}

static void effective(const char *text, struct buf *out) {
    struct config *c = parse(text);
    assert_true(config_write_effective(c, out));
    buf_add_char(out, '\0');
    config_free(c);
}

static void test_effective_is_stable(void **state) {
    const char *const texts[] = {full, "hostname a.b\nlisten mx *:25",
                                 "hostname a.b\nlisten mx *:25\nrelay from ::/0 yes-i-want-an-open-relay"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        BUF_AUTO struct buf once = {.max = 65536}, twice = {.max = 65536};
        effective(texts[i], &once);
        effective(once.p, &twice);
        assert_string_equal(once.p, twice.p);
    }
}

static void test_trusts(void **state) {
    struct config *c = parse(full);
    const struct {
        const char *address;
        bool trusted;
    } table[] = {{"10.1.2.3", true},    {"11.1.2.3", false},    {"192.0.2.7", true},      {"192.0.2.8", false},
                 {"2001:db8::1", true}, {"2001:db9::1", false}, {"::ffff:10.0.0.1", true}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct netaddr at;
        assert_true(netaddr_parse_ip(slice_str(table[i].address), &at));
        assert_int_equal(config_trusts(c, &at), table[i].trusted);
    }
    config_free(c);
}

// The first mistake of each text, as posthouse check prints it behind the file's name. H is what is always needed.
#define H "hostname mx.example.org; listen mx 127.0.0.1:25\n"
#define D "table users file users\ndomain a.example {\n"

static const struct {
    const char *text;
    const char *mistake;
} mistakes[] = {
    // characters and blocks
    {H "user \"x", "2:6: expected a closing quote on this line, found none"},
    {H "state \"a\\n\"", "2:9: expected \\\" or \\\\ in quotes, found \"\\\""},
    {H "state a\x01", "2:8: expected printable text, found \"\\x01\""},
    {H "limit { errors 5", "2:7: expected a closing \"}\" for this block, found the end of the file"},
    {H "}", "2:1: expected a directive, found \"}\" that closes nothing"},
    {H "{ x }", "2:1: expected a directive, found \"{\""},
    {H "limit { errors 5 } log text", "2:20: expected a new line or \";\" after \"}\", found \"log\""},
    {H "limit { errors 5 { a { b { c { d } } } } }", "2:18: expected the end of the directive, found \"{\""},
    {H "log text { }", "2:10: expected the end of the directive, found \"{\""},
    {H D "recipients any; deliver maildir /m/{local}\n}",
     "4:36: expected a space before \"{\", found none; a word that "
     "holds braces is written in quotes"},
    // names
    {H "lisen mx 127.0.0.1:26", "2:1: expected a directive, found \"lisen\"; did you mean \"listen\"?"},
    {H "frobnicate", "2:1: expected a directive, found \"frobnicate\""},
    {H "\xc3\xa9\xc3\xa9 ; logg text", "2:1: expected a directive, found \"\\xc3\\xa9\\xc3\\xa9\""},
    {H "log \xc3\xa9; logg text", "2:5: expected \"text\" or \"json\", found \"\\xc3\\xa9\""},
    {H "limit { erors 5 }", "2:9: expected a setting of \"limit\", found \"erors\"; did you mean \"errors\"?"},
    {H "limit", "2:6: expected a setting or \"{\", found the end of the directive"},
    {H "workers smtpd 1 rely 1", "2:17: expected a setting of \"workers\", found \"rely\"; did you mean \"relay\"?"},
    {H "content lineends refuse",
     "2:9: expected \"content line-ends\", found \"lineends\"; did you mean \"line-ends\"?"},
    {H "tls", "2:4: expected \"tls certificate\" or \"tls profile\" or \"tls client-ca\" or "
              "\"tls ca\" or \"tls ticket-life\" or \"tls out\", found the end of the directive"},
    {H "tls key k", "2:5: expected \"tls certificate\" or \"tls profile\" or \"tls client-ca\" or "
                    "\"tls ca\" or \"tls ticket-life\" or \"tls out\", found \"key\""},
    {H "tls certificate c", "2:18: expected \"key\", found the end of the directive"},
    {H "tls certificate c kye k", "2:19: expected \"key\", found \"kye\"; did you mean \"key\"?"},
    {H "log text; log text", "2:11: expected \"log\" once, found it again (first on line 2)"},
    {H "limit { hops 9 }\nlimit { hops 9 }", "3:9: expected \"hops\" once, found it again (first on line 2)"},
    // values
    {H "version 2", "2:9: expected a number from 1 to 1, found \"2\""},
    {H "log xml", "2:5: expected \"text\" or \"json\", found \"xml\""},
    {H "content line-ends repare",
     "2:19: expected \"refuse\" or \"repair\", found \"repare\"; did you mean \"repair\"?"},
    {H "resolver root-hints /h", "1:1: expected \"resolver recursive\" beside \"resolver root-hints\", found none"},
    {H "resolver dnssec maybe", "2:17: expected \"off\" or \"on\", found \"maybe\""},
    {H "limit { recipients 99 }", "2:20: expected a number from 100 to 10000, found \"99\""},
    {H "limit { command-line 511 }", "2:22: expected a size from 512 to 16K, found \"511\""},
    {H "limit { message-size 50X }", "2:22: expected a size from 64K to 4G, found \"50X\""},
    {H "limit { message-size }", "2:22: expected a size from 64K to 4G, found the end of the directive"},
    {H "timeout { command 5 }", "2:19: expected a time from 10ms to 1d, found \"5\""},
    {H "timeout { command 2d }", "2:19: expected a time from 10ms to 1d, found \"2d\""},
    {H "timeout { command 99999999999999999999s }",
     "2:19: expected a time from 10ms to 1d, found \"99999999999999999999s\""},
    {H "timeout { command 5m 6m }", "2:22: expected the end of the directive, found \"6m\""},
    {H "queue { retry 5m - 4h }", "2:18: expected \"..\", found \"-\""},
    {H "queue { retry 5m .. 4m }", "2:21: expected an upper end that is not below the lower one, found \"4m\""},
    {H "queue { concurrency 5 }", "2:23: expected \"..\", found the end of the directive"},
    {H "state \"\"", "2:7: expected a path, found \"\""},
    {H "table t file /t\nsenders t", "3:9: expected a table of kind aliases or inline, found \"t\""},
    {H "senders t", "2:9: expected the name of a table, found \"t\""},
    {H "user -x", "2:6: expected a user's name, found \"-x\""},
    // the server
    {"listen mx *:25", "1:1: expected a \"hostname\" directive, found none"},
    {"hostname a.b", "1:1: expected at least one \"listen\" directive, found none"},
    {"hostname localhost\nlisten mx *:25",
     "1:10: expected a fully qualified host name such as mx1.example.org, found \"localhost\""},
    {"hostname 192.0.2.1\nlisten mx *:25",
     "1:10: expected a fully qualified host name such as mx1.example.org, found \"192.0.2.1\""},
    {"hostname a..b\nlisten mx *:25",
     "1:10: expected a fully qualified host name such as mx1.example.org, found \"a..b\""},
    {H "listen mx localhost:25",
     "2:11: expected an address and a port such as 127.0.0.1:25, [::1]:25 or *:25, found \"localhost:25\""},
    {H "listen mx 127.0.0.1:0",
     "2:11: expected an address and a port such as 127.0.0.1:25, [::1]:25 or *:25, found \"127.0.0.1:0\""},
    {H "listen smtp *:25", "2:8: expected \"mx\", \"http\" or \"submission\", found \"smtp\""},
    {H "listen http 192.0.2.1:80", "2:13: expected a loopback address for http, found \"192.0.2.1:80\""},
    {H "listen http *:80", "2:13: expected a loopback address for http, found \"*:80\""},
    {H "listen http 127.0.0.1:25",
     "2:13: expected each address and port once, found \"127.0.0.1:25\" again (first on line 1)"},
    {H "resolver forward", "2:17: expected an address of a server such as 192.0.2.53 or 127.0.0.1:5353, found the end "
                           "of the directive"},
    {H "resolver forward dns.example",
     "2:18: expected an address of a server such as 192.0.2.53 or 127.0.0.1:5353, found \"dns.example\""},
    {H "resolver systm", "2:10: expected \"system\", \"forward\" or \"recursive\", found \"systm\"; did you mean "
                         "\"system\"?"},
    // open relays
    {H "relay from 0.0.0.0/0", "2:12: expected a network no wider than /8 (IPv6: /16), found \"0.0.0.0/0\": that is an "
                               "open relay; who wants one adds yes-i-want-an-open-relay"},
    {H "relay from ::/0", "2:12: expected a network no wider than /8 (IPv6: /16), found \"::/0\": that is an open "
                          "relay; who wants one adds yes-i-want-an-open-relay"},
    {H "relay from 10.0.0.0/8 128.0.0.0/1 0.0.0.0/1",
     "2:23: expected a network no wider than /8 (IPv6: /16), found \"128.0.0.0/1\": that is an open relay; who wants "
     "one adds yes-i-want-an-open-relay"},
    {H "relay from 10.0.0.0/7", "2:12: expected a network no wider than /8 (IPv6: /16), found \"10.0.0.0/7\": that is "
                                "an open relay; who wants one adds yes-i-want-an-open-relay"},
    {H "relay from 1.0.0.0/8 2.0.0.0/8 3.0.0.0/8 4.0.0.0/8 5.0.0.0/8 6.0.0.0/8 7.0.0.0/8 8.0.0.0/8 9.0.0.0/8\n"
       "relay from 10.0.0.0/8 11.0.0.0/8 12.0.0.0/8 13.0.0.0/8 14.0.0.0/8 15.0.0.0/8 16.0.0.0/8",
     "1:1: expected \"relay from\" to name our own networks, found so many that together they are an open relay; who "
     "wants one adds yes-i-want-an-open-relay"},
    {H "relay from example.org",
     "2:12: expected a network such as 192.0.2.0/24 or 2001:db8::/32, found \"example.org\""},
    {H "relay from 10.0.0.1/8", "2:12: expected a network such as 192.0.2.0/24 or 2001:db8::/32, found \"10.0.0.1/8\""},
    {H "relay from", "2:11: expected a network such as 192.0.2.0/24 or 2001:db8::/32, found the end of the directive"},
    {H "relay 10.0.0.0/8", "2:7: expected \"relay from\", found \"10.0.0.0/8\""},
    {H "domain * { recipients any; deliver relay }",
     "2:8: expected a domain, found \"*\": taking mail for every domain is an open relay"},
    // tables
    {H "table any file x", "2:7: expected a name of letters, digits, - and _ (any is taken), found \"any\""},
    {H "table a file x\ntable a file y", "3:7: expected a new name for a table, found \"a\" again (first on line 2)"},
    {H "table a fil x",
     "2:9: expected \"file\", \"aliases\", \"inline\", \"cidr\" or \"regex\", found \"fil\"; did you mean \"file\"?"},
    {H "table a file", "2:13: expected a path, found the end of the directive"},
    {H "table a inline x", "2:16: expected \"{\", found \"x\""},
    {H "table a inline", "2:15: expected a block of entries, found the end of the directive"},
    {H "table a inline { \"x =\" }", "2:18: expected a name, or \"name = target, target\", found \"x =\""},
    // domains
    {H "domain a_b.example { recipients any; deliver relay }",
     "2:8: expected a domain (in other scripts as xn--... A-labels), found \"a_b.example\""},
    {H "domain a.example { deliver relay }", "2:1: expected \"recipients\" in domain \"a.example\", found none"},
    {H "domain a.example { recipients any }", "2:1: expected \"deliver\" in domain \"a.example\", found none"},
    {H "domain a.example", "2:1: expected \"recipients\" in domain \"a.example\", found none"},
    {H D "recipients user\ndeliver relay }",
     "4:12: expected the name of a table, found \"user\"; did you mean \"users\"?"},
    {H D "recipients users + users\ndeliver relay }", "4:20: expected each table once, found \"users\""},
    {H D "recipients users users\ndeliver relay }", "4:18: expected \"+\", found \"users\""},
    {H D "recipients users +\ndeliver relay }",
     "4:19: expected the name of a table, or any, found the end of the directive"},
    {H D "recipients any + users\ndeliver relay }", "4:16: expected the end of the directive, found \"+\""},
    {H D "recipients any\ndeliver mbox /x }", "5:9: expected \"maildir\" or \"relay\", found \"mbox\""},
    {H D "recipients any\ndeliver maildir \"/m/{user}\" }",
     "5:17: expected {domain} or {local} in braces, found \"user\""},
    {H D "recipients any\ndeliver maildir \"/m/{locl}\" }",
     "5:17: expected {domain} or {local} in braces, found \"locl\"; did you mean \"local\"?"},
    {H D "recipients any\ndeliver relay\ntag \"++\" }",
     "6:5: expected one character such as \"+\" or \"-\", or off, found \"++\""},
    {H D "recipients any; deliver relay }\n" D "recipients any; deliver relay }",
     "5:7: expected a new name for a table, found \"users\" again (first on line 2)"},
    {H "domain a.example { recipients any; deliver relay }\ndomain A.example { recipients any; deliver relay }",
     "3:1: expected each domain once, found \"a.example\" again (first on line 2)"},
    {H D "recipients any\nrecipients any\ndeliver relay }",
     "5:1: expected \"recipients\" once, found it again (first on line 4)"},
    // routes
    {H "route * through x", "2:9: expected \"via\" or \"hold\", found \"through\""},
    {H "route a@b hold", "2:7: expected a domain, .domain for all below it, or *, found \"a@b\""},
    {H "route * via", "2:12: expected mx, or a host's name or address with or without a port, found the end of the "
                      "directive"},
    {H "route * via hub.example:0",
     "2:13: expected mx, or a host's name or address with or without a port, found \"hub.example:0\""},
    {H "route * via 192.0.2.300",
     "2:13: expected mx, or a host's name or address with or without a port, found \"192.0.2.300\""},
    {H "route * via *:25", "2:13: expected mx, or a host's name or address with or without a port, found \"*:25\""},
    {H "route * via mx 2526", "2:16: expected \"port\", found \"2526\""},
    {H "route * via mx port 70000", "2:21: expected a port from 1 to 65535, found \"70000\""},
    {H "route a.b hold\nroute a.b hold",
     "3:1: expected one route for each domain, found \"a.b\" again (first on line 2)"},
    {H "route * via 127.0.0.1:25",
     "2:1: expected another server, found a route to ourselves: mail would go in circles"},
    {H "route * via mx.example.org",
     "2:1: expected another server, found a route to ourselves: mail would go in circles"},
    {H "listen mx *:2525\nroute * via [::1]:2525",
     "3:1: expected another server, found a route to ourselves: mail would go in circles"},
    {H "route * via 0.0.0.0:25", "2:1: expected another server, found a route to ourselves: mail would go in circles"},
    {H "domain a.b { recipients any; deliver maildir /m }\nroute a.b hold",
     "3:1: expected a domain of others, found \"a.b\", which is delivered here (line 2)"},
};

static void test_mistakes(void **state) {
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct config_report report;
        struct config *c = config_parse(slice_str(mistakes[i].text), SLICE("/d"), &report);
        char shown[1024] = "none";
        if (report.n)
            snprintf(shown, sizeof shown, "%u:%u: %.*s", report.mistakes[0].place.line, report.mistakes[0].place.column,
                     SLICE_ARG(report.mistakes[0].text));
        if (c || strcmp(shown, mistakes[i].mistake) != 0) {
            print_message("text:   %s\nwanted: %s\ngot:    %s\n\n", mistakes[i].text, mistakes[i].mistake, shown);
            wrong++;
        }
        config_free(c);
        config_report_done(&report);
    }
    assert_int_equal(wrong, 0);
}

static void test_accepted(void **state) {
    const char *const texts[] = {
        H "relay from 127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/16 fe80::/16",
        H "relay from 0.0.0.0/0 ::/0 yes-i-want-an-open-relay",
        H "domain a.b { recipients any; deliver relay }\nroute a.b via 127.0.0.1:26",
        H "domain a.b {\r\n recipients any\r\n deliver relay\r\n}\r\n",
        "\xef\xbb\xbf" H,
        H "route * via hub.example port 26",
        H "limit errors 5 hops 20\nlimit recipients 500",
        H "timeout command 1000ms",
        H "resolver recursive\nresolver root-hints hints\nresolver trust-anchors /a",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        config_free(parse(texts[i]));
}

static void test_at_most_twenty(void **state) {
    char text[1000];
    struct config_report report;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? '\n' : 'x';
    assert_null(config_parse(slice_of(text, sizeof text), SLICE("/d"), &report));
    assert_int_equal(report.n, 20);
    assert_int_equal(report.mistakes[19].place.line, 20);
    config_report_done(&report);
}

static void test_too_long(void **state) {
    struct config_report report;
    size_t n = (1 << 20) + 1;
    char *text = test_calloc(1, n);
    assert_null(config_parse(slice_of(text, n), SLICE("/d"), &report));
    assert_int_equal(report.n, 1);
    config_report_done(&report);
    test_free(text);
}

// Whatever it is cut to, it is either accepted or has a mistake.
static void test_cut_anywhere(void **state) {
    for (size_t n = 0; n < sizeof full; n++) {
        struct config_report report;
        struct config *c = config_parse(slice_of(full, n), SLICE("/d"), &report);
        assert_true((c != NULL) == (report.n == 0));
        config_free(c);
        config_report_done(&report);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),           cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_accepted),       cmocka_unit_test(test_effective_is_stable),
        cmocka_unit_test(test_trusts),         cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_at_most_twenty), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
