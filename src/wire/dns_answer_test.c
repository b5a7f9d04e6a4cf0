// dns_answer_test: packets as servers send them, and what they can't be.
#include "wire/dns_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define QUESTION                                                                                                       \
    "\x07"                                                                                                             \
    "example"                                                                                                          \
    "\x03"                                                                                                             \
    "net"                                                                                                              \
    "\0"                                                                                                               \
    "\0\x0f"                                                                                                           \
    "\0\x01"
#define HEAD(answers)                                                                                                  \
    "\x12\x34\x81\x80"                                                                                                 \
    "\0\x01"                                                                                                           \
    "\0" answers "\0\0\0\0"
#define RR(type, ttl, length)                                                                                          \
    "\xc0\x0c"                                                                                                         \
    "\0" type "\0\x01"                                                                                                 \
    "\0\0\0" ttl "\0" length

#define BYTES(literal)                                                                                                 \
    { "" literal, sizeof(literal) - 1 }

static bool parse(struct slice packet, uint16_t type, struct arena *arena, struct dns_answer *out) {
    // At the end of a page of its own, so that the sanitizer sees a read beyond it.
    char *copy = malloc(packet.n ? packet.n : 1);
    assert_non_null(copy);
    memcpy(copy, packet.p, packet.n);
    bool ok = dns_answer_parse(slice_of(copy, packet.n), type, 100, arena, out);
    free(copy);
    return ok;
}

static const struct {
    const char *what;
    struct slice packet;
    uint16_t type;
    const char *out; // NULL: malformed
} rows[] = {
    {"two MX",
     BYTES(HEAD("\x02") QUESTION RR("\x0f", "\x3c", "\x06") "\0\x0a\x01"
                                                            "a"
                                                            "\xc0\x0c" RR("\x0f", "\x1e", "\x05") "\0\x14\x01"
                                                                                                  "B"
                                                                                                  "\0"),
     DNS_TYPE_MX, "0 ttl 30 example.net: 10 a.example.net, 20 b, "},
    {"null MX", BYTES(HEAD("\x01") QUESTION RR("\x0f", "\x3c", "\x03") "\0\0\0"), DNS_TYPE_MX,
     "0 ttl 60 example.net: 0 , "},
    {"address", BYTES(HEAD("\x01") QUESTION RR("\x01", "\x3c", "\x04") "\xc0\0\x02\x01"), DNS_TYPE_A,
     "0 ttl 60 example.net: 192.0.2.1, "},
    {"alias",
     BYTES(HEAD("\x02") QUESTION RR("\x05", "\x0a", "\x04") "\x01"
                                                            "c"
                                                            "\xc0\x0c"
                                                            "\x01"
                                                            "C"
                                                            "\xc0\x0c"
                                                            "\0\x01\0\x01\0\0\0\x3c\0\x04"
                                                            "\xc0\0\x02\x07"),
     DNS_TYPE_A, "0 ttl 10 c.example.net: 192.0.2.7, "},
    {"other type is passed over", BYTES(HEAD("\x01") QUESTION RR("\x01", "\x3c", "\x04") "\xc0\0\x02\x01"), DNS_TYPE_MX,
     "0 ttl 0 example.net: "},
    {"mapped address",
     BYTES(HEAD("\x01") QUESTION RR("\x1c", "\x3c", "\x10") "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"),
     DNS_TYPE_AAAA, "0 ttl 60 example.net: "},
    {"text",
     BYTES(HEAD("\x01") QUESTION RR("\x10", "\x3c", "\x06") "\x02"
                                                            "ab"
                                                            "\0\x01"
                                                            "c"),
     DNS_TYPE_TXT, "0 ttl 60 example.net: abc, "},
    {"odd name",
     BYTES(HEAD("\x01") QUESTION RR("\x0f", "\x3c", "\x07") "\0\x0a\x03"
                                                            "a.b"
                                                            "\0"),
     DNS_TYPE_MX, "0 ttl 60 example.net: "},
    {"no such domain",
     BYTES("\x12\x34\x81\x83"
           "\0\x01\0\0\0\0\0\0" QUESTION),
     DNS_TYPE_MX, "3 ttl 0 example.net: "},
    {"referral",
     BYTES("\x12\x34\x81\x80\0\x01\0\0\0\x01\0\0" QUESTION RR("\x02", "\x3c", "\x05") "\x02"
                                                                                      "ns"
                                                                                      "\xc0\x0c"),
     DNS_TYPE_MX, "0 ttl 0 example.net: referral"},
    {"nothing, by its SOA",
     BYTES("\x12\x34\x81\x80\0\x01\0\0\0\x02\0\0" QUESTION RR("\x02", "\x3c", "\x02") "\xc0\x0c" RR("\x06", "\x3c",
                                                                                                    "\x01") "\0"),
     DNS_TYPE_MX, "0 ttl 0 example.net: "},
    {"authority cut off", BYTES("\x12\x34\x81\x80\0\x01\0\0\0\x01\0\0" QUESTION), DNS_TYPE_MX, NULL},
    {"pointer to itself", BYTES(HEAD("\x01") "\xc0\x0c\0\x0f\0\x01"), DNS_TYPE_MX, NULL},
    {"pointer forward", BYTES(HEAD("\x01") QUESTION "\xc0\x40\0\x0f\0\x01\0\0\0\0\0\0"), DNS_TYPE_MX, NULL},
    {"data too long", BYTES(HEAD("\x01") QUESTION RR("\x01", "\x3c", "\x05") "\xc0\0\x02\x01\0"), DNS_TYPE_A, NULL},
    {"data too short", BYTES(HEAD("\x01") QUESTION RR("\x01", "\x3c", "\x03") "\xc0\0\x02"), DNS_TYPE_A, NULL},
    {"name beyond its data",
     BYTES(HEAD("\x01") QUESTION RR("\x0f", "\x3c", "\x04") "\0\x0a\x01"
                                                            "a"
                                                            "\0"),
     DNS_TYPE_MX, NULL},
    {"reserved label",
     BYTES(HEAD("\0") "\x80"
                      "aaa"),
     DNS_TYPE_MX, NULL},
    {"no question",
     BYTES("\x12\x34\x81\x80"
           "\0\0\0\0\0\0\0\0"),
     DNS_TYPE_MX, NULL},
    {"empty", BYTES(""), DNS_TYPE_MX, NULL},
};

