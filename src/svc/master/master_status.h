// master_status: the payloads between control and master as values.
//
//     MASTER_STATUS {}  -> MASTER_REPLY {status}
//     MASTER_STOP {}    -> MASTER_REPLY {answer}, then the house stops
//     MASTER_RELOAD {}  -> MASTER_REPLY {answer}: the new configuration is taken, or why it is not
#pragma once

#include "base/arena.h"
#include "base/pack.h"
#include "wire/link_frame.h"

enum master_state { MASTER_DOWN, MASTER_STARTING, MASTER_READY, MASTER_STOPPING, MASTER_STATE_COUNT };

const char *master_state_name(enum master_state s); // "ready"

struct master_status_process {
    enum role role;
    uint32_t instance;
    enum master_state state;
    int64_t pid; // 0 while it is down
    int64_t uptime_ms;
    uint64_t restarts;
};

struct master_status {
    int64_t pid; // master's own
    int64_t uptime_ms;
    uint64_t reloads;
    struct slice path;     // of the configuration
    struct slice *listens; // "mx on 127.0.0.1:2525"
    size_t listens_n;
    struct master_status_process *processes;
    size_t processes_n;
};
enum { MASTER_STATUS_LISTENS_MAX = 1000, MASTER_STATUS_PROCESSES_MAX = 1000 };

bool master_status_pack(struct buf *b, const struct master_status *s);
bool master_status_unpack(struct slice payload, struct arena *arena, struct master_status *out);

struct master_answer {
    bool ok;
    struct slice text; // for people
};
bool master_answer_pack(struct buf *b, const struct master_answer *a);
bool master_answer_unpack(struct slice payload, struct master_answer *out);
