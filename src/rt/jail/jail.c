// jail: the order of things: what needs privileges first, the filter that takes the other steps away last.
#include "rt/jail/jail.h"
#include "base/num.h"
#include "rt/jail/jail_calls.h"
#include "rt/jail/jail_landlock.h"
#include "rt/jail/jail_user.h"
#include "rt/sanitizer.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool limit(int resource, rlim_t most, const char *what, struct err *e) {
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return err_sys(e, errno, "reading the limit of %s", what);
    most = num_min(most, now.rlim_max);
    struct rlimit lower = {most, most};
    if (setrlimit((__rlimit_resource_t)resource, &lower) != 0)
        return err_sys(e, errno, "setting the limit of %s", what);
    return true;
}

static bool set_limits(const struct jail *spec, struct err *e) {
    if (spec->descriptors > 0 && !limit(RLIMIT_NOFILE, spec->descriptors, "descriptors", e))
        return false;
    return spec->core || limit(RLIMIT_CORE, 0, "core dumps", e);
}

// Whoever may read our memory by ptrace or /proc could as well have been let in; what dumps core may leave mail lying
// about. The search for leaks of a sanitizer needs both.
static void set_dumpable(const struct jail *spec) {
#ifdef SANITIZER_ADDRESS
    prctl(PR_SET_DUMPABLE, 1);
#else
    prctl(PR_SET_DUMPABLE, spec->core ? 1 : 0);
#endif
}

static bool check(const struct jail *spec, const struct jail_role *role, struct err *e) {
    for (size_t i = 0; i < spec->paths_n; i++) {
        if (spec->paths[i].access & ~role->access)
            return err_set(e, ERR_BUG, "role %s may not have %s", role_name(spec->role), spec->paths[i].path);
    }
    return true;
}

static bool enter(const struct jail *spec, const struct jail_role *role, struct jail_report *report, struct err *e) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(e, errno, "giving up new privileges");
    if (!role->filtered)
        return true;
    report->landlock_abi = jail_landlock_abi();
    report->landlock = report->landlock_abi > 0;
    if (!check(spec, role, e) || !set_limits(spec, e) || !jail_user(spec, role, e))
        return false;
    set_dumpable(spec); // after the change of user, which sets it as well
    return jail_landlock(spec, role, report->landlock_abi, &report->missing, e) && jail_calls(role, e);
}

bool jail_enter(const struct jail *spec, struct jail_report *report, struct err *e) {
    struct jail_report unwanted;
    report = report ? report : &unwanted;
    *report = (struct jail_report){0};
    return enter(spec, jail_role(spec->role), report, e) || err_while(e, "confining %s", role_name(spec->role));
}

bool jail_is_strict(void) {
#ifdef SANITIZER_ADDRESS
    return false;
#else
    return true;
#endif
}

static bool is_kept(int fd, const int *keep, size_t keep_n) {
    for (size_t i = 0; i < keep_n; i++) {
        if (keep[i] == fd)
            return true;
    }
    return false;
}

void jail_close_others(const int *keep, size_t keep_n) {
    int above = 2; // the highest that stays
    for (size_t i = 0; i < keep_n; i++)
        above = keep[i] > above ? keep[i] : above;
    for (int fd = 3; fd < above; fd++) {
        if (!is_kept(fd, keep, keep_n))
            close(fd);
    }
    close_range((unsigned)above + 1, ~0U, 0);
}
