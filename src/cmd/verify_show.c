// verify_show: a line for each result, its reason behind it.
#include "cmd/verify_show.h"

#include "base/json.h"
#include "cmd/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// JSON may need six bytes for one, and each argument of a command may have 128 KiB.
enum { JSON_MAX = 8 * 1024 * 1024, LINE_TEXT = 2048 };

static const char no_client[] = "no client address was given (--ip)";

// --- JSON

static void put_spf(struct json *j, const char *name, bool done, const struct spf_verdict *v) {
    json_key(j, name);
    json_open_object(j);
    json_put_str(j, "result", done ? spf_result_name(v->result) : "none");
    json_put_str(j, "identity", !done ? "" : v->helo ? "helo" : "mailfrom");
    json_put_slice(j, "domain", v->domain);
    json_put_slice(j, "mechanism", v->mechanism);
    json_put_slice(j, "explanation", v->explanation);
    json_put_slice(j, "problem", done ? v->problem : slice_str(no_client));
    json_put_u64(j, "lookups", v->lookups);
    json_put_u64(j, "voids", v->voids);
    json_end(j);
}

static void put_signature(struct json *j, const struct dkim_verdict *s) {
    json_open_object(j);
    json_put_str(j, "result", dkim_result_name(s->result));
    json_put_slice(j, "domain", s->domain);
    json_put_slice(j, "selector", s->selector);
    json_put_slice(j, "identity", s->identity);
    json_put_slice(j, "algorithm", s->algorithm);
    json_put_u64(j, "bits", s->bits);
    json_put_bool(j, "testing", s->testing);
    json_put_u64(j, "unsigned", s->unsigned_n);
    json_put_slice(j, "why", s->why);
    json_end(j);
}

static void put_dkim(struct json *j, const struct dkim_verify *v) {
    json_key(j, "dkim");
    json_open_object(j);
    json_put_str(j, "result", dkim_result_name(dkim_verify_best(v)));
    json_key(j, "signatures");
    json_open_array(j);
    for (size_t i = 0; i < v->n; i++)
        put_signature(j, &v->list[i]);
    json_end(j);
    json_put_u64(j, "ignored", v->ignored);
    json_end(j);
}

static void put_arc(struct json *j, const struct arc_verdict *v) {
    json_key(j, "arc");
    json_open_object(j);
    json_put_str(j, "result", arc_result_name(v->result));
    json_put_u64(j, "instance", v->instance);
    json_put_u64(j, "oldest_pass", v->oldest_pass);
    json_put_slice(j, "domain", v->domain);
    json_put_slice(j, "selector", v->selector);
    json_key(j, "sealers");
    json_open_array(j);
    for (size_t i = 0; i < v->sealers_n; i++)
        json_slice(j, v->sealers[i]);
    json_end(j);
    json_put_bool(j, "temporary", v->temporary);
    json_put_slice(j, "why", v->why);
    json_end(j);
}

static void put_dmarc(struct json *j, const struct verify_found *f) {
    const struct dmarc_verdict *v = &f->dmarc;
    json_key(j, "dmarc");
    json_open_object(j);
    json_put_str(j, "result", dmarc_result_name(v->result));
    json_put_str(j, "policy", dmarc_policy_name(v->policy));
    json_put_str(j, "asks", dmarc_policy_name(v->asks));
    json_put_str(j, "disposition", dmarc_policy_name(v->asks));
    json_put_slice(j, "from", v->from_domain);
    json_put_slice(j, "domain", v->organisation);
    json_put_slice(j, "record_domain", v->record_domain);
    json_put_slice(j, "record", v->record_text);
    json_put_bool(j, "dkim_aligned", v->dkim_aligned);
    json_put_bool(j, "spf_aligned", v->spf_aligned);
    json_put_bool(j, "missing", v->missing);
    json_put_slice(j, "why", f->author.n ? v->why : slice_str(f->author_why.text));
    json_end(j);
}

// On one line.
static void put_results(struct json *j, struct slice results) {
    BUF_AUTO struct buf b = {.max = JSON_MAX};
    for (size_t i = 0; i < results.n; i++)
        if (results.p[i] == '\t')
            buf_add_char(&b, ' ');
        else if (results.p[i] != '\r' && results.p[i] != '\n')
            buf_add_char(&b, results.p[i]);
    json_put_slice(j, "authentication_results", buf_slice(&b));
}

void verify_show_json(const struct verify_wish *w, const struct verify_found *f) {
    BUF_AUTO struct buf b = {.max = JSON_MAX};
    struct json j = {.out = &b};
    json_open_object(&j);
    if (w->spf)
        put_spf(&j, "spf", f->spf_done, &f->spf);
    if (w->spf && f->helo_done)
        put_spf(&j, "helo_spf", true, &f->helo);
    if (w->dkim)
        put_dkim(&j, &f->dkim);
    if (w->arc)
        put_arc(&j, &f->arc.verdict);
    if (w->dmarc)
        put_dmarc(&j, f);
    put_results(&j, f->results);
    json_end(&j);
    buf_add_char(&b, '\n');
    if (b.failed)
        abort();
    fwrite(b.p, 1, b.n, stdout);
}

