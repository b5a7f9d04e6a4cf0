// fuzz_address: what is taken as an address, normalised and written, is taken again and is the same.
#include "fuzz.h"

#include "base/utf8.h"
#include "mail/address.h"

static void check_taken(struct slice in, struct address *a, struct arena *arena) {
    struct buf text BUF_AUTO = {.max = 4096};
    struct address again;
    struct err e;
    FUZZ_CHECK(in.n <= ADDRESS_MAX && utf8_valid(in) && a->local.n <= ADDRESS_LOCAL_MAX);
    if (!address_normalize(a, arena, &e))
        return;
    FUZZ_CHECK(utf8_ascii(a->domain) && a->utf8 == !utf8_ascii(a->local));
    FUZZ_CHECK(address_add(&text, a));
    if (text.n > ADDRESS_MAX || a->domain.n == 0) // an A-label may be longer than its U-label
        return;
    FUZZ_CHECK(address_parse(buf_slice(&text), ADDRESS_SENDER, arena, &again, &e));
    FUZZ_CHECK(address_normalize(&again, arena, &e));
    FUZZ_CHECK(slice_eq(again.local, a->local) && slice_eq(again.domain, a->domain) && again.literal == a->literal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct arena arena ARENA_AUTO = {.max = 1 << 16};
    struct address a;
    struct err e = {0};
    struct slice domain;
    if (address_parse(in, ADDRESS_RECIPIENT, &arena, &a, &e))
        check_taken(in, &a, &arena);
    else
        FUZZ_CHECK(e.kind == ERR_PERMANENT && e.smtp == 501 && e.enhanced[0] == 5);
    if (address_normalize_domain(in, &arena, &domain, &e))
        FUZZ_CHECK(address_domain_ok(domain) && utf8_ascii(domain));
    return 0;
}
