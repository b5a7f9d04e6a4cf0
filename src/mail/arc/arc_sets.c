// arc_sets: every field into its place; nothing may be there twice, nothing may be missing.
#include "mail/arc/arc_sets.h"

#include "base/num.h"
#include "mail/header/header.h"

enum { FIELDS_MAX = 3 * ARC_SETS_MAX, DIGITS = 2 };

static enum dkim_signature_kind kind_of(struct slice name, bool *results) {
    *results = slice_ieq(name, SLICE("ARC-Authentication-Results"));
    return slice_ieq(name, SLICE("ARC-Message-Signature")) ? DKIM_SIGNATURE_ARC_MESSAGE
           : slice_ieq(name, SLICE("ARC-Seal"))            ? DKIM_SIGNATURE_ARC_SEAL
                                                           : DKIM_SIGNATURE_MAIL;
}

static size_t count(struct slice header) {
    size_t n = 0;
    bool results;
    for (struct header_field field; header_next(&header, &field);)
        n += kind_of(field.name, &results) != DKIM_SIGNATURE_MAIL || results;
    return n;
}

// Takes white space and comments off, then `text` (RFC 8617 4.1.1).
static bool take_text(struct slice *s, struct slice text) {
    while (s->n && (ascii_space(s->p[0]) || s->p[0] == '(')) {
        size_t comment = header_comment_length(*s);
        if (s->p[0] == '(' && comment == 0)
            return false;
        *s = slice_from(*s, s->p[0] == '(' ? comment : 1);
    }
    bool there = slice_starts(*s, text);
    *s = slice_from(*s, there ? text.n : 0);
    return there;
}

unsigned arc_results_instance(struct slice value, struct slice *words) {
    uint64_t instance;
    size_t n = 0;
    if (!take_text(&value, SLICE("i")) || !take_text(&value, SLICE("=")) || !take_text(&value, SLICE_EMPTY))
        return 0;
    while (n < DIGITS && n < value.n && ascii_digit(value.p[n]))
        n++;
    if (!num_u64(slice_upto(value, n), UINT16_MAX, &instance))
        return 0;
    *words = slice_from(value, n);
    return take_text(words, SLICE(";")) ? (unsigned)instance : 0;
}

// Also of what can't be read otherwise: the next set must have a higher one (RFC 8617 5.1).
static void note(struct arc_sets *sets, unsigned instance) {
    if (instance > sets->highest)
        sets->highest = instance < ARC_SETS_MAX ? instance : ARC_SETS_MAX;
}

static bool place(struct arc_sets *sets, unsigned instance, struct arc_set **out, struct err *e) {
    note(sets, instance);
    if (instance == 0 || instance > ARC_SETS_MAX)
        return err_set(e, ERR_PERMANENT, "a field of ARC belongs to no set of 1 to %d", ARC_SETS_MAX);
    if (instance > sets->room)
        return err_set(e, ERR_PERMANENT, "there is a set %u, but not all before it", instance);
    if (instance > sets->n)
        sets->n = instance;
    *out = &sets->list[instance - 1];
    return true;
}

static bool twice(unsigned instance, const char *what, struct err *e) {
    return err_set(e, ERR_PERMANENT, "set %u has two %s", instance, what);
}

static bool take_results(struct arc_sets *sets, const struct header_field *field, struct err *e) {
    struct arc_set *set = NULL;
    struct slice words;
    unsigned instance = arc_results_instance(field->value, &words);
    if (!place(sets, instance, &set, e))
        return false;
    if (set->results.n)
        return twice(instance, "results", e);
    set->results = field->whole;
    set->words = words;
    return true;
}

// Of a field in which something is wrong; 0: it has none.
static unsigned find_instance(struct slice whole) {
    struct slice part, name, number;
    uint64_t instance;
    slice_cut(whole, ':', &part, &whole);
    while (whole.n) {
        slice_cut(whole, ';', &part, &whole);
        if (slice_cut(part, '=', &name, &number) && slice_eq(slice_trim(name), SLICE("i")) &&
            num_u64(slice_trim(number), UINT16_MAX, &instance))
            return (unsigned)instance;
    }
    return 0;
}

