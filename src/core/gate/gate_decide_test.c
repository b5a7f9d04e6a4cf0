// gate_decide_test: what rules do, what records say, and what is forgotten when.
#include "core/gate/gate_test_house.h"

#define FROM(address) "From: <" address ">\r\nSubject: hello\r\n"

static const struct session forged = {
    .client = "192.0.2.3", .helo = "plain.example", .sender = "x@plain.example", .header = FROM("ann@good.example")};

// --- records

static void test_record_of_a_message(void **state) {
    struct here h;
    struct content c;
    struct gate_verdict v;
    BUF_AUTO struct buf results = {.max = 65536};
    char out[64], value[256];
    gate_test_begin(&h, "");
    gate_test_run(&h, &gate_test_good, out, &v, &c);
    assert_true(gate_results(h.gate, &results));
    gate_told(h.gate, NULL);
    assert_int_equal(h.records_n, 1);
    const struct record *r = &h.records[0];
    assert_int_equal(r->stage, RECORD_CONTENT);
    assert_int_equal(r->outcome, RECORD_ACCEPTED);
    assert_int_equal(r->queue_id, 7);
    assert_int_equal(r->recipients_n, 1);
    assert_string_equal(gate_test_fact(r, "spf", value), "pass");
    assert_string_equal(gate_test_fact(r, "dmarc", value), "pass");
    assert_string_equal(gate_test_fact(r, "dmarc.domain", value), "good.example"); // though no rule asked
    assert_string_equal(gate_test_fact(r, "size", value), "1000");
    assert_string_equal(gate_test_fact(r, "proven", value), "true");
    assert_string_equal(gate_test_fact(r, "client.ptr", value), "mail.good.example");
    assert_true(gate_test_asked(r, "TXT good.example", "OK v=spf1 a:mail.good.example -all"));
    assert_true(gate_test_asked(r, "A 2.2.0.192.bl.example", "NXDOMAIN"));
    assert_int_equal(h.dmarc_n, 1);
    assert_string_equal(h.disposition, "none");
    assert_true(slice_search(buf_slice(&results), SLICE("spf=pass")) < results.n);
    assert_true(slice_search(buf_slice(&results), SLICE("dmarc=pass")) < results.n);
    gate_test_end(&h);
}

static void test_record_of_a_refusal(void **state) {
    struct here h;
    struct content c;
    struct gate_verdict v;
    char out[64];
    gate_test_begin(&h, "");
    gate_test_run(&h, &forged, out, &v, &c);
    gate_told(h.gate, &v.why);
    assert_int_equal(h.records_n, 1); // not twice
    assert_int_equal(h.records[0].outcome, RECORD_REFUSED);
    assert_int_equal(h.records[0].code, 550);
    const struct record *r = &h.records[0];
    assert_true(r->rules[r->rules_n - 1].matched);
    assert_true(slice_starts(r->rules[r->rules_n - 1].source, SLICE("reject 550 5.7.1 when dmarc.enforced")));
    assert_int_equal(h.dmarc_n, 1);
    assert_string_equal(h.disposition, "reject");
    struct err e = {.smtp = 550, .enhanced = {5, 1, 1}, .text = "no such user"};
    gate_test_before_content(&h, &gate_test_good, out);
    gate_refused(h.gate, CONFIG_STAGE_RECIPIENT, &e);
    assert_int_equal(h.records_n, 2);
    assert_int_equal(h.records[1].stage, RECORD_RECIPIENT);
    assert_int_equal(h.records[1].enhanced[1], 1);
    gate_test_end(&h);
}

// Refused before the gate was told of its content: too large, for one.
static void test_record_without_content(void **state) {
    struct here h;
    char out[64];
    struct gate_verdict v;
    gate_test_begin(&h, "");
    gate_test_before_content(&h, &gate_test_good, out);
    gate_recipient(h.gate, SLICE("bob@our.example"), 2);
    gate_decide(h.gate, CONFIG_STAGE_RECIPIENT, &v);
    gate_refused(h.gate, CONFIG_STAGE_CONTENT, &(struct err){.smtp = 552});
    assert_int_equal(h.records[0].stage, RECORD_CONTENT);
    assert_int_equal(h.records[0].recipients_n, 2);
    gate_test_end(&h);
}

