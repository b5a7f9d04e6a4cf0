// netaddr: reading and writing IP addresses.
#include "wire/netaddr.h"

#include "base/num.h"

#include <assert.h>

enum { GROUPS = 8 }; // of 16 bits in an IPv6 address

// Dotted decimal, four parts, no leading zeros: "010" is 8 to some readers and 10 to others.
static bool parse_v4(struct slice s, uint8_t ip[4]) {
    for (int i = 0; i < 4; i++) {
        struct slice part;
        bool dot = slice_cut(s, '.', &part, &s);
        uint64_t v;
        if (dot != (i < 3) || part.n > 3 || (part.n > 1 && part.p[0] == '0') || !num_u64(part, 255, &v))
            return false;
        ip[i] = (uint8_t)v;
    }
    return true;
}

static int hex_value(char c) {
    if (ascii_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_group(struct slice s, uint16_t *out) {
    unsigned v = 0;
    if (s.n == 0 || s.n > 4)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_value(s.p[i]);
        if (digit < 0)
            return false;
        v = v << 4 | (unsigned)digit;
    }
    *out = (uint16_t)v;
    return true;
}

// Groups between single colons into `to`, at most `room` of them; the last may be dotted decimal and count as two.
static bool parse_groups(struct slice s, uint16_t *to, size_t room, size_t *count) {
    size_t n = 0;
    bool more = s.n > 0;
    while (more) {
        struct slice part;
        more = slice_cut(s, ':', &part, &s);
        uint8_t v4[4];
        if (!more && room - n >= 2 && parse_v4(part, v4)) {
            to[n++] = (uint16_t)(v4[0] << 8 | v4[1]);
            to[n++] = (uint16_t)(v4[2] << 8 | v4[3]);
        } else if (n == room || !parse_group(part, &to[n++])) {
            return false;
        }
    }
    *count = n;
    return true;
}

static bool parse_v6(struct slice s, uint8_t ip[16]) {
    uint16_t groups[GROUPS] = {0}, tail[GROUPS];
    size_t head_n, tail_n;
    size_t gap = slice_search(s, SLICE("::"));
    if (!parse_groups(slice_upto(s, gap), groups, GROUPS, &head_n))
        return false;
    if (gap == s.n) {
        if (head_n != GROUPS)
            return false;
    } else {
        if (slice_search(slice_upto(s, gap), SLICE(".")) < gap) // dotted decimal is only for the end
            return false;
        if (!parse_groups(slice_from(s, gap + 2), tail, GROUPS, &tail_n) || head_n + tail_n >= GROUPS)
            return false;
        for (size_t i = 0; i < tail_n; i++)
            groups[GROUPS - tail_n + i] = tail[i];
    }
    for (size_t i = 0; i < GROUPS; i++) {
        ip[2 * i] = (uint8_t)(groups[i] >> 8);
        ip[2 * i + 1] = (uint8_t)groups[i];
    }
    return true;
}

// ::ffff:a.b.c.d (RFC 4291 2.5.5.2) is the IPv4 address: rules for a network must not be passed by writing it so.
static void unmap(struct netaddr *a) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->family != NETADDR_V6 || memcmp(a->ip, mapped, sizeof mapped) != 0)
        return;
    memcpy(a->ip, a->ip + 12, 4);
    memset(a->ip + 4, 0, 12);
    a->family = NETADDR_V4;
}

bool netaddr_parse_ip(struct slice s, struct netaddr *out) {
    struct netaddr a = {0};
    if (parse_v4(s, a.ip))
        a.family = NETADDR_V4;
    else if (parse_v6(s, a.ip))
        a.family = NETADDR_V6;
    else
        return false;
    unmap(&a);
    *out = a;
    return true;
}

bool netaddr_parse_endpoint(struct slice s, struct netaddr *out) {
    size_t colon = slice_rfind(s, ':');
    struct slice host = slice_upto(s, colon);
    uint64_t port;
    if (!num_u64(slice_from(s, colon + 1), UINT16_MAX, &port) || port == 0)
        return false;
    struct netaddr a = {.family = NETADDR_V6};
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        struct slice inner = slice_of(host.p + 1, host.n - 2);
        if (slice_find(inner, ':') == inner.n || !netaddr_parse_ip(inner, &a))
            return false;
    } else if (!slice_eq(host, SLICE("*")) && (slice_find(host, ':') < host.n || !netaddr_parse_ip(host, &a))) {
        return false;
    }
    a.port = (uint16_t)port;
    *out = a;
    return true;
}

