// milter: writing packets.
#include "wire/milter.h"

static void put_u32(struct buf *b, uint32_t v) {
    char bytes[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    buf_add(b, slice_of(bytes, sizeof bytes));
}

// Where the packet begins; its length is known at the end.
static size_t begin(struct buf *b, enum milter_command c) {
    size_t at = b->n;
    put_u32(b, 0);
    buf_add_char(b, (char)c);
    return at;
}

static bool end(struct buf *b, size_t at) {
    if (b->failed)
        return false;
    size_t n = b->n - at - 4;
    for (int i = 0; i < 4; i++)
        b->p[at + (size_t)i] = (char)(n >> (24 - 8 * i));
    return true;
}

// A NUL in it would be read as its end, and what follows as something else.
static void put_string(struct buf *b, struct slice text) {
    buf_add(b, slice_upto(text, slice_find(text, '\0')));
    buf_add_char(b, '\0');
}

bool milter_put(struct buf *b, enum milter_command c, struct slice data) {
    size_t at = begin(b, c);
    buf_add(b, data);
    return end(b, at);
}

bool milter_put_options(struct buf *b, const struct milter_options *o) {
    size_t at = begin(b, MILTER_OPTIONS);
    put_u32(b, o->version);
    put_u32(b, o->actions);
    put_u32(b, o->steps);
    return end(b, at);
}

bool milter_put_connect(struct buf *b, struct slice host, const struct netaddr *client) {
    size_t at = begin(b, MILTER_CONNECT);
    put_string(b, host);
    if (client->family == NETADDR_NONE) {
        buf_add_char(b, 'U');
        return end(b, at);
    }
    buf_add_char(b, client->family == NETADDR_V6 ? '6' : '4');
    buf_add_char(b, (char)(client->port >> 8));
    buf_add_char(b, (char)client->port);
    if (client->family == NETADDR_V6)
        buf_add_str(b, "IPv6:");
    netaddr_add_ip(b, client);
    buf_add_char(b, '\0');
    return end(b, at);
}

bool milter_put_text(struct buf *b, enum milter_command c, struct slice text) {
    size_t at = begin(b, c);
    put_string(b, text);
    return end(b, at);
}

bool milter_put_path(struct buf *b, enum milter_command c, struct slice path, struct slice args) {
    size_t at = begin(b, c);
    put_string(b, path);
    while (args.n) {
        struct slice one;
        slice_cut(args, ' ', &one, &args);
        if (one.n)
            put_string(b, one);
    }
    return end(b, at);
}

// Filters, and the library that most are built with, know LF alone.
static void put_lines(struct buf *b, struct slice value) {
    value = slice_upto(value, slice_find(value, '\0'));
    while (value.n) {
        size_t cr = slice_find(value, '\r');
        buf_add(b, slice_upto(value, cr));
        if (cr < value.n && !(cr + 1 < value.n && value.p[cr + 1] == '\n'))
            buf_add_char(b, '\r');
        value = slice_from(value, cr + 1);
    }
    buf_add_char(b, '\0');
}

bool milter_put_header(struct buf *b, struct slice name, struct slice value, bool leading_space) {
    size_t at = begin(b, MILTER_HEADER);
    put_string(b, name);
    if (!leading_space && value.n && value.p[0] == ' ')
        value = slice_from(value, 1);
    put_lines(b, value);
    return end(b, at);
}

size_t milter_macros_begin(struct buf *b, enum milter_command of) {
    size_t at = begin(b, MILTER_MACRO);
    buf_add_char(b, (char)of);
    return at;
}

void milter_macro(struct buf *b, struct slice name, struct slice value) {
    put_string(b, name);
    put_string(b, value);
}

void milter_macros_end(struct buf *b, size_t begun) { end(b, begun); }