static void test_monitor(void **state) {
    struct here h;
    struct content c;
    struct gate_verdict v;
    char out[64];
    gate_test_begin(&h, "dmarc monitor\n");
    gate_test_run(&h, &forged, out, &v, &c);
    assert_string_equal(out, "taken");
    gate_told(h.gate, NULL);
    assert_string_equal(h.disposition, "none");
    assert_string_equal(h.override, "local_policy");
    gate_test_end(&h);
}

// --- actions

static void test_actions(void **state) {
    struct here h;
    struct content c;
    struct gate_verdict v;
    struct session s = gate_test_good;
    char out[64];
    s.header = FROM("ann@good.example") "List-Id: <news>\r\n";
    gate_test_begin(&h, "policy connect { tag met; tarpit 40s; tarpit 50s }\n"
                        "policy helo { }\npolicy mail { tarpit 3s when sender = ann@good.example; tag a; tag a }\n"
                        "policy recipient { redirect bob@our.example when recipient = alice@our.example }\n"
                        "policy content { header \"X-List: {header List-Id}\" when header List-Id != \"\";"
                        " redirect catch@our.example when size > 900; quarantine when spf = pass \"a test\"; hold }\n");
    gate_test_come(&h, s.client);
    gate_decide(h.gate, CONFIG_STAGE_CONNECT, &v);
    assert_int_equal(v.tarpit_ms, GATE_TARPIT_MAX_MS);
    assert_int_equal(v.tags_n, 0);
    gate_test_before_content(&h, &s, out);
    gate_decide(h.gate, CONFIG_STAGE_RECIPIENT, &v);
    assert_true(slice_eq(v.redirect, SLICE("bob@our.example")));
    gate_test_run(&h, &s, out, &v, &c);
    assert_string_equal(out, "taken quarantine");
    assert_true(v.hold);
    assert_true(slice_eq(v.redirect, SLICE("catch@our.example")));
    assert_int_equal(v.tags_n, 3);
    assert_true(slice_eq(v.tags[0], SLICE("met")));
    assert_true(slice_eq(v.tags[1], SLICE("a")));
    assert_true(slice_eq(v.tags[2], SLICE("quarantine")));
    assert_int_equal(v.headers_n, 2);
    assert_true(slice_eq(v.headers[0], SLICE("X-List: <news>")));
    assert_true(slice_eq(v.headers[1], SLICE("X-Posthouse-Quarantine: a test")));
    gate_told(h.gate, NULL);
    assert_int_equal(h.records[h.records_n - 1].outcome, RECORD_HELD);
    gate_test_end(&h);
}

static void test_discard(void **state) {
    struct here h;
    struct content c;
    struct gate_verdict v;
    char out[64];
    gate_test_begin(&h, "policy recipient { discard when recipient = bob@our.example }\npolicy content { discard }\n");
    gate_test_before_content(&h, &gate_test_good, out);
    gate_recipient(h.gate, SLICE("bob@our.example"), 2);
    gate_decide(h.gate, CONFIG_STAGE_RECIPIENT, &v);
    assert_int_equal(v.outcome, GATE_DISCARD);
    assert_int_equal(h.records_n, 1);
    assert_int_equal(h.records[0].outcome, RECORD_DISCARDED);
    gate_test_run(&h, &gate_test_good, out, &v, &c);
    assert_int_equal(v.outcome, GATE_DISCARD);
    gate_told(h.gate, NULL);
    assert_int_equal(h.records_n, 2);
    assert_int_equal(h.records[1].outcome, RECORD_DISCARDED);
    gate_test_end(&h);
}

// --- delegation

static const char asking[] =
    "filter post delegation 127.0.0.1:10023 { failure reject }\npolicy recipient { ask post }\n";

