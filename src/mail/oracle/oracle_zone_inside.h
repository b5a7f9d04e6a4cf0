// oracle_zone_inside: what the reader of a zone and the one that answers from it share.
#pragma once

#include "base/err.h"
#include "base/map.h"
#include "mail/oracle/oracle_zone.h"

enum {
    ZONE_NAME_MAX = 255, // bytes of a name, lengths of labels included
    ZONE_LABEL_MAX = 63,
    ZONE_TYPE_CNAME = 5,
    ZONE_TYPE_ANY = 255, // of a pseudo-type: every type that has no record
    ZONE_TYPE_OTHER = 0, // there, and no answer to anything
};

// Labels, each with its length in front, in lower case; without the root.
struct zone_name {
    uint8_t n;
    char bytes[ZONE_NAME_MAX];
};

struct zone_record {
    struct zone_record *next;
    uint16_t type;
    enum oracle_status status; // ORACLE_OK, or what a pseudo-type says
    struct oracle_record data; // text of a CNAME: as in zone_name
    uint32_t ttl;
};

struct zone_node {
    struct slice name; // as in zone_name
    struct zone_record *first, *last;
};

struct oracle_zone {
    struct oracle oracle; // first: what is handed out
    struct arena arena;
    struct map nodes;
    struct zone_name origin, owner; // `owner`: of the line before
    bool has_owner;
    bool skip; // no question can name the owner: its records are read and dropped
    uint32_t ttl;
};

static inline struct slice zone_name_slice(const struct zone_name *n) { return slice_of(n->bytes, n->n); }

// Adds a label in front of nothing, that is at the end; false when the name would be none.
bool zone_name_add(struct zone_name *n, struct slice label);

// The node of a name with all those above it, or without where `alone`; NULL when memory is full.
struct zone_node *zone_node_make(struct oracle_zone *z, struct slice name, bool alone);
bool zone_node_add(struct oracle_zone *z, struct zone_node *node, const struct zone_record *r);

// Reads the lines of `text` into `z`.
bool oracle_zone_read(struct oracle_zone *z, struct slice text, struct err *e);
