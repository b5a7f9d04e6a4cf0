// jail_calls: the lists. A call is allowed, deadly, unknown to us (ENOSYS, so that libc does what it did before there
// was such a call), or else refused with EPERM.
#include "rt/jail/jail_calls.h"
#include "rt/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <stdint.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 // malloc and libc name their mappings
#endif

#define N(list) (sizeof(list) / sizeof(list)[0])
#define C(name) SCMP_SYS(name)

// clang-format off
// Computing, memory, time, signals to ourselves; and I/O on descriptors that are open. All harmless by arguments.
static const int always[] = {
    C(brk), C(munmap), C(mremap), C(madvise), C(mlock), C(munlock), C(mincore), // mlock: OpenSSL's secure heap
    C(futex), C(set_robust_list), C(rseq), C(membarrier), C(sched_yield), C(sched_getaffinity), C(restart_syscall),
    C(getrandom), C(clock_gettime), C(clock_getres), C(clock_nanosleep), C(nanosleep), C(gettimeofday), C(time),
    C(getpid), C(gettid), C(getppid), C(getuid), C(geteuid), C(getgid), C(getegid), C(getrusage), C(times), C(uname),
    C(sysinfo), C(getrlimit), C(getcpu), C(rt_sigaction), C(rt_sigprocmask), C(rt_sigreturn), C(rt_sigpending),
    C(sigaltstack), C(exit), C(exit_group),
    C(read), C(write), C(readv), C(writev), C(pread64), C(pwrite64), C(preadv), C(pwritev), C(close), C(close_range),
    C(lseek), C(fstat), C(dup), C(pipe), C(pipe2), C(poll), C(ppoll), C(select), C(pselect6),
    C(epoll_create1), C(epoll_ctl), C(epoll_wait), C(epoll_pwait), C(epoll_pwait2), C(eventfd2), C(timerfd_create),
    C(timerfd_settime), C(timerfd_gettime), C(signalfd4),
    C(recvfrom), C(recvmsg), C(recvmmsg), C(sendto), C(sendmsg), C(sendmmsg), C(shutdown), C(getsockname),
    C(getpeername), C(getsockopt), C(setsockopt),
};

static const int accepting[] = {C(accept), C(accept4)};
static const int connecting[] = {C(connect)};
static const int binding[] = {C(bind)};

static const int reading[] = {
    C(stat), C(lstat), C(newfstatat), C(statx), C(access), C(faccessat), C(faccessat2), C(readlink), C(readlinkat),
    C(getdents64), C(getcwd), C(statfs), C(fstatfs), C(fadvise64), C(flock),
};

// openat2 takes its flags in memory, where no filter sees them.
static const int writing[] = {
    C(open), C(openat), C(openat2), C(creat), C(mkdir), C(mkdirat), C(rename), C(renameat), C(renameat2), C(link),
    C(linkat), C(unlink), C(unlinkat), C(rmdir), C(ftruncate), C(fallocate), C(fsync), C(fdatasync),
    C(sync_file_range), C(umask),
};

// Nothing of ours ever makes these.
static const int deadly[] = {
#ifndef SANITIZER_ADDRESS
    C(ptrace),
#endif
    C(process_vm_readv), C(process_vm_writev), C(kcmp), C(bpf), C(perf_event_open), C(userfaultfd), C(io_uring_setup),
    C(io_uring_enter), C(io_uring_register), C(mount), C(umount2), C(pivot_root), C(chroot), C(open_tree),
    C(move_mount), C(fsopen), C(fsconfig), C(fsmount), C(fspick), C(mount_setattr), C(unshare), C(setns),
    C(kexec_load), C(kexec_file_load), C(init_module), C(finit_module), C(delete_module), C(reboot), C(swapon),
    C(swapoff), C(add_key), C(request_key), C(keyctl), C(open_by_handle_at), C(iopl), C(ioperm), C(modify_ldt),
    C(settimeofday), C(clock_settime), C(clock_adjtime), C(adjtimex), C(sethostname), C(setdomainname), C(syslog),
    C(acct), C(quotactl), C(vhangup), C(nfsservctl), C(lookup_dcookie), C(mbind), C(move_pages), C(migrate_pages),
    C(vmsplice), C(seccomp),
};

#ifdef SANITIZER_ADDRESS
// Error reports read /proc/self; the search for leaks clones a thread of its own that stops the others.
static const int sanitizing[] = {
    C(open), C(openat), C(readlink), C(readlinkat), C(stat), C(lstat), C(newfstatat), C(getdents), C(getdents64),
    C(clone),
    C(wait4), C(ptrace), C(prctl), C(mprotect), C(tgkill), C(personality), C(getcwd), C(access),
};
#endif

// clang-format on

// libseccomp passes over a call that this architecture has not, and may say of a rule that it is there already.
static int add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n) {
    int bad = 0;
    for (size_t i = 0; i < n && bad == 0; i++) {
        bad = seccomp_rule_add(filter, action, calls[i], 0);
        bad = bad == -EEXIST ? 0 : bad;
    }
    return bad;
}

static int allow(scmp_filter_ctx filter, const int *calls, size_t n) { return add(filter, SCMP_ACT_ALLOW, calls, n); }

static struct scmp_arg_cmp equals(unsigned argument, scmp_datum_t value) {
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value};
}

static struct scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

