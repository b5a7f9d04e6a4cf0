// dnsbl: names to ask, answers that count, words.
#include "core/gate/dnsbl.h"

#include "base/printable.h"
#include "core/gate/iprev.h"

enum { NAME_MAX_BYTES = 253, REASONS_MAX = 400 };

// --- names

// "2.0.0.127.ZONE", "example.org.ZONE"; empty where it would be too long or there is nothing to ask.
static struct slice name_of(const struct config_list *list, const struct netaddr *ip, struct slice domain,
                            struct arena *arena) {
    BUF_AUTO struct buf b = {.max = NAME_MAX_BYTES};
    if (list->of == CONFIG_LIST_CLIENT)
        iprev_add_reversed(&b, ip);
    else
        buf_add(&b, slice_ends(domain, SLICE(".")) ? slice_upto(domain, domain.n - 1) : domain);
    bool empty = b.n == 0;
    buf_add_char(&b, '.');
    buf_add(&b, list->zone);
    return b.failed || empty ? SLICE_EMPTY : arena_dup(arena, buf_slice(&b));
}

// --- answers

static bool in_range(const uint8_t *ip, const struct config_list_codes *c) {
    return memcmp(ip, c->first, 4) >= 0 && memcmp(ip, c->last, 4) <= 0;
}

// 127.255.255.0/24 is how lists say that they won't answer whoever asks.
static bool is_refusal(const struct netaddr *a) {
    return a->family == NETADDR_V4 && a->ip[0] == 127 && a->ip[1] == 255 && a->ip[2] == 255;
}

static bool counts(const struct config_list *list, const struct netaddr *a) {
    bool wanted = list->codes_n == 0;
    if (a->family != NETADDR_V4 || a->ip[0] != 127 || is_refusal(a))
        return false;
    for (size_t i = 0; i < list->codes_n && !wanted; i++)
        wanted = in_range(a->ip, &list->codes[i]);
    return wanted;
}

static const struct netaddr *code_of(const struct config_list *list, const struct oracle_answer *a) {
    for (size_t i = 0; a->status == ORACLE_OK && i < a->n; i++)
        if (counts(list, &a->records[i].ip))
            return &a->records[i].ip;
    return NULL;
}

// --- asking

static bool has_subject(const struct dnsbl_query *q) {
    if (q->of == CONFIG_LIST_CLIENT)
        return q->ip.family != NETADDR_NONE;
    return q->name.n && q->name.p[0] != '[';
}

static bool is_asked(const struct dnsbl_query *q, size_t i) {
    return q->lists[i].of == q->of && (!q->states || q->states[i] == DNSBL_GOOD);
}

static void take(const struct config_list *list, struct slice name, const struct oracle_answer *a, struct dnsbl *out) {
    const struct netaddr *code = code_of(list, a);
    if (!code)
        return;
    out->listed[out->listed_n++] = (struct dnsbl_listed){list, *code, name};
    out->score += list->allow ? -(int64_t)list->weight : list->weight;
    out->allowed |= list->allow;
}

struct batch {
    const struct config_list *lists[ORACLE_AT_ONCE_MAX];
    struct oracle_question questions[ORACLE_AT_ONCE_MAX];
    size_t n;
};

static void ask_batch(struct batch *b, struct oracle *o, struct arena *arena, struct dnsbl *out) {
    struct oracle_answer *answers = arena_alloc(arena, ORACLE_AT_ONCE_MAX * sizeof *answers);
    if (b->n && answers) {
        o->ask(o, b->questions, b->n, arena, answers);
        for (size_t i = 0; i < b->n; i++)
            take(b->lists[i], b->questions[i].name, &answers[i], out);
    }
    b->n = 0;
}

void dnsbl_check(const struct dnsbl_query *q, struct oracle *o, struct arena *arena, struct dnsbl *out) {
    struct batch b;
    b.n = 0;
    *out = (struct dnsbl){.listed = arena_alloc(arena, q->n * sizeof *out->listed)};
    for (size_t i = 0; out->listed && has_subject(q) && i < q->n; i++) {
        struct slice name = is_asked(q, i) ? name_of(&q->lists[i], &q->ip, q->name, arena) : SLICE_EMPTY;
        if (name.n == 0)
            continue;
        b.lists[b.n] = &q->lists[i];
        b.questions[b.n++] = (struct oracle_question){ORACLE_A, name};
        if (b.n == ORACLE_AT_ONCE_MAX)
            ask_batch(&b, o, arena, out);
    }
    ask_batch(&b, o, arena, out);
}

// --- words

static void add_printable(struct buf *b, struct slice s) {
    for (size_t at = 0; at < s.n;) {
        uint32_t code;
        size_t n = printable_decode(slice_from(s, at), &code);
        bool shown = n && printable_safe(code);
        buf_add(b, shown ? slice_of(s.p + at, n) : SLICE(" "));
        at += n ? n : 1;
    }
}

static void add_reason(struct buf *b, const struct dnsbl_listed *l, const struct oracle_answer *words) {
    if (b->n)
        buf_add_str(b, ", ");
    buf_add(b, l->list->zone);
    buf_add_str(b, " (");
    netaddr_add_ip(b, &l->code);
    if (words->status == ORACLE_OK && words->n) {
        buf_add_str(b, ": ");
        add_printable(b, slice_upto(words->records[0].text, DNSBL_WORDS));
    }
    buf_add_char(b, ')');
}

