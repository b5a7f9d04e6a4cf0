// config_gate_test: what is said about strangers: how it comes out, the effective form, every mistake at its place.
#include "core/config/config_test_parse.h"
#include "core/config/config_warn.h"
#include "core/rules/rules.h"

#define H "hostname mx.example.org; listen mx 127.0.0.1:25\n"

static const char full[] =
    H "table friends inline { alice@example.net @example.com .example.edu 192.0.2.0/24 2001:db8::/32 }\n"
      "table bad cidr bad; table words regex /etc/words\n"
      "dnsbl Zen.example.org weight 5 codes 127.0.0.2 .. 127.0.0.11, 127.0.1.4\n"
      "dnsbl one.example.org codes 127.0.0.2, 127.0.0.3 .. 127.0.0.4 , 127.0.0.9 of sender\n"
      "dnswl white.example.org of helo weight 3\n"
      "rate messages by client 100 per hour\n"
      "rate errors by network 5 per second burst 50 except local\n"
      "checks { loopback on; greet-wait 0s; dns-time 3s }\n"
      "shutout { points 0; window 2h; time 1m .. 2d; tarpit 0s .. 1s }\n"
      "greylist { wait 1s; window 2d; keep 90d }\n"
      "dmarc monitor\n"
      "dmarc reports from dmarc@example.org { organisation \"Example, Inc.\"; every 6h }\n"
      "arc trust Lists.example.org fwd.example.net; arc trust third.example\n"
      "arc seal as example.org selector s1 key seal.pem\n"
      "policy recipient { ask rules unless client.ip in bad, 10.0.0.0/8; built-in }\n"
      "policy content { }\n"
      "filter sign milter unix:run/sign { for mx submission; connect 1s; reply 2s; content 3s; failure accept }\n"
      "filter rules delegation [::1]:10023 { for submission }\n"
      "history { size 0; days 7d }\n"
      "limit { memory 1G; queue-messages 0 }\n"
      "domain example.org { recipients any; deliver maildir /m; junk \".Spam.new\" }\n"
      "domain example.net { recipients any; deliver maildir /m; junk off }\n";

static void test_lists_and_rates(void **state) {
    struct config *c = parse(full);
    const struct config_gate *g = &c->gate;
    const uint8_t last[] = {127, 0, 0, 11};
    assert_int_equal(g->lists_n, 3);
    assert_slice(g->lists[0].zone, "zen.example.org");
    assert_int_equal(g->lists[0].weight, 5);
    assert_int_equal(g->lists[0].codes_n, 2);
    assert_memory_equal(g->lists[0].codes[0].last, last, 4);
    assert_int_equal(g->lists[0].line, 4);
    assert_int_equal(g->lists[1].codes_n, 3);
    assert_int_equal(g->lists[1].of, CONFIG_LIST_SENDER);
    assert_int_equal(g->lists[1].weight, 8);
    assert_true(g->lists[2].allow && !g->lists[1].allow);
    assert_int_equal(g->rates_n, 2);
    assert_int_equal(g->rates[0].burst, 100);
    assert_int_equal(g->rates[0].per, 3600000);
    assert_false(g->rates[0].built_in);
    assert_int_equal(g->rates[1].burst, 50);
    assert_true(g->rates[1].built_in);
    config_free(c);
}

