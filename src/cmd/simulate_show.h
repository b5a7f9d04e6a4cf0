// simulate_show: a simulated session for people, rule by rule, and as JSON.
#pragma once

#include "cmd/simulate.h"

#include "base/json.h"

void simulate_show(const struct simulate *s, const struct simulate_session *session);
void simulate_show_json(const struct simulate *s, const struct simulate_session *session);

enum simulate_outcome {
    SIMULATE_TAKEN,
    SIMULATE_QUARANTINED,
    SIMULATE_HELD,
    SIMULATE_DISCARDED,
    SIMULATE_DEFERRED,
    SIMULATE_REFUSED,
};

// What became of it in the end: of the message where there was one, else of the last recipient. `*why`: the step that
// said so; NULL: none was against it.
enum simulate_outcome simulate_outcome(const struct simulate *s, const struct simulate_step **why);
const char *simulate_outcome_name(enum simulate_outcome o); // "taken"

// "550 5.7.1 blocked".
bool simulate_add_reply(struct buf *b, const struct err *e);
