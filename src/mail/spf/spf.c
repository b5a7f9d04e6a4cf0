// spf: check_host() of RFC 7208 4: one record after the other, one term after the other.
#include "mail/spf/spf.h"

#include "base/utf8.h"
#include "mail/address.h"
#include "mail/spf/spf_macro.h"
#include "mail/spf/spf_record.h"

enum {
    LOOKUPS_MAX = 10,   // terms that ask (4.6.4)
    VOIDS_MAX = 2,      // look-ups that find nothing
    NAMES_MAX = 10,     // of an MX, of a PTR
    SPF_NAME_MAX = 253, // bytes of a name as text (7.3)
    LABEL_MAX = 63,
    SCRATCH_MAX = 1 << 20, // bytes that answers and records may take at once
    EXPLANATION_MAX = 500, // bytes: a few lines of a reply
};

struct check {
    const struct spf_query *q;
    struct oracle *o;
    struct arena *arena;  // of the caller: what the verdict speaks of
    struct arena scratch; // ours: answers
    struct spf_macro_values values;
    struct slice exp, exp_domain; // of the record that decided
    struct spf_verdict out;
};

// What a term says; the others are as results of a check.
enum match { MATCH_NO, MATCH_YES, MATCH_TEMPERROR, MATCH_PERMERROR };

static enum spf_result check_host(struct check *c, struct slice domain);

const char *spf_result_name(enum spf_result r) {
    static const char *const names[] = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"};
    return names[r];
}

#define PROBLEM(c, ...)                                                                                                \
    ((c)->out.problem = (c)->out.problem.n ? (c)->out.problem : arena_printf((c)->arena, __VA_ARGS__))

static enum match permerror(struct check *c, struct slice domain, const char *why) {
    PROBLEM(c, "%.*s: %s", SLICE_ARG(domain), why);
    return MATCH_PERMERROR;
}

// ---- asking

// Labels of 1 to 63 bytes, 253 in all; a final dot is allowed.
static bool is_name(struct slice name) {
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n == 0 || name.n > SPF_NAME_MAX)
        return false;
    bool more;
    do {
        struct slice label;
        more = slice_cut(name, '.', &label, &name);
        if (label.n == 0 || label.n > LABEL_MAX)
            return false;
    } while (more);
    return true;
}

static bool failed(const struct oracle_answer *a) { return a->status == ORACLE_FAILED || a->status == ORACLE_TIMEOUT; }

static enum match temperror(struct check *c, enum oracle_type type, struct slice name, const struct oracle_answer *a) {
    PROBLEM(c, "%s of %.*s: %s%s%.*s", oracle_type_name(type), SLICE_ARG(name),
            a->status == ORACLE_TIMEOUT ? "time-out" : "look-up failed", a->why.n ? ": " : "", SLICE_ARG(a->why));
    return MATCH_TEMPERROR;
}

// MATCH_NO: the answer is good.
static enum match judge_answer(struct check *c, enum oracle_type type, struct slice name,
                               const struct oracle_answer *a) {
    if (failed(a))
        return temperror(c, type, name, a);
    if (a->status != ORACLE_OK && ++c->out.voids > VOIDS_MAX)
        return permerror(c, name, "more than 2 look-ups found nothing (RFC 7208 4.6.4)");
    return MATCH_NO;
}

static bool prefix_same(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned bytes = bits / 8, rest = bits % 8;
    return memcmp(a, b, bytes) == 0 && (rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0);
}

static enum oracle_type address_type(const struct check *c) {
    return c->q->ip.family == NETADDR_V6 ? ORACLE_AAAA : ORACLE_A;
}

static bool has_client(const struct check *c, const struct oracle_answer *a, uint8_t bits4, uint8_t bits6) {
    const struct netaddr *ip = &c->q->ip;
    for (size_t i = 0; i < a->n; i++)
        if (a->records[i].ip.family == ip->family &&
            prefix_same(a->records[i].ip.ip, ip->ip, ip->family == NETADDR_V6 ? bits6 : bits4))
            return true;
    return false;
}

// ---- names of the client (5.5)

