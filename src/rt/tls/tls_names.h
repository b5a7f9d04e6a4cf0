// tls_names: which certificates serve which name: exact names, and stars in the place of the first label (RFC 9525).
#pragma once

#include "base/map.h"

struct x509_st;

enum { TLS_KIND_RSA, TLS_KIND_EC, TLS_KIND_ED25519, TLS_KINDS, TLS_NOBODY = -1 };

struct tls_name {
    int members[TLS_KINDS]; // a certificate's place for each kind of key; TLS_NOBODY
    void *group;            // the owner's
    size_t n;
    char text[]; // lower case
};

// Zeroed but for by_text.key, which should be random, is a valid empty one.
struct tls_names {
    struct tls_name **list; // in the order they were added
    size_t n;
    struct map by_text;
};

void tls_names_done(struct tls_names *t);

// Of several certificates of a kind for one name the first that is added counts.
void tls_names_add(struct tls_names *t, struct slice name, int kind, int place);

// All DNS names of a certificate; its common name where it has none.
void tls_names_add_all(struct tls_names *t, const struct x509_st *certificate, int kind, int place);

// To be called when all are there: what a name lacks, the star above it has.
void tls_names_complete(struct tls_names *t);

// The name's own entry, or that of the star above it, or NULL. Any case, with or without a last dot.
struct tls_name *tls_names_find(const struct tls_names *t, struct slice name);
