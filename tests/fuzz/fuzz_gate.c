// fuzz_gate: whatever a stranger says of itself and of its mail, the gate comes to a verdict whose words are one line,
// and to records that can be packed.
#include "fuzz.h"

#include "core/gate/gate_inside.h"
#include "core/history/record.h"
#include "mail/header/header.h"
#include "mail/oracle/oracle_zone.h"

static const char config_text[] =
    "version 1\nhostname mx.our.example\nlisten mx 203.0.113.1:25\n"
    "table people inline { \"alice\" }\n"
    "domain our.example { recipients people; deliver maildir \"/m/{local}\" }\n"
    "dnsbl bl.example weight 8\ndnsbl dbl.example of sender\ndnsbl hbl.example of helo\n"
    "dmarc reports from r@our.example\narc trust list.example\n"
    "filter post delegation 127.0.0.1:10023 { failure accept }\n"
    "policy recipient { ask post; built-in }\n"
    "policy content { header \"X-S: {header Subject} {from}\"; tag t when header X-T matches \"^a+b\"; built-in }\n";

static const char zone_text[] =
    "$ORIGIN example.\n"
    "a MX 10 mx.a\nmx.a A 192.0.2.1\na TXT \"v=spf1 a mx exists:%{l}.%{h}.a -all exp=e.a\"\n"
    "e.a TXT \"%{s} from %{h} at %{i}\"\n_dmarc.a TXT \"v=DMARC1; p=reject; rua=mailto:x@a.example\"\n"
    "*.bl A 127.0.0.2\n*.bl TXT \"words %{x}\\010\\200\"\n*.dbl A 127.0.0.3\nn MX 0 .\n"
    "1.2.0.192.in-addr.arpa. PTR mx.a.example.\n";

struct outside {
    struct slice answer;
    struct gate *gate;
};

static struct wall now(void *arg) { return (struct wall){1700000000000}; }
static void hurry(void *arg, int64_t ms) {}

static bool ask(void *arg, const struct config_filter *f, struct slice request, struct arena *arena,
                struct slice *answer) {
    struct slice line, rest = request;
    for (size_t lines = 0; slice_cut(rest, '\n', &line, &rest); lines++)
        FUZZ_CHECK(line.n ? slice_find(line, '=') < line.n : rest.n == 0 && lines > 10);
    *answer = ((struct outside *)arg)->answer;
    return true;
}

static void record(void *arg, const struct record *r) {
    struct buf b = {.max = RECORD_MAX};
    FUZZ_CHECK(record_pack(&b, r));
    buf_done(&b);
}

static void dmarc_seen(void *arg, const struct message_dmarc_seen *m) { FUZZ_CHECK(m->record.n > 0); }

static bool is_line(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return false;
    return true;
}

static bool go_on(struct gate *g, enum config_stage stage) {
    struct gate_verdict v;
    gate_decide(g, stage, &v);
    FUZZ_CHECK(v.outcome != GATE_REFUSE ||
               (v.why.smtp >= 400 && v.why.smtp < 600 && v.why.text[0] && is_line(slice_str(v.why.text))));
    for (size_t i = 0; i < v.headers_n; i++)
        FUZZ_CHECK(is_line(v.headers[i]) && slice_find(v.headers[i], ':') < v.headers[i].n);
    FUZZ_CHECK(v.tarpit_ms >= 0 && v.tarpit_ms <= GATE_TARPIT_MAX_MS);
    return v.outcome == GATE_GO_ON;
}

static struct slice next(struct slice *rest) {
    struct slice part;
    slice_cut(*rest, '\0', &part, rest);
    return part;
}

static void content(struct gate *g, struct slice header, struct slice claims) {
    struct dkim_verdict signature = {.result = DKIM_PASS, .domain = SLICE("b.example"), .selector = SLICE("s")};
    struct dkim_verify dkim = {.list = &signature, .n = header.n % 2, .ended = true};
    struct slice sealer = SLICE("list.example"), recipient = SLICE("alice@our.example");
    struct arc_verify arc = {.ended = true,
                             .verdict = {.result = ARC_PASS,
                                         .instance = 1,
                                         .domain = sealer,
                                         .results = claims,
                                         .first_results = claims,
                                         .sealers = &sealer,
                                         .sealers_n = 1}};
    struct gate_content c = {.queue_id = 1,
                             .size = header.n,
                             .header = header_section(header),
                             .dkim = &dkim,
                             .arc = &arc,
                             .recipients = &recipient,
                             .recipients_n = 1};
    struct buf results = {.max = 1 << 20};
    struct header_field field;
    gate_content(g, &c);
    go_on(g, CONFIG_STAGE_CONTENT);
    FUZZ_CHECK(gate_results(g, &results));
    struct slice rest = buf_slice(&results);
    FUZZ_CHECK(header_next(&rest, &field) && rest.n == 0 && slice_eq(field.name, SLICE("Authentication-Results")));
    gate_told(g, NULL);
    buf_done(&results);
}

static void session(struct gate *g, struct slice text, struct outside *o) {
    struct gate_client_facts who = {.session = SLICE("S")};
    netaddr_parse_ip(SLICE("192.0.2.1"), &who.ip);
    netaddr_parse_ip(SLICE("203.0.113.1"), &who.local);
    gate_client(g, &who);
    go_on(g, CONFIG_STAGE_CONNECT);
    gate_helo(g, next(&text));
    go_on(g, CONFIG_STAGE_HELO);
    gate_mail(g, next(&text));
    go_on(g, CONFIG_STAGE_MAIL);
    o->answer = next(&text);
    gate_recipient(g, next(&text), 1);
    go_on(g, CONFIG_STAGE_RECIPIENT);
    struct slice claims = next(&text);
    content(g, text, claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct config *config;
    static struct oracle_zone *zone;
    struct err e;
    if (!config) {
        struct config_report report = {0};
        config = config_parse(slice_str(config_text), SLICE("/"), &report);
        zone = oracle_zone_new(slice_str(zone_text), &e);
        FUZZ_CHECK(config && zone);
        config_report_done(&report);
    }
    struct outside o = {0};
    struct gate_outside outside = {.hurry = hurry, .now = now, .ask = ask, .record = record, .dmarc_seen = dmarc_seen};
    struct gate *g = gate_new(config, &outside, oracle_zone_oracle(zone), &o);
    FUZZ_CHECK(g);
    session(g, slice_of(data, size), &o);
    gate_free(g);
    return 0;
}