struct slice dnsbl_reasons(const struct dnsbl *d, struct oracle *o, struct arena *arena) {
    BUF_AUTO struct buf b = {.max = REASONS_MAX};
    struct oracle_question questions[ORACLE_AT_ONCE_MAX] = {{0}};
    const struct dnsbl_listed *asked[ORACLE_AT_ONCE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < d->listed_n && n < ORACLE_AT_ONCE_MAX; i++)
        if (!d->listed[i].list->allow) {
            asked[n] = &d->listed[i];
            questions[n++] = (struct oracle_question){ORACLE_TXT, d->listed[i].name};
        }
    struct oracle_answer *answers = n ? arena_alloc(arena, n * sizeof *answers) : NULL;
    if (!answers)
        return SLICE_EMPTY;
    o->ask(o, questions, n, arena, answers);
    for (size_t i = 0; i < n; i++) {
        size_t before = b.n;
        add_reason(&b, asked[i], &answers[i]);
        if (b.failed) { // whole reasons only
            b.n = before;
            break;
        }
    }
    return arena_dup(arena, buf_slice(&b));
}

// --- the test

enum test_question { LISTED, LISTED_V6, FREE, FREE_V6, QUESTIONS };

static struct slice test_name(const struct config_list *list, enum test_question which, struct arena *arena) {
    static const char *const addresses[QUESTIONS] = {"127.0.0.2", NULL, "127.0.0.1", NULL};
    static const char *const names[QUESTIONS] = {"test", NULL, "invalid", NULL};
    struct netaddr ip = {.family = NETADDR_V6};
    if (list->of != CONFIG_LIST_CLIENT)
        return names[which] ? name_of(list, &ip, slice_str(names[which]), arena) : SLICE_EMPTY;
    if (addresses[which]) {
        netaddr_parse_ip(slice_str(addresses[which]), &ip);
    } else { // as nibbles: as an address it would be kept as the IPv4 one
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        memcpy(ip.ip, mapped, sizeof mapped);
        ip.ip[12] = 127;
        ip.ip[15] = which == LISTED_V6 ? 2 : 1;
    }
    return name_of(list, &ip, SLICE_EMPTY, arena);
}

// Only what would count: a list whose codes leave the test entry out is asked whether it answers at all.
static bool is_listed(const struct oracle_answer *a) {
    for (size_t i = 0; a->status == ORACLE_OK && i < a->n; i++)
        if (a->records[i].ip.family == NETADDR_V4 && a->records[i].ip.ip[0] == 127 && !is_refusal(&a->records[i].ip))
            return true;
    return false;
}

static bool refuses(const struct oracle_answer *a) {
    for (size_t i = 0; a->status == ORACLE_OK && i < a->n; i++)
        if (is_refusal(&a->records[i].ip))
            return true;
    return false;
}

static struct dnsbl_test judge(const struct config_list *list, const struct oracle_answer *a) {
    bool client = list->of == CONFIG_LIST_CLIENT;
    if (is_listed(&a[FREE]) || is_listed(&a[FREE_V6]))
        return (struct dnsbl_test){DNSBL_LISTS_ALL, client ? SLICE("it lists 127.0.0.1, which no list may")
                                                           : SLICE("it lists INVALID, which no list may")};
    if (is_listed(&a[LISTED]) || is_listed(&a[LISTED_V6]))
        return (struct dnsbl_test){DNSBL_GOOD, SLICE_EMPTY};
    if (refuses(&a[LISTED]) || refuses(&a[FREE]))
        return (struct dnsbl_test){DNSBL_DEAD, SLICE("it refuses to answer whoever asks through this resolver")};
    if (a[LISTED].status == ORACLE_TIMEOUT || a[LISTED].status == ORACLE_FAILED)
        return (struct dnsbl_test){DNSBL_DEAD, SLICE("nobody answers for it")};
    return (struct dnsbl_test){DNSBL_DEAD, client ? SLICE("127.0.0.2, which is on every list, isn't on it")
                                                  : SLICE("TEST, which is on every list, isn't on it")};
}

void dnsbl_self_test(const struct config_list *list, struct oracle *o, struct arena *arena, struct dnsbl_test *out) {
    struct oracle_question questions[QUESTIONS] = {{0}};
    struct oracle_answer answers[QUESTIONS], by_question[QUESTIONS] = {{0}};
    size_t n = 0, at[QUESTIONS];
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct slice name = test_name(list, (enum test_question)i, arena);
        by_question[i].status = ORACLE_NODATA;
        if (name.n == 0)
            continue;
        at[n] = i;
        questions[n++] = (struct oracle_question){ORACLE_A, name};
    }
    if (n)
        o->ask(o, questions, n, arena, answers);
    for (size_t i = 0; i < n; i++)
        by_question[at[i]] = answers[i];
    *out = judge(list, by_question);
}

const char *dnsbl_state_name(enum dnsbl_state s) {
    static const char *const names[] = {"untested", "good", "dead", "lists everybody"};
    return names[s];
}
