// simulate_records: JSON by jansson, segments by record_file.
#include "cmd/simulate_records.h"

#include "base/num.h"
#include "core/record_file.h"

#include <jansson.h>

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

// "550 5.7.1 text", as explain writes the reply.
static void read_reply(const json_t *object, struct arena *arena, struct record *r) {
    uint64_t code = number_of(object, "code");
    r->code = code < 600 ? (uint16_t)code : 0;
    r->text = text_of(object, "text", arena);
}

static bool read_record(const json_t *object, struct arena *arena, struct record *r, struct err *e) {
    unsigned stage, outcome;
    if (!name_index(record_stage_names, text_of(object, "stage", arena), &stage) ||
        !name_index(record_outcome_names, text_of(object, "outcome", arena), &outcome))
        return err_set(e, ERR_PERMANENT, "no record of a session: it has no known stage and outcome");
    *r = (struct record){.stage = stage, .outcome = outcome};
    if (!netaddr_parse_ip(text_of(object, "client", arena), &r->client))
        r->client = (struct netaddr){0};
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

// --- segments

static bool take_segment(struct slice rest, void (*take)(void *arg, const struct record *r), void *arg, struct err *e) {
    struct slice packed;
    while (record_file_next(&rest, &packed)) {
        ARENA_AUTO struct arena arena = {.max = RECORD_ARENA};
        struct record r;
        if (!record_unpack(packed, &arena, &r))
            return err_set(e, ERR_PERMANENT, "a record can't be read");
        take(arg, &r);
    }
    return true;
}

bool simulate_records(struct slice text, void (*take)(void *arg, const struct record *r), void *arg, struct err *e) {
    struct slice rest = text;
    struct wall begun;
    if (record_file_open(&rest, &begun))
        return take_segment(rest, take, arg, e);
    return take_lines(text, take, arg, e);
}
