// config_check: what can only be seen when everything was read: what is missing, twice, dangerous or goes in circles.
#pragma once

#include "core/config/config_build.h"

// Also builds the indices of domains and routes, since they find what is there twice.
void config_check(struct config *c, struct config_report *report);
