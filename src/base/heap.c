// heap: sifting entries of a binary min-heap up and down.
#include "base/heap.h"

#include "base/mem.h"

#include <stdlib.h>

void heap_done(struct heap *h) {
    free(h->slots);
    *h = (struct heap){0};
}

static void put(struct heap *h, size_t at, struct heap_entry *entry) {
    h->slots[at] = entry;
    entry->place = at + 1;
}

static void sift_up(struct heap *h, size_t at) {
    struct heap_entry *entry = h->slots[at];
    for (; at > 0 && entry->key < h->slots[(at - 1) / 2]->key; at = (at - 1) / 2)
        put(h, at, h->slots[(at - 1) / 2]);
    put(h, at, entry);
}

static void sift_down(struct heap *h, size_t at) {
    struct heap_entry *entry = h->slots[at];
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < h->n && h->slots[child + 1]->key < h->slots[child]->key)
            child++;
        if (child >= h->n || h->slots[child]->key >= entry->key)
            break;
        put(h, at, h->slots[child]);
        at = child;
    }
    put(h, at, entry);
}

void heap_set(struct heap *h, struct heap_entry *entry, int64_t key) {
    if (!entry->place) {
        if (h->n == h->cap) {
            h->cap = h->cap ? h->cap * 2 : 64;
            h->slots = mem_grow(h->slots, h->cap, sizeof(struct heap_entry *));
        }
        put(h, h->n++, entry);
    }
    entry->key = key;
    sift_up(h, entry->place - 1);
    sift_down(h, entry->place - 1);
}

void heap_remove(struct heap *h, struct heap_entry *entry) {
    if (!entry->place)
        return;
    size_t at = entry->place - 1;
    entry->place = 0;
    struct heap_entry *last = h->slots[--h->n];
    if (last == entry)
        return;
    put(h, at, last);
    sift_up(h, at);
    sift_down(h, last->place - 1);
}
