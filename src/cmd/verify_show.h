// verify_show: what `posthouse verify` found, for people and as JSON.
#pragma once

#include "cmd/verify_message.h"

void verify_show(const struct verify_wish *w, const struct verify_found *f);
void verify_show_json(const struct verify_wish *w, const struct verify_found *f);
