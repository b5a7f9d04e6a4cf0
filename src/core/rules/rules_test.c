// rules_test: expressions over facts of a table, what is asked and what isn't, texts, and the built-in set.
#include "core/rules/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define H "hostname mx.example.org; listen mx 127.0.0.1:25\ntable friends inline { ann@example.net }\n"

// What is known: "spf=pass;tls=true". What isn't is the empty value.
struct world {
    struct rule_facts facts;
    const char *known;
    unsigned asked;
    struct config *config;
    struct arena arena;
};

static struct slice known(const struct world *w, struct slice name) {
    struct slice rest = slice_str(w->known), one, key, value;
    while (rest.n) {
        slice_cut(rest, ';', &one, &rest);
        slice_cut(one, '=', &key, &value);
        if (slice_eq(key, name))
            return value;
    }
    return SLICE_EMPTY;
}

static void get(struct rule_facts *f, enum fact which, struct slice name, struct fact_value *out) {
    struct world *w = (struct world *)f;
    struct slice value = known(w, name.n ? name : slice_str(fact_infos[which].name));
    w->asked++;
    *out = (struct fact_value){.type = fact_infos[which].type, .text = value, .yes = slice_eq(value, SLICE("true"))};
    for (size_t i = 0; i < value.n && ascii_digit(value.p[i]); i++)
        out->number = out->number * 10 + (value.p[i] - '0');
    if (out->type == FACT_IP && !netaddr_parse_ip(value, &out->ip))
        out->ip = (struct netaddr){0};
}

static bool in_table(struct rule_facts *f, struct slice table, const struct fact_value *v) {
    return slice_eq(table, SLICE("friends")) && slice_eq(v->text, SLICE("ann@example.net"));
}

static void begin(struct world *w, const char *policy) {
    char text[4096];
    struct config_report report;
    snprintf(text, sizeof text, H "%s", policy);
    *w = (struct world){.facts = {get, in_table}, .known = "", .arena = {.max = 1 << 20}};
    w->config = config_parse(slice_str(text), SLICE("/"), &report);
    for (size_t i = 0; i < report.n; i++)
        print_message("%s: %u:%u: %.*s\n", policy, report.mistakes[i].place.line, report.mistakes[i].place.column,
                      SLICE_ARG(report.mistakes[i].text));
    config_report_done(&report);
    assert_non_null(w->config);
}

static void end(struct world *w) {
    config_free(w->config);
    arena_done(&w->arena);
}

