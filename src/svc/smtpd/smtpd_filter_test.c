// smtpd_filter_test: what filters are told, and what their verdicts and failures lead to.
#include "svc/smtpd/smtpd_filter_play.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void two_messages(struct scene *s) {
    struct smtpd_filtered out;
    for (int i = 0; i < 2; i++) {
        send_message(s, &out);
        assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
        assert_false(out.header_changed || out.body_changed || out.sender_changed || out.quarantine);
        smtpd_filters_abort(s->f);
    }
}

static void tells_everything(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,0;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c"};
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, two_messages);
    assert_told(&s, 0,
                "O C([192.0.2.1]|4\x09\xdd"
                "192.0.2.1|) H(client.example|) "
                "M(<a@example.net>|SIZE=10|) R(<b@example.org>|) T L(Subject|hello|) L(To|b@example.org|) N "
                "B(one\r\n.two\r\n) E "
                "M(<a@example.net>|SIZE=10|) R(<b@example.org>|) T L(Subject|hello|) L(To|b@example.org|) N "
                "B(one\r\n.two\r\n) E Q");
    assert_int_equal(s.players[0].connections, 1);
    const char *macros[] = {"j|mx.example.org|",          "{client_addr}|192.0.2.1|",
                            "{client_port}|2525|",        "i|Q1|",
                            "{mail_addr}|a@example.net|", "{rcpt_addr}|b@example.org|",
                            "{rcpt_host}|example.org|",   "_|unknown [192.0.2.1]|",
                            "{daemon_name}|mx|"};
    for (size_t i = 0; i < COUNT(macros); i++)
        if (slice_search(buf_slice(&s.players[0].macros), slice_str(macros[i])) == s.players[0].macros.n)
            fail_msg("no %s in %.*s", macros[i], SLICE_ARG(buf_slice(&s.players[0].macros)));
    tear_down(&s);
}

static void one_of_a_user(struct scene *s) {
    struct smtpd_filtered out;
    s->facts.user = SLICE("alice");
    s->facts.auth_type = SLICE("PLAIN");
    s->facts.author = SLICE("a b@example.net");
    s->facts.tls_version = SLICE("TLSv1.3");
    s->facts.cert_subject = SLICE("/CN=alice");
    s->facts.cert_issuer = SLICE("/CN=house");
    assert_true(netaddr_parse_ip(SLICE("2001:db8::7"), &s->facts.client));
    send_message(s, &out);
    smtpd_filters_abort(s->f);
}

static void tells_of_users(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,0;c;c;c;c;c;c;c;c;c;c"};
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, one_of_a_user);
    const char *macros[] = {"{cert_subject}|/CN=alice|",         "{cert_issuer}|/CN=house|",
                            "{auth_author}|a b@example.net|",    "{auth_ssf}|0|",
                            "{client_addr}|IPv6:2001:db8::7|",   "_|unknown [IPv6:2001:db8::7]|",
                            "Mi|Q1|{auth_type}|PLAIN|",          "Ri|Q1|",
                            "Ei|Q1|{nrcpts}|1|{auth_type}|PLAIN"};
    for (size_t i = 0; i < COUNT(macros); i++)
        if (slice_search(buf_slice(&s.players[0].macros), slice_str(macros[i])) == s.players[0].macros.n)
            fail_msg("no %s in %.*s", macros[i], SLICE_ARG(buf_slice(&s.players[0].macros)));
    tear_down(&s);
}

