// oracle_zone: keeps the records of a zone by name and answers from them.
#include "mail/oracle/oracle_zone.h"

#include "base/mem.h"
#include "mail/oracle/oracle_zone_inside.h"

#include <stdlib.h>

enum {
    ARENA_MAX = 256 << 20, // bytes: many times what the longest text needs
    CNAMES_MAX = 16,       // a chain that is longer is a loop
    TTL_DEFAULT = 3600,    // seconds
};

bool zone_name_add(struct zone_name *n, struct slice label) {
    if (label.n == 0 || label.n > ZONE_LABEL_MAX || n->n + 1 + label.n > ZONE_NAME_MAX - 1) // and one for the root
        return false;
    n->bytes[n->n] = (char)label.n;
    for (size_t i = 0; i < label.n; i++)
        n->bytes[n->n + 1U + i] = ascii_lower(label.p[i]);
    n->n = (uint8_t)(n->n + 1 + label.n);
    return true;
}

// The name without its first label.
static struct slice parent_of(struct slice name) { return slice_from(name, (size_t)(uint8_t)name.p[0] + 1); }

struct zone_node *zone_node_make(struct oracle_zone *z, struct slice name, bool alone) {
    struct zone_node *first = NULL;
    for (;; name = parent_of(name)) {
        struct zone_node *node = map_get(&z->nodes, name);
        if (!node) {
            node = ARENA_NEW(&z->arena, struct zone_node);
            if (!node)
                return NULL;
            node->name = arena_dup(&z->arena, name);
            if (!node->name.p)
                return NULL;
            map_set(&z->nodes, node->name, node);
        }
        if (!first)
            first = node;
        if (name.n == 0 || alone)
            return first;
    }
}

bool zone_node_add(struct oracle_zone *z, struct zone_node *node, const struct zone_record *r) {
    struct zone_record *copy = ARENA_NEW(&z->arena, struct zone_record);
    if (!copy)
        return false;
    *copy = *r;
    *(node->last ? &node->last->next : &node->first) = copy;
    node->last = copy;
    return true;
}

// Names in answers are text: a label with a dot or with what can't be written leads to nobody.
static bool name_of_text(struct slice text, struct zone_name *out) {
    out->n = 0;
    if (text.n && text.p[text.n - 1] == '.')
        text.n--;
    while (text.n) {
        struct slice label;
        bool more = slice_cut(text, '.', &label, &text);
        if (!zone_name_add(out, label) || (more && text.n == 0))
            return false;
    }
    return true;
}

// The node that stands for a name: its own, or the wildcard below the closest one that is there (RFC 4592 3.3.1).
static struct zone_node *node_for(const struct oracle_zone *z, struct slice name) {
    struct zone_node *own = map_get(&z->nodes, name);
    if (own)
        return own;
    do {
        name = parent_of(name);
    } while (name.n && !map_get(&z->nodes, name));
    struct zone_name wild = {.n = 0};
    if (!zone_name_add(&wild, SLICE("*")) || name.n > sizeof wild.bytes - wild.n)
        return NULL;
    if (name.n)
        memcpy(wild.bytes + wild.n, name.p, name.n);
    wild.n = (uint8_t)(wild.n + name.n);
    return map_get(&z->nodes, zone_name_slice(&wild));
}

static const struct zone_record *find(const struct zone_node *node, uint16_t type) {
    const struct zone_record *r = node->first;
    while (r && (r->type != type || r->status != ORACLE_OK))
        r = r->next;
    return r;
}

static const struct zone_record *find_failure(const struct zone_node *node, uint16_t type) {
    const struct zone_record *r = node->first;
    while (r && (r->type != type || r->status == ORACLE_OK))
        r = r->next;
    return r;
}

