// jail: proves for each role, by trying, that what it has no business with is denied and that what it needs works. Each
// attempt is made in a process of its own; first without a jail, where it must work, so that a denial means something.
// As root all is done three times: as root, becoming a user in the jail, and as a user. Prints TAP.
#include "attempts.h"
#include "rt/jail/jail_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum identity { AS_STARTED, BECOMING_NOBODY, AS_NOBODY };

static const char *const identity_names[] = {"as started", "becoming nobody", "without root"};

enum { BROKEN = 200 }; // a child's exit code: the test itself failed

static unsigned count, failures;

static void say(bool ok, const char *who, const char *what, const char *how, const char *why) {
    failures += !ok;
    printf("%sok %u - %s %s: %s%s%s\n", ok ? "" : "not ", ++count, who, how, what, *why ? ": " : "", why);
}

static void skip(const char *who, const char *what, const char *how, const char *why) {
    printf("ok %u - %s %s: %s # SKIP %s\n", ++count, who, how, what, why);
}

static bool become_nobody(void) {
    struct passwd *p = getpwnam("nobody");
    return p && setgroups(0, NULL) == 0 && setresgid(p->pw_gid, p->pw_gid, p->pw_gid) == 0 &&
           setresuid(p->pw_uid, p->pw_uid, p->pw_uid) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

// As a test of a role would have it: its directory, if it may have any.
static bool enter(const struct ground *g, enum role role, enum identity who, struct err *e) {
    struct jail_path path = {g->own, jail_role(role)->access};
    struct jail jail = {
        .role = role,
        .user = who == BECOMING_NOBODY ? "nobody" : NULL,
        .paths = &path,
        .paths_n = path.access != 0,
        .descriptors = 1024,
    };
    return jail_enter(&jail, NULL, e);
}

// In a child; ROLE_COUNT is no jail at all. The outcome is the exit code.
static void attempt_here(struct ground *g, const struct attempt *a, enum role role, enum identity who) {
    struct err e = {0};
    const char *why = "identity";
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if ((who == AS_NOBODY && !become_nobody()) || !ground_open(g, &why)) {
        fprintf(stderr, "# setting up %s: %s\n", why, strerror(errno));
        _exit(BROKEN);
    }
    if (role < ROLE_COUNT && !enter(g, role, who, &e)) {
        fprintf(stderr, "# %s\n", e.text);
        _exit(BROKEN);
    }
    _exit(a->run(g));
}

static int outcome_of(struct ground *g, const struct attempt *a, enum role role, enum identity who) {
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        attempt_here(g, a, role, who);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return BROKEN;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? OUTCOME_KILLED : OUTCOME_SIGNAL;
    return WEXITSTATUS(status);
}

static const char *outcome_text(int outcome) {
    return outcome == BROKEN           ? "the test itself failed"
           : outcome == OUTCOME_KILLED ? "was killed by SIGSYS"
           : outcome == OUTCOME_SIGNAL ? "was killed by a signal"
           : outcome == 0              ? "worked"
                                       : strerror(outcome);
}

static void try_unconfined(struct ground *g, const struct attempt *a, enum identity who) {
    bool root = geteuid() == 0 && who != AS_NOBODY;
    if (a->need & NEED_ROOT && !root) {
        skip("no jail", a->name, identity_names[who], "works for root only");
        return;
    }
    int got = outcome_of(g, a, ROLE_COUNT, who);
    say(got == a->unconfined, "no jail", a->name, identity_names[who], got == a->unconfined ? "" : outcome_text(got));
}

static const char *why_not(const struct attempt *a, enum role role, int abi) {
    bool has_files = jail_role(role)->access != 0;
    bool connects = jail_role(role)->calls & (JAIL_CONNECT_TCP | JAIL_CONNECT_UNIX);
    if (a->need & NEED_STRICT && !jail_is_strict())
        return "open to a sanitizer's run-time";
    if (a->need & NEED_LANDLOCK && (has_files || !jail_is_strict()) && abi == 0)
        return "this kernel has no Landlock";
    if (a->need & NEED_ABI_4 && connects && abi < 4)
        return "Landlock of this kernel has no rules for TCP";
    if (a->need & NEED_ABI_6 && connects && abi < 6)
        return "Landlock of this kernel has no scopes";
    return NULL;
}

static void try_role(struct ground *g, const struct attempt *a, enum role role, enum identity who, int abi) {
    const char *why = why_not(a, role, abi);
    if (why) {
        skip(role_name(role), a->name, identity_names[who], why);
        return;
    }
    int got = outcome_of(g, a, role, who);
    bool works = (a->roles >> role & 1) != 0;
    bool refused = got == EPERM || got == EACCES || got == EXDEV; // the last from Landlock, between directories
    bool denied = a->outcome ? got == a->outcome : refused;
    bool ok = works ? got == 0 : denied;
    say(ok, role_name(role), a->name, identity_names[who], ok ? "" : outcome_text(got));
}

// The numbers in /proc/self/status, read before files are gone, are those of the jailed process itself: through a
// descriptor that was opened first.
static void check_status(enum identity who, const char *field, const char *want, enum role role) {
    char text[4096], line[64];
    int got[2], status;
    if (pipe(got) != 0)
        exit(BROKEN);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct jail jail = {.role = role, .user = who == BECOMING_NOBODY ? "nobody" : NULL};
        struct err e;
        int fd = open("/proc/self/status", O_RDONLY);
        if ((who == AS_NOBODY && !become_nobody()) || !jail_enter(&jail, NULL, &e))
            _exit(BROKEN);
        ssize_t n = read(fd, text, sizeof text);
        _exit(n > 0 && write(got[1], text, (size_t)n) == n ? 0 : BROKEN);
    }
    close(got[1]);
    ssize_t n = read(got[0], text, sizeof text - 1);
    close(got[0]);
    waitpid(pid, &status, 0);
    text[n > 0 ? n : 0] = 0;
    snprintf(line, sizeof line, "\n%s:\t%s\n", field, want);
    bool ok = status == 0 && strstr(text, line);
    say(ok, role_name(role), field, identity_names[who], ok ? "" : "not as it should be");
}

