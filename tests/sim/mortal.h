// mortal: a link's end that dies with its process: what a killed process would still say while it unwinds is never
// said.
#pragma once

#include "rt/transport.h"

// Owns `inner`. `*dead` outlives it.
struct transport *mortal_new(struct transport *inner, const bool *dead);
