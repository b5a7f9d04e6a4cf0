// simulate_change: a decision that another configuration would not have made, for people and as JSON.
#pragma once

#include "cmd/simulate_show.h"

struct simulate_change {
    const struct record *record; // as it was
    enum simulate_outcome then, now;
    const struct simulate_step *why; // now; NULL: nothing is against it
    const struct slice *unknown;     // what was asked for and isn't recorded
    size_t unknown_n;
};

void simulate_change_show(const struct simulate_change *c);
void simulate_change_show_json(const struct simulate_change *c); // a line

// The last of its rules that applied; NULL: none did.
const struct record_rule *simulate_change_rule(const struct record *r);
