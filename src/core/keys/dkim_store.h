// dkim_store: the directory where `posthouse dkim` keeps its keys (config.dkim_keys), and the list of what each is for.
//
//     DIR/example.org/active              the list: a line a key, oldest first
//     DIR/example.org/20261121r.pem       a private key, PEM, unencrypted, mode 0600; its selector is its name
//
// A line of the list is `SELECTOR STATE SINCE`, as `20261121r active 2026-11-21T10:41:15Z`. "#" begins a comment. Both
// kinds of files are written under another name and renamed into place; a key's file is there before its line, and
// goes after it.
#pragma once

#include "base/err.h"
#include "base/when.h"

#include <stdint.h>

enum dkim_store_state {
    DKIM_STORE_PENDING,  // made, and perhaps not yet published: signs nothing
    DKIM_STORE_ACTIVE,   // signs; there may be several, of different algorithms
    DKIM_STORE_RETIRING, // signs no more; stays in DNS for mail that is under way
    DKIM_STORE_STATES
};

enum {
    DKIM_STORE_KEYS_MAX = 64,            // of one domain
    DKIM_STORE_TEXT_MAX = 16 * 1024,     // bytes of a list
    DKIM_STORE_PEM_MAX = 16 * 1024,      // bytes of a key's file
    DKIM_STORE_SELECTOR_MAX = 63,        // bytes
    DKIM_STORE_RETIRING_MS = 7 * MS_DAY, // how long a retiring key stays in DNS
};

struct dkim_store_key {
    struct slice selector; // lower case
    enum dkim_store_state state;
    struct wall since; // when it came into this state; whole seconds
};

struct dkim_store {
    struct dkim_store_key keys[DKIM_STORE_KEYS_MAX];
    size_t n;
};

#define DKIM_STORE_LIST "active"
#define DKIM_STORE_PEM ".pem"

// The list's text; the selectors of `out` are views into it. `e` names the line.
MUST_CHECK bool dkim_store_parse(struct slice text, struct dkim_store *out, struct err *e);

// Parsing what it prints gives the same.
bool dkim_store_print(const struct dkim_store *s, struct buf *out);

// NULL where there is none of that name.
struct dkim_store_key *dkim_store_find(struct dkim_store *s, struct slice selector);

// Whether a directory's name is a domain, and a file's stem a selector, as they are kept here: lower case, nothing that
// leads elsewhere in the file system. What isn't is to be passed over.
bool dkim_store_domain_ok(struct slice name);
bool dkim_store_selector_ok(struct slice name);

// "pending", "active", "retiring"
const char *dkim_store_state_name(enum dkim_store_state state);
