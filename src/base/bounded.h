// bounded: a table by name that never grows past its maximum: what was touched longest ago goes first. It remembers
// which entries changed or went since somebody last kept them elsewhere. For what strangers make us remember.
#pragma once

#include "base/list.h"
#include "base/map.h"

// First member of an element.
struct bounded_entry {
    struct list age;     // of the table, touched last at the end; unlinked while it is pinned
    struct list changed; // to be kept, or (gone) to be forgotten elsewhere
    struct slice key;    // its own copy
    bool kept; // it is elsewhere, in some state
    bool gone;
};

// Zeroed but for `key` of the map (random), `size` and `max`; then bounded_init.
struct bounded {
    struct map map;
    struct list age, changed, gone;
    size_t size; // of an element
    size_t max;  // elements, those that are pinned not counted
    size_t pinned;
};

void bounded_init(struct bounded *b, size_t size, size_t max, const struct hash_key *key);
void bounded_done(struct bounded *b); // frees all elements

void *bounded_find(const struct bounded *b, struct slice key); // or NULL; is no touch

// The element, made (zeroed) when there is none, as the one touched last and as changed. Another one may go for it.
void *bounded_get(struct bounded *b, struct slice key);

void bounded_touch(struct bounded *b, struct bounded_entry *e);   // it goes last
void bounded_changed(struct bounded *b, struct bounded_entry *e); // and touched

// Its memory lives until bounded_kept; of one that was never kept, no longer: nobody else has to forget it. So a flood
// of new names, each of which pushes out the one before, leaves nothing behind.
void bounded_remove(struct bounded *b, struct bounded_entry *e);

// A pinned one never has to go for another.
void bounded_pin(struct bounded *b, struct bounded_entry *e, bool pin);

// The one that would go next, or NULL.
struct bounded_entry *bounded_oldest(const struct bounded *b);

// One that changed, or one that is gone, those first; NULL when there is nothing to keep. It stays so until
// bounded_kept, which frees what is gone.
struct bounded_entry *bounded_next_change(const struct bounded *b);
void bounded_kept(struct bounded *b, struct bounded_entry *e);

// What changed of it isn't worth keeping.
void bounded_unchanged(struct bounded *b, struct bounded_entry *e);

// As if all had changed: nobody knows any more what was kept.
void bounded_change_all(struct bounded *b);
