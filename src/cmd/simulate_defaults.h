// simulate_defaults: the configuration of who has none: the defaults, with the domains of the recipients for ours.
#pragma once

#include "core/config/config.h"

// NULL after a mistake in `report`, which is begun in any case: a domain that none can be.
struct config *simulate_defaults(const struct slice *recipients, size_t n, struct config_report *report);
