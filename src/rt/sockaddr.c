// sockaddr: between netaddr and struct sockaddr.
#include "rt/sockaddr.h"

#include <arpa/inet.h>

socklen_t sockaddr_make(const struct netaddr *a, union sockaddr_any *to) {
    *to = (union sockaddr_any){0};
    if (a->family == NETADDR_V6) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(a->port);
        memcpy(&to->v6.sin6_addr, a->ip, 16);
        return sizeof to->v6;
    }
    to->v4.sin_family = AF_INET;
    to->v4.sin_port = htons(a->port);
    memcpy(&to->v4.sin_addr, a->ip, 4);
    return sizeof to->v4;
}

struct netaddr sockaddr_read(const union sockaddr_any *from) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct netaddr out = {0};
    if (from->any.sa_family == AF_INET) {
        out.family = NETADDR_V4;
        out.port = ntohs(from->v4.sin_port);
        memcpy(out.ip, &from->v4.sin_addr, 4);
    } else if (from->any.sa_family == AF_INET6) {
        const uint8_t *ip = from->v6.sin6_addr.s6_addr;
        bool is_v4 = memcmp(ip, mapped, sizeof mapped) == 0;
        out.family = is_v4 ? NETADDR_V4 : NETADDR_V6;
        out.port = ntohs(from->v6.sin6_port);
        memcpy(out.ip, is_v4 ? ip + 12 : ip, is_v4 ? 4 : 16);
    }
    return out;
}
