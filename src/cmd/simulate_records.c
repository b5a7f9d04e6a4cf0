// simulate_records: JSON by jansson, segments by record_file.
#include "cmd/simulate_records.h"

#include "base/num.h"
#include "cmd/history_files.h"
#include "cmd/input.h"
#include "core/history/record_file.h"

#include <jansson.h>
#include <stdio.h>

enum { RECORD_ARENA = 4 << 20 };

// --- JSON

static struct slice text_of(const json_t *object, const char *name, struct arena *arena) {
    const json_t *v = json_object_get(object, name);
    char number[32];
    if (json_is_string(v))
        return arena_dup(arena, slice_of(json_string_value(v), json_string_length(v)));
    if (!json_is_integer(v))
        return json_is_boolean(v) ? slice_str(json_is_true(v) ? "true" : "false") : SLICE_EMPTY;
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
    return arena_dup(arena, slice_str(number));
}

static uint64_t number_of(const json_t *object, const char *name) {
    json_int_t v = json_integer_value(json_object_get(object, name));
    return v > 0 ? (uint64_t)v : 0;
}

static bool name_index(const char *const *names, struct slice word, unsigned *out) {
    for (unsigned i = 0; names[i]; i++)
        if (slice_eq(word, slice_str(names[i]))) {
            *out = i;
            return true;
        }
    return false;
}

static size_t list_of(const json_t *object, const char *name, const json_t **out) {
    *out = json_object_get(object, name);
    return json_is_array(*out) ? json_array_size(*out) : 0;
}

static void read_rules(const json_t *object, struct arena *arena, struct record *r) {
    const json_t *list;
    size_t n = list_of(object, "rules", &list);
    r->rules = arena_alloc(arena, n * sizeof *r->rules);
    for (; r->rules && r->rules_n < n; r->rules_n++) {
        const json_t *rule = json_array_get(list, r->rules_n);
        r->rules[r->rules_n] = (struct record_rule){text_of(rule, "source", arena), (uint32_t)number_of(rule, "line"),
                                                    json_is_true(json_object_get(rule, "matched"))};
    }
}

static void read_facts(const json_t *object, struct arena *arena, struct record *r) {
    json_t *facts = json_object_get(object, "facts"), *v;
    const char *name;
    r->facts = arena_alloc(arena, json_object_size(facts) * sizeof *r->facts);
    if (!r->facts)
        return;
    json_object_foreach(facts, name, v) r->facts[r->facts_n++] =
        (struct record_fact){arena_dup(arena, slice_str(name)), text_of(facts, name, arena)};
}

static void read_dns(const json_t *object, struct arena *arena, struct record *r) {
    const json_t *list;
    size_t n = list_of(object, "dns", &list);
    r->dns = arena_alloc(arena, n * sizeof *r->dns);
    for (; r->dns && r->dns_n < n; r->dns_n++) {
        const json_t *one = json_array_get(list, r->dns_n);
        r->dns[r->dns_n] = (struct record_dns){text_of(one, "question", arena), text_of(one, "answer", arena)};
    }
}

static struct slice *read_texts(const json_t *object, const char *name, struct arena *arena, size_t *n) {
    const json_t *list;
    size_t most = list_of(object, name, &list);
    struct slice *out = arena_alloc(arena, most * sizeof *out);
    for (*n = 0; out && *n < most; (*n)++) {
        const json_t *one = json_array_get(list, *n);
        out[*n] = arena_dup(arena, slice_of(json_string_value(one), json_string_length(one)));
    }
    return out;
}

// "5.7.1"
static void read_enhanced(struct slice text, uint16_t out[3]) {
    struct slice part;
    uint64_t n;
    for (size_t i = 0; i < 3; i++) {
        slice_cut(text, '.', &part, &text);
        out[i] = num_u64(part, 999, &n) ? (uint16_t)n : 0;
    }
}

static void read_reply(const json_t *object, struct arena *arena, struct record *r) {
    uint64_t code = number_of(object, "code");
    r->code = code < 600 ? (uint16_t)code : 0;
    r->text = text_of(object, "text", arena);
    read_enhanced(text_of(object, "enhanced", arena), r->enhanced);
}

static int64_t number_at(struct slice text, size_t at, size_t n) {
    uint64_t v;
    return num_u64(slice_upto(slice_from(text, at), n), 9999, &v) ? (int64_t)v : 0;
}

