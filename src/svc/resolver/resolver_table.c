// resolver_table: lines of text as DNS.
#include "svc/resolver/resolver_table.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

enum { ARENA_MAX = 16 * 1024 * 1024 };

struct entry {
    struct entry *next;
    struct slice name;
    uint16_t type;
    enum { ENTRY_RECORD, ENTRY_FAILED, ENTRY_BOGUS, ENTRY_SECURE, ENTRY_DELAY } kind;
    struct message_dns_record record;
    struct slice why;
    int64_t delay_ms;
};

struct resolver_table {
    struct resolver_backend backend;
    struct loop *loop;
    struct arena arena;
    struct entry *first, **last;
    struct list late; // answers that wait for their time
};

struct late {
    struct list entry;
    struct resolver_table *table;
    struct loop_timer timer;
    struct message_resolve q; // the name is owned
    void (*done)(void *arg, const struct message_resolve_reply *reply);
    void *arg;
};

static bool parse_type(struct slice word, uint16_t *out) {
    static const struct {
        const char *name;
        uint16_t type;
    } types[] = {{"A", MESSAGE_DNS_A},
                 {"AAAA", MESSAGE_DNS_AAAA},
                 {"MX", MESSAGE_DNS_MX},
                 {"PTR", MESSAGE_DNS_PTR},
                 {"TXT", MESSAGE_DNS_TXT}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (slice_eq(word, slice_str(types[i].name))) {
            *out = types[i].type;
            return true;
        }
    return false;
}

static struct slice next_word(struct slice *rest) {
    struct slice word;
    *rest = slice_trim(*rest);
    slice_cut(*rest, ' ', &word, rest);
    return word;
}

static bool parse_record(struct entry *e, struct slice value) {
    uint64_t number;
    switch (e->type) {
    case MESSAGE_DNS_A:
    case MESSAGE_DNS_AAAA:
        return netaddr_parse_ip(value, &e->record.ip);
    case MESSAGE_DNS_MX:
        if (!num_u64(next_word(&value), 65535, &number))
            return false;
        e->record.preference = (uint16_t)number;
        value = slice_trim(value);
        e->record.text = slice_ends(value, SLICE(".")) ? slice_upto(value, value.n - 1) : value;
        return true;
    default:
        e->record.text = value;
        return true;
    }
}

static bool parse_value(struct entry *e, struct slice value) {
    struct slice rest = value, word = next_word(&rest);
    uint64_t number;
    e->why = slice_trim(rest);
    if (slice_eq(word, SLICE("FAILED")))
        e->kind = ENTRY_FAILED;
    else if (slice_eq(word, SLICE("BOGUS")))
        e->kind = ENTRY_BOGUS;
    else if (slice_eq(word, SLICE("SECURE")))
        e->kind = ENTRY_SECURE;
    else if (slice_eq(word, SLICE("DELAY")) && num_u64(e->why, 1000000000, &number)) {
        e->kind = ENTRY_DELAY;
        e->delay_ms = (int64_t)number;
    } else {
        return parse_record(e, slice_trim(value));
    }
    return true;
}

bool resolver_table_add(struct resolver_table *t, struct slice line) {
    struct slice rest = arena_dup(&t->arena, slice_trim(line));
    struct entry *e = ARENA_NEW(&t->arena, struct entry);
    if (!rest.p || !e)
        return false;
    e->name = next_word(&rest);
    if (!e->name.n || !parse_type(next_word(&rest), &e->type) || !parse_value(e, rest))
        return false;
    *t->last = e;
    t->last = &e->next;
    return true;
}

static struct slice without_dot(struct slice name) {
    return slice_ends(name, SLICE(".")) ? slice_upto(name, name.n - 1) : name;
}

static void answer(struct resolver_table *t, const struct message_resolve *q,
                   void (*done)(void *arg, const struct message_resolve_reply *reply), void *arg) {
    struct message_dns_record records[MESSAGE_DNS_RECORDS_MAX];
    struct message_resolve_reply reply = {.status = MESSAGE_DNS_NXDOMAIN, .ttl = 60, .records = records};
    for (struct entry *e = t->first; e; e = e->next) {
        if (!slice_ieq(e->name, without_dot(q->name)))
            continue;
        if (reply.status == MESSAGE_DNS_NXDOMAIN)
            reply.status = MESSAGE_DNS_NODATA;
        if (e->type == q->type && e->kind == ENTRY_SECURE)
            reply.security = MESSAGE_DNS_SECURE;
        if (e->type != q->type || e->kind == ENTRY_DELAY || e->kind == ENTRY_SECURE)
            continue;
        reply.status = e->kind == ENTRY_FAILED ? MESSAGE_DNS_FAILED : MESSAGE_DNS_OK;
        reply.why = e->why;
        if (e->kind == ENTRY_BOGUS)
            reply.security = MESSAGE_DNS_BOGUS;
        if (e->kind == ENTRY_RECORD && reply.records_n < MESSAGE_DNS_RECORDS_MAX)
            records[reply.records_n++] = e->record;
    }
    done(arg, &reply);
}

static void late_free(struct late *l) {
    list_remove(&l->entry);
    loop_timer_stop(l->table->loop, &l->timer);
    free((char *)l->q.name.p);
    free(l);
}

static void on_time(struct loop_timer *timer) {
    struct late *l = LIST_ENTRY(timer, struct late, timer);
    answer(l->table, &l->q, l->done, l->arg);
    late_free(l);
}

static int64_t delay_of(const struct resolver_table *t, const struct message_resolve *q) {
    for (const struct entry *e = t->first; e; e = e->next)
        if (e->kind == ENTRY_DELAY && e->type == q->type && slice_ieq(e->name, without_dot(q->name)))
            return e->delay_ms;
    return 0;
}

static void ask(struct resolver_backend *b, const struct message_resolve *q,
                void (*done)(void *arg, const struct message_resolve_reply *reply), void *arg) {
    struct resolver_table *t = LIST_ENTRY(b, struct resolver_table, backend);
    int64_t delay = delay_of(t, q);
    if (!delay) {
        answer(t, q, done, arg);
        return;
    }
    struct late *l = MEM_NEW(struct late);
    char *name = mem_new(q->name.n + 1, 1);
    memcpy(name, q->name.p, q->name.n);
    *l = (struct late){.table = t, .timer = {.fire = on_time}, .done = done, .arg = arg};
    l->q = (struct message_resolve){.type = q->type, .name = slice_of(name, q->name.n)};
    list_append(&t->late, &l->entry);
    loop_timer_set(t->loop, &l->timer, loop_in_ms(t->loop, delay));
}

static void free_table(struct resolver_backend *b) {
    struct resolver_table *t = LIST_ENTRY(b, struct resolver_table, backend);
    while (!list_empty(&t->late))
        late_free(LIST_ENTRY(t->late.next, struct late, entry));
    arena_done(&t->arena);
    free(t);
}

struct resolver_table *resolver_table_new(struct loop *loop) {
    struct resolver_table *t = MEM_NEW(struct resolver_table);
    *t =
        (struct resolver_table){.backend = {.ask = ask, .free = free_table}, .loop = loop, .arena = {.max = ARENA_MAX}};
    t->last = &t->first;
    list_init(&t->late);
    return t;
}

struct resolver_backend *resolver_table_backend(struct resolver_table *t) {
    return &t->backend;
}
