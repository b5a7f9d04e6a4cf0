// fuzz_submit_header: whatever a header section holds, what becomes of it has what it needs, says nothing of Bcc, has no
// long line, stays as it is when it is put right again, and is otherwise what came in.
#include "fuzz.h"

#include "mail/address.h"
#include "mail/header.h"
#include "mail/submit_header.h"
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

static unsigned count(struct slice section, const char *name) {
    struct header_field f;
    unsigned n = 0;
    while (header_next(&section, &f))
        n += slice_ieq(f.name, slice_str(name));
    return n;
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

// Folds apart, `out` is what of `in` is to stay, behind fields that were missing.
static void check_kept(struct slice in, struct slice out) {
    struct buf kept BUF_AUTO = {.max = ROOM};
    struct header_field f;
    static const char *const added[] = {"Date: ", "From: ", "Sender: ", "Message-ID: "};
    static const char *const names[] = {"Date", "From", "Sender", "Message-ID"};
    for (size_t i = 0; i < 4; i++) {
        bool missing = !count(in, names[i]) && slice_starts(out, slice_str(added[i]));
        if (missing)
            out = slice_from(out, slice_find(out, '\n') + 1);
    }
    while (header_next(&in, &f))
        if (!slice_ieq(f.name, SLICE("Bcc")) && !slice_ieq(f.name, SLICE("Resent-Bcc")))
            buf_add(&kept, f.whole);
    if (kept.n && kept.p[kept.n - 1] != '\n')
        buf_add_str(&kept, "\r\n");
    size_t o = 0;
    for (size_t i = 0; i < kept.n; i++, o++) {
        if (o < out.n && out.p[o] == kept.p[i])
            continue;
        FUZZ_CHECK(slice_starts(slice_from(out, o), SLICE("\r\n")));
        o += 2;
        o += kept.p[i] != ' ' && kept.p[i] != '\t';
        FUZZ_CHECK(o < out.n && out.p[o] == kept.p[i]);
    }
    FUZZ_CHECK(o == out.n);
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
    FUZZ_CHECK(count(out, "From") == 1 && count(out, "Date") && count(out, "Message-ID"));
    FUZZ_CHECK(!count(out, "Bcc") && !count(out, "Resent-Bcc") && count(out, "Sender") <= 1);
    FUZZ_CHECK(found.from.n == 1 || count(out, "Sender") == 1);
    check_lines(out);
    check_addresses(&found.from);
    check_addresses(&found.sender);
    check_kept(section, out);
    FUZZ_CHECK(fix(out, &arena, &twice, &again) && slice_eq(out, buf_slice(&twice)));
    FUZZ_CHECK(again.from.n == found.from.n);
    return 0;
}
