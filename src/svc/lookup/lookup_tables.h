// lookup_tables: the configuration's tables in memory, read from their files and read again when those change. A file
// that can't be read keeps the last good table.
#pragma once

#include "core/message/message_gate.h"
#include "core/route/recipient.h"
#include "rt/world.h"

struct lookup_tables;

// Reads all. What goes wrong is told to the journal, once for each change.
struct lookup_tables *lookup_tables_new(struct world *w, const struct config *c);
void lookup_tables_free(struct lookup_tables *t); // takes NULL

// As recipient_expand wants them, NULL for one that could never be read. Looks for changes at most once a second, less
// often for large files.
struct recipient_table *const *lookup_tables_now(struct lookup_tables *t);

// Whether a table that rules of policy name has the value. FAILED: it could never be read, or there is none.
enum message_match_result lookup_tables_match(struct lookup_tables *t, struct slice table, struct slice value);