static int allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition) {
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

static int allow_if_one_of(scmp_filter_ctx filter, int call, unsigned argument, const unsigned long *values, size_t n) {
    int bad = 0;
    for (size_t i = 0; i < n && bad == 0; i++)
        bad = allow_if(filter, call, equals(argument, values[i]));
    return bad;
}

// No memory becomes code; descriptors, terminals and limits are only looked at.
static int allow_by_arguments(scmp_filter_ctx filter) {
    static const unsigned long fcntls[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC};
    static const unsigned long ioctls[] = {FIONREAD, FIONBIO, TCGETS, TIOCGWINSZ};
    static const unsigned long prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_GET_DUMPABLE, PR_GET_PDEATHSIG};
    int bad = allow_if(filter, C(mmap), masked(2, PROT_EXEC, 0));
    bad = bad ? bad : allow_if(filter, C(mprotect), masked(2, PROT_EXEC, 0));
    bad = bad ? bad : allow_if(filter, C(prlimit64), equals(2, 0));                             // no new limits
    bad = bad ? bad : allow_if(filter, C(tgkill), equals(0, (scmp_datum_t)getpid()));           // abort()
    bad = bad ? bad : allow_if(filter, C(newfstatat), masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH)); // fstat()
    bad = bad ? bad : allow_if_one_of(filter, C(fcntl), 1, fcntls, N(fcntls));
    bad = bad ? bad : allow_if_one_of(filter, C(ioctl), 1, ioctls, N(ioctls));
    return bad ? bad : allow_if_one_of(filter, C(prctl), 0, prctls, N(prctls));
}

static int allow_socket(scmp_filter_ctx filter, scmp_datum_t family, scmp_datum_t kind, scmp_datum_t protocol) {
    const struct scmp_arg_cmp conditions[] = {equals(0, family), masked(1, 0xf, kind), equals(2, protocol)};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, C(socket), N(conditions), conditions);
}

static int allow_sockets(scmp_filter_ctx filter, scmp_datum_t kind, scmp_datum_t protocol) {
    int bad = allow_socket(filter, AF_INET, kind, 0);
    bad = bad ? bad : allow_socket(filter, AF_INET6, kind, 0);
    bad = bad ? bad : allow_socket(filter, AF_INET, kind, protocol);
    return bad ? bad : allow_socket(filter, AF_INET6, kind, protocol);
}

// Opening for reading only, whatever Landlock says.
static int allow_open_to_read(scmp_filter_ctx filter) {
    const scmp_datum_t any_write = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    int bad = allow_if(filter, C(openat), masked(2, any_write, O_RDONLY));
    return bad ? bad : allow_if(filter, C(open), masked(1, any_write, O_RDONLY));
}

static int allow_role(scmp_filter_ctx filter, unsigned calls) {
    int bad = 0;
    if (calls & JAIL_ACCEPT)
        bad = allow(filter, accepting, N(accepting));
    if (!bad && calls & JAIL_CONNECT_TCP)
        bad = allow_sockets(filter, SOCK_STREAM, IPPROTO_TCP);
    if (!bad && calls & JAIL_UDP)
        bad = allow_sockets(filter, SOCK_DGRAM, IPPROTO_UDP);
    if (!bad && calls & JAIL_UDP)
        bad = allow(filter, binding, N(binding));
    if (!bad && calls & JAIL_UDP) // libunbound talks to itself
        bad = allow_if(filter, C(socketpair), equals(0, AF_UNIX));
    if (!bad && calls & JAIL_CONNECT_UNIX)
        bad = allow_socket(filter, AF_UNIX, SOCK_STREAM, 0);
    if (!bad && calls & (JAIL_UDP | JAIL_CONNECT_TCP | JAIL_CONNECT_UNIX))
        bad = allow(filter, connecting, N(connecting));
    if (!bad && calls & JAIL_READ_FILES)
        bad = allow(filter, reading, N(reading));
    if (!bad && calls & JAIL_WRITE_FILES)
        bad = allow(filter, writing, N(writing));
    else if (!bad && calls & JAIL_READ_FILES)
        bad = allow_open_to_read(filter);
    return bad;
}

// Numbers from 424 up mean the same on every architecture; x32 begins at 512.
static int disown(scmp_filter_ctx filter) {
    enum { CLONE3 = 435, FIRST_NEWER = 449, LAST_NEWER = 511 };
    static const int clone3 = CLONE3; // its flags lie in memory; libc goes on to clone
    int bad = add(filter, SCMP_ACT_ERRNO(ENOSYS), &clone3, 1);
    for (int nr = FIRST_NEWER; nr <= LAST_NEWER && bad == 0; nr++)
        bad = add(filter, SCMP_ACT_ERRNO(ENOSYS), &nr, 1);
    return bad;
}

static int build(scmp_filter_ctx filter, const struct jail_role *role) {
    int bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0); // set already
    bad = bad ? bad : seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    bad = bad ? bad : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a binary tree
    bad = bad ? bad : allow(filter, always, N(always));
    bad = bad ? bad : allow_by_arguments(filter);
    bad = bad ? bad : allow_role(filter, role->calls);
#ifdef SANITIZER_ADDRESS
    bad = bad ? bad : allow(filter, sanitizing, N(sanitizing));
#endif
    bad = bad ? bad : disown(filter);
    bad = bad ? bad : add(filter, SCMP_ACT_KILL_PROCESS, deadly, N(deadly));
    return bad ? bad : seccomp_load(filter);
}

bool jail_calls(const struct jail_role *role, struct err *e) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return err_set(e, ERR_TEMPORARY, "seccomp: no filter could be made");
    int bad = build(filter, role);
    seccomp_release(filter);
    return bad == 0 || err_sys(e, -bad, "seccomp");
}
