// report_book: what is counted for aggregate reports of DMARC (RFC 9990): for each domain whose record wants reports,
// and each stretch of `dmarc reports every` (aligned to UTC), how many messages of a kind there were. A kind is
// everything a row of a report says: client, domains, results, what was done.
//
// Pure: times are handed in. Bounded: past REPORT_BOOK_ROWS the kind that was met longest ago is forgotten.
#pragma once

#include "base/bounded.h"
#include "core/message/message_gate.h"
#include "mail/dmarc/dmarc_report.h"

enum {
    REPORT_BOOK_ROWS = 50 * 1000, // of all domains
    REPORT_BOOK_DOMAINS = 10 * 1000,
    REPORT_BOOK_RECORD = 1024, // bytes of a record that are kept
    REPORT_BOOK_TRIES = 5,     // of a report that can't be sent for now
};

struct report_domain {
    struct bounded_entry entry;
    char record[REPORT_BOOK_RECORD]; // as it was seen last
    uint32_t record_n;
    uint32_t tries;
    struct wall not_before; // 0: not tried yet
};

struct report_book {
    struct bounded rows, domains;
    int64_t every;   // ms
    uint64_t spread; // random, so that not all servers send at once
};

void report_book_init(struct report_book *b, int64_t every, const struct hash_key *key);
void report_book_done(struct report_book *b);

// False: it can't be counted (names that are too long).
bool report_book_add(struct report_book *b, const struct message_dmarc_seen *m);

// One whose time has come; NULL: none has. A report is due up to an eighth of `every`, at most an hour, after its end.
struct report_domain *report_book_due(struct report_book *b, struct wall now);

struct slice report_domain_name(const struct report_domain *d);
struct slice report_domain_record(const struct report_domain *d);

// The report but for who sends it. Slices are in `arena`, but for the domain, which
// lives as long as `d`. False: no room.
bool report_book_fill(const struct report_book *b, const struct report_domain *d, struct arena *arena,
                      struct dmarc_report *out);

// It was sent, or is given up.
void report_book_remove(struct report_book *b, struct report_domain *d);
// It couldn't be sent for now. False: it was given up, and is gone.
bool report_book_later(struct report_book *b, struct report_domain *d, struct wall now);

// --- to be kept elsewhere; as lockout.h

bool report_book_next_change(struct report_book *b, struct buf *key, struct buf *value); // an empty value: forget it
void report_book_change_all(struct report_book *b);
bool report_book_load(struct report_book *b, struct slice key, struct slice value);
