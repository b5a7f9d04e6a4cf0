// proxy_protocol: a line, or a binary header and its TLVs.
#include "wire/proxy_protocol.h"

#include "base/num.h"

enum {
    V1_SHORTEST = 15, // "PROXY UNKNOWN\r\n"
    V1_TCP4_SHORTEST = 32,
    V1_TCP6_SHORTEST = 22,
    V2_HEADER = 16,
    V2_TLV_HEADER = 3,
    V2_TLV_SSL = 0x20,
    V2_SSL_CLIENT = 0x01, // of the client's bit field: it came over TLS
};

static const char v2_signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static enum proxy_protocol_got want(size_t n, size_t *out) {
    *out = n;
    return PROXY_PROTOCOL_MORE;
}

// --- version 1

static bool v1_port(struct slice text, uint16_t *out) {
    uint64_t port;
    if (text.n > 5 || (text.n > 1 && text.p[0] == '0') || !num_u64(text, UINT16_MAX, &port))
        return false;
    *out = (uint16_t)port;
    return true;
}

static bool v1_address(struct slice text, enum netaddr_family family, struct netaddr *out) {
    return netaddr_parse_ip(text, out) && (out->family == family || family == NETADDR_V6); // ::ffff:192.0.2.1 is IPv4
}

// "192.0.2.1 203.0.113.5 51234 25"
static bool v1_addresses(struct slice rest, enum netaddr_family family, struct proxy_protocol *out) {
    struct slice words[3], last;
    for (size_t i = 0; i < 3; i++)
        if (!slice_cut(rest, ' ', &words[i], &rest))
            return false;
    last = rest;
    out->known = true;
    return v1_address(words[0], family, &out->source) && v1_address(words[1], family, &out->target) &&
           v1_port(words[2], &out->source.port) && v1_port(last, &out->target.port);
}

static bool v1_line(struct slice line, struct proxy_protocol *out) {
    if (slice_starts(line, SLICE("PROXY TCP4 ")))
        return v1_addresses(slice_from(line, 11), NETADDR_V4, out);
    if (slice_starts(line, SLICE("PROXY TCP6 ")))
        return v1_addresses(slice_from(line, 11), NETADDR_V6, out);
    return slice_eq(line, SLICE("PROXY UNKNOWN")) || slice_starts(line, SLICE("PROXY UNKNOWN "));
}

static enum proxy_protocol_got v1_parse(struct slice in, struct proxy_protocol *out, size_t *n) {
    struct slice start = slice_upto(SLICE("PROXY "), in.n);
    size_t end = slice_find(in, '\n');
    struct proxy_protocol found = {0};
    if (!slice_starts(in, start))
        return PROXY_PROTOCOL_BAD;
    if (end < in.n) {
        if (end == 0 || end >= PROXY_PROTOCOL_LINE_MAX || in.p[end - 1] != '\r' ||
            !v1_line(slice_upto(in, end - 1), &found))
            return PROXY_PROTOCOL_BAD;
        *out = found;
        *n = end + 1;
        return PROXY_PROTOCOL_WHOLE;
    }
    if (in.n >= PROXY_PROTOCOL_LINE_MAX)
        return PROXY_PROTOCOL_BAD;
    if (slice_starts(in, SLICE("PROXY TCP4 ")) && in.n < V1_TCP4_SHORTEST)
        return want(V1_TCP4_SHORTEST, n);
    if (slice_starts(in, SLICE("PROXY TCP6 ")) && in.n < V1_TCP6_SHORTEST)
        return want(V1_TCP6_SHORTEST, n);
    if (in.n < V1_SHORTEST)
        return want(V1_SHORTEST, n);
    return want(in.n + (in.p[in.n - 1] == '\r' || in.n + 1 == PROXY_PROTOCOL_LINE_MAX ? 1 : 2), n);
}

// --- version 2

static uint16_t u16(const char *p) { return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]); }

static struct netaddr v2_address(const char *ip, enum netaddr_family family, uint16_t port) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct netaddr a = {.family = family, .port = port};
    if (family == NETADDR_V6 && memcmp(ip, mapped, sizeof mapped) == 0) {
        a.family = NETADDR_V4; // as everywhere here
        ip += sizeof mapped;
    }
    memcpy(a.ip, ip, a.family == NETADDR_V4 ? 4 : 16);
    return a;
}

// Cut TLVs make the header bad: who sends those is out of step.
static bool v2_tlvs(struct slice rest, struct proxy_protocol *out) {
    while (rest.n) {
        if (rest.n < V2_TLV_HEADER || rest.n - V2_TLV_HEADER < u16(rest.p + 1))
            return false;
        size_t length = u16(rest.p + 1);
        if ((uint8_t)rest.p[0] == V2_TLV_SSL && length)
            out->tls = (rest.p[V2_TLV_HEADER] & V2_SSL_CLIENT) != 0;
        rest = slice_from(rest, V2_TLV_HEADER + length);
    }
    return true;
}

static bool v2_body(uint8_t command, uint8_t family, struct slice body, struct proxy_protocol *out) {
    size_t ip = family == 0x11 ? 4 : 16;
    if (command == 0x20) // LOCAL: the proxy's own connection; whatever else it says is to be ignored
        return true;
    if (command != 0x21)
        return false;
    if (family != 0x11 && family != 0x21) // UNSPEC, datagrams, Unix sockets
        return true;
    if (body.n < 2 * ip + 4)
        return false;
    enum netaddr_family kind = ip == 4 ? NETADDR_V4 : NETADDR_V6;
    out->known = true;
    out->source = v2_address(body.p, kind, u16(body.p + 2 * ip));
    out->target = v2_address(body.p + ip, kind, u16(body.p + 2 * ip + 2));
    return v2_tlvs(slice_from(body, 2 * ip + 4), out);
}

static enum proxy_protocol_got v2_parse(struct slice in, struct proxy_protocol *out, size_t *n) {
    struct proxy_protocol found = {0};
    if (in.n < V2_HEADER)
        return want(V2_HEADER, n);
    size_t length = V2_HEADER + u16(in.p + 14);
    if (length > PROXY_PROTOCOL_MAX)
        return PROXY_PROTOCOL_BAD;
    if (in.n < length)
        return want(length, n);
    struct slice body = slice_of(in.p + V2_HEADER, length - V2_HEADER);
    if (!v2_body((uint8_t)in.p[12], (uint8_t)in.p[13], body, &found))
        return PROXY_PROTOCOL_BAD;
    *out = found;
    *n = length;
    return PROXY_PROTOCOL_WHOLE;
}

enum proxy_protocol_got proxy_protocol_parse(struct slice in, struct proxy_protocol *out, size_t *n) {
    struct slice signature = slice_of(v2_signature, sizeof v2_signature);
    if (in.n == 0)
        return want(V1_SHORTEST, n);
    if (in.p[0] == 'P')
        return v1_parse(in, out, n);
    if (!slice_starts(in, slice_upto(signature, in.n)))
        return PROXY_PROTOCOL_BAD;
    return in.n < signature.n ? want(V1_SHORTEST, n) : v2_parse(in, out, n);
}