static void test_rest(void **state) {
    struct config *c = parse(full);
    const struct config_gate *g = &c->gate;
    assert_true(g->checks.loopback);
    assert_int_equal(g->checks.dns_time, 3000);
    assert_int_equal(g->shutout.time_most, 2 * 86400000LL);
    assert_int_equal(g->greylist.keep, 90 * 86400000LL);
    assert_int_equal(g->dmarc, CONFIG_DMARC_MONITOR);
    assert_slice(g->reports.organisation, "Example, Inc.");
    assert_int_equal(g->arc.trusted_n, 3);
    assert_slice(g->arc.trusted[0], "lists.example.org");
    assert_slice(g->arc.key, "/etc/posthouse/seal.pem");
    assert_int_equal(g->filters_n, 2);
    assert_slice(g->filters[0].path, "/etc/posthouse/run/sign");
    assert_int_equal(g->filters[0].failure, CONFIG_FILTER_ACCEPT);
    assert_true(g->filters[0].mx && g->filters[0].submission && !g->filters[1].mx);
    assert_int_equal(g->filters[1].at.port, 10023);
    assert_int_equal(g->history.size, 0);
    assert_int_equal(g->memory, 1LL << 30);
    assert_slice(c->domains[0].junk, ".Spam.new");
    assert_int_equal(c->domains[1].junk.n, 0);
    assert_int_equal(g->policy[CONFIG_STAGE_CONTENT]->n, 0);
    assert_slice(g->policy[CONFIG_STAGE_RECIPIENT]->list[0].argument, "rules");
    assert_true(g->policy[CONFIG_STAGE_RECIPIENT]->n > 2);
    assert_true(c->tables[1].matched && !c->tables[0].matched);
    config_free(c);
}

static void test_defaults(void **state) {
    struct config *c = parse("version 1\n" H);
    const struct config_gate *g = &c->gate;
    assert_int_equal(g->rates_n, 6);
    assert_true(g->rates[0].built_in);
    assert_false(g->checks.loopback);
    assert_int_equal(g->checks.greet_wait, 2000);
    assert_int_equal(g->shutout.points, 30);
    assert_int_equal(g->greylist.wait, 120000);
    assert_int_equal(g->dmarc, CONFIG_DMARC_ENFORCE);
    assert_int_equal(g->reports.from.n, 0);
    assert_int_equal(g->history.size, 256 << 20);
    assert_int_equal(g->queue_messages, 1000000);
    assert_int_equal(c->limits.sessions, 30000);
    for (enum config_stage s = 0; s < CONFIG_STAGE_COUNT; s++) {
        assert_true(g->policy[s]->n > 0);
        assert_int_equal(g->policy[s]->stage, s);
        for (size_t i = 0; i < g->policy[s]->n; i++)
            assert_true(g->policy[s]->list[i].built_in && g->policy[s]->list[i].place.line);
    }
    config_free(c);
    c = parse(H "rate none\ndmarc reports from a@b.example");
    assert_int_equal(c->gate.rates_n, 0);
    assert_slice(c->gate.reports.organisation, "b.example");
    config_free(c);
}

static void effective(const char *text, struct buf *out) {
    struct config *c = parse(text);
    assert_true(config_write_effective(c, out));
    buf_add_char(out, '\0');
    config_free(c);
}

static void test_effective_is_stable(void **state) {
    const char *const texts[] = {full, H, H "rate none\nfilter a milter \"unix:/a b\"\npolicy mail { reject }"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        BUF_AUTO struct buf once = {.max = 65536}, twice = {.max = 65536};
        effective(texts[i], &once);
        effective(once.p, &twice);
        assert_string_equal(once.p, twice.p);
    }
}

