// fuzz_proxy_protocol: a header is read the same in one piece and byte by byte, and never asks for a byte that comes
// behind it.
#include "fuzz.h"

#include "wire/proxy_protocol.h"

static enum proxy_protocol_got byte_by_byte(struct slice in, struct proxy_protocol *out, size_t *n) {
    for (size_t have = 0;; have++) {
        enum proxy_protocol_got got = proxy_protocol_parse(slice_upto(in, have), out, n);
        if (got != PROXY_PROTOCOL_MORE || have == in.n)
            return got;
        FUZZ_CHECK(*n > have && *n <= PROXY_PROTOCOL_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct proxy_protocol whole = {0}, slowly = {0};
    size_t n = 0, m = 0;
    enum proxy_protocol_got got = proxy_protocol_parse(in, &whole, &n), again = byte_by_byte(in, &slowly, &m);
    FUZZ_CHECK(got == again || (got == PROXY_PROTOCOL_BAD && again == PROXY_PROTOCOL_BAD));
    if (got != PROXY_PROTOCOL_WHOLE)
        return 0;
    FUZZ_CHECK(n == m && n <= in.n && whole.known == slowly.known && whole.tls == slowly.tls);
    FUZZ_CHECK(netaddr_same_ip(&whole.source, &slowly.source) && whole.source.port == slowly.source.port);
    FUZZ_CHECK(!whole.known || (whole.source.family != NETADDR_NONE && whole.target.family != NETADDR_NONE));
    return 0;
}
