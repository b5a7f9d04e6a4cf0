// smtp_reply: replies of SMTP servers (RFC 5321 4.2), read line by line and written.
//
//     S: 550-5.1.1 The mailbox is not known here.
//     S: 550 5.1.1 See https://example.net/
//     code 550, enhanced {5,1,1}, text "The mailbox is not known here.\nSee https://example.net/"
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    SMTP_REPLY_LINES = 100,      // lines of a reply at most; more is an error
    SMTP_REPLY_LINE_MAX = 2048,  // bytes of a line without CRLF; RFC 5321 4.5.3.1.5 says 512, servers say more
    SMTP_REPLY_TEXT_MAX = 16384, // bytes of text that are kept; what goes beyond is dropped without a word
};

// What a server said. Zeroed is before the first reply; smtp_reply_free() once at the end.
struct smtp_reply {
    int code;             // 200..599 of the last line
    uint16_t enhanced[3]; // RFC 2034, of the first line that has one of the code's class; {0} where none has
    struct buf text;      // lines joined by LF, without code and enhanced code; any other bytes as they came
    unsigned lines;
    bool ended; // the last line was read
};

void smtp_reply_free(struct smtp_reply *r);

enum smtp_reply_got {
    SMTP_REPLY_MORE,  // a line with "-": another follows
    SMTP_REPLY_WHOLE, // the last line
    SMTP_REPLY_BAD,   // no reply, or too much of it; `e` is temporary; the connection can't be used any more
};

// One line without CRLF. The line after a whole reply begins the next one. Lines that disagree about the code are
// taken, the last one counts, unless they disagree about success (first digit): that is BAD, for then nobody can say
// whether mail was taken.
enum smtp_reply_got smtp_reply_line(struct smtp_reply *r, struct slice line, struct err *e);

static inline bool smtp_reply_ok(const struct smtp_reply *r) { return r->code / 100 == 2; }

// A refusal as an error: its code, its enhanced code (x.0.0 where it had none), and its text on one line. For 5xx
// permanent, for anything else temporary: a 2xx or 3xx at the wrong moment is no verdict on mail.
bool smtp_reply_err(const struct smtp_reply *r, struct err *e);

// "550 5.1.1 text" on one line, for logs and notifications: line breaks are spaces, other control characters "?".
bool smtp_reply_add(struct buf *b, const struct smtp_reply *r);

// "x.y.z" (RFC 3463) at the start of a reply's text, before a space or the end, with the class that `code` has: three
// numbers to `out`, zeros in front of them left out. Returns its length, 0 where there is none.
size_t smtp_enhanced_read(struct slice text, int code, uint16_t out[3]);

// Writes a reply with CRLF. `enhanced` as "2.1.0", NULL or "" for none. Lines of `text` are separated by LF; each gets
// its code, and one longer than a reply's line may be (512 bytes) is cut in two. CR, NUL and other controls become
// spaces, so that no text can make a reply of its own.
bool smtp_reply_format(struct buf *b, int code, const char *enhanced, struct slice text);

// The reply that `e` means; 451 4.3.0 where it names none and is not permanent, 554 5.0.0 where it is.
bool smtp_reply_format_err(struct buf *b, const struct err *e);
