// limit_client: the limit's side towards those who send it mail.
#include "limit.h"
#include "tcp.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void client_close(struct limit *l, struct client *c) {
    if (c->waits) { // the log still points here
        c->leaves = true;
        return;
    }
    close(c->watch.fd);
    c->watch.fd = -1;
    if (c->message)
        message_free(l, c->message);
    buf_done(&c->rest);
    c->next_dead = l->dead;
    l->dead = c;
}

void client_free_dead(struct limit *l) {
    for (struct client *c; (c = l->dead);) {
        l->dead = c->next_dead;
        free(c);
    }
}

static bool client_flush(struct limit *l, struct client *c) {
    struct receiver *r = &c->receiver;
    ssize_t n = r->out_n ? tcp_send(c->watch.fd, slice_of(r->out, r->out_n)) : 0;
    if (n < 0)
        return false;
    memmove(r->out, r->out + n, r->out_n - (size_t)n);
    r->out_n -= (size_t)n;
    watch_for(l, &c->watch, r->out_n ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return true;
}

static void hand_to_log(struct limit *l, struct client *c) {
    struct message *m = c->message;
    c->message = NULL;
    c->receiver.keep = NULL;
    m->client = c;
    m->envelope_n = c->receiver.envelope_n;
    m->id = ++l->ids;
    c->waits = true;
    log_add(&l->log, m);
}

// False where the client said goodbye.
static bool client_feed(struct limit *l, struct client *c, struct slice in) {
    while (in.n > 0 && !c->waits) {
        if (!c->message) {
            c->message = message_new(l);
            c->receiver.keep = &c->message->text;
        }
        size_t taken = 0;
        enum receiver_event event = receiver_feed(&c->receiver, in, &taken);
        in = slice_from(in, taken);
        if (event == RECEIVER_QUIT)
            return false;
        if (event == RECEIVER_MESSAGE)
            hand_to_log(l, c);
    }
    return in.n == 0 || buf_add(&c->rest, in);
}

static bool client_read(struct limit *l, struct client *c) {
    ssize_t n = tcp_receive(c->watch.fd, l->input, LIMIT_INPUT);
    if (n <= 0)
        return n == 0;
    bool more = client_feed(l, c, slice_of(l->input, (size_t)n));
    return client_flush(l, c) && more;
}

void client_accept_all(struct limit *l) {
    for (int fd; (fd = tcp_accept(l->listener)) >= 0;) {
        struct client *c = MEM_NEW(struct client);
        c->watch = (struct watch){.kind = WATCH_CLIENT, .fd = fd};
        c->rest.max = LIMIT_INPUT;
        receiver_greet(&c->receiver);
        if (!client_flush(l, c))
            client_close(l, c);
    }
}

void client_event(struct limit *l, struct client *c, uint32_t events) {
    if (c->watch.fd < 0)
        return;
    if (c->waits) { // whatever it is, it can wait as well
        watch_for(l, &c->watch, EPOLLRDHUP | EPOLLET);
        return;
    }
    bool alive = !(events & EPOLLOUT) || client_flush(l, c);
    if (alive && (events & ~(uint32_t)EPOLLOUT))
        alive = client_read(l, c);
    if (!alive)
        client_close(l, c);
}

void client_durable(struct limit *l, struct client *c) {
    c->waits = false;
    receiver_accepted(&c->receiver);
    struct buf rest = c->rest;
    c->rest = (struct buf){.max = LIMIT_INPUT};
    bool alive = !c->leaves && client_feed(l, c, buf_slice(&rest)) && client_flush(l, c);
    buf_done(&rest);
    if (!alive)
        client_close(l, c);
}