static void test_ask(void **state) {
    static const struct {
        const char *answer, *expected;
    } cases[] = {
        {"DUNNO", ""},
        {"OK", ""},
        {"REJECT", "rcpt 554 5.7.1"},
        {"reject 5.1.1 not you", "rcpt 554 5.1.1"},
        {"DEFER_IF_PERMIT 4.2.0 Greylisted", "rcpt 450 4.2.0"},
        {"451 4.7.9 later", "rcpt 451 4.7.9"},
        {"550 5.7.0000 no", "rcpt 550 5.7.1"},
        {"550", "rcpt 550 5.7.1"},
        {"421 4.7.0 bye", "rcpt 421 4.7.0 end"},
        {"", ""},
        {"1732233600", ""},
        {"FILTER smtp:[127.0.0.1]", ""}, // can't be obeyed: as if nothing was said
        {"REDIRECT nobody", ""},
        {"WARN look at this", ""},
        {"DEFER_IF_REJECT later", ""},
        {"999 x", "rcpt 550 5.7.1"}, // nobody knows what it means: as if it couldn't be asked
        {"nonsense", "rcpt 550 5.7.1"},
        {NULL, "rcpt 550 5.7.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct here h;
        char out[64] = "";
        gate_test_begin(&h, asking);
        h.answer = cases[i].answer;
        gate_test_before_content(&h, &gate_test_good, out);
        assert_string_equal(out, cases[i].expected);
        assert_non_null(strstr(h.request, "request=smtpd_access_policy\nprotocol_state=RCPT\n"));
        assert_non_null(strstr(h.request, "client_name=mail.good.example\n"));
        assert_non_null(strstr(h.request, "recipient=alice@our.example\n"));
        assert_string_equal(h.request + strlen(h.request) - 2, "\n\n");
        gate_test_end(&h);
    }
}

// What follows counts, but for what ends the rules.
static void test_ask_and_go_on(void **state) {
    static const struct {
        const char *answer, *expected;
    } cases[] = {
        {"DUNNO", "rcpt 550 5.7.1"},          {"OK", ""},
        {"HOLD", "rcpt 550 5.7.1"},           {"DEFER_IF_PERMIT", "rcpt 550 5.7.1"},
        {"DISCARD", "rcpt 550 5.7.1"},        {"DEFER_IF_REJECT 4.7.9 soon", "rcpt 450 4.7.9"},
        {"INFO something", "rcpt 550 5.7.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct here h;
        char out[64] = "";
        gate_test_begin(&h, "filter post delegation 127.0.0.1:10023\npolicy recipient { ask post; reject }\n");
        h.answer = cases[i].answer;
        gate_test_before_content(&h, &gate_test_good, out);
        assert_string_equal(out, cases[i].expected);
        gate_test_end(&h);
    }
}

// A server that counts on an attribute finds it, if empty.
static void test_ask_says_all(void **state) {
    static const char *const names[] = {"request",
                                        "protocol_state",
                                        "protocol_name",
                                        "instance",
                                        "helo_name",
                                        "queue_id",
                                        "sender",
                                        "recipient",
                                        "recipient_count",
                                        "client_address",
                                        "client_name",
                                        "reverse_client_name",
                                        "client_port",
                                        "sasl_method",
                                        "sasl_username",
                                        "sasl_sender",
                                        "ccert_subject",
                                        "ccert_issuer",
                                        "ccert_fingerprint",
                                        "ccert_pubkey_fingerprint",
                                        "encryption_protocol",
                                        "encryption_cipher",
                                        "encryption_keysize",
                                        "etrn_domain",
                                        "size",
                                        "stress",
                                        "policy_context",
                                        "server_address",
                                        "server_port",
                                        "compatibility_level",
                                        "mail_version"};
    struct here h;
    gate_test_begin(&h, "filter post delegation 127.0.0.1:10023\npolicy connect { ask post }\n");
    h.answer = "DUNNO";
    gate_test_come(&h, "192.0.2.2");
    struct gate_verdict v;
    gate_decide(h.gate, CONFIG_STAGE_CONNECT, &v);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n%s=", names[i]);
        char *first = i ? strstr(h.request, line) : h.request;
        if (!first || strstr(first + 1, line))
            fail_msg("%s: %s", names[i], h.request);
    }
    gate_test_end(&h);
}

static void test_ask_about_the_message(void **state) {
    static const char *const answers[] = {"PREPEND X-Seen: by them",
                                          "PREPEND no field",
                                          "HOLD",
                                          "DISCARD gone",
                                          "REDIRECT other@OUR.example",
                                          "REDIRECT nobody",
                                          "REDIRECT a b@our.example",
                                          "BCC spy@OUR.example"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct here h;
        struct content c;
        struct gate_verdict v;
        char out[64] = "";
        gate_test_begin(&h, asking);
        h.answer = answers[i];
        gate_test_run(&h, &gate_test_good, out, &v, &c);
        assert_int_equal(v.headers_n, i == 0);
        assert_int_equal(v.hold, i == 2);
        assert_int_equal(v.outcome, i == 3 ? GATE_DISCARD : GATE_GO_ON);
        assert_true(slice_eq(v.bcc, i == 7 ? SLICE("spy@our.example") : SLICE_EMPTY));
        assert_true(slice_eq(v.redirect, i == 4 ? SLICE("other@our.example") : SLICE_EMPTY));
        gate_test_end(&h);
    }
}

// --- what is forgotten when

static void test_forgets(void **state) {
    struct here h;
    struct gate_verdict v;
    char out[64], value[256];
    gate_test_begin(&h, "policy content { accept }\n");
    gate_test_before_content(&h, &gate_test_good, out);
    gate_refused(h.gate, CONFIG_STAGE_RECIPIENT, &(struct err){.smtp = 550});
    assert_string_equal(gate_test_fact(&h.records[0], "spf", value), "pass");
    gate_mail(h.gate, SLICE(""));
    gate_refused(h.gate, CONFIG_STAGE_RECIPIENT, &(struct err){.smtp = 550});
    assert_string_equal(gate_test_fact(&h.records[1], "spf", value), "(not there)");
    assert_string_equal(gate_test_fact(&h.records[1], "helo.valid", value), "true");
    assert_false(gate_test_asked(&h.records[1], "TXT good.example", "OK v=spf1 a:mail.good.example -all"));
    gate_tls(h.gate);
    gate_refused(h.gate, CONFIG_STAGE_HELO, &(struct err){.smtp = 550});
    assert_string_equal(gate_test_fact(&h.records[2], "helo.valid", value), "(not there)");
    gate_decide(h.gate, CONFIG_STAGE_MAIL, &v); // without MAIL: nothing
    assert_int_equal(v.outcome, GATE_GO_ON);
    gate_test_end(&h);
}

static size_t memory_of(const struct gate *g) {
    return sizeof *g + g->client.arena.total + g->helo.arena.total + g->mail.arena.total + g->recipient.arena.total;
}

static void test_idle_memory(void **state) {
    struct here h;
    struct gate_verdict v;
    gate_test_begin(&h, "");
    gate_test_come(&h, "192.0.2.66");
    gate_decide(h.gate, CONFIG_STAGE_CONNECT, &v);
    gate_helo(h.gate, SLICE("dsl-66.bots.example"));
    gate_decide(h.gate, CONFIG_STAGE_HELO, &v);
    if (memory_of(h.gate) >= 2048)
        fail_msg("an idle stranger costs %zu bytes", memory_of(h.gate));
    gate_test_end(&h);
}

// Ten thousand HELOs, transactions and recipients cost what one does.
static void test_repeated(void **state) {
    struct here h;
    struct gate_verdict v;
    char out[64];
    size_t once = 0;
    gate_test_begin(&h, "");
    gate_test_before_content(&h, &gate_test_good, out);
    for (size_t i = 0; i < 3000; i++) {
        gate_helo(h.gate, SLICE("mail.good.example"));
        gate_decide(h.gate, CONFIG_STAGE_HELO, &v);
        gate_mail(h.gate, SLICE("ann@good.example"));
        gate_decide(h.gate, CONFIG_STAGE_MAIL, &v);
        for (size_t k = 0; k < 4; k++) {
            gate_recipient(h.gate, SLICE("alice@our.example"), k + 1);
            gate_decide(h.gate, CONFIG_STAGE_RECIPIENT, &v);
        }
        if (i == 1)
            once = memory_of(h.gate);
        assert_true(i < 2 || memory_of(h.gate) <= once);
    }
    gate_test_end(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_of_a_message),
        cmocka_unit_test(test_record_of_a_refusal),
        cmocka_unit_test(test_record_without_content),
        cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_discard),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_ask_and_go_on),
        cmocka_unit_test(test_ask_says_all),
        cmocka_unit_test(test_ask_about_the_message),
        cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_idle_memory),
        cmocka_unit_test(test_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
