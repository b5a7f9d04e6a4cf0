// sender_test: users, addresses, and whether they belong together.
#include "core/auth/sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { TABLES = 4 };

struct here {
    struct config *config;
    struct recipient_table *tables[TABLES];
};

static const char text[] =
    "version 1\nhostname mx.example.org\nlisten mx 203.0.113.1:25\n"
    "table people inline { \"alice\" \"bob\" \"a-b\" \"a\" \"sales = alice, bob\" \"loop = loop2\" \"loop2 = loop\""
    " \"info = alice@other.example\" }\n"
    "table others inline { \"carol\" \"alice\" }\n"
    "table may inline { \"bob = press@example.org, @far.example, @.deep.example, team-*@lists.example, news\""
    " \"* = noreply@example.org\" \"alice@other.example = boss@other.example\" \"app = *\" }\n"
    "domain example.org { recipients people; deliver maildir \"/m/{local}\" }\n"
    "domain other.example { recipients others; deliver maildir \"/m/{local}\"; tag \"-\" }\n"
    "domain backup.example { recipients any; deliver relay }\n"
    "senders may\n"
    "account root { senders any }\n";

static void begin(struct here *h) {
    struct config_report report = {0};
    struct recipient_warnings warnings = {0};
    *h = (struct here){.config = config_parse(slice_str(text), SLICE("/"), &report)};
    if (!h->config)
        fail_msg("%u: %.*s", report.mistakes[0].place.line, SLICE_ARG(report.mistakes[0].text));
    for (size_t i = 0; i < h->config->tables_n; i++) {
        const struct config_table *t = &h->config->tables[i];
        h->tables[i] = sender_is_table(h->config, t)
                           ? recipient_table_parse_senders(t->kind, t->text, (struct hash_key){{1}}, &warnings)
                           : recipient_table_parse(t->kind, t->text, (struct hash_key){{1}}, &warnings);
    }
    assert_int_equal(warnings.n, 0);
    recipient_warnings_done(&warnings);
    config_report_done(&report);
}

static void end(struct here *h) {
    for (size_t i = 0; i < TABLES; i++)
        recipient_table_free(h->tables[i]);
    config_free(h->config);
}

// 'y', 'n', or 't' for a temporary error.
static char ask(const struct here *h, const char *user, const char *address) {
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct err e = {.kind = ERR_BUG};
    bool may = false;
    if (sender_may(h->config, h->tables, slice_str(user), slice_str(address), &arena, &may, &e))
        return may ? 'y' : 'n';
    assert_int_equal(e.kind, ERR_TEMPORARY);
    assert_int_equal(e.smtp, 451);
    return 't';
}

static const struct {
    const char *user, *address;
    char want;
} cases[] = {
    // one's own
    {"alice", "alice@example.org", 'y'},
    {"alice", "Alice@example.org", 'y'},
    {"alice", "alice@other.example", 'y'},
    {"alice", "alice@elsewhere.example", 'n'},
    {"alice@example.org", "alice@example.org", 'y'},
    {"alice@example.org", "alice@other.example", 'n'},
    {"alice@elsewhere.example", "alice@elsewhere.example", 'y'},
    {"alice", "bob@example.org", 'n'},
    {"nobody", "alice@example.org", 'n'},
    {"", "alice@example.org", 'n'},
    {"alice", "nonsense", 'n'},
    {"j\xc3\xbcrgen@b\xc3\xbc"
     "cher.example",
     "j\xc3\xbcrgen@xn--bcher-kva.example", 'y'},
    // tags; a name that looks like one's own with a tag, and is another's
    {"alice", "alice+shop@example.org", 'y'},
    {"alice@example.org", "alice+shop@example.org", 'y'},
    {"alice", "alice-shop@example.org", 'n'},
    {"alice", "alice-shop@other.example", 'y'},
    {"alice@elsewhere.example", "alice+x@elsewhere.example", 'n'},
    {"a", "a-b@example.org", 'n'},
    {"a", "a+b@example.org", 'y'},
    {"alice@backup.example", "alice+x@backup.example", 'y'},
    {"alice@backup.example", "alicex@backup.example", 'n'},
    {"alice", "\"alice\"@example.org", 'y'},
    {"alice", "\"alice@example.org\"@elsewhere.example", 'n'},
    // aliases
    {"alice", "sales@example.org", 'y'},
    {"bob@example.org", "sales@example.org", 'y'},
    {"a", "sales@example.org", 'n'},
    {"alice@other.example", "info@example.org", 'y'},
    {"alice@example.org", "info@example.org", 'n'},
    {"alice", "sales+x@example.org", 'y'},
    {"alice", "loop@example.org", 't'},
    // the table
    {"bob", "press@example.org", 'y'},
    {"bob", "PRESS@example.org", 'y'},
    {"bob", "xpress@example.org", 'n'},
    {"bob", "anyone@far.example", 'y'},
    {"bob", "anyone@sub.far.example", 'n'},
    {"bob", "anyone@notfar.example", 'n'},
    {"bob", "x@a.deep.example", 'y'},
    {"bob", "x@a.b.deep.example", 'y'},
    {"bob", "x@deep.example", 'n'},
    {"bob", "team-red@lists.example", 'y'},
    {"bob", "team-@lists.example", 'y'},
    {"bob", "\"team-x@lists.example\"@evil.example", 'n'},
    {"bob", "steam-red@lists.example", 'n'},
    {"bob", "news@other.example", 'y'},
    {"bob", "news@elsewhere.example", 'n'},
    {"bob@example.org", "press@example.org", 'n'},
    {"alice@other.example", "boss@other.example", 'y'},
    {"alice@example.org", "boss@other.example", 'n'},
    {"alice", "boss@other.example", 'n'},
    {"a", "noreply@example.org", 'y'},
    {"alice@elsewhere.example", "noreply@example.org", 'y'},
    {"app", "anybody@anywhere.example", 'y'},
    {"*", "noreply@example.org", 'y'},
    {"*", "press@example.org", 'n'},
    // senders any
    {"root", "anybody@anywhere.example", 'y'},
    {"root", "loop@example.org", 'y'},
};

static void table(void **state) {
    struct here h;
    begin(&h);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got = ask(&h, cases[i].user, cases[i].address);
        if (got != cases[i].want)
            fail_msg("%s as %s: %c", cases[i].user, cases[i].address, got);
    }
    end(&h);
}

// What is one's own needs no table; the rest can't be said.
static void tables_away(void **state) {
    struct here h;
    begin(&h);
    for (size_t i = 0; i < TABLES; i++) {
        recipient_table_free(h.tables[i]);
        h.tables[i] = NULL;
    }
    assert_int_equal(ask(&h, "alice", "alice@example.org"), 'y');
    assert_int_equal(ask(&h, "root", "x@example.com"), 'y');
    assert_int_equal(ask(&h, "alice", "sales@example.org"), 't');
    assert_int_equal(ask(&h, "alice", "x@example.com"), 't');
    end(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(tables_away)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
