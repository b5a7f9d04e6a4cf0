// user_file: the password file of the first `auth file`, for the command line: read, changed under a lock, put back.
#pragma once

#include "cmd/args.h"
#include "core/config/config.h"
#include "core/auth/password_edit.h"

struct site;

struct user_file {
    struct site *site;
    const char *path; // in the arena
    struct arena arena;
    struct buf text;
    int lock; // -1: none
};

// Exit codes of sysexits.h, EX_OK or, after a line on standard error, another. A file that isn't there is an empty one
// where it is opened for a change, which also waits for others that change it. Lines that can't be used are told on
// standard error.
int user_file_open(const struct args *a, bool change, struct user_file *f);
int user_file_save(const struct args *a, const struct user_file *f, struct slice text);
void user_file_done(struct user_file *f); // after user_file_open, whatever that gave

// The first record of `user` (in its one form) and `name` (NULL: any).
bool user_file_find(const struct user_file *f, struct slice user, const struct slice *name,
                    struct password_record *out);
