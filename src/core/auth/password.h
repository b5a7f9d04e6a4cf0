// password: the file of `auth file`: who may log in, and what is kept instead of passwords. Bytes in, records out.
//
//     # a comment
//     alice@example.org::$y$j9T$...:{SCRAM-SHA-256}10000,SALT,STORED,SERVER
//     alice@example.org:phone:$y$j9T$...:{SCRAM-SHA-256}10000,SALT,STORED,SERVER
//     bob@example.org:$2b$12$...
//
// A line is a secret: USER:NAME:HASH[:HASH...]. NAME is empty for a user's main password, and names an app password
// otherwise (letters, digits, - _ . only). All hashes of a line are of the same password: PLAIN is checked by SCRAM keys
// where there are any, which is quick, else by the first of the others; SCRAM by those of its kind. As other programs
// write them, USER:HASH is a main password too. Nobody's password fits a HASH of "!" or "*".
//
// Hashes: $y$ (yescrypt), $6$ (sha512-crypt), $2b$ $2y$ $2a$ (bcrypt), by crypt(5); $argon2id$ (RFC 9106's reference
// form); {SCRAM-SHA-256} and {SCRAM-SHA-1} as iterations, salt, StoredKey and ServerKey, the last three in base64.
// Costs are bounded, so that a line can't take a process's whole memory or day.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "wire/sasl.h"

enum {
    PASSWORD_LINE_MAX = 4096,     // bytes
    PASSWORD_FILE_MAX = 64 << 20, // bytes, for those who read one
    PASSWORD_HASHES_MAX = 4,      // in a line
    PASSWORD_NAME_MAX = 64,       // bytes of a secret's name
};

enum password_scheme {
    PASSWORD_NONE,  // nothing fits
    PASSWORD_CRYPT, // yescrypt, sha512-crypt, bcrypt: whole text is for crypt(3)
    PASSWORD_ARGON2ID,
    PASSWORD_SCRAM_SHA_256,
    PASSWORD_SCRAM_SHA_1,
};

struct password_hash {
    enum password_scheme scheme;
    struct slice text; // as written
};

struct password_record {
    struct slice user; // as written; sasl_user makes it comparable
    struct slice name; // of the secret, as written; compare with slice_ieq
    struct password_hash hashes[PASSWORD_HASHES_MAX];
    size_t hashes_n; // at least 1
    unsigned line;   // from 1
};

// What of a file is still to be read; start with {.rest = text}.
struct password_reader {
    struct slice rest;
    unsigned line; // of what was read last
};

enum password_read { PASSWORD_READ_RECORD, PASSWORD_READ_MISTAKE, PASSWORD_READ_END };

// The next record; its slices are views of the text. A line that is none is a MISTAKE with its reason in `e` ("line 7:
// ..."); what follows can still be read. Never shows a hash in `e`.
enum password_read password_next(struct password_reader *r, struct password_record *out, struct err *e);

// One line, without its end.
bool password_parse(struct slice line, struct password_record *out, struct err *e);

// As a line, with its end. False when it doesn't fit.
bool password_write(const struct password_record *record, struct buf *out);

// The hash that PLAIN is checked by; NULL when there is none but PASSWORD_NONE.
const struct password_hash *password_plain(const struct password_record *record);

// The SCRAM keys of that kind, where there are any.
struct password_scram {
    uint32_t iterations;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_n;
    struct scram_keys keys;
};
bool password_scram(const struct password_record *record, enum digest_kind kind, struct password_scram *out);
bool password_scram_parse(struct slice text, struct password_scram *out, enum digest_kind *kind);
bool password_scram_write(enum digest_kind kind, const struct password_scram *scram, struct buf *out);

// Whether a secret may be called so; empty may.
bool password_name_valid(struct slice name);
