// record: why something was decided about a client or a message: facts, rule, line of the configuration, answers of
// DNS, words of filters. Without content. Sessions and the queue write them, history keeps them, `posthouse explain`
// tells them.
#pragma once

#include "base/arena.h"
#include "base/pack.h"
#include "base/when.h"
#include "wire/netaddr.h"

enum record_stage {
    RECORD_CONNECT,
    RECORD_HELO,
    RECORD_MAIL,
    RECORD_RECIPIENT,
    RECORD_CONTENT, // as config_stage
    RECORD_LOGIN,
    RECORD_DELIVERY, // an outcome of an attempt, told by the queue
    RECORD_STAGES
};

enum record_outcome {
    RECORD_ACCEPTED,
    RECORD_REFUSED,
    RECORD_DEFERRED,
    RECORD_DISCARDED,
    RECORD_HELD,
    RECORD_DELIVERED,
    RECORD_BOUNCED,
    RECORD_EXPIRED, // and DEFERRED, of a delivery
    RECORD_OUTCOMES
};

extern const char *const record_stage_names[RECORD_STAGES + 1];
extern const char *const record_outcome_names[RECORD_OUTCOMES + 1];

struct record_fact {
    struct slice name, value; // "spf", "pass"
};

struct record_dns {
    struct slice question; // "TXT _dmarc.example.org"
    struct slice answer;   // "OK v=DMARC1; p=reject", "NXDOMAIN"; cut at 300 bytes
};

struct record_filter {
    struct slice name, words; // "rspamd", "reject 5.7.1 Gtube pattern"
};

struct record_rule {
    struct slice source; // as written
    uint32_t line;       // of the configuration; 0 for the built-in set
    bool matched;
};

enum { RECORD_LIST_MAX = 200, RECORD_MAX = 64 * 1024 }; // entries of each list; bytes of one packed

struct record {
    struct wall when;
    enum record_stage stage;
    enum record_outcome outcome;
    struct slice session; // id
    uint64_t queue_id;    // 0: none
    struct netaddr client;
    struct slice helo, user, sender;
    struct slice *recipients; // of the message, or the one at hand
    size_t recipients_n;
    uint16_t code, enhanced[3]; // of the reply; 0: none was refused
    struct slice text;          // likewise, or of a delivery: the remote's words
    struct slice remote;        // DELIVERY: where to
    struct record_rule *rules;  // that were looked at; the last that matched decided
    size_t rules_n;
    struct record_fact *facts;
    size_t facts_n;
    struct record_dns *dns;
    size_t dns_n;
    struct record_filter *filters;
    size_t filters_n;
    struct slice *tags;
    size_t tags_n;
};

// Lists that are too long are cut, texts too, so that it always fits. False: `b` is full.
bool record_pack(struct buf *b, const struct record *r);
bool record_unpack(struct slice packed, struct arena *arena, struct record *out);
