// gate_test: whole sessions against the built-in rules: good servers, forgers, lists, forwarders; and when nobody
// answers.
#include "core/gate/gate_test_house.h"

#define FROM(address) "From: <" address ">\r\nSubject: hello\r\n"

// clang-format off
static const struct session sessions[] = {
    {"192.0.2.2", "mail.good.example", "ann@good.example", .header = FROM("ann@good.example"), .expected = "taken"},
    {"192.0.2.2", "mail.good.example", "ann@good.example", .fresh = true, .expected = "rcpt 451 4.7.1"},
    // SPF fails, nothing signs it, its domain asks for rejection
    {"192.0.2.3", "plain.example", "ann@good.example", .header = FROM("ann@good.example"), .expected = "content 550 5.7.1"},
    {"192.0.2.3", "plain.example", "x@plain.example", .header = FROM("ann@good.example"), .expected = "content 550 5.7.1"},
    {"192.0.2.3", "plain.example", "x@plain.example", .header = FROM("a@quarantine.example"), .expected = "taken quarantine"},
    {"192.0.2.3", "plain.example", "x@plain.example", .header = "Subject: who?\r\n", .expected = "taken quarantine"},
    // forwarded with its signature; from a list that broke it but seals; by one that nobody trusts
    {"192.0.2.9", "mail.list.example", "ann@good.example", .header = FROM("ann@good.example"), .signer = "good.example",
     .expected = "taken"},
    // what it doesn't cover may be anything (l=)
    {"192.0.2.9", "mail.list.example", "ann@good.example", .header = FROM("ann@good.example"), .signer = "good.example",
     .behind_signature = 5, .expected = "content 550 5.7.1"},
    {"192.0.2.9", "mail.list.example", "b@list.example", .header = FROM("ann@good.example"), .sealer = "list.example",
     .claims = "mx.list.example; dmarc=pass (p=reject) header.from=good.example", .expected = "taken"},
    {"192.0.2.9", "mail.list.example", "b@list.example", .header = FROM("ann@good.example"), .sealer = "list.example",
     .claims = "mx.list.example; dmarc=fail header.from=good.example", .expected = "content 550 5.7.1"},
    {"192.0.2.9", "mail.list.example", "b@list.example", .header = FROM("ann@good.example"), .sealer = "evil.example",
     .claims = "mx.list.example; dmarc=pass header.from=good.example", .expected = "content 550 5.7.1"},
    // the null reverse-path: HELO's identity
    {"192.0.2.3", "plain.example", "", .header = FROM("postmaster@good.example"), .expected = "content 550 5.7.1"},
    {"192.0.2.2", "good.example", "", .header = FROM("postmaster@good.example"), .expected = "taken"},
    // a bounce of who is put off waits at its end; who only asks for an address hears
    {"192.0.2.2", "mail.good.example", "", .header = FROM("postmaster@plain.example"), .fresh = true,
     .expected = "content 451 4.7.1"},
    {"192.0.2.3", "plain.example", "", .header = FROM("postmaster@plain.example"), .fresh = true,
     .expected = "content 451 4.7.1"},
    // a bot: on a list, no true name; postmaster can be written to all the same
    {"192.0.2.66", "dsl-66.bots.example", "x@plain.example", .expected = "rcpt 550 5.7.1"},
    {"192.0.2.66", "dsl-66.bots.example", "x@plain.example", "postmaster@our.example", FROM("x@plain.example"),
     .expected = "taken"},
    // a list that refuses to say; one that vouches; a list of senders
    {"192.0.2.67", "plain.example", "x@plain.example", .header = FROM("x@plain.example"), .expected = "taken"},
    {"192.0.2.68", "plain.example", "x@plain.example", .header = FROM("x@plain.example"), .expected = "taken"},
    {"192.0.2.70", "plain.example", "x@bad.example", .expected = "rcpt 550 5.7.1"},
    // HELO
    {"192.0.2.2", "192.0.2.2", "ann@good.example", .expected = "helo 550 5.5.2"},
    {"192.0.2.2", "mx.our.example", "ann@good.example", .expected = "helo 550 5.7.1"},
    {"192.0.2.2", "our.example", "ann@good.example", .expected = "helo 550 5.7.1"},
    {"192.0.2.77", "our.example", "ann@plain.example", .header = FROM("ann@plain.example"), .expected = "taken"},
    {"192.0.2.2", "[203.0.113.1]", "ann@good.example", .expected = "helo 550 5.7.1"},
    {"192.0.2.2", "[192.0.2.2]", "ann@good.example", .header = FROM("ann@good.example"), .expected = "taken"},
    // the sender's domain
    {"192.0.2.3", "plain.example", "x@silent.example", .expected = "mail 550 5.7.27"},
    {"192.0.2.3", "plain.example", "x@nowhere.example", .expected = "mail 550 5.1.8"},
    {"192.0.2.3", "plain.example", "x@empty.example", .header = FROM("x@empty.example"), .expected = "taken"},
    {"192.0.2.3", "plain.example", "x@slow.example", .header = FROM("x@slow.example"), .expected = "taken"},
    {"192.0.2.44", "fails.example", "x@fails.example", .header = FROM("x@fails.example"), .expected = "content 550 5.7.23"},
    // those who aren't asked
    {"127.0.0.1", "mx.our.example", "x@nowhere.example", .header = FROM("x@nowhere.example"), .fresh = true,
     .expected = "taken"},
    {"10.1.2.3", "mx.our.example", "ann@good.example", .header = FROM("ann@good.example"), .fresh = true,
     .expected = "taken"},
};
// clang-format on

