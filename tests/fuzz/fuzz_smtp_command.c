// fuzz_smtp_command: a command line, and the address in it.
#include "fuzz.h"

#include "mail/address.h"
#include "wire/smtp_command.h"

static void check_address(const struct smtp_command *c) {
    struct arena arena ARENA_AUTO = {.max = 1 << 16};
    struct address a;
    struct err e;
    enum address_role role = c->verb == SMTP_MAIL ? ADDRESS_SENDER : ADDRESS_RECIPIENT;
    if (!c->path.mailbox.n || !address_parse(c->path.mailbox, role, &arena, &a, &e))
        return;
    // Both cut at the same @, or a check on one would not hold for the other.
    FUZZ_CHECK(slice_eq(a.domain, c->path.domain) && a.utf8 <= c->path.utf8);
}

static void check_taken(struct slice line, const struct smtp_command *c) {
    FUZZ_CHECK(c->verb != SMTP_UNKNOWN && c->verb == smtp_command_verb(line));
    FUZZ_CHECK(fuzz_inside(c->arg, line) && fuzz_inside(c->path.whole, line));
    FUZZ_CHECK(fuzz_inside(c->path.route, c->path.whole) && fuzz_inside(c->path.mailbox, c->path.whole));
    FUZZ_CHECK(fuzz_inside(c->path.local, c->path.mailbox) && fuzz_inside(c->path.domain, c->path.mailbox));
    FUZZ_CHECK(fuzz_inside(c->submitter, line) && (c->verb == SMTP_MAIL || (!c->submitter.n && !c->requiretls)));
    FUZZ_CHECK(c->verb == SMTP_RCPT ? c->path.whole.n > 0 : true);
    FUZZ_CHECK(c->verb == SMTP_MAIL && c->path.utf8 ? c->smtputf8 : true);
    for (size_t i = 0; i < line.n; i++)
        FUZZ_CHECK((uint8_t)line.p[i] >= ' ' && line.p[i] != 0x7f);
    if (c->verb == SMTP_MAIL || c->verb == SMTP_RCPT)
        check_address(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice line = slice_of(data, size);
    struct smtp_command c;
    struct err e = {0};
    if (smtp_command_parse(line, &c, &e))
        check_taken(line, &c);
    else
        FUZZ_CHECK(e.kind == ERR_PERMANENT && e.smtp >= 500 && e.smtp <= 555 && e.enhanced[0] == 5);
    return 0;
}
