// fuzz_config: any bytes as a configuration; what is accepted has an effective form that means the same.
#include "core/config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 1 << 20 };

static struct config *parse(struct slice text) {
    struct config_report report;
    struct config *c = config_parse(text, SLICE("/etc/posthouse"), &report);
    if ((c != NULL) != (report.n == 0) || report.n > 20)
        abort();
    config_report_done(&report);
    return c;
}

static void write_effective(const struct config *c, struct buf *out) {
    if (!config_write_effective(c, out))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config *c = parse(slice_of(data, size));
    if (!c)
        return 0;
    BUF_AUTO struct buf once = {.max = 64 << 20}, twice = {.max = 64 << 20};
    write_effective(c, &once);
    struct config *again = once.n <= TEXT_MAX ? parse(buf_slice(&once)) : NULL; // it is longer than what was written
    if (!again && once.n <= TEXT_MAX)
        abort();
    if (again)
        write_effective(again, &twice);
    if (again && !slice_eq(buf_slice(&once), buf_slice(&twice)))
        abort();
    config_free(again);
    config_free(c);
    return 0;
}
