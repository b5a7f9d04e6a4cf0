// header: the header section of a message (RFC 5322 2.2), scanned while it comes in, and read once it is whole.
//
// The section ends at the first empty line, or before the first line that is neither a field nor the continuation of
// one: then the message has no header or lost the line between, and what follows is body. Lines end with CRLF; a LF
// alone is taken for one as well, since content may be from an old log.
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum {
    HEADER_NAME_MAX = 77,        // bytes of a field's name that the scan tells apart; longer ones are of no interest
    HEADER_MESSAGE_ID_MAX = 250, // bytes of a Message-ID that are kept
};

// Zeroed stands before the first byte. Has a fixed size whatever comes in.
struct header_scan {
    uint64_t bytes;    // of the header section so far, the empty line included; the body isn't counted
    unsigned received; // Received fields: each is a hop (RFC 5321 6.3)
    bool done;         // the section has ended; more input changes nothing
    bool broken;       // it ended without an empty line
    bool has_from, has_date, has_message_id;
    bool tls_optional; // "TLS-Required: No" (RFC 8689 3)

    char message_id[HEADER_MESSAGE_ID_MAX]; // the first one's value, unfolded and trimmed, cut when too long; only
    size_t message_id_n;                    // visible ASCII, anything else is "?". For logs

    struct { // where in a line the scan is; nobody else's business
        char name[HEADER_NAME_MAX];
        uint8_t name_n, state;
        bool in_message_id, in_tls_required, some;
        char word[3]; // of TLS-Required
        uint8_t word_n;
        uint64_t line; // bytes of the line so far
    } at;
};

// The next piece of content; may be cut anywhere.
void header_scan_feed(struct header_scan *scan, struct slice piece);

// The content ended. A section without an empty line is done then.
void header_scan_end(struct header_scan *scan);

static inline struct slice header_scan_message_id(const struct header_scan *scan) {
    return slice_of(scan->message_id, scan->message_id_n);
}

struct header_field {
    struct slice name;  // without the colon and spaces before it
    struct slice value; // after the colon, as it stands: folded, its last line end not included
    struct slice whole; // name to line end
};

// Walks the fields of `rest`, which begins with a header section and may go on with the body: takes the first field
// off. False at the end of the section; `*rest` then begins with the empty line, or with what is no field.
bool header_next(struct slice *rest, struct header_field *out);

// The first field of that name (case is ignored); false where there is none.
bool header_find(struct slice content, struct slice name, struct header_field *out);

// The header section at the start of `content`, without the empty line.
struct slice header_section(struct slice content);

// Appends the value on one line: line ends of the folding left out (RFC 5322 2.2.3), spaces at both ends too.
bool header_unfold(struct buf *b, struct slice value);

// The length of the comment (RFC 5322 3.2.2) that `s` begins with, with those inside of it; 0 where it doesn't end.
size_t header_comment_length(struct slice s);

// Likewise of a quoted string (3.2.4), its quotes counted.
size_t header_quoted_length(struct slice s);
