// smtpd_backend_fake: the rest of the house as a session sees it, for tests: recipients by the configuration's inline
// tables, and a queue that remembers what it was given and fails when it is told to.
#pragma once

#include "core/recipient.h"
#include "svc/smtpd/smtpd_backend.h"

struct fake_message {
    struct slice sender, client, helo, content;
    uint32_t flags;
    struct slice *recipients;
    size_t recipients_n;
};

enum { FAKE_MESSAGES = 64, FAKE_TABLES = 8 };

struct fake_backend {
    struct smtpd_backend backend;
    const struct config *config;
    struct recipient_table *tables[FAKE_TABLES];
    struct arena arena; // of what was kept
    struct fake_message kept[FAKE_MESSAGES];
    size_t kept_n; // all; the first FAKE_MESSAGES are remembered
    bool forgets;  // content is only counted
    uint64_t ids;
    // how it behaves
    int64_t expand_ms, submit_ms;
    bool expand_fails;           // lookup does not answer
    enum message_expansion says; // unless OK, lookup's answer for everybody
    bool queue_down;             // 451 for whatever is asked
    bool disk_full;              // 452 for whatever is asked
    int pieces_left;             // -1: any number; then 452
    int slots;                   // open now
};

void fake_backend_init(struct fake_backend *b, const struct config *config);
void fake_backend_done(struct fake_backend *b);
