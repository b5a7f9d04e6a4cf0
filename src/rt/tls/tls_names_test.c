// tls_names_test: exact names, stars, and what each lacks.
#include "rt/tls/tls_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_find(void **state) {
    struct tls_names t = {0};
    const struct {
        const char *name;
        int rsa, ec; // -2: nothing is found
    } cases[] = {
        {"mx.example.org", 0, 1},
        {"MX.Example.ORG.", 0, 1},
        {"other.example.org", 3, 2},
        {"a.b.example.org", -2, 0},
        {"example.org", -2, 0},
        {"*.example.org", 3, 2},
        {".example.org", -2, 0},
        {"org", -2, 0},
        {"localhost", TLS_NOBODY, 4},
        {"", -2, 0},
        {".", -2, 0},
        {"only.example.net", 5, TLS_NOBODY},
        {"half.example.org", 3, 6},
        {"x.localhost", -2, 0},
    };
    (void)state;
    tls_names_add(&t, SLICE("mx.example.org"), TLS_KIND_RSA, 0);
    tls_names_add(&t, SLICE("Mx.Example.Org"), TLS_KIND_EC, 1);
    tls_names_add(&t, SLICE("mx.example.org"), TLS_KIND_EC, 9); // too late
    tls_names_add(&t, SLICE("*.example.org"), TLS_KIND_EC, 2);
    tls_names_add(&t, SLICE("*.example.org"), TLS_KIND_RSA, 3);
    tls_names_add(&t, SLICE("localhost"), TLS_KIND_EC, 4);
    tls_names_add(&t, SLICE("only.example.net"), TLS_KIND_RSA, 5);
    tls_names_add(&t, SLICE("half.example.org"), TLS_KIND_EC, 6);
    tls_names_add(&t, SLICE("bad\0name"), TLS_KIND_EC, 7);
    tls_names_add(&t, SLICE(""), TLS_KIND_EC, 8);
    tls_names_complete(&t);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct tls_name *found = tls_names_find(&t, slice_str(cases[i].name));
        if ((found != NULL) != (cases[i].rsa != -2))
            fail_msg("%s: found or not", cases[i].name);
        if (found && (found->members[TLS_KIND_RSA] != cases[i].rsa || found->members[TLS_KIND_EC] != cases[i].ec))
            fail_msg("%s: %d %d", cases[i].name, found->members[TLS_KIND_RSA], found->members[TLS_KIND_EC]);
    }
    assert_null(tls_names_find(&t, SLICE("bad\0name")));
    tls_names_done(&t);
    assert_null(tls_names_find(&t, SLICE("mx.example.org")));
}

static void test_long(void **state) {
    struct tls_names t = {0};
    char name[400];
    (void)state;
    memset(name, 'a', sizeof name);
    for (size_t n = 1; n <= sizeof name; n++) {
        tls_names_add(&t, slice_of(name, n), TLS_KIND_EC, 0);
        name[1] = '.';
        (void)tls_names_find(&t, slice_of(name, n));
        name[1] = 'a';
    }
    tls_names_complete(&t);
    assert_int_equal(t.n, 256);
    tls_names_done(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
