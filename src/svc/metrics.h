// metrics: what every service answers to `control`.
#pragma once

#include "rt/metric.h"
#include "rt/world.h"
#include "svc/peer.h"

// To be called once at the start: the process is up since now.
void metrics_begin(struct metric *m, const struct world *w);

// Handles a frame of `control`: METRICS is answered with the values, anything else breaks the link.
void metrics_answer(struct metric *m, const struct world *w, struct peer_link *from, const struct link_frame *frame);