// "2026-11-21T10:41:15.123Z" (RFC 3339), as explain writes it. Days since 1970 by the count of those of 400 years.
static struct wall when_of(struct slice text) {
    int64_t month = number_at(text, 5, 2), day = number_at(text, 8, 2);
    int64_t year = number_at(text, 0, 4) - (month <= 2), of_400 = year % 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t days = year / 400 * 146097 + of_400 * 365 + of_400 / 4 - of_400 / 100 + of_year - 719468;
    int64_t seconds = number_at(text, 11, 2) * 3600 + number_at(text, 14, 2) * 60 + number_at(text, 17, 2);
    if (text.n < 23 || month == 0)
        return (struct wall){0};
    return (struct wall){days * MS_DAY + seconds * MS_SECOND + number_at(text, 20, 3)};
}

static bool read_record(const json_t *object, struct arena *arena, struct record *r, struct err *e) {
    unsigned stage, outcome;
    if (!name_index(record_stage_names, text_of(object, "stage", arena), &stage) ||
        !name_index(record_outcome_names, text_of(object, "outcome", arena), &outcome))
        return err_set(e, ERR_PERMANENT, "no record of a session: it has no known stage and outcome");
    *r = (struct record){.stage = stage, .outcome = outcome};
    if (!netaddr_parse_ip(text_of(object, "client", arena), &r->client))
        r->client = (struct netaddr){0};
    r->when = when_of(text_of(object, "when", arena));
    r->session = text_of(object, "session", arena);
    r->helo = text_of(object, "helo", arena);
    r->user = text_of(object, "user", arena);
    r->sender = text_of(object, "sender", arena);
    r->recipients = read_texts(object, "recipients", arena, &r->recipients_n);
    r->tags = read_texts(object, "tags", arena, &r->tags_n);
    read_reply(object, arena, r);
    read_rules(object, arena, r);
    read_facts(object, arena, r);
    read_dns(object, arena, r);
    return true;
}

static bool take_line(struct slice line, void (*take)(void *arg, const struct record *r), void *arg, struct err *e) {
    ARENA_AUTO struct arena arena = {.max = RECORD_ARENA};
    struct record r;
    json_error_t why;
    json_t *object = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &why);
    if (!object)
        return err_set(e, ERR_PERMANENT, "no JSON: %s", why.text);
    bool ok = read_record(object, &arena, &r, e);
    if (ok)
        take(arg, &r);
    json_decref(object);
    return ok;
}

static bool take_lines(struct slice text, void (*take)(void *arg, const struct record *r), void *arg, struct err *e) {
    struct slice line;
    for (unsigned n = 1; text.n; n++) {
        slice_cut(text, '\n', &line, &text);
        line = slice_trim(line);
        if (line.n && !take_line(line, take, arg, e))
            return err_while(e, "line %u", n);
    }
    return true;
}

// --- files of the history: one that the server writes to ends in a torn record

static void take_segment(struct slice rest, void (*take)(void *arg, const struct record *r), void *arg) {
    struct slice packed;
    while (record_file_next(&rest, &packed)) {
        ARENA_AUTO struct arena arena = {.max = RECORD_ARENA};
        struct record r;
        if (record_unpack(packed, &arena, &r))
            take(arg, &r);
    }
}

static bool take_file(const char *path, void (*take)(void *arg, const struct record *r), void *arg, struct err *e) {
    BUF_AUTO struct buf text = {.max = SIMULATE_RECORDS_MAX};
    struct wall begun;
    if (!input_read_file(path, &text, e))
        return false;
    struct slice rest = buf_slice(&text);
    if (!record_file_open(&rest, &begun))
        return take_lines(rest, take, arg, e) || err_while(e, "%s", path);
    take_segment(rest, take, arg);
    return true;
}

// --- a directory

bool simulate_records(const char *path, void (*take)(void *arg, const struct record *r), void *arg, struct err *e) {
    struct history_files all;
    struct err ignored;
    if (!history_files_list(path, &all, &ignored))
        return take_file(path, take, arg, e);
    for (size_t i = 0; i < all.n; i++) { // one may go meanwhile: the server removes the oldest
        char file[HISTORY_FILES_PATH];
        history_files_path(path, all.numbers[i], file);
        if (!take_file(file, take, arg, &ignored))
            continue;
    }
    history_files_done(&all);
    return true;
}
