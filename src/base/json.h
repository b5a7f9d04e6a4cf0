// json: writes JSON (RFC 8259) into a buffer as it goes, on one line. Commas come by themselves; a misplaced key, value
// or end is our own mistake and asserted. Text may be any bytes: what is no UTF-8 becomes U+FFFD, and what can't be
// shown (printable.h) is escaped, so that the output is always valid, always one line and safe on a terminal.
//
//     struct json j = {.out = &buf};
//     json_open_object(&j);
//     json_put_slice(&j, "id", id);
//     json_key(&j, "recipients");
//     json_open_array(&j);
//     json_slice(&j, first);
//     json_end(&j);          // array
//     json_end(&j);          // object
//     assert(json_whole(&j));
//
// A buffer that is too small fails by itself (buf.failed); the writer goes on counting.
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { JSON_DEPTH = 32 }; // arrays and objects within each other at most, asserted

// Zero-initialised but for `out` is a writer at the beginning of a value.
struct json {
    struct buf *out;
    unsigned depth;
    uint32_t objects; // bit n: level n is an object
    bool some;        // the present level has an element
    bool keyed;       // a key was written, its value is to come
    bool whole;       // the outermost value was written
};

void json_open_object(struct json *j);
void json_open_array(struct json *j);
void json_end(struct json *j); // of the innermost array or object

// Inside an object, before each value.
void json_key(struct json *j, const char *name);

void json_slice(struct json *j, struct slice text);
void json_str(struct json *j, const char *text); // NULL is null
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_nothing(struct json *j);
void json_seconds(struct json *j, int64_t ms); // milliseconds, as a number of seconds with three decimals

// A key and its value.
void json_put_slice(struct json *j, const char *name, struct slice text);
void json_put_str(struct json *j, const char *name, const char *text);
void json_put_u64(struct json *j, const char *name, uint64_t v);
void json_put_i64(struct json *j, const char *name, int64_t v);
void json_put_bool(struct json *j, const char *name, bool v);

// Whether one value was written and everything that was begun has ended.
static inline bool json_whole(const struct json *j) { return j->whole; }

// Only the escaped text between the quotes, for writers that build their own lines. False when it didn't fit.
bool json_escape(struct buf *out, struct slice text);