// A name that doesn't lead back is told as what it is: a claim.
static void tells_names(void **state) {
    static const struct {
        const char *name, *ptr, *told, *macros[3];
    } cases[] = {
        {"", "", "O C([192.0.2.1]|", {"{client_name}|unknown|", "{client_ptr}|unknown|", "_|unknown [192.0.2.1]|"}},
        {"",
         "a.example",
         "O C([192.0.2.1]|",
         {"{client_name}|unknown|", "{client_ptr}|a.example|", "_|a.example [192.0.2.1] (may be forged)|"}},
        {"a.example", "a.example", "O C(a.example|", {"{client_name}|a.example|", "{client_ptr}|a.example|", "_|a.ex"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        const char *scripts[] = {"O:1ff,0;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c"};
        set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
        s.facts.name = slice_str(cases[i].name);
        s.facts.ptr = slice_str(cases[i].ptr);
        run(&s, two_messages);
        struct slice macros = buf_slice(&s.players[0].macros);
        assert_true(slice_starts(buf_slice(&s.players[0].told), slice_str(cases[i].told)));
        for (size_t k = 0; k < COUNT(cases[i].macros); k++)
            if (slice_search(macros, slice_str(cases[i].macros[k])) == macros.n)
                fail_msg("no %s in %.*s", cases[i].macros[k], SLICE_ARG(macros));
        assert_int_equal(s.results[METRIC_FILTER_CONTINUE], 2);
        assert_int_equal(s.ends, 2);
        tear_down(&s);
    }
}

static void one_message(struct scene *s) {
    struct smtpd_filtered out;
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    smtpd_filters_abort(s->f);
}

static void obeys_steps(void **state) {
    static const struct {
        const char *script, *told;
    } cases[] = {
        {"O:1,7f;c;c", "O T E Q"}, // nothing but DATA and the end
        {"O:1,27f;c", "O E Q"},
        {"O:1,80080;c;c;c;c;c;c;c", // headers and body are told, not answered
         "O C([192.0.2.1]|4\x09\xdd"
         "192.0.2.1|) H(client.example|) M(<a@example.net>|SIZE=10|) R(<b@example.org>|) T "
         "L(Subject|hello|) L(To|b@example.org|) N B(one\r\n.two\r\n) E Q"},
        {"O:1,10026f;c;c;c;c", "O L(Subject| hello|) L(To| b@example.org|) E Q"}, // leading space; no body asked
        {"O:1,62f;s;c;c", "O N B(one\r\n.two\r\n) E Q"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        const char *script = cases[i].script;
        // 0x10026f: no CONNECT, HELO, MAIL, RCPT, HEADERS are told
        if (i == 3)
            script = "O:1,10025f;c;c;c";
        if (i == 4)
            script = "O:1,62f;c;s;c";
        set_up(&s, CONFIG_FILTER_TEMPFAIL, &script, 1);
        run(&s, one_message);
        assert_told(&s, 0, cases[i].told);
        tear_down(&s);
    }
}

struct expectation {
    const char *script;
    enum smtpd_filter_what what;
    int code;
    const char *text;
    bool end;
};

static const struct expectation *expected;

static void meet_expectation(struct scene *s) {
    struct smtpd_filtered out;
    send_message(s, &out);
    struct smtpd_filter_verdict *v = &out.verdict;
    if (v->what != expected->what)
        fail_msg("%s: verdict %d: %s (%.*s)", expected->script, (int)v->what, v->why.text,
                 SLICE_ARG(buf_slice(&s->said)));
    if (v->what == SMTPD_FILTER_REFUSE) {
        if (v->why.smtp != expected->code)
            fail_msg("%s: %d %s", expected->script, v->why.smtp, v->why.text);
        if (expected->text)
            assert_text(v->text, expected->text);
        assert_int_equal(v->end, expected->end);
    }
    smtpd_filters_abort(s->f);
}

static void gives_verdicts(void **state) {
    static const struct expectation cases[] = {
        {"O:1,0;r", SMTPD_FILTER_REFUSE, 550, NULL, false}, // of CONNECT
        {"O:1,0;c;t", SMTPD_FILTER_REFUSE, 451, NULL, false},
        {"O:1,0;c;c;y:550_5.7.1", SMTPD_FILTER_REFUSE, 451, NULL, false}, // no reply: it broke off
        {"O:1,0;c;c;y:550", SMTPD_FILTER_REFUSE, 550, "", false},
        {"O:1,0;c;c;y:421", SMTPD_FILTER_REFUSE, 421, "", true},
        {"O:1,0;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false},
        {"O:1,0;c;c;c;d", SMTPD_FILTER_DISCARD, 0, NULL, false},
        {"O:1,0;c;c;c;c;t", SMTPD_FILTER_REFUSE, 451, NULL, false},       // of DATA
        {"O:1,0;c;c;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false},     // of a header
        {"O:1,0;c;c;c;c;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false}, // of EOH
        {"O:1,0;c;c;c;c;c;c;c;c;d", SMTPD_FILTER_DISCARD, 0, NULL, false},
        {"O:1,0;c;c;c;c;c;c;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false}, // of the end
        {"O:1,0;c;c;c;c;c;c;c;c;c;p p h:X=y t", SMTPD_FILTER_REFUSE, 451, NULL, false},
        {"O:1,0;c;c;c;c;c;c;c;c;c;4", SMTPD_FILTER_REFUSE, 421, NULL, true},
        {"O:1,0;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
        {"O:1,0;c;c;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
        {"O:1,0;c;c;c;c;c;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
        {"O:1,0;c;c;c;c;c;c;c;c;c;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        expected = &cases[i];
        set_up(&s, CONFIG_FILTER_TEMPFAIL, &expected->script, 1);
        run(&s, meet_expectation);
        unsigned counted = 0;
        for (size_t k = 0; k < COUNT(s.results); k++)
            counted += s.results[k];
        assert_int_equal(counted, 1);
        tear_down(&s);
    }
}

static enum config_filter_failure failing_as;

static void meet_failure(struct scene *s) {
    struct smtpd_filtered out;
    for (int i = 0; i < 2; i++) {
        send_message(s, &out);
        struct smtpd_filter_verdict *v = &out.verdict;
        switch (failing_as) {
        case CONFIG_FILTER_TEMPFAIL:
            assert_int_equal(v->what, SMTPD_FILTER_REFUSE);
            assert_int_equal(v->why.smtp, 451);
            break;
        case CONFIG_FILTER_REJECT:
            assert_int_equal(v->what, SMTPD_FILTER_REFUSE);
            assert_int_equal(v->why.smtp, 550);
            break;
        case CONFIG_FILTER_ACCEPT:
        case CONFIG_FILTER_QUARANTINE:
            assert_int_equal(v->what, SMTPD_FILTER_GO_ON);
            assert_false(out.header_changed || out.body_changed || out.sender_changed || out.added_n || out.removed_n);
            assert_int_equal(out.quarantine, failing_as == CONFIG_FILTER_QUARANTINE);
            break;
        }
        smtpd_filters_abort(s->f);
    }
    assert_true(slice_search(buf_slice(&s->said), SLICE("one: broke off: ")) < s->said.n);
}

// Whatever a filter does wrong, and whenever: nothing is changed, and the configuration says what becomes of it.
static void survives_failures(void **state) {
    static const char *const scripts[] = {
        NULL, // nobody is there
        "!",  // dies at each step
        "O:1,0;!",
        "O:1,0;c;!",
        "O:1,0;c;c;!",
        "O:1,0;c;c;c;!",
        "O:1,0;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;c;c;c;c;!",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;h:X=y b:new +:<c@d.example> e:<x@y.example> q:why !", // half of its changes
        "~",                                                                             // never answers
        "O:1,0;c;~",
        "O:1,0;c;c;c;c;c;c;c;c;c;~",
        "c",         // doesn't negotiate
        "O:200,0;c", // wants too much
        "O:1,80000000;c",
        "O:1,0;s",                                   // skips what can't be
        "O:1,0;h:X=y c",                             // changes too early
        "O:1,0;c;c;c;c;c;c;c;c;c;+:<a@b.example> c", // changes what it didn't say it would
        "O:1ff,0;c;c;c;c;c;c;c;c;c;h:X=y h:bad_name:=z c;",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;h:X=y +:<no_address c",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;h:X=y h:=z c",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;h:X=y l c",
    };
    for (size_t k = CONFIG_FILTER_TEMPFAIL; k <= CONFIG_FILTER_QUARANTINE; k++)
        for (size_t i = 0; i < COUNT(scripts); i++) {
            struct scene s;
            if (slice_search(slice_str(scripts[i]), SLICE("bad_name:")) < slice_str(scripts[i]).n)
                continue;
            failing_as = (enum config_filter_failure)k;
            set_up(&s, failing_as, &scripts[i], 1);
            run(&s, meet_failure);
            tear_down(&s);
        }
}

static void stop_at_refusal(struct scene *s) {
    struct smtpd_filtered out;
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_REFUSE);
    assert_int_equal(out.verdict.filter, 0);
    smtpd_filters_abort(s->f);
}

static void aborts_the_others(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1,7f;c;r", "O:1,7f;c;c"};
    set_up(&s, CONFIG_FILTER_ACCEPT, scripts, 2);
    run(&s, stop_at_refusal);
    assert_told(&s, 0, "O T E Q");
    assert_told(&s, 1, "O T A Q");
    tear_down(&s);
}

static void speak_twice(struct scene *s) {
    struct smtpd_filter_verdict v;
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_REFUSE); // what it said of HELO holds while that is so
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_REFUSE);
    assert_text(v.text, "");
    s->facts.tls_version = SLICE("TLSv1.3");
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_GO_ON);
    struct err why;
    err_smtp(&why, 550, "5.1.1", "no such user");
    smtpd_filters_rcpt_refused(s->f, SLICE("z@example.org"), &why);
    smtpd_filters_unknown(s->f, SLICE("WIZ"), &v);
    assert_int_equal(v.what, SMTPD_FILTER_GO_ON);
    assert_true(netaddr_parse_ip(SLICE("2001:db8::7"), &s->facts.client)); // somebody else, by XCLIENT
    s->players[0].script = "O:1,0;a";
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_GO_ON);
    fiber_sleep(1);
}

static void tells_what_changed(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1,801;y:554;c;c;c;c"};
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, speak_twice);
    assert_told(&s, 0,
                "O H(client.example|) H(client.example|) M(<a@example.net>|) R(<z@example.org>|) U(WIZ|) A Q "
                "O C([IPv6:2001:db8::7]|6||IPv6:2001:db8::7|) Q");
    struct slice macros = buf_slice(&s.players[0].macros);
    assert_true(slice_search(macros, SLICE("{rcpt_mailer}|error|")) < macros.n);
    assert_true(slice_search(macros, SLICE("{rcpt_host}|5.1.1|")) < macros.n);
    assert_true(slice_search(macros, SLICE("{rcpt_addr}|no such user|")) < macros.n);
    assert_int_equal(s.players[0].connections, 2);
    tear_down(&s);
}

static void costs_nothing_without_filters(void **state) {
    struct config c = {0};
    struct config_filter list[] = {{.name = SLICE("d"), .kind = CONFIG_FILTER_DELEGATION, .mx = true},
                                   {.name = SLICE("s"), .submission = true}};
    assert_null(smtpd_filters_new(&c, ROLE_SMTPD, &play_outside, NULL));
    c.gate.filters = list;
    c.gate.filters_n = 2;
    assert_false(smtpd_filters_wanted(&c, ROLE_SMTPD));
    assert_true(smtpd_filters_wanted(&c, ROLE_SUBMISSION));
    assert_null(smtpd_filters_new(&c, ROLE_SMTPD, &play_outside, NULL));
    smtpd_filters_free(NULL);
}

static void writes_replies(void **state) {
    struct buf out BUF_AUTO = {.max = 4096};
    struct smtpd_filter_verdict v = {.what = SMTPD_FILTER_REFUSE, .text = SLICE("one\ntwo")};
    err_smtp(&v.why, 550, "5.7.1", "one\ntwo");
    smtpd_filters_reply(&v, &out);
    assert_text(buf_slice(&out), "550-5.7.1 one\r\n550 5.7.1 two\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_everything),
        cmocka_unit_test(tells_names),
        cmocka_unit_test(tells_of_users),
        cmocka_unit_test(obeys_steps),
        cmocka_unit_test(gives_verdicts),
        cmocka_unit_test(survives_failures),
        cmocka_unit_test(aborts_the_others),
        cmocka_unit_test(tells_what_changed),
        cmocka_unit_test(costs_nothing_without_filters),
        cmocka_unit_test(writes_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
