// fetch_curl: libcurl on the loop. It runs in tasks and timers, on the process's own stack, since it and the TLS below
// it need more than a fiber's.
#pragma once

#include "core/message/message_auth.h"
#include "rt/world.h"

struct fetch_curl;

// `authorities`: path of a PEM file; empty: the system's.
struct fetch_curl *fetch_curl_new(struct world *w, struct slice authorities, struct err *e);
void fetch_curl_free(struct fetch_curl *f); // takes NULL; transfers that run are given up without a word

// Begins at the loop's next turn. `m` lives until `done` was called, which it is once, from a task.
void fetch_curl_start(struct fetch_curl *f, const struct message_fetch *m,
                      void (*done)(void *arg, const struct message_fetch_reply *reply), void *arg);
