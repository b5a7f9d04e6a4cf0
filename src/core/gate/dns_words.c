// dns_words: a word for the status, and records with bars between.
#include "core/gate/dns_words.h"

#include "base/num.h"

enum { RECORDS_READ_MAX = 100 };

bool dns_words_question(struct buf *b, const struct oracle_question *q) {
    const char *type = oracle_type_name(q->type);
    return buf_add_str(b, type) && buf_add_char(b, ' ') &&
           buf_add(b, slice_upto(q->name, DNS_WORDS_MAX - strlen(type) - 1));
}

static void write_record(struct buf *b, enum oracle_type type, const struct oracle_record *r) {
    bool root = type == ORACLE_MX && r->text.n == 0;
    if (type == ORACLE_MX)
        buf_addf(b, "%u ", r->preference);
    if (type == ORACLE_A || type == ORACLE_AAAA)
        netaddr_add_ip(b, &r->ip);
    else
        buf_add(b, root ? SLICE(".") : slice_upto(r->text, DNS_WORDS_MAX));
}

bool dns_words_answer(struct buf *b, enum oracle_type type, const struct oracle_answer *a) {
    BUF_AUTO struct buf words = {.max = 4 * DNS_WORDS_MAX};
    buf_add_str(&words, oracle_status_name(a->status));
    for (size_t i = 0; a->status == ORACLE_OK && i < a->n && words.n <= DNS_WORDS_MAX; i++) {
        buf_add_str(&words, i ? " | " : " ");
        write_record(&words, type, &a->records[i]);
    }
    if (a->why.n && a->status != ORACLE_OK) {
        buf_add_char(&words, ' ');
        buf_add(&words, slice_upto(a->why, DNS_WORDS_MAX));
    }
    return buf_add(b, slice_upto(buf_slice(&words), DNS_WORDS_MAX));
}

// --- and back

static bool read_status(struct slice word, enum oracle_status *out) {
    for (enum oracle_status s = ORACLE_OK; s <= ORACLE_TIMEOUT; s++)
        if (slice_eq(word, slice_str(oracle_status_name(s)))) {
            *out = s;
            return true;
        }
    return false;
}

static bool read_mx(struct slice words, struct oracle_record *out) {
    struct slice preference, name;
    uint64_t n;
    if (!slice_cut(words, ' ', &preference, &name) || !num_u64(preference, UINT16_MAX, &n))
        return false;
    out->preference = (uint16_t)n;
    out->text = slice_eq(name, SLICE(".")) ? SLICE_EMPTY : name;
    return true;
}

static bool read_record(enum oracle_type type, struct slice words, struct oracle_record *out) {
    if (type == ORACLE_A || type == ORACLE_AAAA)
        return netaddr_parse_ip(words, &out->ip);
    if (type == ORACLE_MX)
        return read_mx(words, out);
    out->text = words;
    return true;
}

static bool read_records(enum oracle_type type, struct slice rest, struct oracle_answer *out) {
    struct slice bar = SLICE(" | ");
    for (; out->n < RECORDS_READ_MAX; out->n++) {
        size_t end = slice_search(rest, bar);
        if (!read_record(type, slice_upto(rest, end), &out->records[out->n]))
            return false;
        if (end == rest.n) {
            out->n++;
            return true;
        }
        rest = slice_from(rest, end + bar.n);
    }
    return false;
}

bool dns_words_read(enum oracle_type type, struct slice words, struct arena *arena, struct oracle_answer *out) {
    struct oracle_answer a = {0};
    struct slice status, rest;
    slice_cut(words, ' ', &status, &rest);
    if (words.n >= DNS_WORDS_MAX || !read_status(status, &a.status))
        return false;
    rest = arena_dup(arena, rest);
    if (a.status == ORACLE_OK) {
        a.records = arena_alloc(arena, RECORDS_READ_MAX * sizeof *a.records);
        if (!a.records || !read_records(type, rest, &a))
            return false;
    } else {
        a.why = rest;
    }
    *out = a;
    return true;
}