static const struct {
    const char *expression, *facts;
    bool holds;
    unsigned asked;
} expressions[] = {
    {"when tls", "tls=true", true, 1},
    {"when not tls", "tls=true", false, 1},
    {"unless tls", "", true, 1},
    {"when not not tls", "tls=true", true, 1},
    {"when tls and pipelined", "", false, 1},
    {"when tls or pipelined", "tls=true", true, 1},
    {"when tls or pipelined and spf = pass", "tls=true", true, 1}, // `and` is stronger
    {"when (tls or pipelined) and spf = pass", "tls=true", false, 2},
    {"when(tls or pipelined)and(spf=pass)", "tls=true;spf=pass", true, 2},
    {"unless tls or pipelined", "pipelined=true", false, 2},
    {"when not (tls and pipelined)", "tls=true", true, 2},
    {"when spf = PASS", "spf=pass", true, 1},
    {"when spf != pass", "spf=pass", false, 1},
    {"when spf in pass, softfail", "spf=softfail", true, 1},
    {"when spf in \"pass\"", "spf=pass", true, 1},
    {"when sender = \"\"", "", true, 1},
    {"when sender = Ann@example.NET", "sender=ann@example.net", true, 1},
    {"when sender in friends", "sender=ann@example.net", true, 1},
    {"when sender in friends", "sender=bob@example.net", false, 1},
    {"when sender.domain in a.example, b.example , c.example", "sender.domain=c.example", true, 1},
    {"when sender.domain in b.example, .b.example", "sender.domain=a.B.example", true, 1},
    {"when sender.domain in \".b.example\"", "sender.domain=b.example", false, 1},
    {"when sender.domain in \".b.example\"", "sender.domain=ab.example", false, 1},
    {"when sender in @b.example, @c.example", "sender=a@c.example", true, 1},
    {"when sender in @b.example, @c.example", "sender=a@x.c.example", false, 1},
    {"when sender in @.b.example, @.c.example", "sender=a@x.c.example", true, 1},
    {"when sender in @.b.example, @.c.example", "sender=a@c.example", false, 1},
    {"when sender in .b.example, .c.example", "sender=a@x.c.example", false, 1},
    {"when sender != .b.example", "sender=x.b.example", true, 1},
    {"when sender matches \"^ann@\"", "sender=ANN@example.net", true, 1},
    {"when sender matches \"\\\\.net$\"", "sender=ann@example.net", true, 1},
    {"when sender matches \"^net\"", "sender=ann@example.net", false, 1},
    {"when dnsbl.score >= 8", "dnsbl.score=8", true, 1},
    {"when dnsbl.score>8", "dnsbl.score=8", false, 1},
    {"when dnsbl.score < -1", "dnsbl.score=0", false, 1},
    {"when dnsbl.score <= 8", "dnsbl.score=8", true, 1},
    {"when dnsbl.score != 8", "dnsbl.score=8", false, 1},
    {"when dnsbl.score = 1K", "dnsbl.score=1024", true, 1},
    {"when client.ip in 192.0.2.0/24, 2001:db8::/32", "client.ip=2001:db8::7", true, 1},
    {"when client.ip in 192.0.2.0/24", "client.ip=192.0.3.7", false, 1},
    {"when client.ip in 192.0.2.1", "client.ip=192.0.2.1", true, 1},
    {"when client.ip != 192.0.2.1", "client.ip=192.0.2.1", false, 1},
    {"when client.ip in friends, 10.0.0.0/8", "client.ip=10.0.0.1", true, 1},
    {"when client.ip in 10.0.0.0/8", "", false, 1}, // not known: in none
    {"", "", true, 0},
};

static void test_expressions(void **state) {
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        struct world w;
        struct rule_run run;
        char policy[256];
        snprintf(policy, sizeof policy, "policy mail { reject %s }", expressions[i].expression);
        begin(&w, policy);
        w.known = expressions[i].facts;
        rule_run_begin(&run, w.config->gate.policy[CONFIG_STAGE_MAIL], &w.facts, &w.arena);
        bool holds = rule_run_next(&run) != NULL;
        if (holds != expressions[i].holds || w.asked != expressions[i].asked)
            fail_msg("%s: %d after %u questions", expressions[i].expression, holds, w.asked);
        end(&w);
    }
}

