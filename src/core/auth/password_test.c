// password_test: lines of a password file, good ones and hostile ones.
#include "core/auth/password.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define YESCRYPT "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
#define SHA512 "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
#define BCRYPT "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define ARGON2 "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
#define SCRAM                                                                                                          \
    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"                       \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SCRAM_1 "{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE="

static const struct {
    const char *line;
    const char *user, *name;
    size_t hashes;
    enum password_scheme plain; // PASSWORD_NONE: no PLAIN
    const char *mistake;
} lines[] = {
    {"alice@example.org::" YESCRYPT ":" SCRAM, "alice@example.org", "", 2, PASSWORD_CRYPT, NULL},
    {"alice::" SCRAM ":" SCRAM_1 ":" BCRYPT, "alice", "", 3, PASSWORD_CRYPT, NULL},
    {"alice:phone_2.x-y:" ARGON2, "alice", "phone_2.x-y", 1, PASSWORD_ARGON2ID, NULL},
    {"bob:" BCRYPT, "bob", "", 1, PASSWORD_CRYPT, NULL},
    {"bob:" SHA512, "bob", "", 1, PASSWORD_CRYPT, NULL},
    {"bob:$6$rounds=5000$abc$"
     "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
     "bob", "", 1, PASSWORD_CRYPT, NULL},
    {"b\xc3\xb6rn::" SCRAM, "b\xc3\xb6rn", "", 1, PASSWORD_SCRAM_SHA_256, NULL},
    {"bob:!", "bob", "", 1, PASSWORD_NONE, NULL},
    {"bob:!" BCRYPT, "bob", "", 1, PASSWORD_NONE, NULL},
    {"bob::*", "bob", "", 1, PASSWORD_NONE, NULL},

    {"alice", NULL, NULL, 0, PASSWORD_NONE, "expected USER:NAME:HASH"},
    {"alice:", NULL, NULL, 0, PASSWORD_NONE, "expected USER:NAME:HASH"},
    {"alice:phone", NULL, NULL, 0, PASSWORD_NONE, "expected USER:NAME:HASH"},
    {"alice::", NULL, NULL, 0, PASSWORD_NONE, "an empty hash"},
    {"alice::" BCRYPT ":", NULL, NULL, 0, PASSWORD_NONE, "an empty hash"},
    {"alice::secret", NULL, NULL, 0, PASSWORD_NONE, "passwords themselves are not kept"},
    {":" BCRYPT, NULL, NULL, 0, PASSWORD_NONE, "no user can be called so"},
    {"al\tice:" BCRYPT, NULL, NULL, 0, PASSWORD_NONE, "no user can be called so"},
    {"alice:my phone:" BCRYPT, NULL, NULL, 0, PASSWORD_NONE, "a secret's name"},
    {"alice:{MD5}abcdefg", NULL, NULL, 0, PASSWORD_NONE, "unknown scheme {MD5}; known"},
    {"alice:$1$salt$abcdefg", NULL, NULL, 0, PASSWORD_NONE, "unknown scheme $1$; known"},
    {"alice:$apr1$salt$abcdefg", NULL, NULL, 0, PASSWORD_NONE, "unknown scheme $apr1$; known"},
    {"alice:$\x1b[m$", NULL, NULL, 0, PASSWORD_NONE, "unknown scheme (unreadable)"},
    {"alice:$", NULL, NULL, 0, PASSWORD_NONE, "unknown scheme (unreadable)"},
    {"alice:$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", NULL, NULL, 0, PASSWORD_NONE,
     "cost over 16"},
    {"alice:$2b$05$short", NULL, NULL, 0, PASSWORD_NONE, "53 characters"},
    {"alice:$2b$05$CCCCCCCCCCCC*CCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", NULL, NULL, 0, PASSWORD_NONE,
     "that none has"},
    {"alice:$6$rounds=999999999$abc$x", NULL, NULL, 0, PASSWORD_NONE, "1000000 rounds"},
    {"alice:$6$abc$x", NULL, NULL, 0, PASSWORD_NONE, "not $6$"},
    {"alice:$y$jZT$abc$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", NULL, NULL, 0, PASSWORD_NONE, "too much memory"},
    {"alice:$y$j9z$abc$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", NULL, NULL, 0, PASSWORD_NONE, "too much memory"},
    {"alice:$y$j9T$abc", NULL, NULL, 0, PASSWORD_NONE, "not $y$"},
    {"alice:$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", NULL, NULL, 0,
     PASSWORD_NONE, "too much"},
    {"alice:$argon2id$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", NULL, NULL, 0,
     PASSWORD_NONE, "not $argon2id$v=19$"},
    {"alice::{SCRAM-SHA-256}1000,W22ZaJ0SNY7soEsUEjb6gQ==,,", NULL, NULL, 0, PASSWORD_NONE, "4096 iterations"},
    {"alice::{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,abcd,abcd", NULL, NULL, 0, PASSWORD_NONE, "4096 iterations"},
    {"alice::" SCRAM ",x", NULL, NULL, 0, PASSWORD_NONE, "4096 iterations"},
    {"a:" BCRYPT ":!:!:!:!", NULL, NULL, 0, PASSWORD_NONE, "more than 4 hashes"},
};

static void test_lines(void **state) {
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct password_record r = {0};
        struct err e = {0};
        bool ok = password_parse(slice_str(lines[i].line), &r, &e);
        if (lines[i].mistake) {
            if (ok || !strstr(e.text, lines[i].mistake))
                fail_msg("%s: %s", lines[i].line, e.text);
            continue;
        }
        if (!ok)
            fail_msg("%s: %s", lines[i].line, e.text);
        assert_true(slice_eq(r.user, slice_str(lines[i].user)) && slice_eq(r.name, slice_str(lines[i].name)));
        assert_int_equal(r.hashes_n, lines[i].hashes);
        const struct password_hash *plain = password_plain(&r);
        assert_int_equal(plain ? plain->scheme : PASSWORD_NONE, lines[i].plain);
    }
}

