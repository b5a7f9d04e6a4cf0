// kept: a store that outlives the processes that have it, as a file does. One that was killed changes it no more.
#pragma once

#include "rt/disk/store.h"

// `to` and `*dead` outlive it; freeing it leaves `to` as it is.
struct store *kept_lend(struct store *to, const bool *dead);
