// fuzz_rules: any bytes as rules of policy, walked over facts that are made of a seed; what is accepted has a written
// form that decides the same.
#include "fuzz.h"

#include "core/rules/rules.h"

struct facts {
    struct rule_facts ops;
    uint32_t seed;
    unsigned asked;
};

static uint32_t mix(uint32_t a, uint32_t b) { return (a ^ b) * 0x9e3779b1u ^ (a >> 15); }

static void get(struct rule_facts *f, enum fact which, struct slice name, struct fact_value *out) {
    static const char *const texts[] = {"",
                                        "pass",
                                        "fail",
                                        "none",
                                        "a.example",
                                        "ann@a.example",
                                        "x{sender}\r\n\t",
                                        "aaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"};
    struct facts *known = (struct facts *)f;
    uint32_t roll = mix(known->seed, (uint32_t)which * 7919u + (uint32_t)name.n);
    known->asked++;
    FUZZ_CHECK((which == FACT_HEADER) == (name.n > 0) || name.n == 0);
    *out = (struct fact_value){.type = fact_infos[which].type,
                               .yes = roll & 1,
                               .number = (int64_t)(roll % 64) - 8,
                               .text = slice_str(texts[roll % 8]),
                               .ip = {.family = NETADDR_V4, .ip = {(uint8_t)roll, 0, 2, 1}}};
}

static bool in_table(struct rule_facts *f, struct slice table, const struct fact_value *v) {
    FUZZ_CHECK(slice_eq(table, SLICE("t")) || slice_eq(table, SLICE("nets")));
    return mix(((struct facts *)f)->seed, (uint32_t)table.n) & 1;
}

static void check_text(struct slice s) {
    FUZZ_CHECK(s.n <= 400);
    for (size_t i = 0; i < s.n; i++)
        FUZZ_CHECK((unsigned char)s.p[i] >= ' ' && (unsigned char)s.p[i] < 0x7f);
}

// All rules that apply, as bits that depend on their order.
static uint32_t walk(const struct config *c, enum config_stage stage, uint32_t seed) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct facts known = {{get, in_table}, seed, 0};
    struct rule_run run;
    uint32_t sum = 0;
    const struct rules *rules = c->gate.policy[stage];
    rule_run_begin(&run, rules, &known.ops, &arena);
    for (const struct rule *r; (r = rule_run_next(&run));) {
        sum = mix(sum + (uint32_t)r->action, (uint32_t)r->code + (uint32_t)r->ms + (uint32_t)r->argument.n);
        check_text(rule_text(r, &known.ops, &arena));
        if (r->action == RULE_HEADER)
            check_text(rule_field(r, &known.ops, &arena));
    }
    FUZZ_CHECK(run.next == rules->n);
    return mix(sum, known.asked);
}

static struct config *parse(struct slice text) {
    struct config_report report;
    struct config *c = config_parse(text, SLICE("/etc/posthouse"), &report);
    FUZZ_CHECK((c != NULL) == (report.n == 0));
    config_report_done(&report);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    BUF_AUTO struct buf text = {.max = 1 << 20}, written = {.max = 64 << 20};
    enum config_stage stage = (enum config_stage)fuzz_choose(&in, CONFIG_STAGE_COUNT);
    uint32_t seed = fuzz_choose(&in, 256);
    buf_addf(&text,
             "hostname a.example\nlisten mx *:25\ntable t inline { x }\ntable nets cidr n\n"
             "filter f delegation unix:/f\npolicy %s {\n",
             config_stage_names[stage]);
    buf_add(&text, in);
    buf_add_str(&text, "\n}\n");
    struct config *c = text.failed ? NULL : parse(buf_slice(&text));
    if (!c)
        return 0;
    uint32_t verdict = walk(c, stage, seed);
    FUZZ_CHECK(config_write_effective(c, &written));
    struct config *again = written.n <= 1 << 20 ? parse(buf_slice(&written)) : NULL;
    FUZZ_CHECK(again || written.n > 1 << 20);
    FUZZ_CHECK(!again || walk(again, stage, seed) == verdict);
    config_free(again);
    config_free(c);
    return 0;
}
