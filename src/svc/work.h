// work: what deliver and inject share: a fiber for each WORK frame, with the unpacked work, a result for each recipient
// and the OUTCOME at its end.
#pragma once

#include "core/message/message.h"
#include "svc/peer.h"

struct work {
    struct peer_link *queue; // held
    uint64_t id;             // of the WORK frame
    struct arena arena;
    struct message_work work;
    struct message_outcome outcome; // a result for each recipient: deferred until set
    void *service;
    FIBER_FN bool (*run)(void *service, struct work *w); // false: cancelled, nothing is to be said
    char *payload;                                       // owned; what `work` looks into
};

// Spawns the fiber in the link's group. A malformed frame, or one whose kind is not `kind`, breaks the link; when no
// fiber can be had the work is deferred.
void work_begin(struct peer_link *queue, const struct link_frame *frame, enum message_work_kind kind, void *service,
                FIBER_FN bool (*run)(void *service, struct work *w));

// The result of recipient `i`; `reason` is copied, at most 500 bytes of it.
void work_result(struct work *w, size_t i, enum message_result result, const uint16_t enhanced[3], struct slice reason);

// The same for an error: failed when it is permanent, else deferred.
void work_result_err(struct work *w, size_t i, const struct err *e);

// Content from `offset`, at least a byte, in one or more pieces: a view of what came with the work, or asked of the
// queue into `space`.
FIBER_FN MUST_CHECK bool work_content(struct work *w, uint64_t offset, struct buf *space, struct slice *piece,
                                      struct err *e);
