// attempts: the list. ROLES says for whom a thing must work; for all others it must be denied.
#include "attempts.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int answer(long got) { return got < 0 ? errno : 0; }

static const char *below(const char *directory, const char *name) {
    static char path[4][160];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", directory, name);
    return p;
}

static int try_open(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int read_some(const char *path) {
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int bad = fd < 0 ? errno : answer(read(fd, &byte, 1));
    if (fd >= 0)
        close(fd);
    return bad;
}

// Files.
static int open_passwd(const struct ground *g) { return read_some("/etc/passwd"); }
static int open_own_memory(const struct ground *g) { return try_open("/proc/self/mem", O_RDWR); }
static int list_root(const struct ground *g) { return try_open("/", O_RDONLY | O_DIRECTORY); }
static int read_own(const struct ground *g) { return read_some(below(g->own, "file")); }
static int read_other(const struct ground *g) { return read_some(below(g->other, "file")); }
static int write_other(const struct ground *g) { return try_open(below(g->other, "file"), O_WRONLY); }
static int create_other(const struct ground *g) { return try_open(below(g->other, "made"), O_WRONLY | O_CREAT); }
static int follow_link_out(const struct ground *g) { return read_some(below(g->own, "link-to-other")); }
static int climb_out(const struct ground *g) { return read_some(below(g->own, "../other/file")); }
static int make_dir(const struct ground *g) {
    int bad = answer(mkdir(below(g->own, "dir"), 0700));
    return bad ? bad : answer(rmdir(below(g->own, "dir")));
}
static int make_fifo(const struct ground *g) { return answer(mknod(below(g->own, "fifo"), S_IFIFO | 0600, 0)); }
static int make_symlink(const struct ground *g) { return answer(symlink("/etc/passwd", below(g->own, "symlink"))); }
static int change_mode(const struct ground *g) { return answer(chmod(below(g->own, "mine"), 0700)); }
static int link_other_in(const struct ground *g) {
    return answer(link(below(g->other, "mine"), below(g->own, "linked")));
}
static int rename_out(const struct ground *g) { return answer(rename(below(g->own, "mine"), below(g->other, "out"))); }
static int memory_file(const struct ground *g) { return answer(memfd_create("x", MFD_CLOEXEC)); }

static int list_own(const struct ground *g) {
    DIR *d = opendir(g->own);
    if (!d)
        return errno;
    bool some = readdir(d) != NULL;
    closedir(d);
    return some ? 0 : ENOENT;
}

// As the queue and Maildir do it: write, sync, rename to another directory, sync that, read, remove.
static int work_in_own(const struct ground *g) {
    const char *from = below(g->own, "tmp-file"), *to = below(g->own, "sub/new-file");
    int fd = open(from, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int bad = answer(write(fd, "mail", 4));
    bad = bad ? bad : answer(fallocate(fd, 0, 0, 4096));
    bad = bad ? bad : answer(fdatasync(fd));
    close(fd);
    bad = bad ? bad : answer(rename(from, to));
    int dir = open(below(g->own, "sub"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bad = bad ? bad : answer(dir < 0 ? -1 : fsync(dir));
    close(dir);
    bad = bad ? bad : read_some(to);
    return bad ? bad : answer(unlink(to));
}

// Programs, processes and identity.
static int execute(const struct ground *g) {
    char *const arguments[] = {"true", NULL};
    execv("/bin/true", arguments);
    return errno;
}

static int fork_child(const struct ground *g) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : answer(waitpid(pid, NULL, 0));
}

static int raw_clone3(const struct ground *g) {
    char arguments[88] = {0};
    long pid = syscall(435, arguments, sizeof arguments);
    if (pid == 0)
        _exit(0);
    return answer(pid);
}

static int signal_process(const struct ground *g) { return answer(kill(getpid(), 0)); }
static int trace_me(const struct ground *g) { return answer(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }
static int become_root(const struct ground *g) { return answer(setresuid(0, 0, 0)); }
static int raise_limit(const struct ground *g) {
    struct rlimit l;
    getrlimit(RLIMIT_NOFILE, &l);
    return answer(setrlimit(RLIMIT_NOFILE, &l));
}
static int become_dumpable(const struct ground *g) { return answer(prctl(PR_SET_DUMPABLE, 1)); }

// With arguments that no kernel takes: what counts is whether the call is reached.
static int reached(long got) { return got < 0 && errno == ENOSYS ? ENOSYS : 0; }
static int enter_namespace(const struct ground *g) { return reached(unshare(-1)); }
static int mount_something(const struct ground *g) { return reached(mount(NULL, NULL, NULL, 0, NULL)); }
static int load_bpf(const struct ground *g) { return reached(syscall(SYS_bpf, 9999, NULL, 0)); }
static int use_io_uring(const struct ground *g) { return reached(syscall(SYS_io_uring_setup, 0, NULL)); }
static int use_keys(const struct ground *g) { return reached(syscall(SYS_keyctl, 9999)); }
static int read_own_by_vm(const struct ground *g) {
    return reached(syscall(SYS_process_vm_readv, getpid(), NULL, 0UL, NULL, 0UL, 0UL));
}
static int unheard_of(const struct ground *g) { return answer(syscall(511)); }

// Memory that becomes code.
static int map_code(const struct ground *g) {
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int turn_into_code(const struct ground *g) {
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? EIO : answer(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

// The network.
static int new_socket(int family, int type, int protocol) {
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int socket_tcp(const struct ground *g) { return new_socket(AF_INET, SOCK_STREAM, 0); }
static int socket_tcp6(const struct ground *g) { return new_socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP); }
static int socket_udp(const struct ground *g) { return new_socket(AF_INET, SOCK_DGRAM, 0); }
static int socket_unix(const struct ground *g) { return new_socket(AF_UNIX, SOCK_STREAM, 0); }
static int socket_netlink(const struct ground *g) { return new_socket(AF_NETLINK, SOCK_RAW, 0); }
static int socket_raw(const struct ground *g) { return new_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }

static int socket_pair(const struct ground *g) {
    int pair[2];
    return answer(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

static struct sockaddr_in loopback(unsigned short port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to(int fd, unsigned short port) {
    struct sockaddr_in to = loopback(port);
    return answer(connect(fd, (struct sockaddr *)&to, sizeof to));
}

static int connect_given(const struct ground *g) { return connect_to(g->tcp, g->port); }

static int connect_new(const struct ground *g) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : connect_to(fd, g->port);
}

static int send_udp(const struct ground *g) {
    struct sockaddr_in to = loopback(9);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : answer(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
}

static int bind_udp(const struct ground *g) {
    struct sockaddr_in at = loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : answer(bind(fd, (struct sockaddr *)&at, sizeof at));
}

static int bind_tcp(const struct ground *g) {
    struct sockaddr_in at = loopback(0);
    return answer(bind(g->tcp, (struct sockaddr *)&at, sizeof at));
}

static int listen_tcp(const struct ground *g) { return answer(listen(g->tcp, 1)); }
static int accept_tcp(const struct ground *g) { return answer(accept4(g->listener, NULL, NULL, SOCK_CLOEXEC)); }

static struct sockaddr_un abstract_address(socklen_t *n, pid_t pid) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int text = snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "posthouse-jail-%d", (int)pid);
    *n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)text);
    return at;
}

// To a socket that another process listens on: the parent made it.
static int connect_abstract(const struct ground *g) {
    socklen_t n;
    struct sockaddr_un at = abstract_address(&n, getppid());
    return answer(connect(g->unix_stream, (struct sockaddr *)&at, n));
}

static struct sockaddr_un path_address(const struct ground *g) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", g->root);
    return at;
}

// As Dovecot's: outside of what it may read.
static int connect_path(const struct ground *g) {
    struct sockaddr_un to = path_address(g);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : answer(connect(fd, (struct sockaddr *)&to, sizeof to));
}

// What every role lives on.
static int talk(const struct ground *g) {
    char byte = 'x', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(c), &g->link[0], sizeof(int));
    if (sendmsg(g->link[0], &m, MSG_NOSIGNAL) != 1 || recvmsg(g->link[1], &m, MSG_CMSG_CLOEXEC) != 1)
        return errno;
    return write(g->client, "EHLO\r\n", 6) == 6 ? 0 : errno;
}

static int compute(const struct ground *g) {
    struct timespec t;
    struct pollfd p = {.fd = g->link[0], .events = POLLOUT};
    char bytes[16];
    char *large = malloc(10 << 20);
    if (!large || getrandom(bytes, sizeof bytes, 0) < 0 || clock_gettime(CLOCK_REALTIME, &t) < 0 || poll(&p, 1, 0) < 0)
        return errno;
    memset(large, 1, 10 << 20);
    large = realloc(large, 40 << 20);
    struct stat st;
    int bad = fstat(0, &st) < 0 && errno == EPERM ? EPERM : isatty(0) == 0 && errno == EPERM ? EPERM : 0;
    free(large);
    int flags = fcntl(g->link[0], F_GETFL);
    bad = bad ? bad : answer(fcntl(g->link[0], F_SETFL, flags | O_NONBLOCK));
    return bad ? bad : answer(prctl(PR_SET_NAME, "ph-test"));
}

static int abort_it(const struct ground *g) { abort(); }

#define STORE (ROLE_BIT(QUEUE) | ROLE_BIT(DELIVER) | ROLE_BIT(POLICY) | ROLE_BIT(HISTORY) | ROLE_BIT(REPORT))
#define FILES                                                                                                          \
    (STORE | ROLE_BIT(RESOLVER) | ROLE_BIT(LOOKUP) | ROLE_BIT(AUTH) | ROLE_BIT(FETCH) | ROLE_BIT(KEYS))
#define ASK (ROLE_BIT(RESOLVER) | ROLE_BIT(FETCH))
#define OUT (ROLE_BIT(RELAY) | ROLE_BIT(CONNECT) | ASK)
#define LOCAL (ROLE_BIT(AUTH) | ROLE_BIT(CONNECT))
#define IN (ROLE_BIT(SMTPD) | ROLE_BIT(SUBMISSION) | ROLE_BIT(CONTROL))
#define NOBODY 0
#define ALL ROLE_ANY

// clang-format off
const struct attempt attempts[] = {
    // name                              what             works for  others         needs          unconfined
    {"open /etc/passwd",                 open_passwd,     NOBODY, 0,              NEED_LANDLOCK, 0},
    {"open its own memory",              open_own_memory, NOBODY, 0,              NEED_LANDLOCK | NEED_STRICT, 0},
    {"open the root directory",          list_root,       NOBODY, 0,              NEED_LANDLOCK, 0},
    {"read in its directory",            read_own,        FILES,  0,              0, 0},
    {"list its directory",               list_own,        FILES,  0,              0, 0},
    {"write, sync, rename, remove in it", work_in_own,    STORE,  0,              0, 0},
    {"make and remove a directory in it", make_dir,       STORE,  0,              0, 0},
    {"read another directory",           read_other,      NOBODY, 0,              NEED_LANDLOCK, 0},
    {"read it by a symbolic link",       follow_link_out, NOBODY, 0,              NEED_LANDLOCK, 0},
    {"read it by ..",                    climb_out,       NOBODY, 0,              NEED_LANDLOCK, 0},
    {"write in another directory",       write_other,     NOBODY, 0,              NEED_LANDLOCK, 0},
    {"create in another directory",      create_other,    NOBODY, 0,              NEED_LANDLOCK, 0},
    {"rename into another directory",    rename_out,      NOBODY, 0,              NEED_LANDLOCK, 0},
    {"link another's file into its own", link_other_in,   NOBODY, 0,              NEED_LANDLOCK, 0},
    {"make a fifo",                      make_fifo,       NOBODY, 0,              0, 0},
    {"make a symbolic link",             make_symlink,    NOBODY, 0,              0, 0},
    {"change a file's mode",             change_mode,     NOBODY, 0,              0, 0},
    {"make a file in memory",            memory_file,     NOBODY, 0,              0, 0},
    {"execute a program",                execute,         NOBODY, 0,              0, 0},
    {"fork",                             fork_child,      NOBODY, 0,              NEED_STRICT, 0},
    {"clone3",                           raw_clone3,      NOBODY, ENOSYS,         0, 0},
    {"signal a process",                 signal_process,  NOBODY, 0,              0, 0},
    {"become root",                      become_root,     NOBODY, 0,              NEED_ROOT, 0},
    {"set a limit",                      raise_limit,     NOBODY, 0,              0, 0},
    {"become dumpable",                  become_dumpable, NOBODY, 0,              NEED_STRICT, 0},
    {"be traced",                        trace_me,        NOBODY, OUTCOME_KILLED, NEED_STRICT, 0},
    {"enter a namespace",                enter_namespace, NOBODY, OUTCOME_KILLED, 0, 0},
    {"mount",                            mount_something, NOBODY, OUTCOME_KILLED, 0, 0},
    {"call bpf",                         load_bpf,        NOBODY, OUTCOME_KILLED, 0, 0},
    {"use io_uring",                     use_io_uring,    NOBODY, OUTCOME_KILLED, 0, 0},
    {"use the kernel's keys",            use_keys,        NOBODY, OUTCOME_KILLED, 0, 0},
    {"read memory by process id",        read_own_by_vm,  NOBODY, OUTCOME_KILLED, 0, 0},
    {"make a call of the future",        unheard_of,      NOBODY, ENOSYS,         0, ENOSYS},
    {"map memory as code",               map_code,        NOBODY, 0,              0, 0},
    {"turn memory into code",            turn_into_code,  NOBODY, 0,              NEED_STRICT, 0},
    {"make a TCP socket",                socket_tcp,      OUT,    0,              0, 0},
    {"make a TCP socket for IPv6",       socket_tcp6,     OUT,    0,              0, 0},
    {"make a UDP socket",                socket_udp,      ASK,    0,              0, 0},
    {"make a unix socket",               socket_unix,     LOCAL,  0,              0, 0},
    {"connect to a unix socket by its path", connect_path, LOCAL, 0,              0, 0},
    {"make a pair of sockets",           socket_pair,     ASK,    0,              0, 0},
    {"make a netlink socket",            socket_netlink,  NOBODY, 0,              0, 0},
    {"make a raw socket",                socket_raw,      NOBODY, 0,              NEED_ROOT, 0},
    {"connect out",                      connect_new,     OUT,    0,              0, 0},
    {"connect a socket it has",          connect_given,   OUT,    0,              NEED_ABI_4, 0},
    {"connect to an abstract socket",    connect_abstract, NOBODY, 0,             NEED_ABI_6, 0},
    {"send by UDP",                      send_udp,        ASK,    0,              0, 0},
    {"bind a UDP port",                  bind_udp,        ASK,    0,              0, 0},
    {"bind a TCP port",                  bind_tcp,        NOBODY, 0,              NEED_ABI_4, 0},
    {"listen",                           listen_tcp,      NOBODY, 0,              0, 0},
    {"accept a connection",              accept_tcp,      IN,     0,              0, 0},
    {"talk over its links",              talk,            ALL,    0,              0, 0},
    {"compute",                          compute,         ALL,    0,              0, 0},
    {"abort",                            abort_it,        NOBODY, OUTCOME_SIGNAL, 0, OUTCOME_SIGNAL},
};
// clang-format on
const size_t attempts_n = sizeof attempts / sizeof attempts[0];

static bool make_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && fchmod(fd, 0666) == 0 && write(fd, "text", 4) == 4;
    close(fd);
    return ok;
}

static bool make_shared_dir(const char *path) { return mkdir(path, 0777) == 0 && chmod(path, 0777) == 0; }

bool ground_make(struct ground *g) {
    snprintf(g->root, sizeof g->root, "/tmp/posthouse-jail-XXXXXX");
    if (!mkdtemp(g->root) || chmod(g->root, 0777) != 0)
        return false;
    snprintf(g->own, sizeof g->own, "%s/own", g->root);
    snprintf(g->other, sizeof g->other, "%s/other", g->root);
    socklen_t n;
    struct sockaddr_un at = abstract_address(&n, getpid());
    struct sockaddr_un named = path_address(g);
    g->abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g->named = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(g->named, (struct sockaddr *)&named, sizeof named) == 0 && chmod(named.sun_path, 0777) == 0 &&
           listen(g->named, 4096) == 0 && bind(g->abstract, (struct sockaddr *)&at, n) == 0 && listen(g->abstract, 1024) == 0 &&
           make_shared_dir(g->own) && make_shared_dir(g->other) && make_shared_dir(below(g->own, "sub")) &&
           make_file(below(g->own, "file")) && make_file(below(g->other, "file")) &&
           symlink("../other/file", below(g->own, "link-to-other")) == 0;
}

// Files that a child makes itself, so that they belong to whoever it is by then.
static bool renew_files(const struct ground *g) {
    static const char *const left[] = {"fifo", "symlink", "linked", "mine", "tmp-file", "sub/new-file"};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        unlink(below(g->own, left[i]));
    unlink(below(g->other, "out"));
    unlink(below(g->other, "made"));
    unlink(below(g->other, "mine"));
    rmdir(below(g->own, "dir"));
    return make_file(below(g->own, "mine")) && make_file(below(g->other, "mine"));
}

static bool open_listener(struct ground *g) {
    struct sockaddr_in at = loopback(0);
    socklen_t n = sizeof at;
    g->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(g->listener, (struct sockaddr *)&at, n) != 0 || listen(g->listener, 8) != 0 ||
        getsockname(g->listener, (struct sockaddr *)&at, &n) != 0)
        return false;
    g->port = ntohs(at.sin_port);
    return connect_to(g->client, g->port) == 0;
}

bool ground_open(struct ground *g, const char **why) {
    g->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g->unix_stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *why = "files";
    if (!renew_files(g))
        return false;
    *why = "sockets";
    return open_listener(g) && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, g->link) == 0;
}

void ground_remove(const struct ground *g) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", g->root);
    if (system(command) != 0)
        fprintf(stderr, "could not remove %s\n", g->root);
}
