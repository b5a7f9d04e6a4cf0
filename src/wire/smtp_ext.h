// smtp_ext: what a server's reply to EHLO offers (RFC 5321 4.1.1.1). Keywords that aren't used here are ignored, among
// them LIMITS (RFC 9422).
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct smtp_ext {
    bool pipelining;   // RFC 2920
    bool size;         // RFC 1870
    bool eightbit;     // 8BITMIME, RFC 6152
    bool smtputf8;     // RFC 6531
    bool chunking;     // RFC 3030
    bool enhanced;     // ENHANCEDSTATUSCODES, RFC 2034
    bool starttls;     // RFC 3207
    bool dsn;          // RFC 3461
    bool requiretls;   // RFC 8689
    uint64_t size_max; // bytes; 0 where no maximum was named
};

// `text` as smtp_reply keeps it: lines joined by LF, the first of which is the greeting and holds no keyword. `out` is
// overwritten: nothing is carried over from before a STARTTLS (RFC 3207 4.2).
void smtp_ext_parse(struct slice text, struct smtp_ext *out);
