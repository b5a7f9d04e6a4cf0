// keys_source: one private key on disk with what belongs to it, and what is in use of it: the last that was good.
#pragma once

#include "core/config/config.h"
#include "rt/disk/file_stamp.h"
#include "rt/tls/private_key.h"
#include "rt/world.h"
#include "svc/keys/keys_rules.h"

enum { KEYS_FILE_KEY, KEYS_FILE_CERTIFICATE, KEYS_FILE_OCSP, KEYS_FILES };
enum { KEYS_FILE_MAX = 64 * 1024 }; // bytes

struct keys_file {
    char *path; // NULL: there is none
    struct file_stamp stamp;
    bool there;
};

struct keys_source {
    enum keys_purpose purpose;
    struct keys_file files[KEYS_FILES];
    char *domain, *signer, *selector; // DKIM, ARC
    bool managed;                     // by `posthouse dkim`
    bool kept;                        // managed: still on the list
    unsigned failures;                // looks in a row at these files that failed; told of once
    // What is in use; NULL: nothing yet.
    struct private_key *key;
    uint32_t number;
    struct private_key *former; // in use before: a handshake that began with it ends with it
    uint32_t former_number;
    struct buf chain, ocsp;
    int64_t expires;       // TLS: seconds since 1970
    struct wall warn_next; // when its expiry is told of again
};

// Copies what it needs.
struct keys_source *keys_source_of_certificate(const struct config_certificate *c);
struct keys_source *keys_source_of_dkim(const struct config_dkim *d);
struct keys_source *keys_source_of_arc(const struct config_arc *c);
void keys_source_free(struct keys_source *s); // takes NULL

// The key of that number, in use or in use before; NULL.
struct private_key *keys_source_key(const struct keys_source *s, uint32_t number);

// Reads the files where they have changed since the last look. True when something else is in use now. What doesn't
// fit together isn't taken: the old goes on, and when it still doesn't at the next look, as it may while one file of
// two has been replaced, an event says why. At the `first` look that is said at once.
bool keys_source_look(struct keys_source *s, const struct world *w, bool first);
