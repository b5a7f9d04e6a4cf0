// list: doubly linked, intrusive, circular with a head that is an entry itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// In an element and as a head. Zeroed means: in no list. A head needs list_init before its first use.
struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct list *head) { return head->next == head; }
static inline bool list_linked(const struct list *entry) { return entry->next != NULL; }

static inline void list_insert_before(struct list *at, struct list *entry) {
    entry->next = at;
    entry->prev = at->prev;
    at->prev->next = entry;
    at->prev = entry;
}

static inline void list_append(struct list *head, struct list *entry) { list_insert_before(head, entry); }
static inline void list_prepend(struct list *head, struct list *entry) { list_insert_before(head->next, entry); }

// Does nothing to an entry that is in no list.
static inline void list_remove(struct list *entry) {
    if (!entry->next)
        return;
    entry->next->prev = entry->prev;
    entry->prev->next = entry->next;
    entry->next = entry->prev = NULL;
}

// First entry taken out, or NULL.
static inline struct list *list_shift(struct list *head) {
    if (list_empty(head))
        return NULL;
    struct list *first = head->next;
    list_remove(first);
    return first;
}

#define LIST_ENTRY(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

// The current entry may be removed inside the loop.
#define LIST_EACH(at, head) \
    for (struct list *at = (head)->next, *at##_next = at->next; at != (head); at = at##_next, at##_next = at->next)
