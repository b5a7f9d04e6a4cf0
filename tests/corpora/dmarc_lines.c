// dmarc_lines: checks DMARC many times in one process, for tests that compare. "zone TEXT" replaces the zone; "check
// FROM SPF-DOMAIN DKIM-DOMAINS" asks, with domains that passed, those of DKIM with commas between; the answer is a line
// of JSON each.
#include "base/json.h"
#include "mail/dmarc/dmarc.h"
#include "mail/oracle/oracle_zone.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIGNATURES = 8 };

static void print_json(const struct dmarc_verdict *v) {
    struct buf b = {.max = 65536};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_str(&j, "result", dmarc_result_name(v->result));
    json_put_str(&j, "policy", dmarc_policy_name(v->policy));
    json_put_str(&j, "asks", dmarc_policy_name(v->asks));
    json_put_slice(&j, "from", v->from_domain);
    json_put_slice(&j, "domain", v->organisation);
    json_put_slice(&j, "record_domain", v->record_domain);
    json_put_slice(&j, "record", v->record_text);
    json_put_str(&j, "p", dmarc_policy_name(v->record.policy));
    json_put_str(&j, "sp", dmarc_policy_name(v->record.subdomain));
    json_put_bool(&j, "strict_dkim", v->record.strict_dkim);
    json_put_bool(&j, "strict_spf", v->record.strict_spf);
    json_put_bool(&j, "dkim_aligned", v->dkim_aligned);
    json_put_bool(&j, "spf_aligned", v->spf_aligned);
    json_put_slice(&j, "why", v->why);
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
    buf_done(&b);
}

static void check(struct oracle_zone *zone, const struct slice *words) {
    struct arena arena = {.max = 1 << 20};
    struct dmarc_signature list[SIGNATURES];
    struct dmarc_query q = {.from_domain = words[1], .spf_domain = words[2], .dkim = list};
    struct dmarc_verdict v;
    struct slice rest = words[3], one;
    q.spf = words[2].n ? SPF_PASS : SPF_NONE;
    while (rest.n && q.dkim_n < SIGNATURES) {
        slice_cut(rest, ',', &one, &rest);
        list[q.dkim_n++] = (struct dmarc_signature){.domain = one, .selector = SLICE("s"), .result = DKIM_PASS};
    }
    dmarc_check(&q, oracle_zone_oracle(zone), &arena, &v);
    print_json(&v);
    arena_done(&arena);
}

int main(void) {
    struct oracle_zone *zone = oracle_zone_empty();
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        struct slice words[4];
        struct err e;
        words_cut(line, words, 4);
        if (slice_eq(words[0], SLICE("check"))) {
            check(zone, words);
            continue;
        }
        oracle_zone_free(zone);
        zone = oracle_zone_new(words[1], &e);
        if (!zone) {
            fprintf(stderr, "dmarc_lines: %s\n", e.text);
            return 65;
        }
    }
    free(line);
    oracle_zone_free(zone);
    return 0;
}
