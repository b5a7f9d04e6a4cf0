// sink: an SMTP server that takes everything and keeps nothing, fast enough never to be what a relay bench measures.
// Loopback only. Counts are in a small shared file, so that a runner can look without asking.
#include "receiver.h"
#include "tcp.h"

#include "base/mem.h"
#include "base/num.h"

#include <error.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum { INPUT = 256 * 1024, EVENTS = 256, THREADS_MAX = 16 };

// The count file, in the machine's byte order.
struct counts {
    _Atomic uint64_t messages;
    _Atomic uint64_t recipients;
    _Atomic uint64_t bytes; // as they came over the wire, commands included
    _Atomic uint64_t connections;
    _Atomic int64_t last_ns; // monotonic time of the last message's end
};

struct sink {
    uint16_t port;
    struct counts *counts;
};

struct session {
    int fd;
    uint32_t events;
    struct receiver receiver;
};

static void usage(int code) {
    fputs("usage: sink --port PORT [--threads N] [--count-file FILE]\n"
          "Prints its counts as JSON on SIGUSR1 and when it ends.\n",
          code ? stderr : stdout);
    exit(code);
}

static void session_close(struct session *s) {
    close(s->fd);
    free(s);
}

static void watch(int epoll, struct session *s, uint32_t events) {
    if (s->events == events)
        return;
    int how = s->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    s->events = events;
    if (epoll_ctl(epoll, how, s->fd, &(struct epoll_event){.events = events, .data.ptr = s}) != 0)
        tcp_die("epoll_ctl");
}

// False where the connection is lost.
static bool session_flush(int epoll, struct session *s) {
    struct receiver *r = &s->receiver;
    ssize_t n = r->out_n ? tcp_send(s->fd, slice_of(r->out, r->out_n)) : 0;
    if (n < 0)
        return false;
    memmove(r->out, r->out + n, r->out_n - (size_t)n);
    r->out_n -= (size_t)n;
    watch(epoll, s, r->out_n ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return true;
}

static void count_message(struct counts *c, unsigned recipients) {
    atomic_fetch_add_explicit(&c->recipients, recipients, memory_order_relaxed);
    atomic_store_explicit(&c->last_ns, tcp_now_ns(), memory_order_relaxed);
    atomic_fetch_add_explicit(&c->messages, 1, memory_order_release);
}

// False where the client said goodbye.
static bool session_feed(struct counts *counts, struct session *s, struct slice in) {
    while (in.n > 0) {
        size_t taken = 0;
        enum receiver_event event = receiver_feed(&s->receiver, in, &taken);
        in = slice_from(in, taken);
        if (event == RECEIVER_MESSAGE) {
            count_message(counts, s->receiver.finished_recipients);
            receiver_accepted(&s->receiver);
        } else if (event == RECEIVER_QUIT)
            return false;
    }
    return true;
}

static bool session_read(int epoll, struct counts *counts, struct session *s, char *input) {
    ssize_t n = tcp_receive(s->fd, input, INPUT);
    if (n <= 0)
        return n == 0;
    atomic_fetch_add_explicit(&counts->bytes, (uint64_t)n, memory_order_relaxed);
    bool more = session_feed(counts, s, slice_of(input, (size_t)n));
    return session_flush(epoll, s) && more;
}

static void accept_all(int epoll, int listener, struct counts *counts) {
    for (int fd; (fd = tcp_accept(listener)) >= 0;) {
        struct session *s = MEM_NEW(struct session);
        s->fd = fd;
        receiver_greet(&s->receiver);
        atomic_fetch_add_explicit(&counts->connections, 1, memory_order_relaxed);
        if (!session_flush(epoll, s))
            session_close(s);
    }
}

static void serve(int epoll, const struct epoll_event *e, struct counts *counts, char *input) {
    struct session *s = e->data.ptr;
    bool alive = !(e->events & EPOLLOUT) || session_flush(epoll, s);
    if (alive && (e->events & ~(uint32_t)EPOLLOUT))
        alive = session_read(epoll, counts, s, input);
    if (!alive)
        session_close(s);
}

static void *sink_thread(void *arg) {
    struct sink *sink = arg;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = tcp_listen(sink->port);
    struct epoll_event accepting = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepting) != 0)
        tcp_die("epoll");
    char *input = mem_new(1, INPUT);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                serve(epoll, &events[i], sink->counts, input);
            else
                accept_all(epoll, listener, sink->counts);
        }
    }
    return NULL;
}

static struct counts *open_counts(const char *path) {
    int fd = path ? open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (path && (fd < 0 || ftruncate(fd, sizeof(struct counts)) != 0))
        tcp_die(path);
    int flags = path ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
    void *p = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED)
        tcp_die("mmap");
    return p;
}

static void print_counts(struct counts *c) {
    printf("{\"messages\": %llu, \"recipients\": %llu, \"bytes\": %llu, \"connections\": %llu}\n",
           (unsigned long long)c->messages, (unsigned long long)c->recipients, (unsigned long long)c->bytes,
           (unsigned long long)c->connections);
    fflush(stdout);
}

static uint64_t number(const char *text, uint64_t max) {
    uint64_t n;
    if (!num_u64(slice_str(text), max, &n))
        error(64, 0, "a number up to %llu was expected, found \"%s\"", (unsigned long long)max, text);
    return n;
}

static void wait_for_signals(const sigset_t *signals, struct counts *counts) {
    for (int which = 0; which != SIGTERM && which != SIGINT;)
        if (sigwait(signals, &which) == 0)
            print_counts(counts);
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"count-file", required_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct sink sink = {0};
    const char *file = NULL;
    uint64_t threads = 1;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'p')
            sink.port = (uint16_t)number(optarg, UINT16_MAX);
        else if (c == 't')
            threads = number(optarg, THREADS_MAX);
        else if (c == 'f')
            file = optarg;
        else
            usage(c == 'h' ? 0 : 64);
    }
    if (!sink.port || !threads || optind != argc)
        usage(64);
    tcp_raise_files();
    sink.counts = open_counts(file);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (pthread_t thread; threads > 0; threads--)
        if (pthread_create(&thread, NULL, sink_thread, &sink) != 0)
            tcp_die("pthread_create");
    wait_for_signals(&signals, sink.counts);
    return 0;
}
