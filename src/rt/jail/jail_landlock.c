// jail_landlock: one ruleset: handle every right that the kernel knows, then give back those of the role.
#include "rt/jail/jail_landlock.h"
#include "rt/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The same on every architecture.
enum { CALL_CREATE_RULESET = 444, CALL_ADD_RULE = 445, CALL_RESTRICT_SELF = 446 };

enum { ASK_VERSION = 1 << 0, RULE_PATH_BENEATH = 1 };

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_REFER = 1 << 13,     // ABI 2: rename between directories
    FS_TRUNCATE = 1 << 14,  // ABI 3
    FS_IOCTL_DEV = 1 << 15, // ABI 5
    FS_ALL_1 = (1 << 13) - 1,
    FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV, // the rest is for directories
};

enum { NET_BIND_TCP = 1 << 0, NET_CONNECT_TCP = 1 << 1 };            // ABI 4
enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 }; // ABI 6

struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

struct __attribute__((packed)) path_beneath {
    uint64_t allowed;
    int32_t parent;
};

static uint64_t known_fs(int abi) {
    uint64_t fs = FS_ALL_1;
    fs |= abi >= 2 ? FS_REFER : 0;
    fs |= abi >= 3 ? FS_TRUNCATE : 0;
    fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
    return fs;
}

// The size that a kernel of this age takes: an older one refuses fields it doesn't know.
static size_t ruleset_size(int abi) {
    return abi >= 6   ? sizeof(struct ruleset)
           : abi >= 4 ? offsetof(struct ruleset, scoped)
                      : offsetof(struct ruleset, net);
}

static uint64_t wanted_fs(unsigned access) {
    uint64_t fs = 0;
    if (access & JAIL_READ)
        fs |= FS_READ_FILE | FS_READ_DIR;
    if (access & JAIL_WRITE)
        fs |= FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER |
              FS_TRUNCATE;
    return fs;
}

int jail_landlock_abi(void) {
    long abi = syscall(CALL_CREATE_RULESET, NULL, (size_t)0, ASK_VERSION);
    return abi >= 2 ? (int)abi : 0;
}

static bool give_open(int ruleset, int fd, const char *path, uint64_t fs, struct err *e) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_sys(e, errno, "looking at %s", path);
    if (!S_ISDIR(st.st_mode))
        fs &= FS_OF_FILES;
    struct path_beneath rule = {.allowed = fs, .parent = fd};
    if (fs != 0 && syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
        return err_sys(e, errno, "adding a Landlock rule for %s", path);
    return true;
}

static bool give(int ruleset, const char *path, uint64_t fs, size_t *missing, struct err *e) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        (*missing)++;
        return true;
    }
    if (fd < 0)
        return err_sys(e, errno, "opening %s for a Landlock rule", path);
    bool ok = give_open(ruleset, fd, path, fs, e);
    close(fd);
    return ok;
}

static bool give_all(int ruleset, const struct jail *spec, uint64_t known, size_t *missing, struct err *e) {
    for (size_t i = 0; i < spec->paths_n; i++) {
        if (!give(ruleset, spec->paths[i].path, wanted_fs(spec->paths[i].access) & known, missing, e))
            return false;
    }
#ifdef SANITIZER_ADDRESS
    size_t none = 0; // the search for leaks reads the threads' registers and maps
    return give(ruleset, "/proc", FS_READ_FILE | FS_READ_DIR, &none, e);
#else
    return true;
#endif
}

bool jail_landlock(const struct jail *spec, const struct jail_role *role, int abi, size_t *missing, struct err *e) {
    *missing = 0;
    if (abi == 0)
        return true;
    struct ruleset all = {
        .fs = known_fs(abi),
        .net = role->calls & JAIL_CONNECT_TCP ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP,
        .scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL,
    };
    int ruleset = (int)syscall(CALL_CREATE_RULESET, &all, ruleset_size(abi), 0);
    if (ruleset < 0)
        return err_sys(e, errno, "making a Landlock ruleset");
    bool ok = give_all(ruleset, spec, all.fs, missing, e);
    if (ok && syscall(CALL_RESTRICT_SELF, ruleset, 0) != 0)
        ok = err_sys(e, errno, "entering the Landlock ruleset");
    close(ruleset);
    return ok;
}
