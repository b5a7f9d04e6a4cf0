// pattern: PCRE2 without JIT, which the jail would not allow, and with its limits set.
#include "core/rules/pattern.h"

#include <stdint.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    STEPS_MAX = 50000, // some milliseconds at worst
    DEPTH_MAX = 5000,
    HEAP_KIB_MAX = 1024,
    NEST_MAX = 50,
    OPTIONS = PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C,
};

struct pattern {
    pcre2_code *code; // in the arena
};

static void *take(size_t n, void *arena) { return arena_alloc(arena, n); }

static void give(void *p, void *arena) {} // the arena goes as a whole

static bool failed(int code, size_t at, struct err *e) {
    PCRE2_UCHAR text[160];
    if (code == PCRE2_ERROR_NOMEMORY || pcre2_get_error_message(code, text, sizeof text) < 0)
        return err_set(e, ERR_PERMANENT, "it is too large");
    return err_set(e, ERR_PERMANENT, "%s at character %zu", (const char *)text, at + 1);
}

bool pattern_compile(struct slice text, struct arena *arena, struct pattern **out, struct err *e) {
    int code = PCRE2_ERROR_NOMEMORY;
    size_t at = 0;
    if (text.n > PATTERN_TEXT_MAX)
        return err_set(e, ERR_PERMANENT, "it is longer than %d bytes", PATTERN_TEXT_MAX);
    struct pattern *p = ARENA_NEW(arena, struct pattern);
    pcre2_general_context *general = pcre2_general_context_create(take, give, arena);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    if (p && context) {
        pcre2_set_parens_nest_limit(context, NEST_MAX);
        p->code = pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.n, OPTIONS, &code, &at, context);
    }
    if (!p || !p->code)
        return failed(code, at, e);
    *out = p;
    return true;
}

enum pattern_found pattern_look(const struct pattern *p, struct slice subject) {
    subject = slice_upto(subject, PATTERN_SUBJECT_MAX);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int result = PCRE2_ERROR_NOMEMORY;
    if (limits && data) {
        pcre2_set_match_limit(limits, STEPS_MAX);
        pcre2_set_depth_limit(limits, DEPTH_MAX);
        pcre2_set_heap_limit(limits, HEAP_KIB_MAX);
        result = pcre2_match(p->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, data, limits);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return result >= 0 ? PATTERN_YES : result == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_TOO_MUCH;
}
