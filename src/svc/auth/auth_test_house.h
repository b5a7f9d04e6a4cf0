// auth_test_house: auth with everybody around it played by the test: submission, policy, pam, fetch, Dovecot. The clock
// is fake; the password file is a real one.
#pragma once

#include "rt/journal.h"
#include "svc/auth/auth_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { HOUSE_ITERATIONS = 4096 };

struct house {
    struct loop *loop;
    struct world world;
    struct config *config;
    struct auth_service *auth;
    struct fiber_group group; // of those around
    struct peer submission;   // our end of its link
    struct peer others[4];    // policy, pam, fetch, a second submission
    char dir[64], file[96];
    void (*story)(struct house *h);
    struct buf space; // of the last reply
    struct journal journal;
    struct buf log;
    // policy
    bool policy_silent, locked;
    int64_t delay_ms;
    char tries[512], tried[512]; // "alice " for each
    // pam, fetch
    enum message_pam_result pam_says;
    const char *fetch_says; // a body; NULL: no answer
    char asked[1024];       // what they were asked for last
    // Dovecot
    const char *dovecot_hello, *dovecot_says;    // says: FORMAT with an id, for each AUTH; NULL: hangs up
    unsigned dovecot_connects, dovecot_hangs_up; // so many times before it says anything
    struct buf dovecot_heard;
};

// Runs `story` on a fiber and ends the house. `auths`: the lines of the configuration about log-ins, where %s is the
// path of the password file. `users`: what it holds; NULL: there is none.
void house_run(struct house *h, const char *auths, const char *users, void (*story)(struct house *h));

void house_write(struct house *h, const char *users); // by rename
void house_secret(struct buf *to, const char *user, const char *name, const char *password);

// For house_run: alice with "wonder" and the app password "looking-glass" called phone; bob with "builder".
extern const char *house_users;

struct message_auth_reply house_begin(struct house *h, const char *mechanism, struct slice initial);
struct message_auth_reply house_begin_as(struct house *h, const struct message_auth_begin *m);
struct message_auth_reply house_continue(struct house *h, uint64_t conversation, struct slice response);

// "\0user\0password" as the initial response of PLAIN; expects this result.
void house_plain(struct house *h, const char *user, const char *password, enum message_auth_result expected);

bool house_logged(struct house *h, const char *text);
