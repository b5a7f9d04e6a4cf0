// fuzz_jwt: the first byte says what follows: a token, a JWKS, an introspection's answer. A user is one that the bytes
// hold, and only a signature's owner can change a token.
#include "fuzz.h"

#include "base/utf8.h"
#include "core/auth/jwt.h"

// RFC 8037 A.2.
#define KEYS "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct jwt_keys *keys; // never freed
    struct slice in = slice_of(data, size), user = SLICE_EMPTY;
    struct arena a ARENA_AUTO = {.max = 65536};
    struct err e = {0};
    struct jwt_wanted w = {.claim = SLICE("email"), .now = {1700000000000}};
    bool ok = false;
    if (!keys)
        FUZZ_CHECK((keys = jwt_keys_parse(SLICE(KEYS), &e)) != NULL);
    switch (fuzz_choose(&in, 3)) {
    case 0:
        ok = jwt_check(keys, in, &w, &a, &user, &e);
        break;
    case 1: {
        struct jwt_keys *k = jwt_keys_parse(in, &e);
        FUZZ_CHECK(k ? jwt_keys_count(k) >= 1 : e.text[0]);
        jwt_keys_free(k);
        return 0;
    }
    default:
        w.claim = SLICE("username");
        ok = jwt_introspection(in, &w, &a, &user, &e);
    }
    FUZZ_CHECK(ok ? user.n > 0 && utf8_valid(user) : e.text[0] != 0);
    return 0;
}
