// ask: the client side of the control socket, blocking.
#include "cmd/ask.h"

#include "svc/master/site.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_SECONDS = 75, // more than a reload may take
    GONE_LOOKS = 1500,   // of 20 ms
};

static bool socket_path(const struct args *a, struct sockaddr_un *to, int *exit_code) {
    struct site *site = NULL;
    struct buf mistakes = {.max = SITE_MISTAKES_MAX};
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    *exit_code = EX_CONFIG;
    if (!a->control && !site_read(a->config, &site, &mistakes)) {
        fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&mistakes)));
        buf_done(&mistakes);
        return false;
    }
    struct slice path = a->control ? slice_str(a->control) : site->config->control;
    bool fits = path.n < sizeof to->sun_path;
    if (fits)
        memcpy(to->sun_path, path.p, path.n);
    else
        fprintf(stderr, "%s: the control socket's path is too long: %.*s\n", a->program, SLICE_ARG(path));
    site_free(site);
    return fits;
}

static int no_server(const struct args *a, const struct sockaddr_un *at, int sys) {
    if (sys == EACCES || sys == EPERM)
        fprintf(stderr, "%s: not allowed to use %s: run this as the user that started the server, or as root\n",
                a->program, at->sun_path);
    else
        fprintf(stderr, "%s: no server answers on %s (%s): is it running? start it with: posthouse run -c %s\n",
                a->program, at->sun_path, strerror(sys), a->config);
    return sys == EACCES || sys == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
}

static int connect_to(const struct sockaddr_un *at) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)at, sizeof *at) == 0)
        return fd;
    int sys = errno;
    close(fd);
    errno = sys;
    return -1;
}

bool ask_running(const struct args *a) {
    struct sockaddr_un at;
    int exit_code, fd = socket_path(a, &at, &exit_code) ? connect_to(&at) : -1;
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static FILE *open_server(const struct args *a, int *exit_code) {
    struct sockaddr_un at;
    if (!socket_path(a, &at, exit_code))
        return NULL;
    int fd = connect_to(&at);
    if (fd < 0) {
        *exit_code = no_server(a, &at, errno);
        return NULL;
    }
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fdopen(fd, "r+");
}

// The last line says how it went.
static int judge(const struct args *a, const char *line) {
    json_t *answer = json_loads(line, 0, NULL);
    bool ok = json_is_true(json_object_get(answer, "ok"));
    const char *error = json_string_value(json_object_get(answer, "error"));
    json_int_t code = json_integer_value(json_object_get(answer, "exit"));
    if (!ok)
        fprintf(stderr, "%s: %s\n", a->program, error ? error : "the server broke off its answer");
    json_decref(answer);
    return ok ? EX_OK : code > 0 && code < 256 ? (int)code : EX_TEMPFAIL;
}

static bool is_last(const char *line) { return !strncmp(line, "{\"ok\":", 6); }

// A server that hangs up at once may have said why: no SIGPIPE, and no error of ours before that is read.
static void send_request(int fd, const char *request) {
    struct iovec parts[] = {{(void *)(uintptr_t)request, strlen(request)}, {(char[]){'\n'}, 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    (void)sendmsg(fd, &message, MSG_NOSIGNAL);
}

int ask_server(const struct args *a, const char *request, void (*each)(void *arg, char *line, size_t n), void *arg,
               char **last) {
    int code = EX_UNAVAILABLE;
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    FILE *server = open_server(a, &code);
    if (!server)
        return code;
    send_request(fileno(server), request);
    while ((n = getline(&line, &size, server)) > 0 && !is_last(line))
        if (each)
            each(arg, line, (size_t)n);
    code = judge(a, n > 0 ? line : "");
    fclose(server);
    if (last && code == EX_OK)
        *last = line;
    else
        free(line);
    return code;
}

// Master takes the socket's name away as the last thing but one; the lock goes with its end.
bool ask_wait_gone(const struct args *a) {
    struct sockaddr_un at;
    int code;
    if (!socket_path(a, &at, &code))
        return false;
    for (int i = 0; i < GONE_LOOKS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
        if (access(at.sun_path, F_OK) != 0)
            return true;
    }
    return false;
}
