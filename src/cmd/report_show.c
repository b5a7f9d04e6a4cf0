// report_show: what it is about, and a table of where mail came from, the most first.
#include "cmd/report_show.h"

#include "base/json.h"
#include "base/when.h"
#include "cmd/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_TEXT = 4096, DATE = 32 };

static const size_t json_max = (size_t)256 << 20;

// --- JSON

static void put_auth(struct json *j, const struct dmarc_report_auth *a) {
    json_open_object(j);
    json_put_slice(j, "domain", a->domain);
    if (a->dkim)
        json_put_slice(j, "selector", a->selector);
    else
        json_put_slice(j, "scope", a->scope);
    json_put_slice(j, "result", a->result);
    json_put_slice(j, "human_result", a->human);
    json_end(j);
}

static void put_auths(struct json *j, const char *name, const struct dmarc_report_row *row, bool dkim) {
    json_key(j, name);
    json_open_array(j);
    for (size_t i = 0; i < row->auths_n; i++)
        if (row->auths[i].dkim == dkim)
            put_auth(j, &row->auths[i]);
    json_end(j);
}

static void put_row(struct json *j, const struct dmarc_report_row *row) {
    json_open_object(j);
    json_put_slice(j, "source_ip", row->source);
    json_put_u64(j, "count", row->count);
    json_put_slice(j, "disposition", row->disposition);
    json_put_slice(j, "dkim_aligned", row->dkim);
    json_put_slice(j, "spf_aligned", row->spf);
    json_key(j, "reasons");
    json_open_array(j);
    for (size_t i = 0; i < row->reasons_n; i++) {
        json_open_object(j);
        json_put_slice(j, "type", row->reasons[i].type);
        json_put_slice(j, "comment", row->reasons[i].comment);
        json_end(j);
    }
    json_end(j);
    json_put_slice(j, "header_from", row->from);
    json_put_slice(j, "envelope_from", row->envelope_from);
    json_put_slice(j, "envelope_to", row->envelope_to);
    put_auths(j, "dkim", row, true);
    put_auths(j, "spf", row, false);
    json_end(j);
}

static void put_head(struct json *j, const struct dmarc_report *r) {
    json_put_slice(j, "version", r->version);
    json_put_slice(j, "organisation", r->organisation);
    json_put_slice(j, "email", r->email);
    json_put_slice(j, "contact", r->contact);
    json_put_slice(j, "id", r->id);
    json_put_i64(j, "begin", r->begin);
    json_put_i64(j, "end", r->end);
    json_put_slice(j, "generator", r->generator);
    json_key(j, "errors");
    json_open_array(j);
    for (size_t i = 0; i < r->errors_n; i++)
        json_slice(j, r->errors[i]);
    json_end(j);
}

static void put_policy(struct json *j, const struct dmarc_report *r) {
    const struct {
        const char *name;
        struct slice value;
    } tags[] = {{"discovery_method", r->discovery},
                {"p", r->p},
                {"sp", r->sp},
                {"np", r->np},
                {"fo", r->fo},
                {"adkim", r->adkim},
                {"aspf", r->aspf},
                {"t", r->testing},
                {"pct", r->pct}};
    json_key(j, "policy");
    json_open_object(j);
    json_put_slice(j, "domain", r->domain);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (tags[i].value.n)
            json_put_slice(j, tags[i].name, tags[i].value);
    json_end(j);
}

void report_show_json(const struct dmarc_report *r) {
    BUF_AUTO struct buf b = {.max = json_max};
    struct json j = {.out = &b};
    json_open_object(&j);
    put_head(&j, r);
    put_policy(&j, r);
    json_key(&j, "rows");
    json_open_array(&j);
    for (size_t i = 0; i < r->rows_n; i++)
        put_row(&j, &r->rows[i]);
    json_end(&j);
    json_end(&j);
    buf_add_char(&b, '\n');
    if (b.failed)
        abort();
    fwrite(b.p, 1, b.n, stdout);
}

// --- for people

__attribute__((format(printf, 1, 2))) static void line(const char *format, ...) {
    char text[LINE_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    show_text(stdout, text);
    fputc('\n', stdout);
}

// "2026-11-21 00:00"
static void date(int64_t seconds, char to[DATE]) {
    BUF_AUTO struct buf b = {.max = 64};
    if (seconds < 0 || seconds > 253402300799 || !wall_add_rfc3339(&b, (struct wall){seconds * MS_SECOND})) {
        snprintf(to, DATE, "?");
        return;
    }
    snprintf(to, DATE, "%.10s %.5s", b.p, b.p + 11);
}

static void show_head(const struct dmarc_report *r) {
    char begin[DATE], end[DATE];
    date(r->begin, begin);
    date(r->end, end);
    line("report   %.*s", SLICE_ARG(r->id));
    line("from     %.*s <%.*s>", SLICE_ARG(r->organisation), SLICE_ARG(r->email));
    line("about    %.*s, policy %.*s%s%.*s%s%.*s%s", SLICE_ARG(r->domain), SLICE_ARG(r->p), r->sp.n ? ", sp " : "",
         SLICE_ARG(r->sp), r->np.n ? ", np " : "", SLICE_ARG(r->np),
         slice_ieq(r->testing, SLICE("y")) ? ", testing" : "");
    line("time     %s to %s UTC", begin, end);
    for (size_t i = 0; i < r->errors_n; i++)
        line("error    %.*s", SLICE_ARG(r->errors[i]));
}

static bool passed(const struct dmarc_report_row *row) {
    return slice_eq(row->dkim, SLICE("pass")) || slice_eq(row->spf, SLICE("pass"));
}

static void show_row(const struct dmarc_report_row *row) {
    BUF_AUTO struct buf why = {.max = 1024};
    for (size_t i = 0; i < row->auths_n; i++) {
        const struct dmarc_report_auth *a = &row->auths[i];
        buf_addf(&why, "%s%s %.*s %.*s", why.n ? ", " : "", a->dkim ? "dkim" : "spf", SLICE_ARG(a->domain),
                 SLICE_ARG(a->result));
    }
    for (size_t i = 0; i < row->reasons_n; i++)
        buf_addf(&why, "%s(%.*s)", why.n ? " " : "", SLICE_ARG(row->reasons[i].type));
    line("%7llu  %-39.*s  %-4s  %-10.*s  %-4.*s  %-4.*s  %.*s  %.*s", (unsigned long long)row->count,
         SLICE_ARG(row->source), passed(row) ? "pass" : "fail", SLICE_ARG(row->disposition), SLICE_ARG(row->dkim),
         SLICE_ARG(row->spf), SLICE_ARG(row->from), SLICE_ARG(buf_slice(&why)));
}

static int more_first(const void *a, const void *b) {
    const struct dmarc_report_row *x = a, *y = b;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : slice_cmp(x->source, y->source);
}

void report_show(const struct dmarc_report *r) {
    uint64_t all = 0, good = 0;
    show_head(r);
    if (r->rows_n)
        qsort(r->rows, r->rows_n, sizeof *r->rows, more_first);
    for (size_t i = 0; i < r->rows_n; i++) {
        all += r->rows[i].count;
        good += passed(&r->rows[i]) ? r->rows[i].count : 0;
    }
    line("messages %llu, of which %llu passed", (unsigned long long)all, (unsigned long long)good);
    fputc('\n', stdout);
    line("%7s  %-39s  %-4s  %-10s  %-4s  %-4s  %s", "count", "source", "", "done", "dkim", "spf", "from, and why");
    for (size_t i = 0; i < r->rows_n; i++)
        show_row(&r->rows[i]);
}
