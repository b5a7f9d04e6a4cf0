// host_address: getaddrinfo(3).
#include "rt/host_address.h"

#include "rt/sockaddr.h"

#include <netdb.h>

static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

void host_address_prepare(void) {
    struct addrinfo *found;
    if (getaddrinfo("localhost", NULL, &hints, &found) == 0)
        freeaddrinfo(found);
}

static bool take(const struct addrinfo *from, struct netaddr *to) {
    union sockaddr_any any = {0};
    if (from->ai_addrlen > sizeof any)
        return false;
    memcpy(&any, from->ai_addr, from->ai_addrlen);
    *to = sockaddr_read(&any);
    to->port = 0;
    return to->family != NETADDR_NONE;
}

bool host_addresses(const char *name, struct netaddr *to, size_t max, size_t *n, struct err *e) {
    struct addrinfo *found;
    int bad = getaddrinfo(name, NULL, &hints, &found);
    if (bad)
        return err_set(e, ERR_TEMPORARY, "%s: %s", name, gai_strerror(bad));
    size_t taken = 0;
    for (struct addrinfo *at = found; at && taken < max; at = at->ai_next)
        taken += take(at, &to[taken]);
    freeaddrinfo(found);
    if (!taken)
        return err_set(e, ERR_TEMPORARY, "%s: no address", name);
    *n = taken;
    return true;
}
