// dkim_keys: the keys that sign for a domain, for the command line: those of the managed directory (core/keys/dkim_store.h)
// and those that the configuration names.
#pragma once

#include "cmd/args.h"
#include "core/config/config.h"
#include "core/keys/dkim_store.h"

struct site;

struct dkim_entry {
    struct slice signer, selector;
    struct slice name; // of its record: SELECTOR._domainkey.SIGNER
    const char *path;  // of the private key
    bool configured;   // by a directive: what follows in this block is not set
    enum dkim_store_state state;
    struct wall since;
    bool readable; // what follows is set
    bool ed25519;
    uint32_t bits;
    struct slice record;
};

// Slices and strings are in the arena.
struct dkim_keys {
    const struct args *args;
    struct site *site;
    struct arena arena;
    const char *directory; // of all
    struct slice domain;   // in its one form; empty: all
    struct buf text;
    struct dkim_store store; // of `domain`
    struct dkim_entry *entries;
    size_t n, cap;
    int lock; // -1: none
};

// Exit codes of sysexits.h: EX_OK or, after a line on standard error, another. `domain` NULL: all. `change`:
// directories that are missing are made, and others that change them are waited for. A key that can't be read is told
// on standard error and stays in the list.
int dkim_keys_open(const struct args *a, const char *domain, bool change, struct dkim_keys *k);
void dkim_keys_done(struct dkim_keys *k); // after dkim_keys_open, whatever that gave

// Makes a key and puts it into the store and the list as pending; the store is to be saved then. `selector` is in the
// arena.
int dkim_keys_add(struct dkim_keys *k, struct slice selector, bool ed25519, uint32_t bits, struct wall now);

// Writes the store.
int dkim_keys_save(struct dkim_keys *k);

// Takes a key out of the store, which is then saved, and removes its file.
int dkim_keys_remove(struct dkim_keys *k, struct slice selector);
