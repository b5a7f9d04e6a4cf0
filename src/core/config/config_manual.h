// config_manual: what of posthouse.conf(5) is made from tables, as mdoc: the directives from the schema, the facts from
// theirs, the built-in rules from themselves.
#pragma once

#include "base/buf.h"

// Each is false when `out` is too small.
bool config_manual_write(struct buf *out);
bool config_manual_write_facts(struct buf *out);
bool config_manual_write_built_in(struct buf *out);
