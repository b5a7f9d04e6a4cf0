// limit_relay: the limit's side towards the next hop: up to hops_max connections, each used again and again, MAIL,
// RCPT and DATA in one go. A hop that fails or refuses ends the program: a bench has no use for its figures.
#include "limit.h"
#include "tcp.h"

#include "base/mem.h"

#include <error.h>
#include <stdlib.h>
#include <sys/epoll.h>

static void hop_flush(struct limit *l, struct hop *h) {
    for (int i = 0; i < 2; i++)
        while (h->out[i].n > 0) {
            ssize_t n = tcp_send(h->watch.fd, h->out[i]);
            if (n < 0)
                tcp_die("the next hop is lost");
            if (n == 0) {
                watch_for(l, &h->watch, EPOLLIN | EPOLLOUT);
                return;
            }
            h->out[i] = slice_from(h->out[i], (size_t)n);
        }
    watch_for(l, &h->watch, EPOLLIN);
}

static unsigned count_lines(struct slice s) {
    unsigned n = 0;
    for (size_t at; (at = slice_find(s, '\n')) < s.n; n++)
        s = slice_from(s, at + 1);
    return n;
}

static void hop_take(struct limit *l, struct hop *h) {
    h->message = messages_shift(&l->to_relay);
    if (!h->message) {
        h->state = HOP_RESTS;
        h->next = l->resting;
        l->resting = h;
        return;
    }
    struct slice envelope = slice_upto(buf_slice(&h->message->text), h->message->envelope_n);
    buf_reset(&h->command);
    buf_add(&h->command, envelope);
    buf_add(&h->command, SLICE("DATA\r\n"));
    h->recipients_left = count_lines(envelope) - 1;
    h->state = HOP_MAIL;
    h->out[0] = buf_slice(&h->command);
    hop_flush(l, h);
}

static void hop_send_content(struct limit *l, struct hop *h) {
    h->out[0] = slice_from(buf_slice(&h->message->text), h->message->envelope_n);
    h->state = HOP_CONTENT;
    hop_flush(l, h);
}

// The next hop has it: that is recorded, and nobody waits for the record.
static void hop_delivered(struct limit *l, struct hop *h) {
    struct message *m = h->message;
    buf_reset(&m->text);
    buf_addf(&m->text, "delivered %llu\n", (unsigned long long)m->id);
    log_add(&l->log, m);
    hop_take(l, h);
}

static void on_reply(struct limit *l, struct hop *h) {
    switch (h->state) {
    case HOP_GREETING:
        h->state = HOP_EHLO;
        h->out[0] = SLICE("EHLO limit.example\r\n");
        hop_flush(l, h);
        break;
    case HOP_EHLO:
        hop_take(l, h);
        break;
    case HOP_MAIL:
        h->state = HOP_RCPT;
        break;
    case HOP_RCPT:
        h->state = --h->recipients_left ? HOP_RCPT : HOP_DATA;
        break;
    case HOP_DATA:
        hop_send_content(l, h);
        break;
    case HOP_CONTENT:
        hop_delivered(l, h);
        break;
    case HOP_RESTS:
        error(1, 0, "the next hop said something unasked");
    }
}

static void on_lines(struct limit *l, struct hop *h) {
    struct slice rest = slice_of(h->in, h->in_n), line;
    while (slice_find(rest, '\n') < rest.n) {
        slice_cut(rest, '\n', &line, &rest);
        if (line.n < 4 || line.p[0] > '3')
            error(1, 0, "the next hop refused: %.*s", SLICE_ARG(line));
        if (line.p[3] != '-')
            on_reply(l, h);
    }
    memmove(h->in, h->in + h->in_n - rest.n, rest.n);
    h->in_n = rest.n;
}

void relay_event(struct limit *l, struct hop *h, uint32_t events) {
    if (events & EPOLLOUT)
        hop_flush(l, h);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    ssize_t n = tcp_receive(h->watch.fd, h->in + h->in_n, LIMIT_HOP_INPUT - h->in_n);
    if (n < 0)
        error(1, 0, "the next hop is lost");
    h->in_n += (size_t)n;
    on_lines(l, h);
}

static void hop_open(struct limit *l) {
    struct sockaddr_in to = tcp_address("127.0.0.1", l->next_hop);
    struct hop *h = MEM_NEW(struct hop);
    h->watch = (struct watch){.kind = WATCH_HOP, .fd = tcp_connect(&to, 0)};
    h->command.max = LIMIT_INPUT;
    if (h->watch.fd < 0)
        tcp_die("the next hop cannot be reached");
    l->hops++;
    watch_for(l, &h->watch, EPOLLIN);
}

void relay_add(struct limit *l, struct message *m) {
    messages_append(&l->to_relay, m);
    struct hop *h = l->resting;
    if (h) {
        l->resting = h->next;
        hop_take(l, h);
    } else if (l->hops < l->hops_max)
        hop_open(l);
}
