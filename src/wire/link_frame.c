// link_frame: header of a frame, and the table of types.
#include "wire/link_frame.h"

#include "base/pack.h"

#include <assert.h>

static const struct {
    const char *name;
    uint32_t from, to;
} types[LINK_TYPE_COUNT] = {
#define X(name, from, to) {#name, from, to},
    LINK_TYPES(X)
#undef X
};

const char *role_name(enum role r) {
    static const char *const names[ROLE_COUNT] = {"master",   "smtpd",  "queue",   "relay",      "deliver", "inject",
                                                  "resolver", "lookup", "control", "submission", "auth",    "pam",
                                                  "fetch",    "policy", "keys",    "history",    "report",  "connect"};
    assert(r < ROLE_COUNT);
    return names[r];
}

const char *link_type_name(enum link_type t) { return t < LINK_TYPE_COUNT ? types[t].name : "?"; }

bool link_type_allowed(enum link_type t, enum role from, enum role to) {
    return t < LINK_TYPE_COUNT && (types[t].from & (1u << from)) && (types[t].to & (1u << to));
}

enum { WITH_FD = 1 };

static void put_header(char to[LINK_HEADER], enum link_type type, uint16_t flags, uint64_t id, size_t n) {
    assert(n <= LINK_PAYLOAD_MAX && type < LINK_TYPE_COUNT);
    struct buf b = {.p = to, .cap = LINK_HEADER, .max = LINK_HEADER};
    pack_u32(&b, (uint32_t)n);
    pack_u16(&b, (uint16_t)type);
    pack_u16(&b, flags);
    pack_u64(&b, id);
    assert(!b.failed);
}

void link_frame_header(char to[LINK_HEADER], enum link_type type, uint64_t id, size_t n) {
    put_header(to, type, 0, id, n);
}

void link_frame_header_with_fd(char to[LINK_HEADER], enum link_type type, uint64_t id, size_t n) {
    assert(type == LINK_FILTER_REPLY);
    put_header(to, type, WITH_FD, id, n);
}

enum link_frame_got link_frame_parse(struct slice in, struct link_frame *out, size_t *used) {
    *used = LINK_HEADER;
    if (in.n < LINK_HEADER)
        return LINK_FRAME_MORE;
    struct unpack u = {.rest = slice_upto(in, LINK_HEADER)};
    size_t n = unpack_u32(&u);
    uint16_t type = unpack_u16(&u);
    uint16_t flags = unpack_u16(&u);
    uint64_t id = unpack_u64(&u);
    if (n > LINK_PAYLOAD_MAX || type >= LINK_TYPE_COUNT || (flags && (flags != WITH_FD || type != LINK_FILTER_REPLY)))
        return LINK_FRAME_BAD;
    *used = LINK_HEADER + n;
    if (in.n < *used)
        return LINK_FRAME_MORE;
    *out = (struct link_frame){
        .type = (enum link_type)type,
        .id = id,
        .payload = slice_from(slice_upto(in, *used), LINK_HEADER),
        .with_fd = flags == WITH_FD,
    };
    return LINK_FRAME_WHOLE;
}
