// heap: a binary min-heap of entries that live inside their owners, ordered by a 64-bit key.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// In an element. Zeroed means: in no heap.
struct heap_entry {
    int64_t key;
    size_t place; // index + 1; 0 when in no heap
};

// Zeroed is a valid empty heap.
struct heap {
    struct heap_entry **slots;
    size_t n, cap;
};

void heap_done(struct heap *h);

// Adds it, or moves it when it is in this heap already.
void heap_set(struct heap *h, struct heap_entry *entry, int64_t key);

// Does nothing to an entry that is in no heap.
void heap_remove(struct heap *h, struct heap_entry *entry);

// The entry with the smallest key, or NULL. It stays in.
static inline struct heap_entry *heap_first(const struct heap *h) { return h->n ? h->slots[0] : NULL; }

static inline bool heap_has(const struct heap_entry *entry) { return entry->place != 0; }

#define HEAP_ENTRY(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
