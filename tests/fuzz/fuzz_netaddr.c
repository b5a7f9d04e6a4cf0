// fuzz_netaddr: what is read as an address reads the same after it was written.
#include "fuzz.h"

#include "wire/netaddr.h"

static void check_ip(struct slice in) {
    struct buf b BUF_AUTO = {.max = 128};
    struct netaddr a, again;
    if (!netaddr_parse_ip(in, &a))
        return;
    FUZZ_CHECK(netaddr_add_ip(&b, &a) && netaddr_parse_ip(buf_slice(&b), &again));
    FUZZ_CHECK(netaddr_same_ip(&a, &again) && a.port == 0);
}

static void check_endpoint(struct slice in) {
    struct buf b BUF_AUTO = {.max = 128};
    struct netaddr a, again;
    if (!netaddr_parse_endpoint(in, &a))
        return;
    FUZZ_CHECK(netaddr_add_endpoint(&b, &a) && netaddr_parse_endpoint(buf_slice(&b), &again));
    FUZZ_CHECK(netaddr_same_ip(&a, &again) && a.port == again.port && a.port != 0);
}

static void check_net(struct slice in) {
    struct netaddr_net net;
    if (!netaddr_parse_net(in, &net))
        return;
    FUZZ_CHECK(net.bits <= (net.base.family == NETADDR_V4 ? 32 : 128) && netaddr_in_net(&net.base, &net));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    check_ip(in);
    check_endpoint(in);
    check_net(in);
    return 0;
}
