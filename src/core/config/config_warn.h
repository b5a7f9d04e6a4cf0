// config_warn: what a configuration says that has no effect, or not the one that was meant; for `check`.
#pragma once

#include "core/config/config_report.h"

// Adds to `report`, which config_report_start began.
void config_warn(const struct config *c, struct config_report *report);
