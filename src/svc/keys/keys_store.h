// keys_store: all keys there are: those of the configuration, and those that `posthouse dkim` manages.
#pragma once

#include "base/arena.h"
#include "svc/keys/keys_source.h"

struct keys_store;

struct keys_store *keys_store_new(const struct world *w, const struct config *c);
void keys_store_free(struct keys_store *t); // takes NULL

// About how many keys there will be, before any was read, with room for some more.
size_t keys_store_most(struct keys_store *t);

// Looks at all files and lists. True when something else is in use than before.
bool keys_store_look(struct keys_store *t, bool first);

// The key of that number; NULL.
struct keys_source *keys_store_find(const struct keys_store *t, uint32_t number);

// Certificates that are in use, and how many there should be.
size_t keys_store_certificates(const struct keys_store *t, size_t *wanted);

// Whether that role has to do with the key at all: sessions with TLS's, submission with DKIM's, smtpd with ARC's, and
// report with those of DKIM that prove the domain its reports are from.
bool keys_store_serves(const struct keys_store *t, const struct keys_source *s, enum role asker);

// What that role is told, but for the tickets: of the keys that serve it. Views into the store, its arrays in `arena`.
// False: no memory.
MUST_CHECK bool keys_store_set(const struct keys_store *t, enum role asker, struct arena *arena,
                               struct message_keys_set *out);

// Seconds until the first of the certificates expires; INT64_MAX without one. Tells of those that do within 21 days,
// once a day.
int64_t keys_store_expiry(struct keys_store *t, bool tells);
