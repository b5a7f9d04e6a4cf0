// jail_user: groups first, then the group, then the user; then it is tried whether root can be had back.
#include "rt/jail/jail_user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOKUP_MAX = 16 * 1024 }; // bytes that one entry of the password database may take

struct identity {
    uid_t uid;
    gid_t gid;
};

static bool find(const char *name, struct identity *out, struct err *e) {
    char *text = malloc(LOOKUP_MAX);
    struct passwd entry, *found = NULL;
    int sys = text ? getpwnam_r(name, &entry, text, LOOKUP_MAX, &found) : ENOMEM;
    if (found)
        *out = (struct identity){entry.pw_uid, entry.pw_gid};
    free(text);
    if (sys != 0)
        return err_sys(e, sys, "looking up user %s", name);
    if (!found)
        return err_set(e, ERR_PERMANENT, "there is no user %s", name);
    if (out->uid == 0)
        return err_set(e, ERR_PERMANENT, "user %s is root: name another", name);
    return true;
}

enum { READ_ALL = 1u << CAP_DAC_READ_SEARCH };

// A change of user takes the signal away that ends us with our parent (prctl(2)); it is set again.
static bool become(struct identity who, const char *name, struct err *e) {
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    if (setgroups(1, &who.gid) != 0 || setresgid(who.gid, who.gid, who.gid) != 0 ||
        setresuid(who.uid, who.uid, who.uid) != 0)
        return err_sys(e, errno, "becoming user %s", name);
    if (death != 0)
        prctl(PR_SET_PDEATHSIG, death);
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
        return err_set(e, ERR_BUG, "root could be had back after becoming user %s", name);
    return true;
}

static bool keep_capabilities(uint32_t keep, struct err *e) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2] = {0}, data[2] = {0};
    if (syscall(SYS_capget, &header, now) != 0)
        return err_sys(e, errno, "reading capabilities");
    keep &= now[0].permitted; // a container may have taken some
    data[0] = (struct __user_cap_data_struct){.effective = keep, .permitted = keep};
    if (syscall(SYS_capset, &header, data) != 0)
        return err_sys(e, errno, "dropping capabilities");
    return true;
}

bool jail_user(const struct jail *spec, const struct jail_role *role, struct err *e) {
    if (geteuid() != 0)
        return true;
    if (!spec->user || !*spec->user)
        return keep_capabilities(role->owns_elsewhere ? 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER
                                 : role->reads_all    ? READ_ALL
                                                      : 0,
                                 e);
    struct identity who;
    if (!find(spec->user, &who, e))
        return false;
    if (!role->reads_all)
        return become(who, spec->user, e);
    prctl(PR_SET_KEEPCAPS, 1); // until the next program
    return become(who, spec->user, e) && keep_capabilities(READ_ALL, e);
}