// --- for people

// Whatever is foreign in the line is made safe to show.
__attribute__((format(printf, 4, 5))) static void line(const char *what, const char *result, bool good,
                                                       const char *format, ...) {
    char text[LINE_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("%-6s %s%-10s%s ", what, show_colour(stdout, good ? SHOW_GOOD : SHOW_BOLD), result,
           show_colour(stdout, SHOW_PLAIN));
    show_text(stdout, text);
    fputc('\n', stdout);
}

static void line_spf(const char *what, const struct spf_verdict *v) {
    struct slice why = v->result == SPF_NONE ? SLICE("there is no SPF record") : v->problem;
    line(what, spf_result_name(v->result), v->result == SPF_PASS, "%.*s%s%.*s%s%.*s  (%u lookup%s)",
         SLICE_ARG(v->domain), v->mechanism.n ? ", by " : "", SLICE_ARG(v->mechanism), why.n && v->domain.n ? ": " : "",
         SLICE_ARG(why), v->lookups, v->lookups == 1 ? "" : "s");
    if (v->explanation.n)
        line("", "", false, "says: %.*s", SLICE_ARG(v->explanation));
}

static void show_spf(const struct verify_found *f) {
    if (!f->spf_done)
        line("spf", "none", false, "%s", no_client);
    else
        line_spf("spf", &f->spf);
    if (f->helo_done)
        line_spf("helo", &f->helo);
}

// What is known of it; of what can't be read that may be nothing.
static void show_signature(const struct dkim_verdict *s) {
    BUF_AUTO struct buf b = {.max = LINE_TEXT};
    if (s->domain.n)
        buf_addf(&b, ", %.*s", SLICE_ARG(s->domain));
    if (s->selector.n)
        buf_addf(&b, ", selector %.*s", SLICE_ARG(s->selector));
    if (s->algorithm.n)
        buf_addf(&b, ", %.*s", SLICE_ARG(s->algorithm));
    if (s->bits)
        buf_addf(&b, ", %u bits", s->bits);
    buf_add_str(&b, s->testing ? ", testing" : "");
    struct slice known = slice_from(buf_slice(&b), 2);
    line("dkim", dkim_result_name(s->result), s->result == DKIM_PASS, "%.*s%s%.*s", SLICE_ARG(known),
         known.n && s->why.n ? ": " : "", SLICE_ARG(s->why));
}

static void show_dkim(const struct dkim_verify *v) {
    if (v->n == 0)
        line("dkim", "none", false, "there is no signature");
    for (size_t i = 0; i < v->n; i++)
        show_signature(&v->list[i]);
    if (v->ignored)
        line("dkim", "", false, "%zu further signatures were not looked at", v->ignored);
}

static void show_arc(const struct arc_verdict *v) {
    if (v->domain.n == 0) // there is none, or not even its newest seal can be read
        line("arc", arc_result_name(v->result), false, "%s%.*s", v->why.n ? "" : "there is no chain",
             SLICE_ARG(v->why));
    else
        line("arc", arc_result_name(v->result), v->result == ARC_PASS, "%u set%s, the newest by %.*s%s%.*s",
             v->instance, v->instance == 1 ? "" : "s", SLICE_ARG(v->domain), v->why.n ? ": " : "", SLICE_ARG(v->why));
}

static void show_dmarc(const struct verify_found *f) {
    const struct dmarc_verdict *v = &f->dmarc;
    struct slice why = f->author.n ? v->why : slice_str(f->author_why.text);
    line("dmarc", dmarc_result_name(v->result), v->result == DMARC_PASS, "%.*s%s%.*s", SLICE_ARG(v->from_domain),
         v->from_domain.n && why.n ? ": " : "", SLICE_ARG(why));
    if (v->record_domain.n)
        line("", "", false, "policy %s, asks for %s; _dmarc.%.*s has \"%.*s\"", dmarc_policy_name(v->policy),
             dmarc_policy_name(v->asks), SLICE_ARG(v->record_domain), SLICE_ARG(v->record_text));
}

// With its folding, so that it can be copied.
static void show_results(struct slice results) {
    struct slice one;
    fputc('\n', stdout);
    while (slice_cut(results, '\n', &one, &results)) {
        char text[LINE_TEXT];
        bool folded = slice_starts(one, SLICE("\t"));
        one = slice_trim(one);
        snprintf(text, sizeof text, "%.*s", SLICE_ARG(one));
        fputs(folded ? "\t" : "", stdout);
        show_text(stdout, text);
        fputc('\n', stdout);
    }
}

void verify_show(const struct verify_wish *w, const struct verify_found *f) {
    if (w->spf)
        show_spf(f);
    if (w->dkim)
        show_dkim(&f->dkim);
    if (w->arc)
        show_arc(&f->arc.verdict);
    if (w->dmarc)
        show_dmarc(f);
    show_results(f->results);
}
