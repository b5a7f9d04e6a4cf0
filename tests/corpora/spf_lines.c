// spf_lines: checks SPF many times in one process, for tests that compare. Each line of the input is words between
// tabs, with %XX for what isn't plain: "zone TEXT" replaces the zone, "check IP HELO SENDER" asks; the answer is a line
// of JSON each.
#include "base/json.h"
#include "mail/oracle/oracle_zone.h"
#include "mail/spf/spf.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

static void print_json(const struct spf_verdict *v) {
    struct buf b = {.max = 65536};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_str(&j, "result", spf_result_name(v->result));
    json_put_slice(&j, "domain", v->domain);
    json_put_slice(&j, "mechanism", v->mechanism);
    json_put_slice(&j, "explanation", v->explanation);
    json_put_slice(&j, "problem", v->problem);
    json_put_u64(&j, "lookups", v->lookups);
    json_put_u64(&j, "voids", v->voids);
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
    buf_done(&b);
}

static void check(struct oracle_zone *zone, const struct slice *words) {
    struct arena arena = {.max = 1 << 20};
    struct spf_query q = {.helo = words[2], .sender = words[3], .receiver = SLICE("mx.example.org")};
    struct spf_verdict v;
    if (!netaddr_parse_ip(words[1], &q.ip))
        exit(65);
    spf_check(&q, oracle_zone_oracle(zone), &arena, &v);
    print_json(&v);
    arena_done(&arena);
}

int main(void) {
    struct oracle_zone *zone = oracle_zone_empty();
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
        struct slice words[4] = {{0}};
        words_cut(line, words, 4);
        struct err e;
        if (slice_eq(words[0], SLICE("check"))) {
            check(zone, words);
            continue;
        }
        oracle_zone_free(zone);
        zone = oracle_zone_new(words[1], &e);
        if (!zone) {
            fprintf(stderr, "spf_lines: %s\n", e.text);
            return 65;
        }
    }
    free(line);
    oracle_zone_free(zone);
    return 0;
}