static uint8_t width_of(const struct netaddr *a) { return a->family == NETADDR_V4 ? 32 : 128; }

static bool host_bits_zero(const struct netaddr *a, uint8_t bits) {
    for (uint8_t i = bits; i < width_of(a); i++)
        if (a->ip[i / 8] & 0x80 >> i % 8)
            return false;
    return true;
}

bool netaddr_parse_net(struct slice s, struct netaddr_net *out) {
    struct slice ip, length;
    bool slash = slice_cut(s, '/', &ip, &length);
    struct netaddr_net net;
    if (!netaddr_parse_ip(ip, &net.base))
        return false;
    bool mapped = net.base.family == NETADDR_V4 && slice_find(ip, ':') < ip.n;
    uint64_t bits = width_of(&net.base);
    if (slash && !num_u64(length, mapped ? 128 : bits, &bits))
        return false;
    if (slash && mapped && bits < 96) // would be more than the IPv4 part
        return false;
    net.bits = (uint8_t)(slash && mapped ? bits - 96 : bits);
    if (!host_bits_zero(&net.base, net.bits))
        return false;
    *out = net;
    return true;
}

bool netaddr_in_net(const struct netaddr *a, const struct netaddr_net *net) {
    if (a->family == NETADDR_NONE || a->family != net->base.family)
        return false;
    size_t whole = net->bits / 8;
    if (memcmp(a->ip, net->base.ip, whole) != 0)
        return false;
    unsigned mask = 0xff00u >> net->bits % 8 & 0xff;
    return mask == 0 || (a->ip[whole] & mask) == net->base.ip[whole];
}

bool netaddr_same_ip(const struct netaddr *a, const struct netaddr *b) {
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool netaddr_is_loopback(const struct netaddr *a) {
    static const uint8_t one[16] = {[15] = 1};
    if (a->family == NETADDR_V4)
        return a->ip[0] == 127;
    return a->family == NETADDR_V6 && memcmp(a->ip, one, sizeof one) == 0;
}

static bool add_v4(struct buf *b, const uint8_t ip[4]) {
    for (int i = 0; i < 4; i++) {
        if (i)
            buf_add_char(b, '.');
        buf_add_u64(b, ip[i]);
    }
    return !b->failed;
}

// The longest run of two or more zero groups, the first of equals (RFC 5952 4.2); `*n` 0 where there is none.
static size_t longest_gap(const uint16_t groups[GROUPS], size_t *n) {
    size_t best = 0, best_n = 0;
    for (size_t i = 0; i < GROUPS; i++) {
        size_t run = 0;
        while (i + run < GROUPS && groups[i + run] == 0)
            run++;
        if (run > 1 && run > best_n) {
            best = i;
            best_n = run;
        }
    }
    *n = best_n;
    return best;
}

static bool add_v6(struct buf *b, const uint8_t ip[16]) {
    uint16_t groups[GROUPS];
    for (size_t i = 0; i < GROUPS; i++)
        groups[i] = (uint16_t)(ip[2 * i] << 8 | ip[2 * i + 1]);
    size_t gap_n;
    size_t gap = longest_gap(groups, &gap_n);
    for (size_t i = 0; i < GROUPS; i++) {
        if (gap_n && i == gap) {
            buf_add_str(b, "::");
            i += gap_n - 1;
        } else {
            buf_addf(b, i == 0 || (gap_n && i == gap + gap_n) ? "%x" : ":%x", groups[i]);
        }
    }
    return !b->failed;
}

bool netaddr_add_ip(struct buf *b, const struct netaddr *a) {
    assert(a->family != NETADDR_NONE);
    return a->family == NETADDR_V4 ? add_v4(b, a->ip) : add_v6(b, a->ip);
}

bool netaddr_add_endpoint(struct buf *b, const struct netaddr *a) {
    const char *close = "";
    if (a->family == NETADDR_V6) {
        buf_add_char(b, '[');
        close = "]";
    }
    netaddr_add_ip(b, a);
    return buf_addf(b, "%s:%u", close, a->port);
}

bool netaddr_add_literal(struct buf *b, const struct netaddr *a) {
    buf_add_str(b, a->family == NETADDR_V6 ? "[IPv6:" : "[");
    netaddr_add_ip(b, a);
    return buf_add_char(b, ']');
}
