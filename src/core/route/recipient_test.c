// recipient_test: tables as they are written, and whom an address reaches through them.
#include "core/route/recipient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char text[] =
    "hostname mx.example.org; listen mx 127.0.0.1:25\n"
    "table users file u\n"
    "table aliases aliases a\n"
    "table own inline { \"info@inline.example = staff\" \"staff = alice@example.org\" \"Dora\" }\n"
    "domain example.org { recipients users + aliases; deliver maildir \"/m/{local}\" }\n"
    "domain first.example { recipients aliases + users; deliver maildir \"/m/{local}\"; tag \"-\" }\n"
    "domain inline.example { recipients own; deliver maildir \"/m/{local}\"; tag off }\n"
    "domain any.example { recipients any; deliver maildir \"/m/{local}\" }\n"
    "domain relay.example { recipients any; deliver relay }\n"
    "domain gate.example { recipients users; deliver relay }\n";

static const char users[] = "# people\n"
                            "Alice\n"
                            "bob\n"
                            "  carol  \n"
                            "bob+lists\n"
                            "jean-paul\n"
                            "\"john doe\"\n"
                            "only@first.example\n"
                            "root\n";

static const char aliases[] = "# as in aliases(5)\n"
                              "sales: alice,\n"
                              "\tbob,\n"
                              "  # a comment in between\n"
                              "\n"
                              "  sub\n"
                              "SUB: Carol, Someone@Elsewhere.Example\n"
                              "remote: \"odd name\"@far.example\n"
                              "command: \"|/usr/bin/vacation bob\"\n"
                              "file: /var/mail/archive\n"
                              "list: :include:/etc/list\n"
                              "mixed: alice, \"|cmd\"\n"
                              "lost: nobody\n"
                              "ring: gnir\n"
                              "gnir: ring\n"
                              "root: root, carol\n"
                              "bob: \\bob, carol\n"
                              "owner-sales: alice\n"
                              "tagged: alice+news\n"
                              "both: alice@example.org, alice@first.example\n"
                              "cross: cross@first.example, bob\n"
                              "dup: alice, ALICE, alice+x, alice@EXAMPLE.org\n"
                              "\"with space\": alice\n"
                              "empty:\n"
                              "broken line\n"
                              "quote: \"open\n"
                              "sales: carol\n";

struct fixture {
    struct config *c;
    struct recipient_table *tables[3];
    struct recipient_warnings warnings;
};

static const struct hash_key key = {{1, 2}};

static struct recipient_table *table(enum config_table_kind kind, struct slice body, struct fixture *f) {
    struct recipient_table *t = recipient_table_parse(kind, body, key, &f->warnings);
    assert_non_null(t);
    return t;
}

static int setup(void **state) {
    static struct fixture f;
    struct config_report report;
    f.c = config_parse(slice_str(text), SLICE("/d"), &report);
    if (report.n)
        print_message("%u: %.*s\n", report.mistakes[0].place.line, SLICE_ARG(report.mistakes[0].text));
    config_report_done(&report);
    assert_non_null(f.c);
    f.tables[0] = table(CONFIG_TABLE_FILE, slice_str(users), &f);
    f.tables[1] = table(CONFIG_TABLE_ALIASES, slice_str(aliases), &f);
    f.tables[2] = table(CONFIG_TABLE_INLINE, f.c->tables[2].text, &f);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < 3; i++)
        recipient_table_free(f->tables[i]);
    config_free(f->c);
    recipient_warnings_done(&f->warnings);
    return 0;
}