// A field that is there twice is each of them.
static void test_fields(void **state) {
    static const struct {
        const char *expression, *value;
        bool holds;
    } cases[] = {
        {"header X-Flag = yes", "no\nYES", true},      {"header X-Flag = yes", "no\nnever", false},
        {"header X-Flag != yes", "no\nyes", false},    {"header X-Flag matches \"^y.s$\"", "no\nyes", true},
        {"header X-Flag in a, yes", "no\nyes", true},  {"header X-Flag in friends", "x\nann@example.net", true},
        {"header X-Flag != \"\"", "no\nyes", true},    {"header X-Flag != \"\"", "", false},
        {"not header X-Flag = yes", "no\nyes", false}, {"header X-Flag = \"\"", "", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        struct rule_run run;
        char policy[256], facts[64];
        snprintf(policy, sizeof policy, "policy content { reject when %s }", cases[i].expression);
        snprintf(facts, sizeof facts, "X-Flag=%s", cases[i].value);
        begin(&w, policy);
        w.known = facts;
        rule_run_begin(&run, w.config->gate.policy[CONFIG_STAGE_CONTENT], &w.facts, &w.arena);
        if ((rule_run_next(&run) != NULL) != cases[i].holds)
            fail_msg("%s of %s", cases[i].expression, cases[i].value);
        end(&w);
    }
}

static void test_run(void **state) {
    struct world w;
    struct rule_run run;
    begin(&w, "policy content {\n tag one when spf = pass and spf = pass and tls\n tarpit 5s unless tls\n"
              " header \"X-Size: {size}\"\n reject 552 5.3.4 when header Subject matches \"viagra\" \"no\"\n hold\n}");
    w.known = "spf=pass;tls=true;size=42;Subject=Hello";
    rule_run_begin(&run, w.config->gate.policy[CONFIG_STAGE_CONTENT], &w.facts, &w.arena);
    const struct rule *r = rule_run_next(&run);
    assert_int_equal(r->action, RULE_TAG);
    assert_int_equal(r->place.line, 4);
    assert_int_equal(run.next, 1);
    assert_int_equal(run.seen[0].facts_n, 2); // each once
    assert_true(run.seen[0].matched);
    r = rule_run_next(&run);
    assert_int_equal(r->action, RULE_HEADER);
    struct slice field = rule_field(r, &w.facts, &w.arena);
    assert_true(slice_eq(field, SLICE("X-Size: 42")));
    assert_int_equal(run.next, 3);
    assert_false(run.seen[1].matched);
    r = rule_run_next(&run);
    assert_int_equal(r->action, RULE_HOLD);
    assert_true(rule_ends(r->action));
    assert_true(slice_eq(run.seen[3].facts[0].name, SLICE("Subject")));
    assert_true(slice_eq(run.seen[3].facts[0].value.text, SLICE("Hello")));
    assert_true(
        slice_eq(run.seen[3].rule->source, SLICE("reject 552 5.3.4 when header Subject matches \"viagra\" \"no\"")));
    assert_int_equal(run.seen[3].rule->code, 552);
    assert_int_equal(run.seen[3].rule->enhanced[1], 3);
    assert_null(rule_run_next(&run));
    end(&w);
}

// Without memory for a trace the verdict is the same.
static void test_no_memory(void **state) {
    struct world w;
    struct rule_run run;
    struct arena none = {.max = 1};
    begin(&w, "policy mail { accept when tls; reject unless tls }");
    rule_run_begin(&run, w.config->gate.policy[CONFIG_STAGE_MAIL], &w.facts, &none);
    assert_int_equal(rule_run_next(&run)->action, RULE_REJECT);
    end(&w);
}

static const struct {
    const char *text, *facts, *out;
} texts[] = {
    {"plain", "", "plain"},
    {"{sender} from {client.ip}, {tls} {dnsbl.score}", "sender=a@b;client.ip=192.0.2.1;tls=true;dnsbl.score=3",
     "a@b from 192.0.2.1, true 3"},
    {"{sender}", "sender=a\r\nb\t\x7f\xc3\xa9", "a??b????"},
    {"{spf.domain}{spf.explanation}", "", ""},
    {"a { b", "", "a { b"},
    {"}{", "", "}{"},
};

static void test_texts(void **state) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct world w;
        char policy[256], got[512];
        snprintf(policy, sizeof policy, "policy mail { reject \"%s\" }", texts[i].text);
        begin(&w, policy);
        w.known = texts[i].facts;
        struct slice out = rule_text(&w.config->gate.policy[CONFIG_STAGE_MAIL]->list[0], &w.facts, &w.arena);
        snprintf(got, sizeof got, "%.*s", SLICE_ARG(out));
        assert_string_equal(got, texts[i].out);
        end(&w);
    }
}

static void test_text_is_bounded(void **state) {
    struct world w;
    char facts[1000], policy[400] = "policy mail { reject \"{sender}{sender}{sender}{sender}\" }";
    begin(&w, policy);
    memset(facts, 'x', sizeof facts);
    memcpy(facts, "sender=", 7);
    facts[sizeof facts - 1] = '\0';
    w.known = facts;
    struct slice out = rule_text(&w.config->gate.policy[CONFIG_STAGE_MAIL]->list[0], &w.facts, &w.arena);
    assert_int_equal(out.n, 400);
    end(&w);
}

