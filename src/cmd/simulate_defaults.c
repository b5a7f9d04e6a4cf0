// simulate_defaults: a configuration as somebody would begin to write it.
#include "cmd/simulate_defaults.h"

#include "core/config/config_write.h"
#include "mail/address.h"

enum { TEXT_MAX = 256 * 1024, ADDRESS_MEMORY = 4 * 1024 * 1024 };

// As our own is kept; empty: a literal, or none.
static struct slice domain_of(struct slice address, struct arena *arena) {
    struct address a;
    struct err ignored;
    if (!address_parse(address, ADDRESS_RECIPIENT, arena, &a, &ignored) || !address_normalize(&a, arena, &ignored))
        return SLICE_EMPTY;
    return slice_starts(a.domain, SLICE("[")) ? SLICE_EMPTY : a.domain;
}

static bool came_before(const struct slice *recipients, size_t n, struct slice domain, struct arena *arena) {
    for (size_t i = 0; i < n; i++)
        if (slice_ieq(domain_of(recipients[i], arena), domain))
            return true;
    return false;
}

static void add_domain(struct buf *b, struct slice domain) {
    buf_add_str(b, "domain ");
    config_write_word(b, domain);
    buf_add_str(b, " { recipients any; deliver maildir \"/var/mail/{domain}/{local}\" }\n");
}

struct config *simulate_defaults(const struct slice *recipients, size_t n, struct config_report *report) {
    BUF_AUTO struct buf text = {.max = TEXT_MAX};
    ARENA_AUTO struct arena arena = {.max = ADDRESS_MEMORY};
    buf_add_str(&text, "hostname posthouse.invalid\nlisten mx 127.0.0.1:25\n");
    for (size_t i = 0; i < n; i++) {
        struct slice domain = domain_of(recipients[i], &arena);
        if (domain.n && !came_before(recipients, i, domain, &arena))
            add_domain(&text, domain);
        arena_reset(&arena);
    }
    return config_parse(buf_slice(&text), SLICE("/"), report);
}
