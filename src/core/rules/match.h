// match: a table that rules of policy ask: names, networks, patterns. Pure: who calls it has read the file.
//
//     inline, file   a line each: a name (a domain, an address, a word); .example.org for every domain below
//                    example.org; @example.org, @.example.org for the addresses in it, or in those below; a network
//     cidr           a line each: a network; what follows # or ; is a comment
//     regex          a line each: a pattern (core/rules/pattern.h)
//
// # at the beginning of a line makes it a comment. Case doesn't count.
#pragma once

#include "core/route/recipient.h"

enum {
    MATCH_TEXT_MAX = RECIPIENT_TABLE_MAX, // bytes of a table
    MATCH_VALUE_MAX = 1024,               // bytes of a value; nothing has a longer one
    MATCH_PATTERNS_MAX = 1000,
};

struct match;

// A line that can't be read is passed over, with a warning. NULL, with one, when the text is too long.
struct match *match_parse(enum config_table_kind kind, struct slice text, struct hash_key key,
                          struct recipient_warnings *warnings);
void match_free(struct match *m); // takes NULL
size_t match_count(const struct match *m);

// Whether the table has the value: an address of the net is a network's, too.
bool match_has(const struct match *m, struct slice value);