// What the built-in set says of some clients: the first rule that ends each stage, or greylists, as its code or name.
static const struct {
    enum config_stage stage;
    const char *facts, *verdict;
} strangers[] = {
    {CONFIG_STAGE_CONNECT, "client.trusted=true;client.early=true", "accept"},
    {CONFIG_STAGE_CONNECT, "client.local=true;client.early=true", "accept"},
    {CONFIG_STAGE_CONNECT, "client.shut-out=true", "421"},
    {CONFIG_STAGE_CONNECT, "client.early=true", "554"},
    {CONFIG_STAGE_CONNECT, "client.early=true;client.known=true", "none"},
    {CONFIG_STAGE_CONNECT, "", "none"},
    {CONFIG_STAGE_HELO, "helo.valid=true", "none"},
    {CONFIG_STAGE_HELO, "", "550"},
    {CONFIG_STAGE_HELO, "helo.valid=true;helo.ours=true", "550"},
    {CONFIG_STAGE_HELO, "helo.valid=true;helo.ours=true;helo.confirmed=true", "none"}, // our web server, elsewhere
    {CONFIG_STAGE_HELO, "helo.valid=true;helo.literal=true", "550"},
    {CONFIG_STAGE_HELO, "helo.valid=true;helo.literal=true;helo.literal-own=true", "none"},
    {CONFIG_STAGE_MAIL, "sender.missing=true", "550"},
    {CONFIG_STAGE_MAIL, "sender.missing=true;client.local=true", "accept"},
    {CONFIG_STAGE_MAIL, "sender.null-mx=true", "550"},
    {CONFIG_STAGE_MAIL, "", "none"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=8;recipient=a@b.c", "550"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=8;recipient=Postmaster@b.c", "accept"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=8;recipient=postmaster", "accept"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=8;recipient=abuse@b.c", "accept"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=8;recipient=abuser@b.c", "550"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=8;dnsbl.allowed=true;proven=true", "none"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=7;proven=true", "none"},
    {CONFIG_STAGE_RECIPIENT, "dnsbl.score=9;client.known=true;proven=true", "none"},
    {CONFIG_STAGE_RECIPIENT, "", "greylist"},
    {CONFIG_STAGE_RECIPIENT, "spf=pass;client.ptr-confirmed=true", "greylist"},
    {CONFIG_STAGE_RECIPIENT, "sender.null=true;spf=pass", "none"}, // a bounce, or who asks for an address
    {CONFIG_STAGE_CONTENT, "sender.null=true;spf=pass", "greylist"},
    {CONFIG_STAGE_CONTENT, "sender.null=true;spf=pass;proven=true", "none"},
    {CONFIG_STAGE_CONTENT, "spf=pass;client.ptr-confirmed=true", "none"},
    {CONFIG_STAGE_RECIPIENT, "client.ptr-confirmed=true", "none"}, // DKIM may yet prove it
    {CONFIG_STAGE_CONTENT, "client.ptr-confirmed=true", "greylist"},
    {CONFIG_STAGE_CONTENT, "client.ptr-confirmed=true;proven=true", "none"},
    {CONFIG_STAGE_CONTENT, "client.local=true;dmarc.enforced=reject", "550"},
    {CONFIG_STAGE_CONTENT, "client.trusted=true;dmarc.enforced=reject", "accept"},
    {CONFIG_STAGE_CONTENT, "dmarc.enforced=quarantine;client.local=true", "quarantine"},
    {CONFIG_STAGE_CONTENT, "spf=fail;dmarc=none;dkim=none", "550"},
    {CONFIG_STAGE_CONTENT, "spf=fail;dmarc=none;dkim=pass;proven=true", "none"},
    {CONFIG_STAGE_CONTENT, "spf=fail;dmarc=none;dkim=temperror;proven=true", "none"},
    {CONFIG_STAGE_CONTENT, "spf=fail;dmarc=none;dkim=fail;proven=true", "550"},
    {CONFIG_STAGE_CONTENT, "spf=fail;dmarc=pass;dkim=pass;proven=true", "none"},
    {CONFIG_STAGE_CONTENT, "spf=fail;dmarc=none;arc.trusted=true;proven=true", "none"},
    {CONFIG_STAGE_CONTENT, "pipelined=true;proven=true", "554"}, // content before 354
    {CONFIG_STAGE_CONTENT, "pipelined=true;client.known=true;proven=true", "none"},
    {CONFIG_STAGE_CONTENT, "pipelined=true;client.local=true", "accept"},
    {CONFIG_STAGE_CONTENT, "from.broken=true", "quarantine"},
    {CONFIG_STAGE_CONTENT, "from.several=true;from.broken=true;client.local=true", "550"},
    {CONFIG_STAGE_CONTENT, "from.several=true;client.trusted=true", "accept"},
};

static void test_built_in(void **state) {
    struct world w;
    begin(&w, "");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        struct rule_run run;
        char got[32] = "none";
        w.known = strangers[i].facts;
        rule_run_begin(&run, w.config->gate.policy[strangers[i].stage], &w.facts, &w.arena);
        const struct rule *r = rule_run_next(&run);
        if (r && r->code)
            snprintf(got, sizeof got, "%u", r->code);
        else if (r)
            snprintf(got, sizeof got, "%s", rule_action_names[r->action]);
        if (strcmp(got, strangers[i].verdict) != 0)
            fail_msg("%s: %s: %s", config_stage_names[strangers[i].stage], strangers[i].facts, got);
    }
    end(&w);
}

