// password_hash: by libcrypt and libargon2. libcrypt's state is big, and holds the password: it is taken from the heap
// and wiped.
#include "rt/password_hash.h"

#include "base/mem.h"

#include <argon2.h>
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

enum { PHRASE_MAX = CRYPT_MAX_PASSPHRASE_SIZE - 1 }; // longer ones can't be hashed by crypt(3)

// What libcrypt of Debian 12 makes by itself ("$y$" and a count of 0), and what it takes to check.
#define USUAL "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

struct hashing {
    struct crypt_data data;
    char phrase[CRYPT_MAX_PASSPHRASE_SIZE];
    char setting[CRYPT_OUTPUT_SIZE];
};

static void hashing_free(struct hashing *h) {
    if (h)
        explicit_bzero(h, sizeof *h);
    free(h);
}

// The hash, within `h`; NULL when there is none.
static const char *hash(struct hashing *h, struct slice setting, struct slice password) {
    if (setting.n >= sizeof h->setting || password.n > PHRASE_MAX || slice_find(password, 0) < password.n)
        return NULL;
    memcpy(h->setting, setting.p, setting.n);
    h->setting[setting.n] = 0;
    memcpy(h->phrase, password.p ? password.p : "", password.n);
    h->phrase[password.n] = 0;
    const char *out = crypt_r(h->phrase, h->setting, &h->data);
    return out && *out != '*' ? out : NULL;
}

static bool crypt_fits(struct slice wanted, struct slice password) {
    struct hashing *h = MEM_NEW(struct hashing);
    const char *out = hash(h, wanted, password);
    bool fits = out && digest_equal(slice_str(out), wanted);
    hashing_free(h);
    return fits;
}

static bool argon2_fits(struct slice wanted, struct slice password) {
    char text[PASSWORD_LINE_MAX + 1];
    if (wanted.n >= sizeof text)
        return false;
    memcpy(text, wanted.p, wanted.n);
    text[wanted.n] = 0;
    return argon2id_verify(text, password.p ? password.p : "", password.n) == ARGON2_OK;
}

static bool scram_fits(struct slice text, struct slice password) {
    struct password_scram s;
    struct scram_keys keys;
    enum digest_kind kind;
    if (!password_scram_parse(text, &s, &kind))
        return false;
    scram_keys_of(kind, password, slice_of(s.salt, s.salt_n), s.iterations, &keys);
    bool fits = digest_equal(slice_of(keys.stored, SCRAM_KEY_MAX), slice_of(s.keys.stored, SCRAM_KEY_MAX));
    explicit_bzero(&keys, sizeof keys);
    explicit_bzero(&s, sizeof s);
    return fits;
}

bool password_hash_fits(const struct password_hash *h, struct slice password) {
    switch (h->scheme) {
    case PASSWORD_CRYPT:
        return crypt_fits(h->text, password);
    case PASSWORD_ARGON2ID:
        return argon2_fits(h->text, password);
    case PASSWORD_SCRAM_SHA_256:
    case PASSWORD_SCRAM_SHA_1:
        return scram_fits(h->text, password);
    case PASSWORD_NONE:
        break;
    }
    return false;
}

bool password_hash_verify(struct slice text, struct slice password) {
    struct password_record r;
    char line[PASSWORD_LINE_MAX + 2] = "u:";
    if (text.n > PASSWORD_LINE_MAX - 2 || slice_find(text, ':') < text.n)
        return false;
    memcpy(line + 2, text.p ? text.p : "", text.n);
    return password_parse(slice_of(line, text.n + 2), &r, NULL) && password_hash_fits(&r.hashes[0], password);
}

bool password_hash_make(struct slice password, struct buf *out, struct err *e) {
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (password.n > PHRASE_MAX)
        return err_set(e, ERR_PERMANENT, "a password has at most %d bytes", PHRASE_MAX);
    if (!crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting))
        return err_sys(e, errno, "making a salt");
    struct hashing *h = MEM_NEW(struct hashing);
    const char *text = hash(h, slice_str(setting), password);
    bool ok = text && buf_add_str(out, text);
    hashing_free(h);
    return ok || err_set(e, ERR_TEMPORARY, "libcrypt gives no yescrypt hash");
}

void password_hash_waste(const struct password_hash *like, struct slice password) {
    struct password_hash usual = {PASSWORD_CRYPT, SLICE(USUAL)};
    (void)!password_hash_fits(like && like->scheme != PASSWORD_NONE ? like : &usual, password);
}
