// recipient: who a name is: tables of users and aliases in memory, and an address expanded through them to where its
// mail really goes. Pure: who calls it reads the files.
#pragma once

#include "core/route/route.h"

enum {
    RECIPIENT_DEPTH_MAX = 16,       // aliases of aliases
    RECIPIENT_TOTAL_MAX = 10000,    // addresses that one expands to
    RECIPIENT_TABLE_MAX = 64 << 20, // bytes of a table's text
};

struct recipient_table; // one loaded table; never changes once parsed

// What was passed over or can't be used in a table's text, for the log and for check.
struct recipient_warning {
    uint32_t line;     // 0: of no line
    struct slice text; // printable
};

struct recipient_warnings {
    struct arena arena;
    struct recipient_warning *list;
    size_t n; // at most RECIPIENT_WARNINGS_MAX; more are dropped
};

enum { RECIPIENT_WARNINGS_MAX = 100 };

void recipient_warnings_done(struct recipient_warnings *w);

// Reads the text of a table: file has one name a line, aliases and inline are as in aliases(5). A name may be
// local-part or local-part@domain. "|command", /file and :include: are recognised and refused: the alias is kept, and
// mail to it is a temporary error, so that nothing is lost. Lines that can't be read are passed over with a warning.
// Case doesn't count. `key` should be random. Copies what it keeps. NULL only for a text past RECIPIENT_TABLE_MAX (with
// a warning). `warnings` is zeroed or has been used here before.
struct recipient_table *recipient_table_parse(enum config_table_kind kind, struct slice text, struct hash_key key,
                                              struct recipient_warnings *warnings);

// The same for a table of senders (core/auth/sender.h), where @domain and @.domain are targets as well. As recipients they
// are no less refused.
struct recipient_table *recipient_table_parse_senders(enum config_table_kind kind, struct slice text,
                                                      struct hash_key key, struct recipient_warnings *warnings);
void recipient_table_free(struct recipient_table *t);
size_t recipient_table_count(const struct recipient_table *t);

enum recipient_kind {
    RECIPIENT_UNKNOWN, // a domain of ours has nobody of that name: 550 5.1.1
    RECIPIENT_KNOWN,   // at least one final address
};

struct recipient_final {
    struct slice address;               // local@domain for the envelope: without the tag where we deliver it
    struct slice tagged;                // the same with its tag, for Delivered-To
    struct slice mailbox;               // {local} of the Maildir pattern; empty where it goes elsewhere
    const struct config_domain *domain; // ours, or NULL
};

struct recipients {
    enum recipient_kind kind;
    struct recipient_final *list; // none twice; in the arena
    size_t n;
};

// Where mail to `address` (local@domain, without <>; "postmaster" alone is of the first domain) goes. `tables` goes
// with config.tables; NULL where one could not be read.
//
// A table's exact name comes first, then the name without its tag. An alias that leads back to itself is passed over
// for the next table, so that `root: root, admin` reaches the user root. postmaster always exists (RFC 5321 4.5.1): if
// no table has it, the first name of the domain's first table gets it. An address of a domain that isn't ours is its
// own result.
//
// Errors are all temporary, since what is wrong is ours to put right: a table missing (451 4.3.0), a loop, too deep,
// too many, an alias that leads to nobody or to a command, file or list (451 4.3.5).
MUST_CHECK bool recipient_expand(const struct config *c, struct recipient_table *const *tables, struct slice address,
                                 struct arena *arena, struct recipients *out, struct err *e);

// For check: aliases that could not be expanded in a domain that uses them, and domains whose tables have no
// postmaster.
void recipient_check(const struct config *c, struct recipient_table *const *tables,
                     struct recipient_warnings *warnings);