// The names of the client that lead back to it, the first ten.
static size_t validated_names(struct check *c, struct slice names[NAMES_MAX]) {
    struct slice reverse = SLICE("%{ir}.%{v}.arpa");
    BUF_AUTO struct buf name = {.max = SPF_EXPANSION_MAX};
    struct oracle_answer ptr, answers[NAMES_MAX];
    struct oracle_question questions[NAMES_MAX];
    if (!spf_macro_expand(reverse, &c->values, &name))
        return 0;
    oracle_ask(c->o, ORACLE_PTR, buf_slice(&name), &c->scratch, &ptr);
    size_t n = ptr.status != ORACLE_OK ? 0 : ptr.n < NAMES_MAX ? ptr.n : NAMES_MAX, valid = 0;
    for (size_t i = 0; i < n; i++)
        questions[i] = (struct oracle_question){.type = address_type(c), .name = ptr.records[i].text};
    if (n)
        c->o->ask(c->o, questions, n, &c->scratch, answers);
    // What is void or fails here isn't the sender's doing, and doesn't count: a client could else turn fail into an
    // error with three names that aren't there.
    for (size_t i = 0; i < n; i++)
        if (answers[i].status == ORACLE_OK && has_client(c, &answers[i], 32, 128))
            names[valid++] = questions[i].name;
    return valid;
}

static bool is_below(struct slice name, struct slice domain) {
    return slice_ieq(name, domain) || (name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
                                       slice_ieq(slice_from(name, name.n - domain.n), domain));
}

// %{p}: the domain itself where it is among them, else a subdomain of it, else any (7.3).
static void find_validated(struct check *c, struct slice domain) {
    struct slice names[NAMES_MAX];
    struct arena_mark mark = arena_mark(&c->scratch);
    size_t n = validated_names(c, names);
    struct slice best = SLICE("unknown");
    unsigned rank = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned r = slice_ieq(names[i], domain) ? 3 : is_below(names[i], domain) ? 2 : 1;
        if (r > rank)
            best = names[i];
        rank = r > rank ? r : rank;
    }
    c->values.validated = arena_dup(c->arena, best);
    arena_rewind(&c->scratch, mark);
}

// ---- targets

static bool expand(struct check *c, struct slice text, struct slice domain, struct buf *to) {
    c->values.domain = domain;
    if (spf_macro_uses_validated(text))
        find_validated(c, domain);
    return spf_macro_expand(text, &c->values, to);
}

// <target-name> of a domain-spec, the domain itself where there is none (4.8); too long ones lose labels at the left.
static struct slice target_of(struct check *c, struct slice spec, struct slice domain, struct arena *arena) {
    if (spec.n == 0)
        return domain;
    BUF_AUTO struct buf b = {.max = SPF_EXPANSION_MAX};
    if (!expand(c, spec, domain, &b))
        return SLICE_EMPTY;
    struct slice name = buf_slice(&b);
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    while (name.n > SPF_NAME_MAX) {
        size_t dot = slice_find(name, '.');
        name = slice_from(name, dot + 1);
    }
    return arena_dup(arena, name);
}

// ---- mechanisms

static enum match match_addresses(struct check *c, const struct spf_term *t, struct slice name, bool exists) {
    struct oracle_answer a;
    enum oracle_type type = exists ? ORACLE_A : address_type(c);
    oracle_ask(c->o, type, name, &c->scratch, &a);
    enum match m = judge_answer(c, type, name, &a);
    if (m != MATCH_NO)
        return m;
    return (exists ? a.n > 0 : has_client(c, &a, t->bits4, t->bits6)) ? MATCH_YES : MATCH_NO;
}

static enum match match_mx(struct check *c, const struct spf_term *t, struct slice name) {
    struct oracle_answer mx, answers[NAMES_MAX];
    struct oracle_question questions[NAMES_MAX];
    oracle_ask(c->o, ORACLE_MX, name, &c->scratch, &mx);
    enum match m = judge_answer(c, ORACLE_MX, name, &mx);
    if (m != MATCH_NO)
        return m;
    if (mx.n > NAMES_MAX)
        return permerror(c, name, "more than 10 MX records (RFC 7208 4.6.4)");
    size_t n = 0;
    for (size_t i = 0; i < mx.n; i++)
        if (mx.records[i].text.n) // the null MX has no address
            questions[n++] = (struct oracle_question){.type = address_type(c), .name = mx.records[i].text};
    if (n)
        c->o->ask(c->o, questions, n, &c->scratch, answers);
    for (size_t i = 0; i < n; i++) {
        m = judge_answer(c, questions[i].type, questions[i].name, &answers[i]);
        if (m != MATCH_NO || has_client(c, &answers[i], t->bits4, t->bits6))
            return m != MATCH_NO ? m : MATCH_YES;
    }
    return MATCH_NO;
}

