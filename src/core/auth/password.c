// password: lines of a password file, and the costs that their hashes may have.
#include "core/auth/password.h"

#include "base/base64.h"
#include "base/num.h"

// Bounds of what a check may cost: about a second, and a gibibyte at the very most.
enum {
    SHA512_ROUNDS_MAX = 1000000,
    BCRYPT_COST_MAX = 16,
    YESCRYPT_COST_MAX = 16, // 2^17 blocks of 4 KiB: 512 MiB
    ARGON2_KIB_MAX = 1024 * 1024,
    ARGON2_PASSES_MAX = 64,
    ARGON2_LANES_MAX = 64,
};

#define SCRAM_SHA_256 SLICE("{SCRAM-SHA-256}")
#define SCRAM_SHA_1 SLICE("{SCRAM-SHA-1}")

// --- schemes

static bool all_of(struct slice s, const char *more) {
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && (!s.p[i] || !strchr(more, s.p[i])))
            return false;
    return true;
}

// A digit of crypt(5)'s base64.
static int digit64(char c) {
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

// $y$PARAMS$SALT$HASH: of the parameters the first digit is the flavour, the second the logarithm of the memory.
static const char *yescrypt_wrong(struct slice rest) {
    struct slice params, salt, hash;
    if (!slice_cut(rest, '$', &params, &rest) || !slice_cut(rest, '$', &salt, &hash) || params.n < 3 || !salt.n ||
        hash.n != 43 || slice_find(hash, '$') < hash.n)
        return "not $y$PARAMETERS$SALT$HASH";
    if (params.p[0] != 'j')
        return "yescrypt of a flavour that crypt(5) doesn't make";
    int cost = digit64(params.p[1]), block = digit64(params.p[2]); // block: 4 KiB at T, the 31st digit
    return cost > YESCRYPT_COST_MAX || block > digit64('T') ? "yescrypt that takes too much memory" : NULL;
}

static const char *sha512_wrong(struct slice rest) {
    struct slice salt, hash;
    uint64_t rounds;
    if (slice_starts(rest, SLICE("rounds="))) {
        slice_cut(slice_from(rest, 7), '$', &salt, &rest);
        if (!num_u64(salt, SHA512_ROUNDS_MAX, &rounds))
            return "sha512-crypt with more than 1000000 rounds, or no number of them";
    }
    slice_cut(rest, '$', &salt, &hash);
    return hash.n == 86 && slice_find(hash, '$') == hash.n ? NULL : "not $6$SALT$HASH";
}

static const char *bcrypt_wrong(struct slice rest) {
    struct slice cost, hash;
    uint64_t value;
    slice_cut(rest, '$', &cost, &hash);
    if (hash.n != 53 || slice_find(hash, '$') < hash.n || cost.n != 2 || !num_u64(cost, 31, &value))
        return "not $2b$COST$ and 53 characters";
    return value > BCRYPT_COST_MAX ? "bcrypt with a cost over 16" : NULL;
}

static bool number_after(struct slice *rest, struct slice key, uint64_t max) {
    struct slice part;
    uint64_t value;
    slice_cut(*rest, ',', &part, rest);
    return slice_starts(part, key) && num_u64(slice_from(part, key.n), max, &value) && value > 0;
}

// $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH
static const char *argon2_wrong(struct slice rest) {
    struct slice version, params, salt, hash;
    if (!slice_cut(rest, '$', &version, &rest) || !slice_cut(rest, '$', &params, &rest) ||
        !slice_cut(rest, '$', &salt, &hash) || !slice_eq(version, SLICE("v=19")) || salt.n < 11 || hash.n < 16 ||
        slice_find(hash, '$') < hash.n)
        return "not $argon2id$v=19$m=..,t=..,p=..$SALT$HASH";
    return number_after(&params, SLICE("m="), ARGON2_KIB_MAX) &&
                   number_after(&params, SLICE("t="), ARGON2_PASSES_MAX) &&
                   number_after(&params, SLICE("p="), ARGON2_LANES_MAX) && !params.n
               ? NULL
               : "argon2id whose m, t or p is wrong, or too much (1048576, 64, 64)";
}

static const char *scram_wrong(struct slice text) {
    struct password_scram scram;
    enum digest_kind kind;
    bool ok = password_scram_parse(text, &scram, &kind);
    explicit_bzero(&scram, sizeof scram);
    return ok ? NULL : "not {SCRAM-...}ITERATIONS,SALT,STORED,SERVER with 4096 iterations or more";
}

static const struct {
    const char *prefix;
    enum password_scheme scheme;
    const char *more; // characters that it may have besides letters and digits
    const char *(*wrong)(struct slice rest);
} schemes[] = {
    {"$y$", PASSWORD_CRYPT, "./$", yescrypt_wrong}, {"$6$", PASSWORD_CRYPT, "./$=", sha512_wrong},
    {"$2b$", PASSWORD_CRYPT, "./$", bcrypt_wrong},  {"$2y$", PASSWORD_CRYPT, "./$", bcrypt_wrong},
    {"$2a$", PASSWORD_CRYPT, "./$", bcrypt_wrong},  {"$argon2id$", PASSWORD_ARGON2ID, "+/$=,", argon2_wrong},
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

// "$1$" or "{MD5}", and nothing of the hash.
static struct slice scheme_shown(struct slice text) {
    enum { MOST = 16 };
    char end = text.n && text.p[0] == '{' ? '}' : '$';
    size_t n = slice_find(slice_from(text, 1), end);
    return n < MOST && n + 1 < text.n && all_of(slice_of(text.p + 1, n), "-_") ? slice_upto(text, n + 2)
                                                                               : SLICE("(unreadable)");
}

static bool no_such_scheme(struct slice text, struct err *e) {
    if (!text.n)
        return err_set(e, ERR_PERMANENT, "an empty hash; \"!\" is one that no password fits");
    if (text.p[0] != '$' && text.p[0] != '{')
        return err_set(e, ERR_PERMANENT, "a hash begins with $ or {, or is \"!\"; passwords themselves are not kept");
    return err_set(e, ERR_PERMANENT,
                   "unknown scheme %.*s; known: $y$ $6$ $2b$ $argon2id$ {SCRAM-SHA-256} {SCRAM-SHA-1}",
                   SLICE_ARG(scheme_shown(text)));
}

static bool parse_hash(struct slice text, struct password_hash *out, struct err *e) {
    const char *wrong = NULL;
    if (slice_starts(text, SLICE("!")) || slice_starts(text, SLICE("*"))) {
        *out = (struct password_hash){PASSWORD_NONE, text};
        return true;
    }
    if (slice_starts(text, SCRAM_SHA_256) || slice_starts(text, SCRAM_SHA_1)) {
        bool longer = slice_starts(text, SCRAM_SHA_256);
        *out = (struct password_hash){longer ? PASSWORD_SCRAM_SHA_256 : PASSWORD_SCRAM_SHA_1, text};
        wrong = scram_wrong(text);
        return wrong ? err_set(e, ERR_PERMANENT, "%s", wrong) : true;
    }
    for (size_t i = 0; i < SCHEMES; i++) {
        struct slice prefix = slice_str(schemes[i].prefix);
        if (!slice_starts(text, prefix))
            continue;
        wrong = all_of(text, schemes[i].more) ? schemes[i].wrong(slice_from(text, prefix.n))
                                              : "a hash with characters that none has";
        *out = (struct password_hash){schemes[i].scheme, text};
        return wrong ? err_set(e, ERR_PERMANENT, "%s", wrong) : true;
    }
    return no_such_scheme(text, e);
}

// --- lines

bool password_name_valid(struct slice name) { return name.n <= PASSWORD_NAME_MAX && all_of(name, "-_."); }

static bool parse_user(struct slice user, struct err *e) {
    struct arena a ARENA_AUTO = {.max = 4096};
    struct slice same;
    return sasl_user(&a, user, &same) || err_set(e, ERR_PERMANENT,
                                                 "no user can be called so: it is empty, longer than "
                                                 "320 bytes, or not plain UTF-8");
}

static bool is_hash(struct slice s) { return s.n && strchr("${!*", s.p[0]) != NULL && s.p[0]; }

static bool parse_hashes(struct slice rest, struct password_record *r, struct err *e) {
    bool more = true;
    while (more) {
        struct slice one;
        more = slice_cut(rest, ':', &one, &rest);
        if (r->hashes_n == PASSWORD_HASHES_MAX)
            return err_set(e, ERR_PERMANENT, "more than %d hashes", PASSWORD_HASHES_MAX);
        if (!parse_hash(one, &r->hashes[r->hashes_n], e))
            return false;
        r->hashes_n++;
    }
    return true;
}

bool password_parse(struct slice line, struct password_record *out, struct err *e) {
    struct password_record r = {0};
    struct slice rest, hashes;
    if (line.n > PASSWORD_LINE_MAX)
        return err_set(e, ERR_PERMANENT, "longer than %d bytes", PASSWORD_LINE_MAX);
    if (!slice_cut(line, ':', &r.user, &rest))
        return err_set(e, ERR_PERMANENT, "expected USER:NAME:HASH, with an empty NAME for the main password");
    if (!parse_user(r.user, e))
        return false;
    if (is_hash(rest))
        hashes = rest;
    else if (!slice_cut(rest, ':', &r.name, &hashes))
        return err_set(e, ERR_PERMANENT, "expected USER:NAME:HASH, with an empty NAME for the main password");
    if (!password_name_valid(r.name))
        return err_set(e, ERR_PERMANENT, "a secret's name has up to %d letters, digits, - _ and .", PASSWORD_NAME_MAX);
    if (!parse_hashes(hashes, &r, e))
        return false;
    *out = r;
    return true;
}

enum password_read password_next(struct password_reader *r, struct password_record *out, struct err *e) {
    while (r->rest.n) {
        struct slice line;
        struct password_record record;
        slice_cut(r->rest, '\n', &line, &r->rest);
        line = slice_trim(line);
        r->line++;
        if (!line.n || line.p[0] == '#')
            continue;
        if (!password_parse(line, &record, e)) {
            err_while(e, "line %u", r->line);
            return PASSWORD_READ_MISTAKE;
        }
        record.line = r->line;
        *out = record;
        return PASSWORD_READ_RECORD;
    }
    return PASSWORD_READ_END;
}

bool password_write(const struct password_record *record, struct buf *out) {
    buf_add(out, record->user);
    buf_add_char(out, ':');
    buf_add(out, record->name);
    for (size_t i = 0; i < record->hashes_n; i++) {
        buf_add_char(out, ':');
        buf_add(out, record->hashes[i].text);
    }
    return buf_add_char(out, '\n');
}

static bool is_scram(const struct password_hash *h) {
    return h->scheme == PASSWORD_SCRAM_SHA_256 || h->scheme == PASSWORD_SCRAM_SHA_1;
}

const struct password_hash *password_plain(const struct password_record *record) {
    const struct password_hash *keys = NULL;
    for (size_t i = 0; i < record->hashes_n; i++) {
        const struct password_hash *h = &record->hashes[i];
        if (h->scheme == PASSWORD_CRYPT || h->scheme == PASSWORD_ARGON2ID)
            return h;
        if (!keys && is_scram(h))
            keys = h;
    }
    return keys;
}

// --- SCRAM keys

bool password_scram(const struct password_record *record, enum digest_kind kind, struct password_scram *out) {
    enum password_scheme scheme = kind == DIGEST_SHA1 ? PASSWORD_SCRAM_SHA_1 : PASSWORD_SCRAM_SHA_256;
    enum digest_kind same;
    for (size_t i = 0; i < record->hashes_n; i++)
        if (record->hashes[i].scheme == scheme)
            return password_scram_parse(record->hashes[i].text, out, &same);
    return false;
}

// The next part in base64, of `least` to `most` bytes.
static bool take_bytes(struct slice *rest, size_t least, size_t most, uint8_t *to, size_t *n) {
    struct slice part;
    struct buf bytes BUF_AUTO = {.max = most};
    slice_cut(*rest, ',', &part, rest);
    bool ok = base64_decode(&bytes, part) && bytes.n >= least;
    if (ok)
        memcpy(to, bytes.p, bytes.n);
    *n = bytes.n;
    if (bytes.p)
        explicit_bzero(bytes.p, bytes.n);
    return ok;
}

bool password_scram_parse(struct slice text, struct password_scram *out, enum digest_kind *kind) {
    bool longer = slice_starts(text, SCRAM_SHA_256);
    enum digest_kind k = longer ? DIGEST_SHA256 : DIGEST_SHA1;
    size_t size = digest_size(k), n;
    struct password_scram s = {0};
    struct slice iterations, rest = slice_from(text, longer ? SCRAM_SHA_256.n : SCRAM_SHA_1.n);
    uint64_t value;
    if (!longer && !slice_starts(text, SCRAM_SHA_1))
        return false;
    slice_cut(rest, ',', &iterations, &rest);
    if (!num_u64(iterations, SCRAM_ITERATIONS_MAX, &value) || value < SCRAM_ITERATIONS_MIN ||
        !take_bytes(&rest, 1, SCRAM_SALT_MAX, s.salt, &s.salt_n) || !take_bytes(&rest, size, size, s.keys.stored, &n) ||
        !take_bytes(&rest, size, size, s.keys.server, &n) || rest.n)
        return false;
    s.iterations = (uint32_t)value;
    *out = s;
    *kind = k;
    explicit_bzero(&s, sizeof s);
    return true;
}

bool password_scram_write(enum digest_kind kind, const struct password_scram *scram, struct buf *out) {
    size_t size = digest_size(kind);
    buf_add(out, kind == DIGEST_SHA1 ? SCRAM_SHA_1 : SCRAM_SHA_256);
    buf_add_u64(out, scram->iterations);
    buf_add_char(out, ',');
    base64_encode(out, slice_of(scram->salt, scram->salt_n));
    buf_add_char(out, ',');
    base64_encode(out, slice_of(scram->keys.stored, size));
    buf_add_char(out, ',');
    return base64_encode(out, slice_of(scram->keys.server, size)) && !out->failed;
}