static void test_sessions(void **state) {
    for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
        struct here h;
        struct content c;
        struct gate_verdict v;
        char out[64] = "";
        gate_test_begin(&h, "");
        gate_test_run(&h, &sessions[i], out, &v, &c);
        if (strcmp(out, sessions[i].expected))
            fail_msg("session %zu, from %s as %s: %s, not %s", i, sessions[i].client, sessions[i].sender, out,
                     sessions[i].expected);
        gate_test_end(&h);
    }
}

// A person blocked a sender: as reverse-path, and in From. Nobody is asked where nobody is blocked.
static void test_blocked_by_a_person(void **state) {
    static const struct {
        const char *sender, *header, *expected;
        bool asks;
    } cases[] = {
        {"x@plain.example", FROM("x@plain.example"), "mail 550 5.7.1", true},
        {"X@Plain.Example", FROM("x@plain.example"), "mail 550 5.7.1", true},
        {"", FROM("X@Plain.Example"), "content 550 5.7.1", true},
        {"y@plain.example", FROM("y@plain.example"), "taken", true},
        {"", FROM("y@plain.example"), "taken", true},
        {"x@plain.example", FROM("x@plain.example"), "taken", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s = {
            .client = "192.0.2.3", .helo = "plain.example", .sender = cases[i].sender, .header = cases[i].header};
        struct here h;
        struct content c;
        struct gate_verdict v;
        char out[64] = "";
        gate_test_begin(&h, "");
        h.blocked = "x@plain.example";
        h.standing.asks_senders = cases[i].asks;
        gate_test_run(&h, &s, out, &v, &c);
        if (strcmp(out, cases[i].expected))
            fail_msg("%zu: %s", i, out);
        gate_test_end(&h);
    }
}

// A stricter house: senders must be reachable.
static void test_unreachable(void **state) {
    static const struct {
        const char *sender, *expected;
    } cases[] = {
        {"x@empty.example", "mail 550 5.7.1"}, {"x@nowhere.example", "mail 550 5.7.1"}, {"ann@good.example", "taken"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s = {.client = "192.0.2.2",
                            .helo = "good.example",
                            .sender = cases[i].sender,
                            .header = FROM("ann@good.example"),
                            .fresh = true};
        struct here h;
        struct content c;
        struct gate_verdict v;
        char out[64] = "";
        gate_test_begin(
            &h,
            "policy mail { reject when sender.unreachable }\npolicy recipient { accept }\npolicy content { accept }\n");
        gate_test_run(&h, &s, out, &v, &c);
        assert_string_equal(out, cases[i].expected);
        gate_test_end(&h);
    }
}

// --- replies

static void test_texts(void **state) {
    static const struct session bot = {.client = "192.0.2.66", .helo = "bot.example", .sender = "x@plain.example"};
    struct here h;
    char out[64];
    gate_test_begin(&h, "");
    gate_test_before_content(&h, &bot, out);
    assert_string_equal(out, "rcpt 550 5.7.1");
    assert_int_equal(h.records_n, 1);
    assert_memory_equal(h.records[0].text.p, "blocked: bl.example (127.0.0.4: seen in a botnet)", 50);
    gate_test_end(&h);
}

static void test_connect(void **state) {
    struct here h;
    struct gate_verdict v;
    gate_test_begin(&h, "");
    h.early = true;
    gate_test_come(&h, "192.0.2.3");
    assert_null(gate_standing(h.gate));
    gate_decide(h.gate, CONFIG_STAGE_CONNECT, &v);
    assert_int_equal(v.outcome, GATE_REFUSE);
    assert_int_equal(v.why.smtp, 554);
    assert_true(v.end);
    assert_non_null(gate_standing(h.gate));
    h.standing.known = true; // such are spared the wait
    gate_test_come(&h, "192.0.2.3");
    gate_decide(h.gate, CONFIG_STAGE_CONNECT, &v);
    assert_int_equal(v.outcome, GATE_GO_ON);
    h.standing = (struct message_client_reply){.ok = true, .shut_out = true};
    gate_test_come(&h, "192.0.2.3");
    gate_decide(h.gate, CONFIG_STAGE_CONNECT, &v);
    assert_int_equal(v.why.smtp, 421);
    gate_test_come(&h, "10.0.0.1");
    gate_decide(h.gate, CONFIG_STAGE_CONNECT, &v);
    assert_int_equal(v.outcome, GATE_GO_ON);
    gate_test_end(&h);
}

// For filters: a name counts as the client's own only where it leads back.
static void test_client_name(void **state) {
    static const struct {
        const char *client, *name;
        bool confirmed;
    } cases[] = {{"192.0.2.2", "mail.good.example", true},
                 {"192.0.2.66", "dsl-66.bots.example", false},
                 {"192.0.2.3", "", false},
                 {"127.0.0.1", "localhost", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct here h;
        bool confirmed = !cases[i].confirmed;
        gate_test_begin(&h, "");
        gate_test_come(&h, cases[i].client);
        assert_true(slice_eq(gate_client_name(h.gate, &confirmed), slice_str(cases[i].name)));
        assert_int_equal(confirmed, cases[i].confirmed);
        gate_test_end(&h);
    }
}

static void test_nobody_answers(void **state) {
    struct session s = gate_test_good;
    struct here h;
    struct content c;
    struct gate_verdict v;
    char out[64];
    s.fresh = true;
    gate_test_begin(&h, "");
    h.unreachable = true;
    gate_test_run(&h, &s, out, &v, &c);
    assert_string_equal(out, "taken");
    gate_test_end(&h);
}

static void test_greylist_keys(void **state) {
    struct session s = gate_test_good;
    struct here h;
    struct content c;
    struct gate_verdict v;
    char out[64];
    gate_test_begin(&h, "");
    s.fresh = true;
    gate_test_run(&h, &s, out, &v, &c);
    assert_string_equal(h.key, "good.example");
    s = (struct session){.client = "192.0.2.9",
                         .helo = "mail.list.example",
                         .sender = "x@plain.example",
                         .header = FROM("x@plain.example"),
                         .signer = "Plain.EXAMPLE",
                         .fresh = true};
    gate_test_run(&h, &s, out, &v, &c); // no SPF, but a true name: content decides, and the signature is the key
    assert_string_equal(out, "content 451 4.7.1");
    assert_string_equal(h.key, "plain.example");
    assert_true(slice_eq(gate_proven_domain(h.gate), SLICE("plain.example")));
    s.signer = NULL;
    gate_test_run(&h, &s, out, &v, &c);
    assert_string_equal(h.key, "");
    gate_test_end(&h);
}

// --- replay

static bool recorded_fact(void *arg, enum fact which, struct slice name, struct fact_value *out) {
    if (which != FACT_SPF && which != FACT_DMARC_ENFORCED)
        return false;
    out->text = which == FACT_SPF ? SLICE("fail") : SLICE("quarantine");
    return true;
}

static void test_facts_as_they_were(void **state) {
    struct here h;
    struct content c;
    struct gate_verdict v;
    char out[64], value[256];
    gate_test_begin(&h, "");
    h.outside.fact = recorded_fact;
    gate_test_run(&h, &gate_test_good, out, &v, &c);
    assert_string_equal(out, "taken quarantine");
    gate_told(h.gate, NULL);
    assert_string_equal(gate_test_fact(&h.records[0], "dmarc.enforced", value), "quarantine");
    gate_test_end(&h);
}

// --- words of trusted sealers

static void test_vouches(void **state) {
    static const struct {
        const char *results;
        bool expected;
    } cases[] = {
        {"mx.example; dmarc=pass header.from=good.example", true},
        {"mx.example; DMARC = pass", true},
        {"mx.example; dmarc=pass (p=NONE) header.from=mail.good.example", true},
        {"mx.example; dmarc=pass header.from=other.example", false},
        {"mx.example; dmarc=pass header.from=other.example; spf=pass smtp.mailfrom=good.example", true},
        {"mx.example; dmarc=fail; spf=pass smtp.mailfrom=ann@good.example", true},
        {"mx.example; spf=pass smtp.mailfrom=mail.good.example", true},
        {"mx.example; spf=pass smtp.mailfrom=evilgood.example", false},
        {"mx.example; spf=pass smtp.helo=good.example", false},
        {"mx.example; dkim=pass (1024-bit; dmarc=pass) header.i=@good.example header.d=good.example", true},
        {"mx.example; dkim=pass (x\\) dmarc=pass", false},
        {"mx.example; dkim=pass header.d=other.example; arc=pass", false},
        {"mx.example; dkim=fail header.d=good.example", false},
        {"mx.example; spf=fail reason=\"dmarc=pass; dmarc=pass\" smtp.mailfrom=x", false},
        {"mx.example; dkim/1=pass header.d=\"good.example\"", true},
        {"mx.example; none", false},
        {";;;===(((", false},
        {"\"", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (gate_results_vouch(slice_str(cases[i].results), SLICE("good.example")) != cases[i].expected)
            fail_msg("%s", cases[i].results);
}

// --- lists in their senses

static void test_list_states(void **state) {
    static const enum dnsbl_state dead[] = {DNSBL_DEAD, DNSBL_GOOD, DNSBL_UNTESTED};
    static const struct session bot = {.client = "192.0.2.66", .helo = "bot.example", .sender = "x@bad.example"};
    struct here h;
    char out[64] = "passed";
    gate_test_begin(&h, "");
    h.outside.list_states = dead;
    gate_test_before_content(&h, &bot, out);
    assert_string_equal(out, "passed");
    gate_test_end(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_blocked_by_a_person),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_client_name),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_greylist_keys),
        cmocka_unit_test(test_facts_as_they_were),
        cmocka_unit_test(test_vouches),
        cmocka_unit_test(test_list_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
