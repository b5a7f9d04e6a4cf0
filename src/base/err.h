// err: why something failed, in one scheme from the lowest floor to the reply, the log and the bounce.
//
//     bool thing_do(in..., struct out *out, struct err *e)
//
// On failure `out` is untouched and `e` filled; on success `e` is untouched. Each layer that passes an error up may
// add "while doing X to Y" with err_while().
#pragma once

#include "base/slice.h"

#include <stdint.h>

enum err_kind {
    ERR_TEMPORARY, // may succeed later; what nobody classified is this, so that mail never bounces by accident
    ERR_PERMANENT, // will not succeed as asked
    ERR_CANCELLED, // we were told to stop
    ERR_TIMEOUT,   // a deadline passed; treated as temporary by mail
    ERR_BUG,       // our own mistake; treated as temporary by mail
};

enum { ERR_TEXT = 256 };

struct err {
    enum err_kind kind;
    int smtp;             // SMTP reply code that is meant (RFC 5321 4.2), 0 where none is
    uint16_t enhanced[3]; // enhanced status code (RFC 3463), {0} where none is meant
    int sys;              // errno, 0 where there is none
    char text[ERR_TEXT];  // NUL-terminated; outermost context first; cut when it does not fit
};

#define MUST_CHECK __attribute__((warn_unused_result))

// These fill `e` (NULL is allowed) and return false, so that `return err_set(e, ...)` reads well.
bool err_set(struct err *e, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Meant for the peer: `code` as 451, `enhanced` as "4.3.2". 4xx is temporary, 5xx permanent.
bool err_smtp(struct err *e, int code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// From errno `sys`; temporary; the text is followed by the system's words.
bool err_sys(struct err *e, int sys, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Puts "context: " in front of the text. Returns false.
bool err_while(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Whether mail that met this error should be given up: only what somebody called permanent.
static inline bool err_is_permanent(const struct err *e) { return e->kind == ERR_PERMANENT; }
