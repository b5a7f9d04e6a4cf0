// gate_test_house: zones, configuration, answers of others.
#include "core/gate/gate_test_house.h"

#include "mail/oracle/oracle_zone.h"

static const char zone_text[] = "2.2.0.192.in-addr.arpa. PTR mail.good.example.\n"
                                "mail.good.example. A 192.0.2.2\n"
                                "good.example. MX 10 mail.good.example.\n"
                                "good.example. TXT \"v=spf1 a:mail.good.example -all\"\n"
                                "_dmarc.good.example. TXT \"v=DMARC1; p=reject; rua=mailto:agg@good.example\"\n"
                                "plain.example. A 192.0.2.3\n"
                                "fails.example. A 192.0.2.3\n"
                                "fails.example. TXT \"v=spf1 -all exp=why.fails.example\"\n"
                                "why.fails.example. TXT \"%{i} is not ours\"\n"
                                "silent.example. MX 0 .\n"
                                "empty.example. TXT \"here but for nobody\"\n"
                                "slow.example. TIMEOUT\n"
                                "quarantine.example. A 192.0.2.4\n"
                                "_dmarc.quarantine.example. TXT \"v=DMARC1; p=quarantine\"\n"
                                "list.example. A 192.0.2.9\n"
                                "list.example. TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
                                "mail.list.example. A 192.0.2.9\n"
                                "9.2.0.192.in-addr.arpa. PTR mail.list.example.\n"
                                "66.2.0.192.in-addr.arpa. PTR dsl-66.bots.example.\n"
                                "dsl-66.bots.example. A 192.0.2.99\n"
                                "66.2.0.192.bl.example. A 127.0.0.4\n"
                                "66.2.0.192.bl.example. TXT \"seen\\010in a botnet\"\n"
                                "2.0.0.127.bl.example. A 127.0.0.2\n"
                                "67.2.0.192.bl.example. A 127.255.255.254\n"
                                "68.2.0.192.bl.example. A 127.0.0.4\n"
                                "68.2.0.192.wl.example. A 127.0.10.1\n"
                                "bad.example.dbl.example. A 127.0.1.2\n"
                                "bad.example. A 192.0.2.70\n"
                                "70.2.0.192.in-addr.arpa. TIMEOUT\n"
                                "our.example. A 192.0.2.77\n"
                                "all.example. A 127.0.0.2\n"
                                "*.all.example. A 127.0.0.2\n";

static const char config_text[] = "version 1\nhostname mx.our.example\nlisten mx 203.0.113.1:25\n"
                                  "table people inline { \"alice\" \"bob\" }\n"
                                  "domain our.example { recipients people; deliver maildir \"/m/{local}\" }\n"
                                  "relay from 10.0.0.0/8\n"
                                  "dnsbl bl.example weight 8 codes 127.0.0.2 .. 127.0.0.11\n"
                                  "dnswl wl.example weight 2\n"
                                  "dnsbl dbl.example weight 9 of sender\n"
                                  "dmarc reports from reports@our.example\n"
                                  "arc trust list.example\n";

// --- outside

static struct wall now(void *arg) { return (struct wall){1700000000000}; }
static void hurry(void *arg, int64_t ms) { assert_int_equal(ms, 10000); }

static bool client(void *arg, const struct message_client *m, struct arena *arena, struct message_client_reply *out) {
    struct here *h = arg;
    if (!h->unreachable)
        *out = h->standing;
    return !h->unreachable;
}

static bool greylist(void *arg, const struct message_greylist *m, struct message_greylist_reply *out) {
    struct here *h = arg;
    *out = (struct message_greylist_reply){
        .proven = h->proven, .wait_ms = 120000, .blocked = h->blocked && slice_eq(m->sender, slice_str(h->blocked))};
    snprintf(h->key, sizeof h->key, "%.*s", SLICE_ARG(m->domain));
    return !h->unreachable;
}

static bool early(void *arg, int64_t ms) { return ((struct here *)arg)->early; }

static bool in_table(void *arg, struct slice table, struct slice value, bool *out) {
    *out = slice_eq(table, SLICE("wanted")) && slice_eq(value, SLICE("news@list.example"));
    return true;
}