static const struct {
    const char *text;
    const char *mistake;
} mistakes[] = {
    {H "dnsbl", "2:6: expected the zone of a list such as zen.example.org, found the end of the directive"},
    {H "dnsbl a..b", "2:7: expected the zone of a list such as zen.example.org, found \"a..b\""},
    {H "dnsbl a.b wieght 3",
     "2:11: expected \"weight\", \"of\" or \"codes\", found \"wieght\"; did you mean \"weight\"?"},
    {H "dnsbl a.b weight 0", "2:18: expected a number from 1 to 1000, found \"0\""},
    {H "dnsbl a.b codes 10.0.0.1",
     "2:17: expected an address in 127.0.0.0/8, or two with \" .. \" between, found \"10.0.0.1\""},
    {H "dnsbl a.b codes 127.0.0.3 .. 127.0.0.2",
     "2:30: expected an address in 127.0.0.0/8, or two with \" .. \" between, found \"127.0.0.2\""},
    {H "dnsbl a.b of user", "2:14: expected \"client\", \"sender\" or \"helo\", found \"user\""},
    {H "rate message by client 1 per hour",
     "2:6: expected \"connections\", \"messages\", \"recipients\", \"unknown-recipients\" or \"errors\", found "
     "\"message\"; did you mean \"messages\"?"},
    {H "rate connections by helo 1 per hour", "2:21: expected \"client\" or \"network\", found \"helo\""},
    {H "rate messages by recipient 1 per hour",
     "2:18: expected \"recipient\" only of \"recipients\", found \"recipient\""},
    {H "rate messages by client 1 per week",
     "2:31: expected \"second\", \"minute\", \"hour\" or \"day\", found \"week\""},
    {H "rate messages by client 0 per day", "2:25: expected a number from 1 to 1000000000, found \"0\""},
    {H "rate messages by client 1 per day\nrate messages by client 1 per hour\nrate messages by client 1 per day",
     "4:1: expected each rate once, found this one again"},
    {H "rate none now", "2:11: expected the end of the directive, found \"now\""},
    {H "rate none\nrate messages by client 1 per day", "2:1: expected \"rate none\" alone, found other rates"},
    {H "dmarc reports to a@b.c", "2:15: expected \"from\", found \"to\""},
    {H "dmarc reports from a", "2:20: expected an address such as postmaster@example.org, found \"a\""},
    {H "dmarc enforced", "2:7: expected \"enforce\" or \"monitor\", found \"enforced\"; did you mean \"enforce\"?"},
    {H "arc trust a_b", "2:11: expected a domain that seals, found \"a_b\""},
    {H "arc seal as a.b key k", "2:17: expected \"selector\", found \"key\""},
    {H "filter a milter inet:8891@localhost",
     "2:17: expected an address such as 127.0.0.1:8891, found \"inet:8891@localhost\"; an address has the port behind "
     "it, as in 127.0.0.1:8891"},
    {H "filter a milter local:/x", "2:17: expected an address such as 127.0.0.1:8891, [::1]:8891 or unix:/path, found "
                                   "\"local:/x\"; did you mean \"unix:/path\"?"},
    {H "filter a milter *:25",
     "2:17: expected an address such as 127.0.0.1:8891, [::1]:8891 or unix:/path, found \"*:25\""},
    {H "filter a miltr unix:/a",
     "2:10: expected \"milter\" or \"delegation\", found \"miltr\"; did you mean \"milter\"?"},
    {H "filter a milter unix:/a\nfilter a milter unix:/b",
     "3:8: expected a new name for a filter, found \"a\" again (first on line 2)"},
    {H "filter a delegation unix:/a { failure quarantine }",
     "2:39: expected \"tempfail\", \"accept\" or \"reject\" of a delegation, found \"quarantine\""},
    {H "filter a milter unix:/a { timeout 3s }", "2:27: expected a setting of \"filter\", found \"timeout\""},
    {H "filter a milter unix:/a { for mx users }", "2:34: expected \"mx\" or \"submission\", found \"users\""},
    {H "filter a milter unix:/a { reply 1s; reply 2s }",
     "2:37: expected \"reply\" once, found it again (first on line 2)"},
    {H "domain a.b { recipients any; deliver relay; junk Junk }",
     "2:50: expected a folder such as \".Junk\", or off, found \"Junk\""},
    {H "table a cidr /c\ndomain a.b { recipients a; deliver relay }",
     "3:25: expected a table of kind file, aliases or inline, found \"a\""},
    {H "table a regex /c\nsenders a", "3:9: expected a table of kind aliases or inline, found \"a\""},
    // policy
    {H "policy rcpt { }",
     "2:8: expected \"connect\", \"helo\", \"mail\", \"recipient\" or \"content\", found \"rcpt\""},
    {H "policy mail", "2:12: expected \"{\", found the end of the directive"},
    {H "policy mail { }\npolicy mail { }", "3:1: expected \"policy mail\" once, found it again"},
    {H "policy mail { rejct }", "2:15: expected an action, found \"rejct\"; did you mean \"reject\"?"},
    {H "policy mail { deny }", "2:15: expected an action, found \"deny\"; did you mean \"reject\"?"},
    {H "policy mail { nonsense }", "2:15: expected an action (accept, reject, defer, greylist, tarpit, tag, ask or "
                                   "built-in), found \"nonsense\""},
    {H "policy mail { reject if tls }",
     "2:22: expected \"when\", \"unless\" or a text in quotes, found \"if\"; did you mean \"when\"?"},
    {H "policy mail { reject when tls = yes }",
     "2:31: expected \"tls\" or \"not tls\" alone, since it is yes or no, found \"=\""},
    {H "policy mail { reject when sender == a@b }",
     "2:34: expected \"=\", \"!=\", \"in\" or \"matches\", found \"==\"; did you mean \"=\"?"},
    {H "policy mail { reject when sender =~ \"^a\" }",
     "2:34: expected \"=\", \"!=\", \"in\" or \"matches\", found \"=~\"; did you mean \"matches\"?"},
    {H "policy mail { reject when !tls }", "2:27: expected a fact, found \"!\"; did you mean \"not\"?"},
    {H "policy mail { reject when spf = fail, softfail }",
     "2:37: expected \"and\", \"or\" or a text in quotes (several values stand behind \"in\"), found \",\""},
    {H "policy mail { reject when client.ip = 10.0.0.0/8 }",
     "2:39: expected an address (a network stands behind \"in\"), found \"10.0.0.0/8\""},
    {H "policy mail { builtin }", "2:15: expected an action, found \"builtin\"; did you mean \"built-in\"?"},
    {H "policy mail { built-in now }", "2:24: expected the end of the directive, found \"now\""},
    {H "policy connect { greylist }", "2:18: expected an action for connect, found \"greylist\", which is one for mail, recipient, "
     "content only"},
    {H "policy mail { reject 450 }", "2:22: expected a code from 500 to 599, found \"450\""},
    {H "policy mail { defer 450 5.7.1 }", "2:25: expected a code such as 4.7.1, found \"5.7.1\""},
    {H "policy mail { reject when }", "2:27: expected a fact, found the end of the rule"},
    {H "policy mail { reject when spff = fail }", "2:27: expected a fact, found \"spff\"; did you mean \"spf\"?"},
    {H "policy helo { reject when spf = fail }",
     "2:27: expected a fact that is known at helo, found \"spf\", which is known from mail"},
    {H "policy content { reject when recipient = a }",
     "2:30: expected a fact that is known at content, found \"recipient\", which is known only at recipient"},
    {H "policy mail { reject when spf = fial }",
     "2:33: expected one of none, neutral, pass, fail, softfail, temperror, permerror, found \"fial\"; did you mean "
     "\"fail\"?"},
    {H "policy mail { reject when spf }",
     "2:31: expected \"=\", \"!=\", \"in\" or \"matches\", found the end of the rule"},
    {H "policy mail { reject when spf > pass }", "2:31: expected \"=\", \"!=\", \"in\" or \"matches\", found \">\""},
    {H "policy mail { reject when dnsbl.score >= much }", "2:42: expected a number such as 8, or 10M, found \"much\""},
    {H "policy mail { reject when sender in nobody }", "2:37: expected the name of a table (a text alone is written in quotes), found \"nobody\""},
    {H "table who aliases /a\npolicy mail { reject when sender in who }",
     "3:37: expected a table of kind file, inline, cidr or regex, found \"who\""},
    {H "policy mail { reject when sender matches x }", "2:42: expected a pattern in quotes, found \"x\""},
    {H "policy mail { reject when sender matches \"(x\" }",
     "2:42: expected a regular expression, found that missing closing parenthesis at character 3"},
    {H "policy mail { reject when (tls or pipelined }",
     "2:45: expected \"and\", \"or\" or \")\", found the end of the rule"},
    {H "policy mail { reject wen tls }",
     "2:22: expected \"when\", \"unless\" or a text in quotes, found \"wen\"; did you "
     "mean \"when\"?"},
    {H "policy mail { reject when tls \"{spff}\" }", "2:31: expected a fact, found \"spff\"; did you mean \"spf\"?"},
    {H "policy mail { ask nobody }", "2:19: expected the name of a filter of kind delegation, found \"nobody\""},
    {H "policy content { header X-A when tls }",
     "2:25: expected a header field in quotes such as \"X-Spam: yes\", found \"X-A\""},
    {H "policy mail { tarpit soon }", "2:22: expected a time from 10ms to 1m, found \"soon\""},
    {H "policy recipient { redirect nowhere }",
     "2:29: expected an address such as postmaster@example.org, found \"nowhere\""},
    {H "policy mail { tag \"a b\" }", "2:19: expected a word of letters, digits, - and _, found \"a b\""},
    {H "policy mail { reject { } }", "2:22: expected the end of the rule, found \"{\""},
};

