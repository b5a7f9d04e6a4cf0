// smtpd_backend_fake: the rest of the house as a session sees it, for tests: recipients by the configuration's inline
// tables, a few users, and a queue that remembers what it was given and fails when it is told to.
#pragma once

#include "core/route/recipient.h"
#include "smtpd_auth_fake.h"
#include "smtpd_gate_fake.h"

struct fake_message {
    struct slice sender, client, helo, user, content;
    uint32_t flags;
    struct slice *tags;
    size_t tags_n;
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
    struct fake_auth auth;
    struct fake_gate gate;
    bool policy_away;   // does not answer
    struct slice quota; // why nobody may send any more; empty: everybody may
    bool hold;          // policy wants the message held
    bool owns_away;     // lookup does not answer OWNS
    bool owns_none;     // else bob owns bob@example.org, and a user whose name is an address owns that
    uint64_t used;      // messages that policy counted
    // A scripted filter; NULL: none answers.
    FIBER_FN bool (*filter_open)(void *arg, size_t index, struct transport **out, struct err *e);
    void *filter_arg;
};

void fake_backend_init(struct fake_backend *b, const struct config *config);
void fake_backend_done(struct fake_backend *b);
