// control_inside: what the sources of control share.
#pragma once

#include "base/json.h"
#include "core/message/message.h"
#include "rt/journal.h"
#include "rt/metric.h"
#include "rt/stream.h"
#include "svc/control/control.h"
#include "svc/master/master_status.h"
#include "svc/peer.h"

enum {
    CONTROL_PEERS_MAX = 128,
    CONTROL_SESSIONS_MAX = 64,   // at once, for each kind of listener; one more is closed at once
    CONTROL_REQUEST_MAX = 4096,  // bytes of a request line
    CONTROL_IDLE_MS = 30 * 1000, // a connection on which nothing is asked
    CONTROL_ASK_MS = 2 * 1000,   // for each process to answer
    CONTROL_RELOAD_MS = 60 * 1000,
    CONTROL_REPLY_MAX = 8 * 1024 * 1024, // bytes of one answer of another process
    CONTROL_LINE_MAX = 16 * 1024 * 1024, // bytes of one line that we answer
};

struct control_peer {
    struct list entry;
    enum role role;
    uint32_t instance;
    struct peer peer;
    bool answered;      // `last` holds something
    struct metric last; // the latest snapshot
};

struct control {
    struct world *world;
    const struct config *config;
    const char *version;
    struct wall started;
    struct metric own;
    struct metric gone; // of processes that have ended
    struct list peers;
    size_t peers_n;
    struct fiber_group links, acceptors, sessions;
    struct list listeners;
    size_t open[2]; // sessions by kind
};

struct control_peer *control_peer(struct control *c, enum role role, uint32_t instance); // NULL: never attached

// "queue", "smtpd-2".
void control_name(const struct control *c, enum role role, uint32_t instance, char to[24]);

// control_report.c: what all processes say at this moment.
struct control_report {
    struct arena arena;
    bool master; // `status` was got
    struct master_status status;
    struct metric_process *processes; // one for each peer, master and ourselves; up or not by METRIC_PROCESS_UP
    size_t processes_n;
    bool queue; // it answered, `queue_metric` are its numbers
    struct metric *queue_metric;
};

FIBER_FN void control_report_make(struct control *c, struct control_report *out);
void control_report_done(struct control_report *r);
// Number of `role`'s `instance`; NULL when it did not answer.
const struct metric *control_report_of(const struct control *c, const struct control_report *r, enum role role,
                                       uint32_t instance);

bool control_report_metrics(struct control *c, const struct control_report *r, struct buf *out);
void control_report_status(struct control *c, const struct control_report *r, struct buf *out); // a JSON object
// A JSON object too; gives whether all is well.
bool control_report_health(struct control *c, const struct control_report *r, struct buf *out);

// control_request.c: answers one request line of the unix socket.
FIBER_FN void control_request(struct control *c, struct slice line, struct stream *to);
void control_request_done(struct stream *to, struct slice key, uint64_t count);
void control_request_failed(struct stream *to, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// control_queue.c
FIBER_FN void control_queue_list(struct control *c, struct stream *to);
FIBER_FN void control_queue_show(struct control *c, uint64_t id, struct stream *to);
FIBER_FN void control_queue_act(struct control *c, enum link_type type, uint64_t id, struct slice domain,
                                struct stream *to);
// What the guard held of a user is let go, or deleted; `*count` messages. False after saying why not.
FIBER_FN bool control_queue_held(struct control *c, enum link_type type, struct slice user, uint64_t *count,
                                 struct stream *to);
// As postqueue -j prints it, with more for each recipient. `header` is left out when its p is NULL.
void control_queue_entry(const struct message_queue_entry *m, struct slice header, struct buf *to);

// control_policy.c
struct control_ask;
FIBER_FN void control_policy(struct control *c, const struct control_ask *ask, struct stream *to);

// control_sender.c
FIBER_FN void control_sender(struct control *c, const struct control_ask *ask, struct stream *to);

// control_http.c: one connection.
FIBER_FN void control_http(struct control *c, struct stream *s);
