// fuzz_header: the scan sees the same however the input is cut, and agrees with the walk over the whole; Received with
// any names is one field.
#include "fuzz.h"

#include "mail/header/header.h"
#include "mail/header/received.h"

static struct header_scan scan_pieces(struct slice in, size_t piece) {
    struct header_scan scan = {0};
    for (size_t at = 0; at < in.n; at += piece)
        header_scan_feed(&scan, slice_upto(slice_from(in, at), piece));
    header_scan_end(&scan);
    return scan;
}

static void check_same(const struct header_scan *a, const struct header_scan *b) {
    FUZZ_CHECK(a->bytes == b->bytes && a->received == b->received && a->broken == b->broken);
    FUZZ_CHECK(a->has_from == b->has_from && a->has_date == b->has_date && a->has_message_id == b->has_message_id);
    FUZZ_CHECK(slice_eq(header_scan_message_id(a), header_scan_message_id(b)));
}

static void check_walk(struct slice in, const struct header_scan *scan) {
    struct slice rest = in;
    struct header_field field;
    unsigned received = 0;
    while (header_next(&rest, &field)) {
        struct buf b BUF_AUTO = {.max = 1 << 20};
        FUZZ_CHECK(fuzz_inside(field.name, field.whole) && fuzz_inside(field.value, field.whole));
        FUZZ_CHECK(field.whole.p + field.whole.n == rest.p || rest.n == 0);
        FUZZ_CHECK(header_unfold(&b, field.value) && slice_find(buf_slice(&b), '\n') == b.n);
        received += slice_ieq(field.name, SLICE("Received"));
    }
    size_t empty_line = scan->broken ? 0 : rest.n && rest.p[0] == '\n' ? 1 : 2;
    FUZZ_CHECK(received == scan->received && in.n - rest.n + empty_line == scan->bytes);
    FUZZ_CHECK(header_section(in).n == in.n - rest.n);
}

static void check_received(struct slice in) {
    struct buf b BUF_AUTO = {.max = RECEIVED_MAX};
    struct received r = {.helo = in,
                         .host = in,
                         .hostname = SLICE("mx"),
                         .queue_id = SLICE("1"),
                         .recipient = in,
                         .cipher = in,
                         .tls = true,
                         .esmtp = true,
                         .utf8 = in.n % 2};
    struct header_field field;
    netaddr_parse_ip(SLICE("192.0.2.1"), &r.client);
    FUZZ_CHECK(received_add(&b, &r));
    struct slice rest = buf_slice(&b);
    FUZZ_CHECK(header_next(&rest, &field) && rest.n == 0 && slice_eq(field.name, SLICE("Received")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct header_scan whole = scan_pieces(in, in.n + 1), single = scan_pieces(in, 1), third = scan_pieces(in, 3);
    FUZZ_CHECK(whole.done && whole.message_id_n <= HEADER_MESSAGE_ID_MAX);
    check_same(&whole, &single);
    check_same(&whole, &third);
    check_walk(in, &whole);
    check_received(in);
    return 0;
}
