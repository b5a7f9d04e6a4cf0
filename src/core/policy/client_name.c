// client_name: addresses with their host bits cleared, as text.
#include "core/policy/client_name.h"

static uint8_t bits_of(const struct netaddr *client, uint8_t bits4, uint8_t bits6) {
    return client->family == NETADDR_V4 ? bits4 : bits6;
}

struct slice client_name_net(const struct netaddr *client, uint8_t bits, char to[CLIENT_NAME]) {
    struct buf b = {.p = to, .cap = CLIENT_NAME, .max = CLIENT_NAME}; // never grows, never freed
    struct netaddr base = {.family = client->family};
    if (client->family == NETADDR_NONE)
        return SLICE_EMPTY;
    for (unsigned i = 0; i < sizeof base.ip && i * 8 < bits; i++) {
        unsigned kept = bits - i * 8u;
        base.ip[i] = (uint8_t)(client->ip[i] & (kept >= 8 ? 0xffu : 0xff00u >> kept));
    }
    netaddr_add_ip(&b, &base);
    if (bits != bits_of(client, 32, 128)) {
        buf_add_char(&b, '/');
        buf_add_u64(&b, bits);
    }
    return buf_slice(&b);
}

struct slice client_name_address(const struct netaddr *client, char to[CLIENT_NAME]) {
    return client_name_net(client, bits_of(client, 32, 64), to);
}

struct slice client_name_network(const struct netaddr *client, char to[CLIENT_NAME]) {
    return client_name_net(client, bits_of(client, 24, 48), to);
}