static void show(const struct config *c, struct recipient_table *const *tables, const char *address, struct buf *b) {
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    struct recipients r;
    struct err e;
    if (!recipient_expand(c, tables, slice_str(address), &arena, &r, &e)) {
        assert_int_equal(e.kind, ERR_TEMPORARY);
        assert_int_equal(e.smtp, 451);
        buf_addf(b, "%s", e.text);
    } else if (r.kind == RECIPIENT_UNKNOWN) {
        buf_add_str(b, "unknown");
    } else {
        for (size_t i = 0; i < r.n; i++) {
            buf_addf(b, "%s%.*s", i ? " " : "", SLICE_ARG(r.list[i].address));
            if (!slice_eq(r.list[i].address, r.list[i].tagged))
                buf_addf(b, "=%.*s", SLICE_ARG(r.list[i].tagged));
            buf_addf(b, ">%.*s", SLICE_ARG(r.list[i].mailbox));
        }
    }
    buf_add_char(b, '\0');
}

// address>mailbox, address=tagged>mailbox
static void test_expand(void **state) {
    static const struct {
        const char *address, *result;
    } rows[] = {
        {"alice@example.org", "Alice@example.org>Alice"},
        {"ALICE@Example.ORG", "Alice@example.org>Alice"},
        {"alice@example.org.", "Alice@example.org>Alice"},
        {"\"alice\"@example.org", "Alice@example.org>Alice"},
        {"\"a\\lice\"@example.org", "Alice@example.org>Alice"},
        {"carol@example.org", "carol@example.org>carol"},
        {"nobody@example.org", "unknown"},
        {"@example.org", "unknown"},
        {"alice", "unknown"},
        {"", "unknown"},
        {"\"john doe\"@example.org", "\"john doe\"@example.org>john doe"},
        {"\"with space\"@example.org", "Alice@example.org>Alice"},
        // tags
        {"alice+news@example.org", "Alice@example.org=Alice+news@example.org>Alice"},
        {"alice+a+b@example.org", "Alice@example.org=Alice+a+b@example.org>Alice"},
        {"bob+lists@example.org", "bob+lists@example.org>bob+lists"},
        {"bob+lists+x@example.org", "bob+lists@example.org=bob+lists+x@example.org>bob+lists"},
        {"+news@example.org", "unknown"},
        {"alice-news@example.org", "unknown"},
        {"alice-news@first.example", "Alice@first.example=Alice-news@first.example>Alice"},
        {"jean-paul-x@first.example", "jean-paul@first.example=jean-paul-x@first.example>jean-paul"},
        {"alice+news@first.example", "unknown"},
        {"sales+q3@example.org", "Alice@example.org>Alice bob@example.org>bob carol@example.org>carol "
                                 "Someone@elsewhere.example>"},
        {"Dora+x@inline.example", "unknown"},
        // aliases
        {"sales@example.org", "Alice@example.org>Alice bob@example.org>bob carol@example.org>carol "
                              "Someone@elsewhere.example>"},
        {"sub@example.org", "carol@example.org>carol Someone@elsewhere.example>"},
        {"remote@example.org", "\"odd name\"@far.example>"},
        {"owner-sales@example.org", "Alice@example.org>Alice"},
        {"tagged@example.org", "Alice@example.org=Alice+news@example.org>Alice"},
        {"both@example.org", "Alice@example.org>Alice Alice@first.example>Alice"},
        {"cross@example.org", "alias cross (line 21) leads back to cross"},
        {"dup@example.org", "Alice@example.org>Alice"},
        {"root@example.org", "root@example.org>root"},
        {"root@first.example", "root@first.example>root carol@first.example>carol"},
        {"bob@first.example", "bob@first.example>bob carol@first.example>carol"},
        // what can't be done yet, or is wrong, is put off
        {"command@example.org", "alias command (line 9) asks for what is not supported: |/usr/bin/vacation bob"},
        {"file@example.org", "alias file (line 10) asks for what is not supported: /var/mail/archive"},
        {"list@example.org", "alias list (line 11) asks for what is not supported: :include:/etc/list"},
        {"mixed@example.org", "alias mixed (line 12) asks for what is not supported: |cmd"},
        {"lost@example.org", "alias lost (line 13) leads to nobody: nobody"},
        {"ring@example.org", "alias gnir (line 15) leads back to ring"},
        {"empty@example.org", "unknown"},
        // names of one domain only
        {"only@first.example", "only@first.example>only"},
        {"only@example.org", "unknown"},
        {"info@inline.example", "Alice@example.org>Alice"},
        {"dora@inline.example", "Dora@inline.example>Dora"},
        // any
        {"Zoe@any.example", "zoe@any.example>zoe"},
        {"zoe+a+b@any.example", "zoe@any.example=zoe+a+b@any.example>zoe"},
        {"\"../x\"@any.example", "unknown"},
        {"a/b@any.example", "unknown"},
        {"\"a b\"@any.example", "unknown"},
        {"Zoe+x@relay.example", "Zoe+x@relay.example>"},
        {"\"a b\"@relay.example", "\"a b\"@relay.example>"},
        {"alice+x@gate.example", "Alice+x@gate.example>"},
        {"zoe@gate.example", "unknown"},
        // elsewhere
        {"Someone@Far.Example", "Someone@far.example>"},
        // postmaster
        {"Postmaster", "Alice@example.org>Alice"},
        {"postmaster@mx.example.org", "Alice@example.org>Alice"},
        {"POSTMASTER@example.org", "Alice@example.org>Alice"},
        {"postmaster@inline.example", "Alice@example.org>Alice"},
        {"postmaster@any.example", "postmaster@any.example>postmaster"},
        {"postmaster@gate.example", "postmaster@gate.example>"},
        {"postmaster@far.example", "postmaster@far.example>"},
    };
    struct fixture *f = *state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = {.max = 4096};
        show(f->c, f->tables, rows[i].address, &b);
        if (strcmp(b.p, rows[i].result) != 0) {
            print_message("%s\n  wanted %s\n  got    %s\n", rows[i].address, rows[i].result, b.p);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void assert_warning(const struct recipient_warnings *w, size_t i, uint32_t line, const char *wanted) {
    char shown[400];
    assert_true(i < w->n);
    snprintf(shown, sizeof shown, "%.*s", SLICE_ARG(w->list[i].text));
    assert_string_equal(shown, wanted);
    assert_int_equal(w->list[i].line, line);
}

static void test_warnings(void **state) {
    const struct recipient_warnings *w = &((struct fixture *)*state)->warnings;
    assert_warning(w, 0, 9,
                   "commands are not supported; mail to this alias is deferred: \"\"|/usr/bin/vacation bob\"\"");
    assert_warning(w, 1, 10, "files are not supported; mail to this alias is deferred: \"/var/mail/archive\"");
    assert_warning(w, 2, 11,
                   "lists in files are not supported; mail to this alias is deferred: \":include:/etc/list\"");
    assert_warning(w, 3, 12, "commands are not supported; mail to this alias is deferred: \"\"|cmd\"\"");
    assert_warning(w, 4, 24, "an alias without targets is passed over: \"empty\"");
    assert_warning(w, 5, 25, "expected \"name: target, target\"; passed over: \"broken line\"");
    assert_warning(w, 6, 26, "expected a closing quote; passed over: \"quote: \"open\"");
    assert_warning(w, 7, 27, "\"sales\" is there twice; line 2 counts");
    assert_int_equal(w->n, 8);
}

static void test_users_file(void **state) {
    struct recipient_warnings w = {0};
    struct recipient_table *t = recipient_table_parse(
        CONFIG_TABLE_FILE, SLICE("alice\r\n#x\n\n../etc\na b\nname:x\n.hidden\nalice\n\x01\nb"), key, &w);
    assert_int_equal(recipient_table_count(t), 2);
    assert_warning(&w, 0, 4, "expected a name without a slash or a first dot; passed over: \"../etc\"");
    assert_warning(&w, 1, 5, "expected one name a line; passed over: \"a b\"");
    assert_warning(&w, 2, 6, "expected one name a line; passed over: \"name:x\"");
    assert_warning(&w, 3, 7, "expected a name without a slash or a first dot; passed over: \".hidden\"");
    assert_warning(&w, 4, 8, "\"alice\" is there twice; line 1 counts");
    assert_warning(&w, 5, 9, "expected printable text; passed over: \"?\"");
    recipient_table_free(t);
    recipient_warnings_done(&w);
}

static void test_check(void **state) {
    struct fixture *f = *state;
    struct recipient_warnings w = {0};
    recipient_check(f->c, f->tables, &w);
    assert_warning(&w, 0, 0,
                   "domain example.org has no postmaster in its tables (RFC 5321 4.5.1); such mail goes to Alice");
    assert_warning(
        &w, 1, 9,
        "in domain example.org: alias command (line 9) asks for what is not supported: |/usr/bin/vacation bob");
    assert_true(w.n > 6);
    recipient_warnings_done(&w);
}

// A chain of n aliases that ends at alice.
static void chain(struct buf *b, unsigned n) {
    for (unsigned i = 1; i < n; i++)
        buf_addf(b, "c%u: c%u\n", i, i + 1);
    buf_addf(b, "c%u: alice\n", n);
}

static void test_limits(void **state) {
    struct fixture *f = *state;
    BUF_AUTO struct buf deep = {.max = 4096}, deeper = {.max = 4096}, wide = {.max = 1 << 20}, out = {.max = 4096};
    chain(&deep, RECIPIENT_DEPTH_MAX);
    chain(&deeper, RECIPIENT_DEPTH_MAX + 1);
    buf_add_str(&wide, "c1: x@y.example");
    for (unsigned i = 0; i < RECIPIENT_TOTAL_MAX - 1; i++)
        buf_addf(&wide, ", x%u@y.example", i);
    buf_add_str(&wide, "\nc2: c1, more@y.example\n");
    const struct {
        struct slice aliases;
        const char *address, *result;
    } rows[] = {
        {buf_slice(&deep), "c1@example.org", "Alice@example.org>Alice"},
        {buf_slice(&deeper), "c1@example.org", "alias c17 (line 17) is reached by too long a way "},
        {buf_slice(&wide), "c2@example.org", "an alias leads to more than 10000 addresses"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct recipient_table *tables[3] = {f->tables[0], table(CONFIG_TABLE_ALIASES, rows[i].aliases, f), NULL};
        ARENA_AUTO struct arena arena = {.max = 1 << 24};
        struct recipients r;
        struct err e;
        buf_reset(&out);
        if (recipient_expand(f->c, tables, slice_str(rows[i].address), &arena, &r, &e))
            buf_addf(&out, "%.*s>%.*s", SLICE_ARG(r.list[0].address), SLICE_ARG(r.list[0].mailbox));
        else
            buf_add_str(&out, e.text);
        buf_add_char(&out, '\0');
        assert_string_equal(out.p, rows[i].result);
        recipient_table_free(tables[1]);
    }
}

static void test_table_missing(void **state) {
    struct fixture *f = *state;
    struct recipient_table *tables[3] = {NULL, f->tables[1], NULL};
    BUF_AUTO struct buf b = {.max = 4096};
    show(f->c, tables, "alice@example.org", &b);
    assert_string_equal(b.p, "the table users can't be read");
}

// Memory that runs out is a temporary error, at every size.
static void test_small_arenas(void **state) {
    struct fixture *f = *state;
    for (size_t max = 0; max < 4096; max += 16) {
        ARENA_AUTO struct arena arena = {.max = max};
        struct recipients r = {0};
        struct err e = {.kind = ERR_BUG};
        bool ok = recipient_expand(f->c, f->tables, SLICE("sales@example.org"), &arena, &r, &e);
        assert_true(ok ? r.n == 4 : e.kind == ERR_TEMPORARY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),       cmocka_unit_test(test_warnings), cmocka_unit_test(test_users_file),
        cmocka_unit_test(test_check),        cmocka_unit_test(test_limits),   cmocka_unit_test(test_table_missing),
        cmocka_unit_test(test_small_arenas),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
