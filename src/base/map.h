// map: from bytes to pointers, by SipHash, since peers choose many of the keys.
#pragma once

#include "base/hash.h"

// Zero-initialised but for `key` (which should be random) is a valid empty map. The map owns neither keys nor
// values: a key's bytes must live as long as its entry, which they do when they lie in the value.
struct map {
    struct map_slot *slots;
    size_t n;    // entries
    size_t used; // entries and graves
    size_t cap;  // a power of two
    struct hash_key key;
};

void map_done(struct map *m);

// The value, or NULL.
void *map_get(const struct map *m, struct slice key);

// Adds or replaces; `value` is not NULL.
void map_set(struct map *m, struct slice key, void *value);

// The value that was there, or NULL.
void *map_remove(struct map *m, struct slice key);

// Walks all values in no order: start with *at = 0; NULL ends. Nothing may be added meanwhile; removing is fine.
void *map_next(const struct map *m, size_t *at);
