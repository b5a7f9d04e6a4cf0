// recipient_table: what a table holds, for the files of recipient only.
#pragma once

#include "core/route/recipient.h"

enum recipient_target_kind {
    RECIPIENT_TARGET_NAME,    // a name in the domain that the alias was asked in
    RECIPIENT_TARGET_ADDRESS, // local@domain
    RECIPIENT_TARGET_USER,    // \user: no alias is asked again
    RECIPIENT_TARGET_REFUSED, // a command, a file or a list
};

struct recipient_target {
    enum recipient_target_kind kind;
    struct slice text; // NAME and USER: unquoted
};

struct recipient_entry {
    struct slice key;  // lower case
    struct slice name; // as written, unquoted
    uint32_t line;
    struct recipient_target *targets; // of an alias
    size_t targets_n;                 // 0: a user
    struct recipient_entry *next;     // in the order of the text
};

struct recipient_table {
    struct arena arena;
    struct map map;
    struct recipient_entry *first, *last;
};

// By local@domain, then by local alone; both in any case. NULL where there is none.
struct recipient_entry *recipient_table_find(const struct recipient_table *t, struct slice local, struct slice domain);

void recipient_warn(struct recipient_warnings *w, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// `s` for people: cut, and printable.
struct slice recipient_show(struct recipient_warnings *w, struct slice s);
