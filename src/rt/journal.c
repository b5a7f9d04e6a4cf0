// journal: collecting lines and handing them to a sink without ever waiting for it.
#include "rt/journal.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void journal_init(struct journal *j, const struct journal_setup *setup, struct journal_sink sink) {
    *j = (struct journal){
        .least = setup->least,
        .now = setup->now,
        .now_arg = setup->now_arg,
        .sink = sink,
        .lines = mem_new(1, JOURNAL_BUFFER),
        .fd = -1,
    };
    journal_head_init(&j->head, setup->role, setup->pid, setup->format);
}

void journal_done(struct journal *j) {
    journal_flush(j);
    if (j->own_fd)
        close(j->fd);
    free(j->lines);
    *j = (struct journal){.fd = -1, .least = JOURNAL_ERROR + 1};
}

static uint64_t count_lines(struct slice s) {
    uint64_t n = 0;
    for (size_t at; (at = slice_find(s, '\n')) < s.n; s = slice_from(s, at + 1))
        n++;
    return n;
}

static void drop(struct journal *j, uint64_t events) {
    j->dropped += events;
    j->dropped_new += events;
}

void journal_flush(struct journal *j) {
    size_t from = 0;
    while (from < j->n) {
        struct slice rest = slice_of(j->lines + from, j->n - from);
        size_t taken = 0;
        if (!j->sink.write(j->sink.arg, rest, &taken)) {
            drop(j, count_lines(rest));
            j->n = from = 0;
            return;
        }
        if (taken == 0)
            break;
        from += taken;
    }
    if (from == 0)
        return;
    memmove(j->lines, j->lines + from, j->n - from);
    j->n -= from;
}

// Room for a longest line, and for the one about dropped lines.
static bool has_room(const struct journal *j) { return JOURNAL_BUFFER - j->n >= 2 * JOURNAL_LINE; }

static void add(struct journal *j, enum journal_level level, struct slice event, const struct journal_field *fields,
                size_t n) {
    j->n += journal_line(j->lines + j->n, &j->head, j->now(j->now_arg), level, event, fields, n);
    j->written++;
}

void journal_write(struct journal *j, enum journal_level level, struct slice event, const struct journal_field *fields,
                   size_t n) {
    if (!j || level < j->least || !j->lines)
        return;
    if (!has_room(j))
        journal_flush(j);
    if (!has_room(j)) {
        drop(j, 1);
        return;
    }
    if (j->dropped_new > 0) {
        struct journal_field lost = JOURNAL_UINT("lines", j->dropped_new);
        j->dropped_new = 0;
        add(j, JOURNAL_WARNING, SLICE("journal-dropped"), &lost, 1);
    }
    add(j, level, event, fields, n);
}

// Whole lines of at most `most` bytes, so that processes that share a pipe never cut each other's lines in two. Lines
// that were begun by a short write go on as they are.
static struct slice whole_lines(struct slice lines, size_t most) {
    if (lines.n <= most)
        return lines;
    size_t at = slice_rfind(slice_upto(lines, most), '\n');
    return slice_upto(lines, at < most ? at + 1 : most);
}

static bool fd_is_ready(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static bool fd_write(void *arg, struct slice lines, size_t *taken) {
    struct journal *j = arg;
    if (j->poll && !fd_is_ready(j->fd))
        return true;
    struct slice s = whole_lines(lines, j->piece);
    ssize_t got;
    do
        got = j->send_flags >= 0 ? send(j->fd, s.p, s.n, j->send_flags) : write(j->fd, s.p, s.n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN || errno == ENOBUFS;
    *taken = (size_t)got;
    return true;
}

// Our own open file description of the same pipe or terminal, for O_NONBLOCK belongs to the description, which we share
// with whoever started us.
static bool open_again(struct journal *j, int fd) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_APPEND);
    if (own < 0)
        return false;
    j->fd = own;
    j->own_fd = true;
    return true;
}

void journal_init_fd(struct journal *j, const struct journal_setup *setup, int fd) {
    journal_init(j, setup, (struct journal_sink){fd_write, j});
    j->fd = fd;
    j->send_flags = -1;
    j->piece = JOURNAL_LINE;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return;
    if (S_ISREG(st.st_mode))
        j->piece = JOURNAL_BUFFER;
    else if (S_ISSOCK(st.st_mode))
        j->send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    else
        j->poll = !open_again(j, fd);
}

static bool memory_write(void *arg, struct slice lines, size_t *taken) {
    *taken = lines.n;
    return buf_add(arg, lines);
}

void journal_init_memory(struct journal *j, const struct journal_setup *setup, struct buf *to) {
    journal_init(j, setup, (struct journal_sink){memory_write, to});
}
