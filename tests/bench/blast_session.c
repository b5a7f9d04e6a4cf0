// blast_session: one SMTP client of the load generator: a state for each reply that is awaited.
//
//     state     the reply to  then                                  with pipelining
//     GREETING                EHLO
//     EHLO      EHLO          MAIL (STARTTLS, then AUTH first       MAIL, all RCPT and DATA in one segment
//                             where asked; an idle crowd rests here)
//     MAIL      MAIL          the first RCPT                        nothing
//     RCPT      RCPT          the next RCPT, or DATA                nothing
//     DATA      DATA          the content
//     CONTENT   the content   counted; MAIL again, or QUIT
#include "blast.h"
#include "tcp.h"

#include "base/num.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum step { STEP_ON, STEP_OVER, STEP_LOST };

enum { SOURCE_FIRST = 0x7f000101, SOURCE_STEP = 256 }; // 127.0.1.1, 127.0.2.1: networks of their own

static void watch(struct blast *b, struct session *s, uint32_t events) {
    if (s->events == events)
        return;
    int how = s->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    s->events = events;
    if (epoll_ctl(b->epoll, how, s->fd, &(struct epoll_event){.events = events, .data.ptr = s}) != 0)
        tcp_die("epoll_ctl");
}

static void note(struct blast *b, const struct session *s, struct slice what) {
    snprintf(b->last_error, sizeof b->last_error, "in state %d: %.*s", (int)s->state, SLICE_ARG(slice_trim(what)));
}

void session_open(struct blast *b, struct session *s) {
    uint32_t source = b->job.sources ? SOURCE_FIRST + SOURCE_STEP * (uint32_t)(b->connections % b->job.sources) : 0;
    *s = (struct session){.fd = -1, .opened_ns = tcp_now_ns(), .ticket = s->ticket};
    s->fd = tcp_connect(&b->job.to, source);
    b->connections++;
    if (s->fd < 0) {
        b->connect_failed++;
        note(b, s, slice_str("connect"));
        s->reopen = true;
        return;
    }
    s->state = SESSION_CONNECTING;
    s->opening = true;
    b->active++;
    b->opening++;
    watch(b, s, EPOLLIN | EPOLLOUT);
}

static void opened(struct blast *b, struct session *s) {
    b->opening -= s->opening;
    s->opening = false;
}

