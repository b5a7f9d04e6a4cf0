// tlsrpt: where a domain wants reports about TLS of mail to it (RFC 8460 3): a TXT record at _smtp._tls.
#pragma once

#include "base/err.h"

enum { TLSRPT_URIS_MAX = 16 };

struct tlsrpt_record {
    struct slice rua[TLSRPT_URIS_MAX]; // mailto: and https: URIs as written; others are left out
    size_t rua_n;
};

// Slices are views into `text`. `e`: "column 15: ...".
MUST_CHECK bool tlsrpt_record_parse(struct slice text, struct tlsrpt_record *out, struct err *e);
