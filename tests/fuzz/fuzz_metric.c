// fuzz_metric: a snapshot of another process: refused, or the same bytes when it is packed again, and it renders.
#include "rt/metric.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The table's mark changes with the table, so it is put in place of the input's first four bytes where those are
// "mark".
static void bless(struct buf *b) {
    static const struct metric none;
    struct buf sample BUF_AUTO = {.max = 1 << 20};
    if (b->n >= 4 && memcmp(b->p, "mark", 4) == 0 && metric_pack(&none, &sample))
        memcpy(b->p, sample.p, 4);
    if (b->n >= 8 && b->n < sample.n && buf_reserve(b, sample.n - b->n)) {
        memset(b->p + b->n, b->p[b->n - 1], sample.n - b->n);
        buf_commit(b, sample.n - b->n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct metric_process p = {.name = "queue"};
    struct buf in BUF_AUTO = {.max = 1 << 20}, again BUF_AUTO = {.max = 1 << 20};
    struct buf text BUF_AUTO = {.max = METRIC_RENDER_MAX};
    struct err e;
    buf_add(&in, slice_of(data, size));
    bless(&in);
    if (!metric_unpack(buf_slice(&in), &p.values, &e))
        return 0;
    assert(metric_pack(&p.values, &again) && slice_eq(buf_slice(&in), buf_slice(&again)));
    assert(metric_render(&p, 1, &p.values, SLICE("0"), &text));
    return 0;
}
