// config_schema_rows: the shorthand that the rows of the schema are written in; for config_schema*.c only.
#pragma once

#include "base/when.h"
#include "core/config/config_build.h"

#define AT(field) .at = offsetof(struct config, field)
#define TO(field) .at_most = offsetof(struct config, field)
#define COUNT(low, high) .type = CONFIG_COUNT, .syntax = "NUMBER", .least = (low), .most = (high)
#define SIZE(low, high) .type = CONFIG_SIZE, .syntax = "SIZE", .least = (low), .most = (high)
#define BIG_SIZE(low, high) .type = CONFIG_BIG_SIZE, .syntax = "SIZE", .least = (low), .most = (high)
#define TIME .type = CONFIG_TIME, .syntax = "TIME", .least = 10, .most = MS_DAY
#define TIME_FROM(low, high) .type = CONFIG_TIME, .syntax = "TIME", .least = (low), .most = (high)

enum { KIB = 1 << 10, MIB = 1 << 20 };
