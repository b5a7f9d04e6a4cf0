// fetch_host: where a URL leads: whether we go there at all, and at which addresses.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/when.h"

// Zeroed is valid. Addresses are remembered for a minute.
struct fetch_host {
    struct buf name;  // that the next two are of; NUL-terminated
    struct buf entry; // "name:port:address,address", as CURLOPT_RESOLVE wants it; NUL-terminated
    struct mono until;
};

enum { FETCH_HOST_LIFE_MS = MS_MINUTE };

// Blocks while a name is looked up. False: neither https nor http to this machine, or no address.
MUST_CHECK bool fetch_host_find(struct fetch_host *h, const char *url, struct mono now, struct err *e);
void fetch_host_done(struct fetch_host *h);
