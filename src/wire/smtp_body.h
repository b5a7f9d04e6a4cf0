// smtp_body: message content as it travels inside DATA (RFC 5321 4.5.2) and BDAT (RFC 3030): decoding what a client
// sends, encoding what we send. Incremental: input may be cut at any byte, the result is the same.
//
// Smuggling (CVE-2023-51764 and its family): servers that disagree on where content ends can be made to take the rest
// of one message as commands. So only <CRLF>.<CRLF>, or "." CRLF as the very first line, ends DATA; a line ends only at
// CRLF; and what is written out has no CR or LF outside of a CRLF.
//
//     state        next byte ->   CR       LF                "."           other
//     LINE_START                  CR       bare LF, TEXT     DOT           TEXT
//     TEXT                        CR       bare LF, TEXT     TEXT          TEXT
//     CR                          bare CR, CR   LINE_START   bare CR, TEXT      bare CR, TEXT
//     DOT          (dropped)      DOT_CR   bare LF, TEXT     TEXT          TEXT
//     DOT_CR       (dropped)      bare CR, CR   the end      bare CR, TEXT      bare CR, TEXT
//
// A repaired line break leads to TEXT as well: it never begins the end of data, nor is a dot after it dropped.
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum smtp_body_mode {
    SMTP_BODY_REFUSE,  // a bare CR or LF is reported; from there on nothing is kept, only the end is looked for
    SMTP_BODY_REPAIR,  // it is reported and kept as CRLF
    SMTP_BODY_DISCARD, // nothing is kept
};

enum smtp_body_state {
    SMTP_BODY_LINE_START,
    SMTP_BODY_TEXT,
    SMTP_BODY_CR,
    SMTP_BODY_DOT,
    SMTP_BODY_DOT_CR,
};

// Zero-initialised but for `mode` it stands before the first byte of a DATA. `mode` may be changed to DISCARD at any
// time, for example once `size` passes a maximum: the end is still found.
struct smtp_body {
    enum smtp_body_mode mode;
    enum smtp_body_state state;
    uint64_t size; // bytes of decoded content so far, also of what wasn't kept
    bool bare_cr;  // met a CR without LF
    bool bare_lf;  // met a LF without CR
    bool nul;      // met a NUL, which 8BITMIME content may not have (RFC 2045 2.8); it is kept
    bool done;     // the end was found
};

// DATA: decodes up to the end or to the end of `in` and appends to `out`; *consumed bytes of `in` were content. True
// when the end was found: what follows are commands. When `out` is full (out->failed) it goes on as with DISCARD, so
// that the session stays in step. Not to be called once done.
bool smtp_body_feed(struct smtp_body *d, struct slice in, struct buf *out, size_t *consumed);

// BDAT: all of `in` is content of a chunk; dots have no meaning, but the rules for CR and LF are the same and hold
// across chunks. After the last one smtp_body_chunks_end() settles a CR at the very end.
void smtp_body_chunk(struct smtp_body *d, struct slice in, struct buf *out);
void smtp_body_chunks_end(struct smtp_body *d, struct buf *out);

// Sending. Zero-initialised it stands before the first byte.
struct smtp_encode {
    enum smtp_body_state state; // LINE_START, TEXT or CR
};

// Appends `content` ready for DATA: dots at the start of a line doubled, a bare CR or LF made CRLF (content may be from
// an old log), NUL left out (some servers drop it first and then see an end of data). False when `out` is full.
bool smtp_body_encode(struct slice content, struct smtp_encode *state, struct buf *out);

// The end: CRLF where the content had none at its end, and the final dot.
bool smtp_body_encode_end(struct smtp_encode *state, struct buf *out);
