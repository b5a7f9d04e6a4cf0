// fuzz_http: a request, whole and cut anywhere: as soon as an answer is given, it is the one for all of it.
#include "wire/http.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct slice s, struct slice in) { return s.n == 0 || (s.p >= in.p && s.p + s.n <= in.p + in.n); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct http_request r = {0}, early = {0};
    size_t used = 0, early_used = 0;
    int status = 0, early_status = 0;
    enum http_got got = http_request_parse(in, &r, &used, &status);
    if (got == HTTP_WHOLE) {
        assert(used > 0 && used <= size && r.path.n > 0 && r.path.p[0] == '/');
        assert((inside(r.path, in) || slice_eq(r.path, SLICE("/"))) && inside(r.query, in) && inside(r.host, in) &&
               inside(r.accept, in));
        http_host_is_loopback(r.host);
    }
    for (size_t n = 0; n < size; n += 1 + size / 64) {
        enum http_got before = http_request_parse(slice_upto(in, n), &early, &early_used, &early_status);
        if (before != HTTP_MORE)
            assert(before == got && early_status == status && early_used == used);
    }
    return 0;
}
