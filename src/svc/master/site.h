// site: a configuration file together with the files it names, read and checked: what a server needs to start, and
// what `posthouse check` looks at.
#pragma once

#include "core/config/config.h"

struct site {
    char *path;      // absolute
    char *directory; // of the file: where relative paths begin
    struct buf text;
    struct config *config;
};

enum { SITE_TEXT_MAX = 1024 * 1024, SITE_CREDENTIAL_MAX = 64 * 1024, SITE_MISTAKES_MAX = 64 * 1024 };

// The files it names are looked at by a copy of this process: no private key comes into this one. On failure `mistakes`
// gets one line or more for people, each "FILE:LINE:COL: what is wrong" or "FILE: ..."; its `max` should be
// SITE_MISTAKES_MAX.
MUST_CHECK bool site_load(const char *path, struct site **out, struct buf *mistakes);

// A line for each certificate that has expired or soon will.
void site_warn(const struct site *s, struct buf *warnings);

// Only the configuration itself: for who wants to know where a server's control socket is, and may not read its key.
MUST_CHECK bool site_read(const char *path, struct site **out, struct buf *mistakes);
void site_free(struct site *s); // takes NULL

// "FILE:LINE" of a place in its text, as a pointer into `to`.
const char *site_place(const struct site *s, struct config_place place, char *to, size_t size);