static enum match match_ptr(struct check *c, struct slice name) {
    struct slice names[NAMES_MAX];
    size_t n = validated_names(c, names);
    for (size_t i = 0; i < n; i++)
        if (is_below(names[i], name))
            return MATCH_YES;
    return MATCH_NO;
}

// 5.2: only pass is a match; what isn't an answer of that domain is an error of ours.
static enum match match_include(struct check *c, struct slice name, struct slice domain) {
    switch (check_host(c, name)) {
    case SPF_PASS:
        return MATCH_YES;
    case SPF_TEMPERROR:
        return MATCH_TEMPERROR;
    case SPF_PERMERROR:
        return MATCH_PERMERROR;
    case SPF_NONE:
        PROBLEM(c, "%.*s: include of %.*s, which has no SPF record (RFC 7208 5.2)", SLICE_ARG(domain), SLICE_ARG(name));
        return MATCH_PERMERROR;
    default:
        return MATCH_NO;
    }
}

static enum match count_lookup(struct check *c, struct slice domain) {
    return ++c->out.lookups > LOOKUPS_MAX ? permerror(c, domain, "more than 10 terms ask DNS (RFC 7208 4.6.4)")
                                          : MATCH_NO;
}

static enum match match_asking(struct check *c, const struct spf_term *t, struct slice domain) {
    enum match m = count_lookup(c, domain);
    if (m != MATCH_NO)
        return m;
    struct slice name = target_of(c, t->domain, domain, &c->scratch);
    if (t->mechanism == SPF_INCLUDE)
        return match_include(c, name, domain);
    if (!is_name(name))
        return MATCH_NO; // 4.8: as if it weren't there
    switch (t->mechanism) {
    case SPF_MX:
        return match_mx(c, t, name);
    case SPF_PTR:
        return match_ptr(c, name);
    default:
        return match_addresses(c, t, name, t->mechanism == SPF_EXISTS);
    }
}

static enum match match_term(struct check *c, const struct spf_term *t, struct slice domain) {
    bool same = false;
    switch (t->mechanism) {
    case SPF_ALL:
        return MATCH_YES;
    case SPF_IP4:
        same = c->q->ip.family == NETADDR_V4 && prefix_same(t->ip, c->q->ip.ip, t->bits4);
        return same ? MATCH_YES : MATCH_NO;
    case SPF_IP6:
        same = c->q->ip.family == NETADDR_V6 && prefix_same(t->ip, c->q->ip.ip, t->bits6);
        return same ? MATCH_YES : MATCH_NO;
    default:
        break;
    }
    struct arena_mark mark = arena_mark(&c->scratch);
    enum match m = match_asking(c, t, domain);
    arena_rewind(&c->scratch, mark);
    return m;
}

// ---- records

static void decided(struct check *c, struct slice domain, struct slice term, struct slice exp) {
    c->out.mechanism = arena_printf(c->arena, "%.*s: %.*s", SLICE_ARG(domain), SLICE_ARG(slice_upto(term, 300)));
    c->exp = exp.n ? arena_dup(c->arena, exp) : SLICE_EMPTY;
    c->exp_domain = arena_dup(c->arena, domain);
}

static enum spf_result evaluate(struct check *c, const struct spf_record *record, struct slice domain) {
    struct slice terms = record->terms;
    struct spf_term t;
    while (spf_record_next(&terms, &t))
        switch (match_term(c, &t, domain)) {
        case MATCH_YES:
            decided(c, domain, t.text, record->exp);
            return t.result;
        case MATCH_TEMPERROR:
            return SPF_TEMPERROR;
        case MATCH_PERMERROR:
            return SPF_PERMERROR;
        default:
            break;
        }
    if (record->redirect.n == 0) {
        decided(c, domain, SLICE("nothing matches"), SLICE_EMPTY);
        return SPF_NEUTRAL;
    }
    if (count_lookup(c, domain) != MATCH_NO)
        return SPF_PERMERROR;
    struct slice name = target_of(c, record->redirect, domain, &c->scratch);
    enum spf_result r = check_host(c, name);
    if (r != SPF_NONE)
        return r;
    PROBLEM(c, "%.*s: redirect to %.*s, which has no SPF record (RFC 7208 6.1)", SLICE_ARG(domain), SLICE_ARG(name));
    return SPF_PERMERROR;
}

