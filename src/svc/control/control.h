// control: what people and programs ask of a running server: the command line over a unix socket, Prometheus and load
// balancers over HTTP on loopback. It asks the other processes over its links; it changes nothing by itself.
//
// On the unix socket a request is one line of JSON, an answer one or more lines, the last of which has "ok":
//
//     C: {"do":"queue-retry","domain":"example.com"}
//     S: {"ok":true,"count":3}
//     C: {"do":"queue-list"}
//     S: {"queue_name":"deferred","queue_id":"1F8K6Z7Q2M3NP",...,"recipients":[...]}
//     S: {"ok":true,"count":1}
//     C: {"do":"dance"}
//     S: {"ok":false,"error":"...","exit":64}
//
//     status                                     all processes, listeners, counts
//     queue-list                                 a line for each message
//     queue-show    {id}                         one message with its header
//     queue-retry   {id | domain | all}          attempts them now; what is held is let go
//     queue-delete  {id | domain | all}          without a bounce
//     lockout-list  {what}                       failed log-ins and locks
//     lockout-clear {what | all}                 forgets them
//     guard-list    {user}                       what accounts send, and are held past
//     guard-release {user}                       its mail, and the account
//     guard-block   {user, delete: true}         its log-ins and mail; delete: what is held of it, too
//     user-uses     {user}                       when secrets were last used
//     stop, reload                               as master_status.h
//     metrics                                    {"ok":true,"text":"..."}
//
// HTTP: GET /metrics, /health (200 or 503, with JSON that says what is wrong), / (a page for people).
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

struct control;

struct control *control_new(struct world *w, const struct config *c, const char *version);
void control_free(struct control *c); // takes NULL; after control_stop

// Takes the link; a later one of the same process takes the earlier one's place.
void control_attach(struct control *c, struct link *link, enum role peer, uint32_t instance);

enum control_listen { CONTROL_LISTEN_SOCKET, CONTROL_LISTEN_HTTP };

// Takes the listener and serves it.
MUST_CHECK bool control_listen(struct control *c, struct listener *l, enum control_listen kind, struct err *e);

// Takes no more requests, finishes those at hand within a second.
FIBER_FN void control_stop(struct control *c);