static bool ask(void *arg, const struct config_filter *f, struct slice request, struct arena *arena,
                struct slice *answer) {
    struct here *h = arg;
    snprintf(h->request, sizeof h->request, "%.*s", SLICE_ARG(request));
    *answer = slice_str(h->answer);
    return h->answer;
}

static void record(void *arg, const struct record *r) {
    struct here *h = arg;
    struct record *copy;
    assert_true(h->records_n < GATE_TEST_RECORDS);
    copy = &h->records[h->records_n++];
    *copy = *r;
    copy->text = arena_dup(&h->arena, r->text);
    copy->facts = arena_alloc(&h->arena, (r->facts_n + 1) * sizeof *r->facts);
    for (size_t i = 0; i < r->facts_n; i++)
        copy->facts[i] =
            (struct record_fact){arena_dup(&h->arena, r->facts[i].name), arena_dup(&h->arena, r->facts[i].value)};
    copy->dns = arena_alloc(&h->arena, (r->dns_n + 1) * sizeof *r->dns);
    for (size_t i = 0; i < r->dns_n; i++)
        copy->dns[i] =
            (struct record_dns){arena_dup(&h->arena, r->dns[i].question), arena_dup(&h->arena, r->dns[i].answer)};
    copy->rules = arena_alloc(&h->arena, (r->rules_n + 1) * sizeof *r->rules);
    memcpy(copy->rules, r->rules, r->rules_n * sizeof *r->rules);
}

static void dmarc_seen(void *arg, const struct message_dmarc_seen *m) {
    struct here *h = arg;
    h->dmarc_n++;
    snprintf(h->disposition, sizeof h->disposition, "%.*s", SLICE_ARG(m->disposition));
    snprintf(h->override, sizeof h->override, "%.*s", SLICE_ARG(m->override));
}

// --- a house

void gate_test_begin(struct here *h, const char *more) {
    struct config_report report = {0};
    struct err e = {0};
    char *text = malloc(sizeof config_text + strlen(more));
    assert_non_null(text);
    memcpy(text, config_text, sizeof config_text);
    memcpy(text + sizeof config_text - 1, more, strlen(more) + 1);
    *h = (struct here){.config = config_parse(slice_str(text), SLICE("/"), &report),
                       .zone = oracle_zone_new(slice_str(zone_text), &e),
                       .standing = {.ok = true},
                       .proven = MESSAGE_PROVEN_CAME_BACK,
                       .arena = {.max = 1 << 20}};
    h->records = arena_alloc(&h->arena, GATE_TEST_RECORDS * sizeof *h->records);
    if (!h->config)
        fail_msg("%u: %.*s", report.mistakes[0].place.line, SLICE_ARG(report.mistakes[0].text));
    if (!h->zone)
        fail_msg("%s", e.text);
    h->outside = (struct gate_outside){.hurry = hurry,
                                       .now = now,
                                       .client = client,
                                       .greylist = greylist,
                                       .early = early,
                                       .in_table = in_table,
                                       .ask = ask,
                                       .record = record,
                                       .dmarc_seen = dmarc_seen};
    h->gate = gate_new(h->config, &h->outside, oracle_zone_oracle(h->zone), h);
    free(text);
    config_report_done(&report);
}

void gate_test_end(struct here *h) {
    gate_free(h->gate);
    oracle_zone_free(h->zone);
    config_free(h->config);
    arena_done(&h->arena);
}

static struct netaddr ip_of(const char *text) {
    struct netaddr ip;
    assert_true(netaddr_parse_ip(slice_str(text), &ip));
    return ip;
}

void gate_test_come(struct here *h, const char *ip) {
    struct gate_client_facts f = {.ip = ip_of(ip), .local = ip_of("203.0.113.1"), .session = SLICE("S1")};
    f.trusted = config_trusts(h->config, &f.ip);
    gate_client(h->gate, &f);
}

// --- whole sessions

static const char *const stage_words[] = {"connect", "helo", "mail", "rcpt", "content"};