// 4.5: exactly one of the TXT records.
static enum spf_result select_record(struct check *c, struct slice domain, struct slice *out) {
    struct oracle_answer a;
    oracle_ask(c->o, ORACLE_TXT, domain, &c->scratch, &a);
    if (failed(&a)) {
        temperror(c, ORACLE_TXT, domain, &a);
        return SPF_TEMPERROR;
    }
    size_t n = 0;
    for (size_t i = 0; i < a.n; i++)
        if (spf_is_record(a.records[i].text)) {
            *out = a.records[i].text;
            n++;
        }
    if (n > 1)
        permerror(c, domain, "more than one SPF record (RFC 7208 4.5)");
    return n > 1 ? SPF_PERMERROR : n == 1 ? SPF_PASS : SPF_NONE;
}

static enum spf_result check_host(struct check *c, struct slice domain) {
    struct slice text;
    if (!is_name(domain) || slice_find(domain, '.') >= domain.n - 1 || !utf8_ascii(domain))
        return SPF_NONE; // 4.3
    enum spf_result r = select_record(c, domain, &text);
    if (r != SPF_PASS)
        return r;
    struct spf_record record;
    struct err e;
    if (!spf_record_parse(text, &record, &e)) {
        PROBLEM(c, "%.*s: the record is broken: %s", SLICE_ARG(domain), e.text);
        return SPF_PERMERROR;
    }
    return evaluate(c, &record, domain);
}

// ---- explanation (6.2)

static bool printable(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > 0x7e)
            return false;
    return true;
}

// Anything that goes wrong leaves none.
static void explain(struct check *c) {
    struct slice name = target_of(c, c->exp, c->exp_domain, &c->scratch);
    struct oracle_answer a;
    if (!is_name(name))
        return;
    oracle_ask(c->o, ORACLE_TXT, name, &c->scratch, &a);
    size_t at;
    const char *why;
    if (a.status != ORACLE_OK || a.n != 1 || !spf_macro_check(a.records[0].text, true, &at, &why))
        return;
    BUF_AUTO struct buf text = {.max = SPF_EXPANSION_MAX};
    if (expand(c, a.records[0].text, c->exp_domain, &text) && printable(buf_slice(&text)))
        c->out.explanation = arena_dup(c->arena, slice_upto(buf_slice(&text), EXPLANATION_MAX));
}

// ---- the beginning

// The identity (2.3, 2.4): MAIL FROM's, or HELO's.
static void identify(struct check *c) {
    const struct spf_query *q = c->q;
    size_t at = slice_rfind(q->sender, '@');
    struct slice local = at < q->sender.n ? slice_upto(q->sender, at) : SLICE_EMPTY;
    struct slice domain = q->sender.n == 0 ? q->helo : at < q->sender.n ? slice_from(q->sender, at + 1) : q->sender;
    c->out.helo = q->sender.n == 0;
    struct slice ascii;
    struct err e;
    if (!utf8_ascii(domain) && address_normalize_domain(domain, c->arena, &ascii, &e))
        domain = ascii;
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    if (local.n == 0)
        local = SLICE("postmaster"); // 4.3
    c->out.domain = arena_dup(c->arena, domain);
    c->values = (struct spf_macro_values){
        .sender = arena_printf(c->arena, "%.*s@%.*s", SLICE_ARG(local), SLICE_ARG(domain)),
        .local = local,
        .sender_domain = domain,
        .helo = q->helo,
        .receiver = q->receiver,
        .ip = q->ip,
        .now = q->now,
        .validated = SLICE("unknown"),
    };
}

void spf_check(const struct spf_query *q, struct oracle *o, struct arena *arena, struct spf_verdict *out) {
    struct check c = {.q = q, .o = o, .arena = arena, .scratch = {.max = SCRATCH_MAX}};
    identify(&c);
    if (!c.values.sender.p || !c.out.domain.p)
        c.out.result = SPF_TEMPERROR, PROBLEM(&c, "no memory");
    else if (q->ip.family != NETADDR_NONE && address_domain_ok(c.out.domain)) // 4.3: a literal or any nonsense has none
        c.out.result = check_host(&c, c.out.domain);
    if (c.out.result == SPF_FAIL && c.exp.n)
        explain(&c);
    if (c.out.result == SPF_TEMPERROR || c.out.result == SPF_PERMERROR || c.out.result == SPF_NONE)
        c.out.mechanism = SLICE_EMPTY;
    else
        c.out.problem = SLICE_EMPTY;
    arena_done(&c.scratch);
    *out = c.out;
}
