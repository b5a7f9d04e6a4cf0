// fuzz_auth_results: any bytes as what strangers chose of a field of ours, which stays one field that speaks in our
// name and holds no more results than were put in; and any bytes as a field of theirs.
#include "fuzz.h"

#include "mail/header/auth_results.h"
#include "mail/header/header.h"

static struct slice cut(struct slice *rest) {
    struct slice one;
    slice_cut(*rest, '\0', &one, rest);
    return one;
}

// Semicolons outside of quotes and comments.
static size_t count_clauses(struct slice value) {
    size_t n = 0, depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\\' && (quoted || depth))
            i++;
        else if (quoted)
            quoted = c != '"';
        else if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (c == '"' && depth == 0)
            quoted = true;
        else if (c == ';' && depth == 0)
            n++;
    }
    FUZZ_CHECK(!quoted && depth == 0);
    return n;
}

static void check_field(struct slice field) {
    struct header_field f;
    struct slice rest = field;
    FUZZ_CHECK(header_next(&rest, &f) && rest.n == 0);
    FUZZ_CHECK(slice_eq(f.name, SLICE("Authentication-Results")));
    FUZZ_CHECK(auth_results_forged(f.value, SLICE("mx.example.org")));
    FUZZ_CHECK(count_clauses(f.value) == 5);
    for (size_t i = 0; i < field.n; i++)
        FUZZ_CHECK(field.p[i] != '\r' || (i + 1 < field.n && field.p[i + 1] == '\n'));
    while (field.n) {
        struct slice line;
        FUZZ_CHECK(slice_cut(field, '\n', &line, &field));
        FUZZ_CHECK(line.n < 998);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf out = {.max = 1 << 20};
    struct slice rest = slice_of(data, size);
    (void)auth_results_forged(rest, SLICE("mx.example.org"));
    struct slice sender = cut(&rest), helo = cut(&rest), domain = cut(&rest), identity = cut(&rest), why = cut(&rest);
    struct spf_verdict spf = {.result = SPF_PERMERROR, .problem = why}, helo_spf = {.result = SPF_PASS, .helo = true};
    struct dkim_verdict s = {.result = DKIM_FAIL, .domain = domain, .selector = rest, .identity = identity, .why = why};
    struct dkim_verify dkim = {.list = &s, .n = 1};
    struct dmarc_verdict dmarc = {.result = DMARC_FAIL, .why = why, .from_domain = domain};
    struct auth_results r = {.authserv = SLICE("mx.example.org"),
                             .spf = &spf,
                             .spf_sender = sender,
                             .helo_spf = &helo_spf,
                             .helo = helo,
                             .dkim = &dkim,
                             .dmarc = &dmarc,
                             .user = SLICE("u")};
    FUZZ_CHECK(auth_results_write(&r, &out));
    check_field(buf_slice(&out));
    return 0;
}