static bool refused(enum config_stage stage, const struct gate_verdict *v, char out[64]) {
    if (v->outcome != GATE_REFUSE)
        return false;
    snprintf(out, 64, "%s %d %u.%u.%u%s", stage_words[stage], v->why.smtp, v->why.enhanced[0], v->why.enhanced[1],
             v->why.enhanced[2], v->end ? " end" : "");
    return true;
}

bool gate_test_before_content(struct here *h, const struct session *s, char out[64]) {
    struct gate_verdict v;
    gate_test_come(h, s->client);
    gate_decide(h->gate, CONFIG_STAGE_CONNECT, &v);
    if (refused(CONFIG_STAGE_CONNECT, &v, out))
        return false;
    gate_helo(h->gate, slice_str(s->helo));
    gate_decide(h->gate, CONFIG_STAGE_HELO, &v);
    if (refused(CONFIG_STAGE_HELO, &v, out))
        return false;
    gate_mail(h->gate, slice_str(s->sender));
    gate_decide(h->gate, CONFIG_STAGE_MAIL, &v);
    if (refused(CONFIG_STAGE_MAIL, &v, out))
        return false;
    gate_recipient(h->gate, slice_str(s->recipient ? s->recipient : "alice@our.example"), 1);
    gate_decide(h->gate, CONFIG_STAGE_RECIPIENT, &v);
    return !refused(CONFIG_STAGE_RECIPIENT, &v, out);
}

static void make_content(const struct session *s, struct content *c) {
    *c = (struct content){.signature = {.result = DKIM_PASS,
                                        .domain = slice_str(s->signer),
                                        .selector = SLICE("s"),
                                        .unsigned_n = s->behind_signature},
                          .sealer = slice_str(s->sealer),
                          .recipient = SLICE("alice@our.example")};
    c->dkim = (struct dkim_verify){.list = &c->signature, .n = s->signer != NULL, .ended = true};
    c->arc = (struct arc_verify){.ended = true};
    if (s->sealer)
        c->arc.verdict = (struct arc_verdict){.result = ARC_PASS,
                                              .instance = 1,
                                              .domain = c->sealer,
                                              .selector = SLICE("a"),
                                              .results = slice_str(s->claims),
                                              .first_results = slice_str(s->claims),
                                              .sealers = &c->sealer,
                                              .sealers_n = 1};
    c->facts = (struct gate_content){.queue_id = 7,
                                     .size = 1000,
                                     .header = slice_str(s->header),
                                     .dkim = &c->dkim,
                                     .arc = &c->arc,
                                     .recipients = &c->recipient,
                                     .recipients_n = 1};
}

void gate_test_run(struct here *h, const struct session *s, char out[64], struct gate_verdict *v, struct content *c) {
    h->proven = s->fresh ? MESSAGE_PROVEN_NO : MESSAGE_PROVEN_CAME_BACK;
    if (!gate_test_before_content(h, s, out))
        return;
    make_content(s, c);
    gate_content(h->gate, &c->facts);
    gate_decide(h->gate, CONFIG_STAGE_CONTENT, v);
    if (refused(CONFIG_STAGE_CONTENT, v, out))
        return;
    snprintf(out, 64, "taken%s", v->quarantine ? " quarantine" : v->hold ? " hold" : "");
}

const struct session gate_test_good = {.client = "192.0.2.2",
                                       .helo = "mail.good.example",
                                       .sender = "ann@good.example",
                                       .header = "From: <ann@good.example>\r\nSubject: hello\r\n"};

// --- records

const char *gate_test_fact(const struct record *r, const char *name, char out[256]) {
    for (size_t i = 0; i < r->facts_n; i++)
        if (slice_eq(r->facts[i].name, slice_str(name))) {
            snprintf(out, 256, "%.*s", SLICE_ARG(r->facts[i].value));
            return out;
        }
    return "(not there)";
}

bool gate_test_asked(const struct record *r, const char *question, const char *answer) {
    for (size_t i = 0; i < r->dns_n; i++)
        if (slice_eq(r->dns[i].question, slice_str(question)))
            return slice_eq(r->dns[i].answer, slice_str(answer));
    return false;
}