// As root: to read what only root may, whoever it becomes (CAP_DAC_READ_SEARCH); to own what others own. Else nothing.
static void check_capabilities(enum identity who, enum role role) {
    bool root = geteuid() == 0 && who != AS_NOBODY;
    if (jail_role(role)->reads_all && root)
        check_status(who, "CapEff", "0000000000000004", role);
    else if (!jail_role(role)->owns_elsewhere || who != AS_STARTED || !root)
        check_status(who, "CapEff", "0000000000000000", role);
}

static void check_refusals(void) {
    static const struct jail_path file = {"/tmp", JAIL_READ};
    struct err e = {0};
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct jail jail = {.role = ROLE_SMTPD, .paths = &file, .paths_n = 1};
        _exit(!jail_enter(&jail, NULL, &e) && e.kind == ERR_BUG ? 0 : 1);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    say(status == 0, "smtpd", "is given no path, whoever asks", "", "");
}

// What an older kernel's Landlock would be asked for, this one must take.
static void check_older(const struct ground *g, int abi) {
    struct jail_path path = {g->own, JAIL_READ | JAIL_WRITE};
    struct jail jail = {.role = ROLE_QUEUE, .paths = &path, .paths_n = 1};
    for (int older = 2; older <= abi; older++) {
        int status = 1;
        char what[32];
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            struct err e;
            size_t missing;
            bool ok = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                      jail_landlock(&jail, jail_role(ROLE_QUEUE), older, &missing, &e);
            _exit(ok && open("/etc/passwd", O_RDONLY) < 0 && open(g->own, O_RDONLY) >= 0 ? 0 : 1);
        }
        waitpid(pid, &status, 0);
        snprintf(what, sizeof what, "Landlock ABI %d", older);
        say(status == 0, "queue", what, "with", "");
    }
}

static void check_close_others(void) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int a = dup(0), b = dup(0), c = dup2(0, 100), d = dup2(0, 200);
        jail_close_others((const int[]){c, b}, 2);
        bool kept = fcntl(b, F_GETFD) >= 0 && fcntl(c, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0;
        _exit(kept && fcntl(a, F_GETFD) < 0 && fcntl(d, F_GETFD) < 0 ? 0 : 1);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    say(status == 0, "anyone", "only what is kept stays open", "", "");
}

static void try_all(struct ground *g, enum identity who, int abi) {
    for (size_t i = 0; i < attempts_n; i++)
        try_unconfined(g, &attempts[i], who);
    for (enum role role = ROLE_SMTPD; role < ROLE_COUNT; role++) {
        check_status(who, "NoNewPrivs", "1", role);
        if (!jail_role(role)->filtered)
            continue;
        for (size_t i = 0; i < attempts_n; i++)
            try_role(g, &attempts[i], role, who, abi);
        check_status(who, "Seccomp", "2", role);
        check_capabilities(who, role);
    }
    check_status(who, "NoNewPrivs", "1", ROLE_MASTER);
}

int main(void) {
    struct ground g = {0};
    struct jail_report report = {0};
    signal(SIGPIPE, SIG_IGN);
    if (!ground_make(&g)) {
        printf("Bail out! the ground could not be made: %s\n", strerror(errno));
        return 1;
    }
    int abi = 0;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct jail jail = {.role = ROLE_INJECT};
        struct err e;
        _exit(jail_enter(&jail, &report, &e) ? report.landlock_abi : BROKEN);
    }
    waitpid(pid, &status, 0);
    abi = WEXITSTATUS(status);
    printf("# Landlock ABI %d, %s lists of calls\n", abi, jail_is_strict() ? "strict" : "a sanitizer's looser");
    try_all(&g, AS_STARTED, abi);
    if (geteuid() == 0) {
        try_all(&g, BECOMING_NOBODY, abi);
        try_all(&g, AS_NOBODY, abi);
    }
    check_refusals();
    check_older(&g, abi);
    check_close_others();
    printf("1..%u\n", count);
    ground_remove(&g);
    return failures ? 1 : 0;
}
