// dns_answer: reading a response.
#include "wire/dns_answer.h"

enum { HEADER = 12, NAME_MAX = 255, CLASS_IN = 1, CHAIN_MAX = 32, TYPE_SOA = 6 };

// A place in the packet; `bad` once set stays, and every read after it gives zero.
struct cursor {
    struct slice packet;
    size_t at;
    bool bad;
};

static uint32_t take(struct cursor *c, size_t n) {
    uint32_t v = 0;
    if (c->bad || c->packet.n - c->at < n) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (uint8_t)c->packet.p[c->at + i];
    c->at += n;
    return v;
}

static struct slice take_bytes(struct cursor *c, size_t n) {
    if (c->bad || c->packet.n - c->at < n) {
        c->bad = true;
        return SLICE_EMPTY;
    }
    c->at += n;
    return slice_of(c->packet.p + c->at - n, n);
}

struct name {
    char text[NAME_MAX + 1];
    size_t n;
    bool odd; // holds a character that a name in text can't
};

static void add_label(struct name *to, struct slice label, bool *bad) {
    if (to->n + label.n + 1 > NAME_MAX) {
        *bad = true;
        return;
    }
    if (to->n)
        to->text[to->n++] = '.';
    for (size_t i = 0; i < label.n; i++) {
        char c = ascii_lower(label.p[i]);
        to->odd |= c <= ' ' || c >= 0x7f || c == '.';
        to->text[to->n++] = c;
    }
}

// RFC 1035 4.1.4. A pointer must lead backwards, to before where this part of the name began: so it ends.
static void take_name(struct cursor *c, struct name *out) {
    struct cursor at = *c;
    size_t begin = c->at;
    bool jumped = false;
    *out = (struct name){.n = 0};
    for (;;) {
        size_t length = take(&at, 1);
        if ((length & 0xC0) == 0xC0) {
            size_t target = (length & 0x3F) << 8 | take(&at, 1);
            if (!jumped)
                c->at = at.at;
            jumped = true;
            at.bad |= target >= begin;
            begin = at.at = target;
        } else if (length & 0xC0) {
            at.bad = true;
        } else if (length && !at.bad) {
            add_label(out, take_bytes(&at, length), &at.bad);
        }
        if (at.bad || length == 0)
            break;
    }
    c->bad |= at.bad;
    if (!jumped)
        c->at = at.at;
}

static bool same_name(const struct name *a, const struct name *b) {
    return slice_eq(slice_of(a->text, a->n), slice_of(b->text, b->n));
}

struct reading {
    struct cursor c;
    uint16_t type;
    size_t most;
    struct arena *arena;
    struct dns_answer out;
    struct name owner; // where the chain has come to
    size_t links;
    bool no_memory;
};

static void add(struct reading *r, const struct dns_record *record) {
    if (r->out.n < r->most)
        r->out.records[r->out.n++] = *record;
}

static struct slice keep(struct reading *r, struct slice s) {
    struct slice copy = arena_dup(r->arena, s);
    r->no_memory |= !copy.p && s.n;
    return copy;
}

static void take_host(struct reading *r, struct cursor *data) {
    struct dns_record record = {0};
    struct name name;
    if (r->type == DNS_TYPE_MX)
        record.preference = (uint16_t)take(data, 2);
    take_name(data, &name);
    if (data->bad || name.odd)
        return;
    record.text = keep(r, slice_of(name.text, name.n));
    add(r, &record);
}

static void take_address(struct reading *r, struct cursor *data) {
    static const char mapped[] = {[10] = (char)0xFF, [11] = (char)0xFF};
    struct dns_record record = {.ip.family = r->type == DNS_TYPE_A ? NETADDR_V4 : NETADDR_V6};
    struct slice bytes = take_bytes(data, r->type == DNS_TYPE_A ? 4 : 16);
    if (data->bad || slice_starts(bytes, slice_of(mapped, sizeof mapped)))
        return;
    memcpy(record.ip.ip, bytes.p, bytes.n);
    add(r, &record);
}

