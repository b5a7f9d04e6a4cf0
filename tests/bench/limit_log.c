// limit_log: the limit's log: a prewritten file, used again from its start when it is full, and a thread that writes
// all that waits and syncs once.
#include "limit.h"
#include "tcp.h"

#include "base/mem.h"

#include <error.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LOG_BLOCK = 1 << 20, LOG_BLOCKS = 256, LOG_VECTORS = 512 };
static const off_t LOG_BYTES = (off_t)LOG_BLOCK * LOG_BLOCKS;

struct writer {
    struct log *log;
    bool sync;
};

static void write_all(struct log *log, struct iovec *v, int n) {
    while (n > 0) {
        ssize_t wrote = pwritev(log->fd, v, n, log->at);
        if (wrote < 0)
            tcp_die("pwritev");
        log->at += wrote;
        for (; n > 0 && (size_t)wrote >= v->iov_len; v++, n--)
            wrote -= (ssize_t)v->iov_len;
        if (n > 0) {
            v->iov_base = (char *)v->iov_base + wrote;
            v->iov_len -= (size_t)wrote;
        }
    }
}

static void write_messages(struct log *log, const struct message *m) {
    while (m) {
        struct iovec v[LOG_VECTORS];
        int n = 0;
        size_t bytes = 0;
        for (; m && n < LOG_VECTORS; m = m->next) {
            v[n++] = (struct iovec){m->text.p, m->text.n};
            bytes += m->text.n;
        }
        if (log->at + (off_t)bytes > LOG_BYTES)
            log->at = 0;
        write_all(log, v, n);
    }
}

static struct message *take_waiting(struct log *log) {
    pthread_mutex_lock(&log->lock);
    while (!log->to_write.first)
        pthread_cond_wait(&log->waiting, &log->lock);
    struct message *first = log->to_write.first;
    log->to_write = (struct messages){0};
    pthread_mutex_unlock(&log->lock);
    return first;
}

static void give_back(struct log *log, struct message *first) {
    pthread_mutex_lock(&log->lock);
    bool wake = !log->durable.first;
    for (struct message *next; first; first = next) {
        next = first->next;
        messages_append(&log->durable, first);
    }
    pthread_mutex_unlock(&log->lock);
    if (wake && eventfd_write(log->wake_fd, 1) != 0)
        tcp_die("eventfd");
}

static void *write_and_sync(void *arg) {
    struct writer *w = arg;
    for (;;) {
        struct message *first = take_waiting(w->log);
        write_messages(w->log, first);
        if (w->sync && fdatasync(w->log->fd) != 0)
            tcp_die("fdatasync");
        give_back(w->log, first);
    }
    return NULL;
}

static void prewrite(int fd) {
    char *zeros = mem_new(1, LOG_BLOCK);
    for (off_t at = lseek(fd, 0, SEEK_END); at < LOG_BYTES; at += LOG_BLOCK)
        if (pwrite(fd, zeros, LOG_BLOCK, at) != LOG_BLOCK)
            tcp_die("the log cannot be written");
    free(zeros);
    if (fsync(fd) != 0)
        tcp_die("fsync");
}

void log_open(struct log *log, const char *path, bool sync) {
    log->fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    log->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (log->fd < 0 || log->wake_fd < 0)
        tcp_die(path);
    prewrite(log->fd);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->waiting, NULL);
    static struct writer writer; // lives as long as its thread
    writer = (struct writer){log, sync};
    pthread_t thread;
    if ((errno = pthread_create(&thread, NULL, write_and_sync, &writer)) != 0)
        tcp_die("pthread_create");
}

void log_add(struct log *log, struct message *m) {
    pthread_mutex_lock(&log->lock);
    bool wake = !log->to_write.first;
    messages_append(&log->to_write, m);
    if (wake)
        pthread_cond_signal(&log->waiting);
    pthread_mutex_unlock(&log->lock);
}

struct messages log_take_durable(struct log *log) {
    eventfd_t count;
    eventfd_read(log->wake_fd, &count);
    pthread_mutex_lock(&log->lock);
    struct messages durable = log->durable;
    log->durable = (struct messages){0};
    pthread_mutex_unlock(&log->lock);
    return durable;
}
