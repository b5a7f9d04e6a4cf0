// limit: see limit.h; this is its one loop.
#include "limit.h"
#include "tcp.h"

#include "base/mem.h"
#include "base/num.h"

#include <error.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { EVENTS = 256, HOPS = 20 };

void watch_for(struct limit *l, struct watch *w, uint32_t events) {
    if (w->events == events)
        return;
    int how = w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    w->events = events;
    if (epoll_ctl(l->epoll, how, w->fd, &(struct epoll_event){.events = events, .data.ptr = w}) != 0)
        tcp_die("epoll_ctl");
}

struct message *message_new(struct limit *l) {
    struct message *m = l->spare;
    if (!m) {
        m = MEM_NEW(struct message);
        m->text.max = LIMIT_MESSAGE_MAX;
        return m;
    }
    l->spare = m->next;
    m->next = NULL;
    buf_reset(&m->text);
    return m;
}

void message_free(struct limit *l, struct message *m) {
    m->next = l->spare;
    l->spare = m;
}

void messages_append(struct messages *list, struct message *m) {
    m->next = NULL;
    if (list->last)
        list->last->next = m;
    else
        list->first = m;
    list->last = m;
}

struct message *messages_shift(struct messages *list) {
    struct message *m = list->first;
    if (m)
        list->first = m->next;
    if (!list->first)
        list->last = NULL;
    return m;
}

static void on_durable(struct limit *l) {
    struct messages durable = log_take_durable(&l->log);
    for (struct message *m; (m = messages_shift(&durable));) {
        struct client *c = m->client;
        m->client = NULL;
        if (c)
            client_durable(l, c);
        if (c && l->next_hop)
            relay_add(l, m);
        else
            message_free(l, m);
    }
}

static void dispatch(struct limit *l, struct watch *w, uint32_t events) {
    switch (w->kind) {
    case WATCH_LISTENER:
        client_accept_all(l);
        break;
    case WATCH_LOG:
        on_durable(l);
        break;
    case WATCH_CLIENT:
        client_event(l, (struct client *)w, events);
        break;
    case WATCH_HOP:
        relay_event(l, (struct hop *)w, events);
        break;
    }
}

static _Noreturn void serve(struct limit *l) {
    struct watch listener = {.kind = WATCH_LISTENER, .fd = l->listener};
    struct watch log = {.kind = WATCH_LOG, .fd = l->log.wake_fd};
    watch_for(l, &listener, EPOLLIN);
    watch_for(l, &log, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(l->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            dispatch(l, events[i].data.ptr, events[i].events);
        client_free_dead(l);
    }
}

static void usage(int code) {
    fputs("usage: limit --port PORT --log FILE [--relay PORT] [--hops N] [--no-sync]\n", code ? stderr : stdout);
    exit(code);
}

static uint64_t number(const char *text, uint64_t max) {
    uint64_t n;
    if (!num_u64(slice_str(text), max, &n))
        error(64, 0, "a number up to %llu was expected, found \"%s\"", (unsigned long long)max, text);
    return n;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"log", required_argument, NULL, 'l'},
                                            {"relay", required_argument, NULL, 'r'},
                                            {"hops", required_argument, NULL, 'k'},
                                            {"no-sync", no_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    static struct limit l = {.hops_max = HOPS};
    const char *path = NULL;
    uint16_t port = 0;
    bool sync = true;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            port = (uint16_t)number(optarg, UINT16_MAX);
            break;
        case 'l':
            path = optarg;
            break;
        case 'r':
            l.next_hop = (uint16_t)number(optarg, UINT16_MAX);
            break;
        case 'k':
            l.hops_max = (unsigned)number(optarg, LIMIT_HOPS_MAX);
            break;
        case 'n':
            sync = false;
            break;
        default:
            usage(c == 'h' ? 0 : 64);
        }
    }
    if (!port || !path || optind != argc)
        usage(64);
    signal(SIGPIPE, SIG_IGN);
    tcp_raise_files();
    log_open(&l.log, path, sync);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.input = mem_new(1, LIMIT_INPUT);
    l.listener = tcp_listen(port);
    serve(&l);
}
