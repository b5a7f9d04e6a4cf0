// jail: takes from a process, for good, everything that its role has no business with: other users' identity, files,
// names, connections, programs. The last step of a process's start: before the first foreign byte is read, after
// everything was opened that is needed later (descriptors stay usable, but for what the role's calls leave out).
//
//     struct jail jail = {.role = ROLE_QUEUE, .user = user, .paths = &state, .paths_n = 1};
//     struct jail_report report;
//     if (!jail_enter(&jail, &report, &e)) ...  // end the process: never go on half confined
//     if (!report.landlock) ...                 // the kernel has none: say so in the log
//
// What each role may do is one table (jail_roles.c). Three answers to what it may not:
//   EPERM    files, programs, processes, sockets, connections: a library can go on, a test can see it
//   EACCES   a path outside of the role's own (Landlock)
//   SIGSYS   what only an attacker calls: ptrace, bpf, mount, kexec, modules, namespaces, keys, io_uring, ...
//   ENOSYS   system calls that are in no list, newer than this program: libc falls back to what it used before
// A build with AddressSanitizer is looser (jail_is_strict): its run-time reads /proc and looks for leaks with ptrace.
#pragma once

#include "base/err.h"
#include "wire/link_frame.h"

enum jail_access {
    JAIL_READ = 1 << 0,  // read files, list directories
    JAIL_WRITE = 1 << 1, // create, write, rename, remove; list directories; not read files
};

// A directory and everything below it, or one file. The grant belongs to what lies there now: a file that is renamed
// into its place later is not covered. What does not exist is passed over (report.missing).
struct jail_path {
    const char *path;
    unsigned access; // JAIL_READ | JAIL_WRITE, within what the role may have at all
};

struct jail {
    enum role role;
    const char *user; // to become when we are root; NULL or "": stays what it is, without the capabilities of root
    const struct jail_path *paths;
    size_t paths_n;
    uint64_t descriptors; // most open descriptors from now on; 0 leaves it
    bool core;            // keep core dumps and ptrace by the same user possible, for debugging
};

struct jail_report {
    bool landlock;    // false: the kernel has no Landlock, so files are kept by seccomp and their modes only
    int landlock_abi; // 0 where there is none; 4 and up keeps TCP as well, 6 signals and abstract sockets
    size_t missing;   // paths of the spec that did not exist
};

// There is no way back. A failure leaves the process partly confined: end it. `report` may be NULL.
MUST_CHECK bool jail_enter(const struct jail *spec, struct jail_report *report, struct err *e);

// Whether the role's list of calls is the strict one, which it is but in builds with AddressSanitizer.
bool jail_is_strict(void);

// Closes every descriptor from 3 up but those in `keep` (any order).
void jail_close_others(const int *keep, size_t keep_n);
