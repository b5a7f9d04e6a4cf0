// fuzz_journal: values of any bytes: each event is one line without anything raw in it, and the field behind them
// stands.
#include "base/printable.h"
#include "rt/journal_line.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct slice line) {
    assert(line.n > 0 && line.n <= JOURNAL_LINE && slice_find(line, '\n') == line.n - 1);
    line.n--;
    while (line.n > 0) {
        uint32_t code = 0;
        size_t n = printable_decode(line, &code);
        assert(n > 0 && (printable_safe(code) || code == 0xfffd));
        line = slice_from(line, n);
    }
}

static void check(struct slice a, struct slice b, enum journal_format format) {
    const struct journal_field fields[] = {
        {.name = SLICE("first"), .type = JOURNAL_TYPE_TEXT, .text = a},
        {.name = SLICE("second"), .type = JOURNAL_TYPE_TEXT, .text = b},
        {.name = SLICE("number"), .type = JOURNAL_TYPE_INT, .i = (int64_t)a.n},
        {.name = SLICE("last"), .type = JOURNAL_TYPE_BOOL, .b = true},
    };
    struct journal_head head;
    char line[JOURNAL_LINE];
    journal_head_init(&head, "smtpd", 1, format);
    size_t n = journal_line(line, &head, (struct wall){1795257675123}, JOURNAL_INFO, SLICE("event"), fields, 4);
    check_line(slice_of(line, n));
    bool cut =
        slice_search(slice_of(line, n), format == JOURNAL_JSON ? SLICE("\"cut\":true}\n") : SLICE("cut=true\n")) < n;
    struct slice end = format == JOURNAL_JSON ? cut ? SLICE("\"last\":true,\"cut\":true}\n") : SLICE("\"last\":true}\n")
                       : cut ? SLICE(" last=true cut=true\n")
                                              : SLICE(" last=true\n");
    assert(slice_ends(slice_of(line, n), end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t half = size > 0 ? data[0] % size : 0;
    struct slice in = slice_of(data, size);
    check(slice_upto(in, half), slice_from(in, half), JOURNAL_TEXT);
    check(slice_upto(in, half), slice_from(in, half), JOURNAL_JSON);
    return 0;
}
