// limit: the bare limit that Posthouse is measured against: take mail, have it on disk, say 250, pass it on. One
// thread with epoll and one that writes and syncs; nothing is parsed, checked, scheduled or ever retried.
//
//     client -> receiver -> log_add -> [write, one fdatasync for all that wait] -> 250 to the client
//                                                                              -> relay_add -> next hop -> outcome
//                                                                              record
#pragma once

#include "receiver.h"

#include <pthread.h>
#include <sys/types.h>

enum { LIMIT_INPUT = 256 * 1024, LIMIT_MESSAGE_MAX = 64 << 20, LIMIT_HOPS_MAX = 200, LIMIT_HOP_INPUT = 2048 };

enum watch_kind { WATCH_LISTENER, WATCH_LOG, WATCH_CLIENT, WATCH_HOP };

// First member of everything that epoll reports.
struct watch {
    enum watch_kind kind;
    int fd;
    uint32_t events; // 0 before the first watch_for
};

struct message {
    struct message *next;
    struct client *client; // waits for its 250; NULL for the record of an outcome
    uint64_t id;
    size_t envelope_n;
    struct buf text; // MAIL and RCPT lines, then the content with its end, as they came
};

// Single list, oldest first.
struct messages {
    struct message *first, *last;
};

struct log {
    int fd, wake_fd; // wake_fd: an eventfd that is readable when something is durable
    off_t at;
    pthread_mutex_t lock;
    pthread_cond_t waiting;
    struct messages to_write, durable;
};

struct client {
    struct watch watch;
    struct receiver receiver;
    struct message *message; // being received
    struct buf rest;         // what came behind a message that is not durable yet
    bool waits, leaves;      // for the 250; as soon as it has it
    struct client *next_dead;
};

struct hop {
    struct watch watch;
    enum { HOP_GREETING, HOP_EHLO, HOP_MAIL, HOP_RCPT, HOP_DATA, HOP_CONTENT, HOP_RESTS } state;
    unsigned recipients_left;
    struct hop *next; // among those that rest
    struct message *message;
    struct buf command;
    struct slice out[2]; // sent in this order
    size_t in_n;
    char in[LIMIT_HOP_INPUT];
};

struct limit {
    int epoll, listener;
    uint16_t next_hop; // port on 127.0.0.1, 0: keep everything
    unsigned hops, hops_max;
    struct hop *resting;
    struct messages to_relay;
    struct client *dead;   // closed in this turn, freed at its end: epoll may have reported them as well
    struct message *spare; // used again, so that a message costs no allocation
    struct log log;
    uint64_t ids;
    char *input;
};

// limit.c
void watch_for(struct limit *l, struct watch *w, uint32_t events);
struct message *message_new(struct limit *l);
void message_free(struct limit *l, struct message *m);
void messages_append(struct messages *list, struct message *m);
struct message *messages_shift(struct messages *list);

// limit_log.c: log_open writes all of the file once, since a sync of prewritten blocks is several times faster.
void log_open(struct log *log, const char *path, bool sync);
void log_add(struct log *log, struct message *m);
struct messages log_take_durable(struct log *log);

// limit_client.c
void client_accept_all(struct limit *l);
void client_event(struct limit *l, struct client *c, uint32_t events);
void client_durable(struct limit *l, struct client *c);
void client_free_dead(struct limit *l);

// limit_relay.c
void relay_add(struct limit *l, struct message *m);
void relay_event(struct limit *l, struct hop *h, uint32_t events);