static void show(const struct dns_answer *a, uint16_t type, char *to, size_t size) {
    size_t n = (size_t)snprintf(to, size, "%u ttl %u %.*s: ", a->rcode, a->ttl, SLICE_ARG(a->canonical));
    for (size_t i = 0; i < a->n; i++) {
        struct buf b = {.max = 100};
        if (type == DNS_TYPE_MX)
            buf_addf(&b, "%u ", a->records[i].preference);
        if (a->records[i].ip.family)
            netaddr_add_ip(&b, &a->records[i].ip);
        buf_add(&b, a->records[i].text);
        n += (size_t)snprintf(to + n, size - n, "%.*s, ", SLICE_ARG(buf_slice(&b)));
        buf_done(&b);
    }
    if (a->referral)
        snprintf(to + n, size - n, "referral");
}

static void packets(void **state) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_AUTO struct arena arena = {.max = 1 << 20};
        struct dns_answer answer;
        char got[500] = "malformed";
        if (parse(rows[i].packet, rows[i].type, &arena, &answer))
            show(&answer, rows[i].type, got, sizeof got);
        if (strcmp(got, rows[i].out ? rows[i].out : "malformed") != 0)
            fail_msg("%s: got \"%s\"", rows[i].what, got);
    }
}

static void cut_anywhere(void **state) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t n = 0; n < rows[i].packet.n; n++) {
            ARENA_AUTO struct arena arena = {.max = 1 << 20};
            struct dns_answer answer;
            assert_false(parse(slice_upto(rows[i].packet, n), rows[i].type, &arena, &answer));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(packets), cmocka_unit_test(cut_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