static void test_file(void **state) {
    static const char text[] = "# people\n\n  alice::" BCRYPT "  \r\nbob\n\0x\ncarol:phone:" SCRAM;
    struct password_reader r = {.rest = slice_of(text, sizeof text - 1)};
    struct password_record record;
    struct err e = {0};
    assert_int_equal(password_next(&r, &record, &e), PASSWORD_READ_RECORD);
    assert_true(record.line == 3 && slice_eq(record.user, SLICE("alice")));
    assert_int_equal(password_next(&r, &record, &e), PASSWORD_READ_MISTAKE);
    assert_string_equal(e.text, "line 4: expected USER:NAME:HASH, with an empty NAME for the main password");
    assert_int_equal(password_next(&r, &record, &e), PASSWORD_READ_MISTAKE);
    assert_int_equal(password_next(&r, &record, &e), PASSWORD_READ_RECORD);
    assert_true(record.line == 6 && slice_eq(record.name, SLICE("phone")));
    assert_int_equal(password_next(&r, &record, &e), PASSWORD_READ_END);
    assert_int_equal(password_next(&r, &record, &e), PASSWORD_READ_END);
}

static void test_write(void **state) {
    struct password_record r;
    struct err e;
    struct buf out BUF_AUTO = {.max = 4096}, keys BUF_AUTO = {.max = 4096};
    assert_true(password_parse(SLICE("bob:" BCRYPT ":" SCRAM_1), &r, &e) && password_write(&r, &out));
    assert_true(slice_eq(buf_slice(&out), SLICE("bob::" BCRYPT ":" SCRAM_1 "\n")));
    struct password_scram s;
    assert_true(password_scram(&r, DIGEST_SHA1, &s) && s.iterations == 4096);
    assert_false(password_scram(&r, DIGEST_SHA256, &s));
    assert_true(password_scram_write(DIGEST_SHA1, &s, &keys) && slice_eq(buf_slice(&keys), SLICE(SCRAM_1)));
}

// Keys of RFC 5802's and RFC 7677's user: whose password is "pencil".
static void test_keys(void **state) {
    struct password_record r;
    struct password_scram s;
    struct scram_keys keys;
    struct err e;
    assert_true(password_parse(SLICE("user::" SCRAM ":" SCRAM_1), &r, &e));
    for (enum digest_kind k = DIGEST_SHA1; k <= DIGEST_SHA256; k++) {
        assert_true(password_scram(&r, k, &s));
        scram_keys_of(k, SLICE("pencil"), slice_of(s.salt, s.salt_n), s.iterations, &keys);
        assert_memory_equal(&keys, &s.keys, sizeof keys);
    }
}

static void test_long_line(void **state) {
    static char line[PASSWORD_LINE_MAX + 100];
    struct password_record r;
    struct err e = {0};
    memset(line, 'a', sizeof line);
    assert_false(password_parse(slice_of(line, sizeof line), &r, &e));
    assert_non_null(strstr(e.text, "longer than"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_file),      cmocka_unit_test(test_write),
        cmocka_unit_test(test_keys),  cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