static void take_text(struct reading *r, struct cursor *data, size_t end) {
    char *joined = arena_alloc(r->arena, end - data->at + 1);
    size_t n = 0;
    r->no_memory |= !joined;
    while (joined && !data->bad && data->at < end) {
        struct slice part = take_bytes(data, take(data, 1));
        if (part.n)
            memcpy(joined + n, part.p, part.n);
        n += part.n;
    }
    if (joined && !data->bad)
        add(r, &(struct dns_record){.text = slice_of(joined, n)});
}

static void take_data(struct reading *r, struct cursor *data, size_t end) {
    switch (r->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
        take_address(r, data);
        break;
    case DNS_TYPE_TXT:
        take_text(r, data, end);
        break;
    default:
        take_host(r, data);
    }
    r->c.bad |= data->bad || data->at != end;
}

static void note_ttl(struct reading *r, uint32_t ttl, bool first) {
    ttl = ttl > INT32_MAX ? 0 : ttl; // RFC 2181 8
    r->out.ttl = first || ttl < r->out.ttl ? ttl : r->out.ttl;
}

static void take_record(struct reading *r) {
    struct name owner;
    take_name(&r->c, &owner);
    uint32_t type = take(&r->c, 2), class = take(&r->c, 2), ttl = take(&r->c, 4);
    size_t length = take(&r->c, 2);
    struct cursor data = {.packet = r->c.packet, .at = r->c.at};
    take_bytes(&r->c, length);
    if (r->c.bad || class != CLASS_IN || !same_name(&owner, &r->owner))
        return;
    data.packet.n = r->c.at; // its data ends here, though names may point back to before it
    if (type == DNS_TYPE_CNAME && r->type != DNS_TYPE_CNAME && r->links < CHAIN_MAX) {
        note_ttl(r, ttl, r->links++ == 0);
        take_name(&data, &r->owner);
        r->c.bad |= data.bad;
    } else if (type == r->type) {
        note_ttl(r, ttl, r->links == 0 && r->out.n == 0);
        take_data(r, &data, r->c.at);
    }
}

// An empty answer says that there is nothing by a SOA, or by no authority at all; anything else points elsewhere: NS,
// and the proof that they are not signed, of which a validator keeps only the proof.
static void take_authority(struct reading *r, uint32_t records) {
    bool soa = false;
    for (uint32_t i = 0; i < records && !r->c.bad; i++) {
        struct name owner;
        take_name(&r->c, &owner);
        uint32_t type = take(&r->c, 2);
        take(&r->c, 6);
        take_bytes(&r->c, take(&r->c, 2));
        soa |= type == TYPE_SOA;
    }
    r->out.referral = records > 0 && !soa && r->out.rcode == 0 && r->out.n == 0;
}

bool dns_answer_parse(struct slice packet, uint16_t type, size_t most, struct arena *arena, struct dns_answer *out) {
    struct reading r = {.c = {.packet = packet}, .type = type, .most = most, .arena = arena};
    take(&r.c, 2);
    r.out.rcode = take(&r.c, 2) & 15;
    uint32_t questions = take(&r.c, 2), answers = take(&r.c, 2);
    uint32_t authorities = take(&r.c, 2);
    take(&r.c, 2);
    for (uint32_t i = 0; i < questions && !r.c.bad; i++) {
        take_name(&r.c, &r.owner);
        take(&r.c, 4);
    }
    if (r.c.bad || questions != 1)
        return false;
    most = answers < most ? answers : most;
    r.out.records = arena_alloc(arena, (most + 1) * sizeof *r.out.records);
    r.most = r.out.records ? most : 0;
    for (uint32_t i = 0; i < answers && !r.c.bad; i++)
        take_record(&r);
    take_authority(&r, authorities);
    r.out.canonical = keep(&r, slice_of(r.owner.text, r.owner.n));
    if (r.c.bad || r.no_memory || !r.out.records)
        return false;
    *out = r.out;
    return true;
}
