// oracle: who answers questions about DNS. What evaluates SPF, DKIM, DMARC and ARC is handed one and knows nothing else
// of the world: in the server it is the resolver behind a link (asking suspends the fiber), on the command line a
// resolver or a file, in tests a zone.
//
// An oracle never fails: what can't be found out is an answer, too. It keeps to its own time limit: past it every
// answer is TIMEOUT.
#pragma once

#include "base/arena.h"
#include "wire/netaddr.h"

enum oracle_type { ORACLE_A = 1, ORACLE_PTR = 12, ORACLE_MX = 15, ORACLE_TXT = 16, ORACLE_AAAA = 28 };

enum oracle_status {
    ORACLE_OK,       // at least one record
    ORACLE_NODATA,   // the name is there, with nothing of that type
    ORACLE_NXDOMAIN, // the name is not there
    ORACLE_FAILED,   // SERVFAIL, a broken signature, a name that can't be asked for
    ORACLE_TIMEOUT,
};

struct oracle_record {
    uint16_t preference; // MX
    struct netaddr ip;   // A, AAAA; port 0
    struct slice text;   // MX, PTR: a name without final dot, "" for the root. TXT: the strings joined (RFC 7208 3.3)
};

struct oracle_question {
    enum oracle_type type;
    struct slice name; // A-labels, final dot or not; any bytes: what is no name is answered FAILED
};

struct oracle_answer {
    enum oracle_status status;
    bool secure;      // DNSSEC says so
    uint32_t ttl;     // seconds
    struct slice why; // FAILED, TIMEOUT: a few words; may be empty
    struct oracle_record *records;
    size_t n;
};

enum { ORACLE_AT_ONCE_MAX = 64 };

struct oracle {
    // Answers n (1 .. ORACLE_AT_ONCE_MAX) questions, all asked at once; `answers` has n places, their slices are in
    // `arena`. An arena that is full is answered FAILED.
    void (*ask)(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                struct oracle_answer *answers);
};

static inline void oracle_ask(struct oracle *o, enum oracle_type type, struct slice name, struct arena *arena,
                              struct oracle_answer *out) {
    struct oracle_question q = {.type = type, .name = name};
    o->ask(o, &q, 1, arena, out);
}

// "A", "TXT"; "OK", "NXDOMAIN".
const char *oracle_type_name(enum oracle_type type);
const char *oracle_status_name(enum oracle_status status);
