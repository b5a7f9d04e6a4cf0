// config_manual: the directives of posthouse.conf(5) as mdoc, from the schema.
#pragma once

#include "base/buf.h"

// False when `out` is too small.
bool config_manual_write(struct buf *out);
