// fuzz_submit_header: whatever a header section holds, what becomes of it has what it needs, says nothing of Bcc, has
// no long line, stays as it is when it is put right again, and is otherwise what came in.
#include "submit_check.h"

#include "mail/address.h"
#include "wire/smtp_body.h"

enum { ROOM = 1 << 22 };

static bool fix(struct slice section, struct arena *arena, struct buf *out, struct submit_header *found) {
    struct submit_header_facts facts = {
        .user = SLICE("alice@example.org"), .message_id = SLICE("1@mx.example.org"), .now = {1795257675000}};
    struct err e = {0};
    if (submit_header_fix(section, &facts, arena, out, found, &e))
        return true;
    FUZZ_CHECK(e.smtp == 550 || e.smtp == 451);
    FUZZ_CHECK((e.smtp == 550) == (e.kind == ERR_PERMANENT));
    return false;
}

static void check_lines(struct slice s) {
    while (s.n) {
        struct slice line;
        FUZZ_CHECK(slice_cut(s, '\n', &line, &s) && line.n > 0 && line.p[line.n - 1] == '\r');
        FUZZ_CHECK(line.n - 1 <= SUBMIT_LINE_MAX);
    }
}

static void check_addresses(const struct mailboxes *m) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    for (size_t i = 0; i < m->n; i++) {
        struct address a;
        struct err e;
        struct slice domain;
        FUZZ_CHECK(address_parse(m->list[i], ADDRESS_SENDER, &arena, &a, &e));
        domain = a.domain;
        FUZZ_CHECK(address_normalize(&a, &arena, &e) && slice_eq(a.domain, domain));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf repaired BUF_AUTO = {.max = ROOM}, once BUF_AUTO = {.max = ROOM}, twice BUF_AUTO = {.max = ROOM};
    ARENA_AUTO struct arena arena = {.max = ROOM};
    struct smtp_body body = {.mode = SMTP_BODY_REPAIR};
    struct submit_header found = {0}, again = {0};
    smtp_body_chunk(&body, slice_of(data, size), &repaired);
    smtp_body_chunks_end(&body, &repaired);
    struct slice section = header_section(buf_slice(&repaired));
    if (!fix(section, &arena, &once, &found))
        return 0;
    struct slice out = buf_slice(&once);
    FUZZ_CHECK(header_section(out).n == out.n && found.from.n > 0 && found.sender.n <= 1);
    FUZZ_CHECK(submit_count(out, "From") == 1 && submit_count(out, "Date") && submit_count(out, "Message-ID"));
    FUZZ_CHECK(!submit_count(out, "Bcc") && !submit_count(out, "Resent-Bcc") && submit_count(out, "Sender") <= 1);
    FUZZ_CHECK(found.from.n == 1 || submit_count(out, "Sender") == 1);
    check_lines(out);
    check_addresses(&found.from);
    check_addresses(&found.sender);
    struct slice rest = out;
    submit_check_missing(section, &rest);
    submit_check_kept(section, &rest);
    FUZZ_CHECK(rest.n == 0);
    FUZZ_CHECK(fix(out, &arena, &twice, &again) && slice_eq(out, buf_slice(&twice)));
    FUZZ_CHECK(again.from.n == found.from.n);
    return 0;
}