static void fill(const struct zone_node *node, uint16_t type, struct arena *arena, struct oracle_answer *out) {
    size_t n = 0;
    for (const struct zone_record *r = node->first; r; r = r->next)
        n += r->type == type && r->status == ORACLE_OK;
    out->records = arena_alloc(arena, n * sizeof *out->records);
    for (const struct zone_record *r = node->first; r && out->records; r = r->next) {
        if (r->type != type || r->status != ORACLE_OK)
            continue;
        struct oracle_record *to = &out->records[out->n++];
        *to = r->data;
        to->text = arena_dup(arena, r->data.text);
        if (r->data.text.n && !to->text.p)
            out->records = NULL;
        out->ttl = r->ttl < out->ttl ? r->ttl : out->ttl;
    }
    out->status = ORACLE_OK;
    if (!out->records)
        *out = (struct oracle_answer){.status = ORACLE_FAILED, .why = SLICE("the answer is too large")};
}

static bool says_failure(const struct zone_node *node, uint16_t type, struct oracle_answer *out) {
    const struct zone_record *r = find_failure(node, type);
    if (!r && !find(node, type))
        r = find_failure(node, ZONE_TYPE_ANY);
    if (!r)
        return false;
    out->status = r->status;
    if (r->status == ORACLE_FAILED)
        out->why = SLICE("the zone file says SERVFAIL");
    if (r->status == ORACLE_TIMEOUT)
        out->why = SLICE("the zone file says TIMEOUT");
    return true;
}

static void answer(const struct oracle_zone *z, const struct oracle_question *q, struct arena *arena,
                   struct oracle_answer *out) {
    *out = (struct oracle_answer){.status = ORACLE_FAILED, .ttl = TTL_DEFAULT};
    struct zone_name name;
    if (!name_of_text(q->name, &name)) {
        out->why = SLICE("not a name that can be asked for");
        return;
    }
    struct slice at = zone_name_slice(&name);
    for (unsigned chain = 0; chain <= CNAMES_MAX; chain++) {
        const struct zone_node *node = node_for(z, at);
        out->status = node ? ORACLE_NODATA : ORACLE_NXDOMAIN;
        if (!node)
            return;
        const struct zone_record *own = find(node, (uint16_t)q->type);
        const struct zone_record *cname = own ? NULL : find(node, ZONE_TYPE_CNAME);
        if (cname) {
            at = cname->data.text;
            out->ttl = cname->ttl < out->ttl ? cname->ttl : out->ttl;
        } else if (says_failure(node, (uint16_t)q->type, out)) {
            return;
        } else {
            if (own)
                fill(node, (uint16_t)q->type, arena, out);
            return;
        }
    }
    out->status = ORACLE_FAILED;
    out->why = SLICE("CNAMEs lead in a circle");
}

static void zone_ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                     struct oracle_answer *answers) {
    const struct oracle_zone *z = (const struct oracle_zone *)o; // `oracle` is its first member
    for (size_t i = 0; i < n; i++)
        answer(z, &questions[i], arena, &answers[i]);
}

struct oracle_zone *oracle_zone_empty(void) {
    struct oracle_zone *z = MEM_NEW(struct oracle_zone);
    *z = (struct oracle_zone){.oracle = {zone_ask}, .arena = {.max = ARENA_MAX}, .ttl = TTL_DEFAULT};
    zone_node_make(z, SLICE_EMPTY, true); // the root is always there
    return z;
}

struct oracle_zone *oracle_zone_new(struct slice text, struct err *e) {
    struct oracle_zone *z = oracle_zone_empty();
    if (oracle_zone_read(z, text, e))
        return z;
    oracle_zone_free(z);
    return NULL;
}

bool oracle_zone_add(struct oracle_zone *z, struct slice line, struct err *e) { return oracle_zone_read(z, line, e); }

struct oracle *oracle_zone_oracle(struct oracle_zone *z) {
    return &z->oracle;
}

void oracle_zone_free(struct oracle_zone *z) {
    if (!z)
        return;
    map_done(&z->nodes);
    arena_done(&z->arena);
    free(z);
}
