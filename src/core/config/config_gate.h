// config_gate: what the administrator said about strangers: policy, lists, limits, filters. Part of struct config.
#pragma once

#include "base/arena.h"
#include "wire/netaddr.h"

#include <stdint.h>

struct rules;

enum config_stage {
    CONFIG_STAGE_CONNECT,
    CONFIG_STAGE_HELO,
    CONFIG_STAGE_MAIL,
    CONFIG_STAGE_RECIPIENT,
    CONFIG_STAGE_CONTENT,
    CONFIG_STAGE_COUNT
};

extern const char *const config_stage_names[CONFIG_STAGE_COUNT + 1]; // "connect"; NULL ends

// dnsbl ZONE weight N [codes A .. B, ...] [of client|sender|helo]; dnswl ZONE likewise.
enum config_list_of {
    CONFIG_LIST_CLIENT,
    CONFIG_LIST_SENDER,
    CONFIG_LIST_HELO
}; // reversed address; domain of MAIL; of HELO

extern const char *const config_list_of_names[]; // "client"; NULL ends

struct config_list_codes {
    uint8_t first[4], last[4]; // 127.0.0.2 .. 127.0.0.11
};

struct config_list {
    struct slice zone;
    enum config_list_of of;
    bool allow;                      // dnswl: who is on it is spared (dnsbl.allowed)
    int32_t weight;                  // of being listed; added to dnsbl.score; an allow list takes away
    struct config_list_codes *codes; // that count; none: all of 127.0.0.0/8 but 127.255.255.0/24, which says error
    size_t codes_n;
    uint32_t line, column;
};

// rate WHAT by WHOM N per UNIT [burst N]
enum config_rate_what {
    CONFIG_RATE_CONNECTIONS,
    CONFIG_RATE_MESSAGES,
    CONFIG_RATE_RECIPIENTS,
    CONFIG_RATE_UNKNOWN,
    CONFIG_RATE_ERRORS,
    CONFIG_RATE_WHATS
};
enum config_rate_by {
    CONFIG_RATE_CLIENT,
    CONFIG_RATE_NETWORK,
    CONFIG_RATE_HELO,
    CONFIG_RATE_SENDER_DOMAIN,
    CONFIG_RATE_RECIPIENT,
    CONFIG_RATE_BYS
};

extern const char
    *const config_rate_what_names[CONFIG_RATE_WHATS + 1]; // connections messages recipients unknown-recipients errors
extern const char *const config_rate_by_names[CONFIG_RATE_BYS + 1]; // client network helo sender-domain recipient

struct config_rate_unit {
    const char *name; // "minute"
    int64_t ms;
};
extern const struct config_rate_unit config_rate_units[]; // smallest first; a name of NULL ends

struct config_rate {
    enum config_rate_what what;
    enum config_rate_by by; // network: /24, IPv6 /48; a client of IPv6 is its /64
    uint32_t count;
    int64_t per;    // ms
    uint32_t burst; // at once; count unless said
    bool built_in;  // `except local`: doesn't hold for loopback clients (struct config_checks.loopback)
    uint32_t line, column;
};

// What strangers are asked.
struct config_checks {
    bool loopback;      // clients on loopback are asked as well (greylist, lists, PTR, early talk, rates except local)
    int64_t greet_wait; // ms to listen before the greeting
    int64_t dns_time;   // ms that all questions of one stage may take
};

struct config_shutout {                // what repeated misbehaviour leads to
    uint32_t points;                   // within `window`; 0: never
    int64_t window;                    // ms
    int64_t time_first, time_most;     // ms; doubles with each
    int64_t tarpit_first, tarpit_most; // ms that a reply to an error waits, from half of the points on
};

struct config_greylist {
    int64_t wait;   // ms before a second try counts
    int64_t window; // ms within which it must come
    int64_t keep;   // ms that who came back is remembered, from the last use
};

enum config_dmarc { CONFIG_DMARC_ENFORCE, CONFIG_DMARC_MONITOR };

struct config_reports { // DMARC aggregate reports that we send
    struct slice from;  // address; empty: none are sent, nothing is stored
    struct slice organisation;
    int64_t every; // ms
};

struct config_arc {
    struct slice *trusted; // lower case domains whose seals are believed
    size_t trusted_n;
    struct slice domain, selector, key; // seal as DOMAIN selector S key PATH; empty: off
};

enum config_filter_kind { CONFIG_FILTER_MILTER, CONFIG_FILTER_DELEGATION };
enum config_filter_failure {
    CONFIG_FILTER_TEMPFAIL,
    CONFIG_FILTER_ACCEPT,
    CONFIG_FILTER_REJECT,
    CONFIG_FILTER_QUARANTINE
};
extern const char *const config_filter_failure_names[]; // "tempfail"; NULL ends

// filter NAME milter|delegation ADDRESS { ... }, asked in the file's order.
struct config_filter {
    struct slice name;
    enum config_filter_kind kind;
    struct slice path; // of a unix socket, absolute; empty: `at`
    struct netaddr at;
    bool mx, submission;                // for whose sessions; mx alone unless said
    int64_t connect, reply, content;    // ms: for the connection, for each answer, for the answer to the end of content
    enum config_filter_failure failure; // when it can't be asked or breaks off
    uint32_t line, column;
};

struct config_history { // why things were decided, for `posthouse explain`
    uint64_t size;      // bytes on disk; 0: off
    int64_t days;       // ms
};

// A table that rules match against: `table NAME inline|file|cidr|regex ...` (struct config_table); file, cidr and regex
// are read by lookup.
struct config_gate {
    struct rules *policy[CONFIG_STAGE_COUNT]; // never NULL: the built-in set where nothing was said (core/rules/rules.h)
    struct config_list *lists;
    size_t lists_n;
    struct config_rate *rates; // the built-in ones where none was given
    size_t rates_n;
    struct config_checks checks;
    struct config_shutout shutout;
    struct config_greylist greylist;
    enum config_dmarc dmarc;
    struct config_reports reports;
    struct config_arc arc;
    struct config_filter *filters;
    size_t filters_n;
    struct config_history history;
    uint64_t memory;         // bytes of content that sessions of one process may hold; 451 past it
    uint32_t queue_messages; // in the queue; new mail gets 451 past it
};