static bool take_signature(struct arc_sets *sets, enum dkim_signature_kind kind, struct slice whole, struct wall now,
                           struct arena *arena, struct err *e) {
    bool is_seal = kind == DKIM_SIGNATURE_ARC_SEAL;
    struct dkim_signature s;
    struct arc_set *set = NULL;
    if (!dkim_signature_read(kind, whole, arena, &s, e)) {
        note(sets, find_instance(whole));
        return err_while(e, is_seal ? "a seal" : "a message signature");
    }
    if (!place(sets, s.instance, &set, e))
        return false;
    if (is_seal ? set->has_seal : set->has_message)
        return twice(s.instance, is_seal ? "seals" : "message signatures", e);
    if (is_seal) {
        set->seal = s;
        set->has_seal = true;
    } else {
        set->message = s;
        set->has_message = true;
    }
    if (dkim_signature_accept(&s, now, e))
        return true;
    if (is_seal)
        return err_while(e, "a seal");
    set->lost = arena_dup(arena, slice_str(e->text));
    return set->lost.p || err_set(e, ERR_TEMPORARY, "out of memory");
}

static bool take(struct arc_sets *sets, const struct header_field *field, struct wall now, struct arena *arena,
                 struct err *e) {
    bool results;
    enum dkim_signature_kind kind = kind_of(field->name, &results);
    if (results)
        return take_results(sets, field, e);
    return kind == DKIM_SIGNATURE_MAIL || take_signature(sets, kind, field->whole, now, arena, e);
}

// All of them, since who seals what is broken must know how far it goes; `e` is of the first that is wrong.
static bool take_all(struct arc_sets *sets, struct slice header, struct wall now, struct arena *arena, struct err *e) {
    bool good = true;
    for (struct header_field field; header_next(&header, &field);) {
        struct err why;
        if (take(sets, &field, now, arena, &why))
            continue;
        if (good || !err_is_permanent(&why))
            *e = why;
        if (!err_is_permanent(&why))
            return false;
        good = false;
    }
    return good;
}

// RFC 8617 5.2: what the newest says itself first, then whether each set is whole and says what it must.
static bool check_structure(const struct arc_sets *sets, struct err *e) {
    if (sets->n && sets->list[sets->n - 1].has_seal && slice_eq(sets->list[sets->n - 1].seal.chain, SLICE("fail")))
        return err_set(e, ERR_PERMANENT, "its newest seal says that it was broken already (cv=fail)");
    for (size_t i = 0; i < sets->n; i++) {
        const struct arc_set *set = &sets->list[i];
        if (!set->results.n || !set->has_message || !set->has_seal)
            return err_set(e, ERR_PERMANENT, "set %zu lacks its %s", i + 1,
                           !set->has_seal     ? "seal"
                           : set->has_message ? "results"
                                              : "message signature");
        if (set->lost.n && i + 1 == sets->n) // the others are optional: step 5
            return err_set(e, ERR_PERMANENT, "a message signature: %.*s", SLICE_ARG(set->lost));
        if (!slice_eq(set->seal.chain, i ? SLICE("pass") : SLICE("none")))
            return err_set(e, ERR_PERMANENT, "the seal of set %zu does not say cv=%s", i + 1, i ? "pass" : "none");
    }
    return true;
}

bool arc_sets_read(struct slice header, struct wall now, struct arena *arena, struct arc_sets *out, bool *broken,
                   struct err *e) {
    struct err why = {.kind = ERR_PERMANENT};
    size_t fields = count(header);
    *out = (struct arc_sets){0};
    *broken = false;
    if (fields == 0)
        return true;
    out->room = fields < ARC_SETS_MAX ? fields : ARC_SETS_MAX;
    out->list = arena_alloc(arena, out->room * sizeof *out->list);
    if (!out->list)
        return false;
    *broken = true;
    if (fields > FIELDS_MAX) {
        note(out, ARC_SETS_MAX);
        err_set(&why, ERR_PERMANENT, "there are more than %d fields of ARC", FIELDS_MAX);
    } else {
        *broken = !take_all(out, header, now, arena, &why) || !check_structure(out, &why);
    }
    if (*broken)
        *e = why;
    return !*broken || err_is_permanent(&why);
}

size_t arc_sets_sealed(const struct arc_sets *sets, size_t first, size_t n, struct slice *fields) {
    size_t k = 0;
    for (size_t i = first; i <= n; i++) {
        fields[k++] = sets->list[i - 1].results;
        fields[k++] = sets->list[i - 1].message.whole;
        if (i < n)
            fields[k++] = sets->list[i - 1].seal.whole;
    }
    return k;
}
