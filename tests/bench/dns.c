// dns: DNS for a bench on loopback: UDP, from a file of a few lines "NAME TYPE DATA", types A, MX, TXT and SOA. What
// isn't there is NXDOMAIN. Nothing is cut to 512 bytes.
#include "tcp.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <error.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    RECORDS = 64,
    PACKET = 4096,
    HEADER = 12,
    TTL = 60,
    TYPE_A = 1,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_MX = 15,
    TYPE_TXT = 16
};

struct record {
    struct slice name; // in wire form, lower case
    uint16_t type;
    struct buf data;
};

static struct record records[RECORDS];
static size_t count;

static void add_u16(struct buf *b, unsigned v) {
    buf_add_char(b, (char)(v >> 8));
    buf_add_char(b, (char)v);
}

static void add_name(struct buf *b, struct slice name) {
    while (name.n) {
        struct slice label;
        slice_cut(name, '.', &label, &name);
        buf_add_char(b, (char)label.n);
        for (size_t i = 0; i < label.n; i++)
            buf_add_char(b, ascii_lower(label.p[i]));
    }
    buf_add_char(b, '\0');
}

static void add_strings(struct buf *b, struct slice text) {
    do {
        struct slice part = slice_upto(text, 255);
        buf_add_char(b, (char)part.n);
        buf_add(b, part);
        text = slice_from(text, 255);
    } while (text.n);
}

static void take_line(struct slice line) {
    struct slice name, type, data;
    struct buf wire = {.max = 256};
    struct in_addr address;
    char text[64];
    slice_cut(line, ' ', &name, &data);
    slice_cut(data, ' ', &type, &data);
    add_name(&wire, slice_eq(name, SLICE(".")) ? SLICE_EMPTY : name);
    struct record *r = &records[count++];
    *r = (struct record){.name = buf_slice(&wire), .data.max = PACKET};
    if (slice_eq(type, SLICE("A"))) {
        r->type = TYPE_A;
        snprintf(text, sizeof text, "%.*s", SLICE_ARG(data));
        if (inet_pton(AF_INET, text, &address) != 1)
            error(65, 0, "%s is no address", text);
        buf_add(&r->data, slice_of(&address, sizeof address));
    } else if (slice_eq(type, SLICE("MX"))) {
        r->type = TYPE_MX;
        add_u16(&r->data, 10);
        add_name(&r->data, data);
    } else if (slice_eq(type, SLICE("PTR"))) {
        r->type = TYPE_PTR;
        add_name(&r->data, data);
    } else if (slice_eq(type, SLICE("TXT"))) {
        r->type = TYPE_TXT;
        add_strings(&r->data, data);
    } else {
        error(65, 0, "type %.*s is not known", SLICE_ARG(type));
    }
}

static void read_file(const char *path) {
    static char text[65536];
    FILE *f = fopen(path, "r");
    if (!f)
        error(66, errno, "%s", path);
    struct slice rest = slice_of(text, fread(text, 1, sizeof text, f)), line;
    fclose(f);
    while (rest.n && count < RECORDS) {
        slice_cut(rest, '\n', &line, &rest);
        if (line.n)
            take_line(line);
    }
}

// The question's name without the case that the asker chose, its length in *n; its type.
static bool read_question(struct slice packet, struct buf *name, size_t *n, unsigned *type) {
    struct slice rest = slice_from(packet, HEADER);
    size_t at = 0;
    while (at < rest.n && rest.p[at])
        at += 1 + (uint8_t)rest.p[at];
    *n = at + 5;
    if (packet.n < HEADER || (packet.p[2] & 0x80) || *n > rest.n)
        return false;
    for (size_t i = 0; i <= at; i++)
        buf_add_char(name, ascii_lower(rest.p[i]));
    *type = (unsigned)(uint8_t)rest.p[at + 1] << 8 | (uint8_t)rest.p[at + 2];
    return true;
}

static void add_record(struct buf *b, struct slice owner, unsigned type, struct slice data) {
    buf_add(b, owner);
    add_u16(b, type);
    add_u16(b, 1);
    add_u16(b, 0);
    add_u16(b, TTL);
    add_u16(b, (unsigned)data.n);
    buf_add(b, data);
}

// Every name is in the zone of its last label.
static struct slice last_label(struct slice name) {
    while (name.n > 1 && (uint8_t)name.p[0] + 2u < name.n)
        name = slice_from(name, 1 + (uint8_t)name.p[0]);
    return name;
}

static void answer(struct slice packet, struct buf *out) {
    static const char soa[] = "\2ns\0\2ns\0\0\0\0\1\0\0\0<\0\0\0<\0\0\0<\0\0\0<";
    struct buf name = {.max = 1024};
    size_t n, found = 0, known = 0;
    unsigned type;
    if (!read_question(packet, &name, &n, &type)) {
        buf_done(&name);
        return;
    }
    struct buf body = {.max = PACKET};
    for (size_t i = 0; i < count; i++) {
        bool here = slice_eq(records[i].name, buf_slice(&name));
        known += here;
        if (here && records[i].type == type) {
            found++;
            add_record(&body, SLICE("\xc0\x0c"), type, buf_slice(&records[i].data));
        }
    }
    buf_add(out, slice_upto(packet, 2));
    buf_add_char(out, (char)(0x84 | (packet.p[2] & 1)));
    buf_add_char(out, known ? (char)0x80 : (char)0x83);
    add_u16(out, 1);
    add_u16(out, (unsigned)found);
    add_u16(out, !found);
    add_u16(out, 0);
    buf_add(out, slice_upto(slice_from(packet, HEADER), n));
    buf_add(out, buf_slice(&body));
    if (!found)
        add_record(out, last_label(buf_slice(&name)), TYPE_SOA, slice_of(soa, sizeof soa - 1));
    buf_done(&body);
    buf_done(&name);
}

int main(int argc, char **argv) {
    uint64_t port = 0;
    if (argc != 4 || !num_u64(slice_str(argv[2]), UINT16_MAX, &port))
        error(64, 0, "usage: dns ADDRESS PORT FILE");
    struct sockaddr_in at = tcp_address(argv[1], (uint16_t)port);
    read_file(argv[3]);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        tcp_die("bind");
    for (;;) {
        static char packet[PACKET];
        struct sockaddr_in from;
        socklen_t from_n = sizeof from;
        struct buf out = {.max = PACKET};
        ssize_t n = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_n);
        if (n < 0)
            continue;
        answer(slice_of(packet, (size_t)n), &out);
        if (out.n && !out.failed)
            sendto(fd, out.p, out.n, 0, (struct sockaddr *)&from, from_n);
        buf_done(&out);
    }
}