static void test_mistakes(void **state) {
    size_t bad = 0;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct config_report report;
        char first[600] = "none";
        struct config *c = config_parse(slice_str(mistakes[i].text), SLICE_EMPTY, &report);
        if (report.n)
            snprintf(first, sizeof first, "%u:%u: %.*s", report.mistakes[0].place.line, report.mistakes[0].place.column,
                     SLICE_ARG(report.mistakes[0].text));
        if (strcmp(first, mistakes[i].mistake) != 0) {
            print_message("text:   %s\nwanted: %s\ngot:    %s\n\n", mistakes[i].text, mistakes[i].mistake, first);
            bad++;
        }
        config_report_done(&report);
        config_free(c);
    }
    assert_int_equal(bad, 0);
}

static const struct {
    const char *text;
    const char *warnings; // each with its line before it
} doubtful[] = {
    {H, ""},
    {H "dnsbl zen.example.org", ""},
    {H "dnsbl zen.example.org\npolicy recipient { }\npolicy content { }",
     "2: lists are named, and no rule asks for dnsbl.score or dnsbl.allowed\n"},
    {H "dnsbl zen.example.org\npolicy recipient { }\npolicy content { header \"X: {dnsbl.score}\" }", ""},
    {H "filter a delegation unix:/a\nfilter b delegation unix:/b\npolicy mail { ask a }",
     "3: filter b is never asked: no rule says \"ask b\"\n"},
    {H "filter a milter unix:/a { for submission }", "2: filter a sees nothing: there is no listener of that kind\n"},
    {H "policy mail {\n tag x\n reject\n tag y\n}",
     "5: this rule is never come to: the one on line 4 always ends the stage\n"},
    {H "policy mail {\n reject\n built-in\n}", "3: the built-in rules behind this rule are never come to\n"},
    {H "policy mail {\n built-in\n reject\n}", ""},
    {H "policy mail {\n reject when tls or sender = bad.example\n}",
     "3: sender is never \"bad.example\": it is an address; of a domain it is in \"@example.org\", \"@.example.org\"\n"},
    {H "policy mail {\n reject unless sender.domain in good.example, @bad.example\n}",
     "3: sender.domain is never \"@bad.example\": it is a domain\n"},
    {H "policy mail {\n reject when sender.domain = .bad.example\n}",
     "3: sender.domain is never \".bad.example\": it is a domain; names below one stand behind \"in\"\n"},
    {H "policy recipient {\n accept when recipient = postmaster\n accept when sender in @a.example, @.a.example\n}", ""},
    {H "policy recipient { accept when sender.domain in .a.example, a.example }", ""},
};

static void test_warnings(void **state) {
    for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; i++) {
        BUF_AUTO struct buf got = {.max = 4096};
        struct config_report report;
        struct config *c = parse(doubtful[i].text);
        config_report_start(&report);
        config_warn(c, &report);
        for (size_t w = 0; w < report.n; w++)
            buf_addf(&got, "%u: %.*s\n", report.mistakes[w].place.line, SLICE_ARG(report.mistakes[w].text));
        buf_add_char(&got, '\0');
        assert_string_equal(got.p, doubtful[i].warnings);
        config_report_done(&report);
        config_free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_and_rates),     cmocka_unit_test(test_rest),     cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_effective_is_stable), cmocka_unit_test(test_mistakes), cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