// A trusted client costs no question but whether it is one.
static void test_trusted_is_free(void **state) {
    struct world w;
    begin(&w, "");
    for (enum config_stage s = 0; s < CONFIG_STAGE_COUNT; s++) {
        struct rule_run run;
        w.known = "client.trusted=true";
        w.asked = 0;
        rule_run_begin(&run, w.config->gate.policy[s], &w.facts, &w.arena);
        assert_int_equal(rule_run_next(&run)->action, RULE_ACCEPT);
        assert_int_equal(w.asked, 1);
    }
    end(&w);
}

static void test_limits(void **state) {
    const struct {
        const char *start, *piece, *end;
        size_t least, most; // pieces that still do, and that no longer do
    } table[] = {
        {"policy mail { reject when tls", " or tls", " }", 63, 64},
        {"policy mail { reject when ", "(", "tls", 16, 17},
        {"policy mail { reject when ", "not ", "tls }", 16, 17},
        {"policy mail { reject when sender in a", ", a", " }", 255, 256},
        {"policy mail { ", "reject;", " }", 1000, 1001},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int over = 0; over < 2; over++) {
            BUF_AUTO struct buf text = {.max = 65536};
            struct config_report report;
            size_t n = over ? table[i].most : table[i].least;
            buf_add_str(&text, H);
            buf_add_str(&text, table[i].start);
            for (size_t k = 0; k < n; k++)
                buf_add_str(&text, table[i].piece);
            buf_add_str(&text, table[i].end);
            if (*table[i].piece == '(')
                for (size_t k = 0; k < n; k++)
                    buf_add_char(&text, ')');
            buf_add_str(&text, *table[i].piece == '(' ? "}" : "");
            struct config *c = config_parse(buf_slice(&text), SLICE("/"), &report);
            if ((c != NULL) == (bool)over)
                fail_msg("%s: %zu times", table[i].piece, n);
            config_free(c);
            config_report_done(&report);
        }
}

static void test_facts(void **state) {
    for (enum fact f = 0; f < FACT_COUNT; f++)
        assert_true(fact_infos[f].name && fact_infos[f].doc && fact_infos[f].stage < CONFIG_STAGE_COUNT);
    assert_string_equal(fact_infos[FACT_DMARC_ENFORCED].name, "dmarc.enforced");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions), cmocka_unit_test(test_run),
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_texts),       cmocka_unit_test(test_text_is_bounded),
        cmocka_unit_test(test_built_in),    cmocka_unit_test(test_trusted_is_free),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