static void session_close(struct blast *b, struct session *s) {
    opened(b, s);
    if (s->tls) // without this OpenSSL thinks that its session went wrong, and would not resume it
        SSL_set_shutdown(s->tls, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(s->tls);
    s->tls = NULL;
    close(s->fd);
    s->state = SESSION_CLOSED;
    b->active--;
    s->reopen = blast_more(b);
}

// As tcp_send and tcp_receive, over TLS once there is TLS.
static ssize_t tls_result(SSL *tls, int n) {
    if (n > 0)
        return n;
    int why = SSL_get_error(tls, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t put(struct session *s) {
    return s->tls ? tls_result(s->tls, SSL_write(s->tls, s->out.p, (int)s->out.n)) : tcp_send(s->fd, s->out);
}

static ssize_t get(struct session *s, char *p, size_t n) {
    return s->tls ? tls_result(s->tls, SSL_read(s->tls, p, (int)n)) : tcp_receive(s->fd, p, n);
}

static enum step flush(struct blast *b, struct session *s) {
    while (s->out.n > 0) {
        ssize_t n = put(s);
        if (n < 0)
            return STEP_LOST;
        if (n == 0) {
            watch(b, s, EPOLLIN | EPOLLOUT);
            return STEP_ON;
        }
        s->out = slice_from(s->out, (size_t)n);
    }
    watch(b, s, EPOLLIN);
    return STEP_ON;
}

static enum step say(struct blast *b, struct session *s, enum session_state next, struct slice text) {
    s->state = next;
    s->out = text;
    return flush(b, s);
}

static enum step begin_message(struct blast *b, struct session *s) {
    bool enough = b->job.per_connection && s->messages >= b->job.per_connection;
    if (enough || !blast_more(b))
        return say(b, s, SESSION_QUIT, SLICE("QUIT\r\n"));
    b->begun++;
    s->recipients_answered = 0;
    // A client with one message a connection waits for the connection as well.
    s->begun_ns = b->job.per_connection == 1 ? s->opened_ns : tcp_now_ns();
    return say(b, s, SESSION_MAIL, b->job.pipelining ? b->transaction : b->mail);
}

static enum step after_rcpt(struct blast *b, struct session *s) {
    bool last = s->recipients_answered == b->job.recipients;
    s->state = last ? SESSION_DATA : SESSION_RCPT;
    if (b->job.pipelining)
        return STEP_ON;
    return say(b, s, s->state, last ? SLICE("DATA\r\n") : b->rcpt[s->recipients_answered]);
}

static enum step after_content(struct blast *b, struct session *s) {
    b->last_ns = tcp_now_ns();
    hist_add(&b->latency, (uint64_t)(b->last_ns - s->begun_ns) / 1000);
    b->done++;
    s->messages++;
    return begin_message(b, s);
}

static enum step after_ehlo(struct blast *b, struct session *s) {
    if (b->job.starttls && !s->tls)
        return say(b, s, SESSION_STARTTLS, SLICE("STARTTLS\r\n"));
    if (b->auth.n && !s->known)
        return say(b, s, SESSION_AUTH, b->auth);
    if (b->job.crowd == 0)
        return begin_message(b, s);
    s->state = SESSION_IDLE;
    b->last_ns = tcp_now_ns();
    hist_add(&b->latency, (uint64_t)(b->last_ns - s->opened_ns) / 1000);
    b->done++;
    return STEP_ON;
}

static enum step handshake(struct blast *b, struct session *s) {
    int n = SSL_do_handshake(s->tls);
    if (n == 1) {
        b->handshakes++;
        b->resumed += (uint64_t)SSL_session_reused(s->tls);
        if (!b->job.tls)
            return say(b, s, SESSION_EHLO, SLICE("EHLO blast.example.com\r\n"));
        s->state = SESSION_GREETING;
        watch(b, s, EPOLLIN);
        return STEP_ON;
    }
    return tls_result(s->tls, n) == 0 ? STEP_ON : STEP_LOST;
}

static enum step begin_tls(struct blast *b, struct session *s) {
    s->state = SESSION_HANDSHAKE;
    s->tls = SSL_new(b->tls);
    if (!s->tls || SSL_set_fd(s->tls, s->fd) != 1)
        return STEP_LOST;
    SSL_set_connect_state(s->tls);
    SSL_set_app_data(s->tls, s);
    // A copy, since OpenSSL lets a ticket of TLS 1.3 be used only once, and not every server sends a new one each time.
    SSL_SESSION *ticket = s->ticket ? SSL_SESSION_dup(s->ticket) : NULL;
    bool ok = !ticket || SSL_set_session(s->tls, ticket) == 1;
    SSL_SESSION_free(ticket);
    if (!ok)
        return STEP_LOST;
    return handshake(b, s);
}

int session_keep_ticket(SSL *tls, SSL_SESSION *ticket) {
    struct session *s = SSL_get_app_data(tls);
    SSL_SESSION_free(s->ticket);
    s->ticket = ticket;
    return 1; // it is ours now
}

static enum step on_reply(struct blast *b, struct session *s) {
    switch (s->state) {
    case SESSION_GREETING:
        opened(b, s);
        return say(b, s, SESSION_EHLO, SLICE("EHLO blast.example.com\r\n"));
    case SESSION_EHLO:
        return after_ehlo(b, s);
    case SESSION_STARTTLS:
        return begin_tls(b, s);
    case SESSION_AUTH:
        s->known = true;
        return after_ehlo(b, s);
    case SESSION_MAIL:
        s->state = SESSION_RCPT;
        return b->job.pipelining ? STEP_ON : say(b, s, SESSION_RCPT, b->rcpt[0]);
    case SESSION_RCPT:
        s->recipients_answered++;
        return after_rcpt(b, s);
    case SESSION_DATA:
        return say(b, s, SESSION_CONTENT, b->content);
    case SESSION_CONTENT:
        return after_content(b, s);
    case SESSION_QUIT:
        return STEP_OVER;
    default:
        return STEP_LOST; // a reply that nobody asked for
    }
}

static enum step on_line(struct blast *b, struct session *s, struct slice line) {
    uint64_t code;
    if (!num_u64(slice_upto(line, 3), 599, &code) || line.n < 3)
        return STEP_LOST;
    if (line.n > 3 && line.p[3] == '-')
        return STEP_ON;
    bool wanted = s->state == SESSION_DATA ? code == 354 : code < 300;
    if (wanted)
        return on_reply(b, s);
    note(b, s, line);
    b->temporary += code < 500;
    return STEP_LOST;
}

// Every whole line of s->in; what remains moves to the front.
static enum step on_lines(struct blast *b, struct session *s) {
    struct slice rest = slice_of(s->in, s->in_n), line;
    enum step step = STEP_ON;
    while (step == STEP_ON && s->state != SESSION_HANDSHAKE && slice_find(rest, '\n') < rest.n) {
        slice_cut(rest, '\n', &line, &rest);
        step = on_line(b, s, line);
    }
    if (rest.n)
        memmove(s->in, rest.p, rest.n);
    s->in_n = rest.n;
    return step;
}

static enum step receive(struct blast *b, struct session *s) {
    for (;;) {
        size_t room = BLAST_INPUT - s->in_n;
        ssize_t n = room ? get(s, s->in + s->in_n, room) : -1;
        if (n < 0)
            return s->state == SESSION_QUIT ? STEP_OVER : STEP_LOST;
        if (n == 0)
            return STEP_ON;
        s->in_n += (size_t)n;
        enum step step = on_lines(b, s);
        // A short read tells that the socket is empty; TLS may hold more.
        if (step != STEP_ON || (!s->tls && (size_t)n < room))
            return step;
    }
}

static enum step connected(struct blast *b, struct session *s) {
    int why = 0;
    socklen_t n = sizeof why;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &n);
    if (why) {
        errno = why;
        return STEP_LOST;
    }
    watch(b, s, EPOLLIN);
    if (b->job.tls)
        return begin_tls(b, s);
    s->state = SESSION_GREETING;
    return STEP_ON;
}

static enum step on_event(struct blast *b, struct session *s, uint32_t events) {
    if (s->state == SESSION_CONNECTING && connected(b, s) != STEP_ON)
        return STEP_LOST;
    if (s->state == SESSION_HANDSHAKE) {
        enum step step = handshake(b, s);
        return s->state == SESSION_HANDSHAKE || step != STEP_ON ? step : receive(b, s);
    }
    if ((events & EPOLLOUT) && s->out.n > 0 && flush(b, s) != STEP_ON)
        return STEP_LOST;
    return events & ~(uint32_t)EPOLLOUT ? receive(b, s) : STEP_ON;
}

static void count_lost(struct blast *b, struct session *s) {
    if (s->opening) {
        b->connect_failed++;
        return;
    }
    b->failed++;
    if (s->state >= SESSION_MAIL && s->state <= SESSION_CONTENT)
        b->begun--; // somebody else sends it
    if (b->last_error[0] == '\0')
        note(b, s, slice_str("connection lost"));
}

void session_event(struct blast *b, struct session *s, uint32_t events) {
    if (s->state == SESSION_CLOSED)
        return;
    enum step step = on_event(b, s, events);
    if (step == STEP_ON)
        return;
    if (step == STEP_LOST)
        count_lost(b, s);
    session_close(b, s);
}
