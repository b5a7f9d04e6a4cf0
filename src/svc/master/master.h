// master: the process above all others. It checks the configuration, binds the ports, starts every role in a process
// of its own, wires them together, starts anew what dies, and takes everything down in order. It parses no network
// byte: what reaches it comes from control, over a link of ours.
//
//     prepare   state directory and its lock, listeners: all or nothing, before any process runs
//     start     each role: spawn, START, CREDENTIAL, LISTEN, PEER for each link, BEGIN
//     serve     when every role has said READY, until a signal or `posthouse stop`
//               a role that died: back after no wait the first time, growing to ten seconds
//     reload    new configuration: new processes beside the old ones, which finish what they hold; the queue last
//     stop      smtpd and the workers first, then the queue, then who serves them; exit code 0
#pragma once

#include "base/buf.h"

struct site;

struct master_setup {
    struct site *site; // taken
    const char *version;
    void (*say)(const char *line); // one line for the terminal, without LF
};

// Runs until it was told to stop. Gives the exit code (sysexits.h); when it could not start, `why` has a line for
// people that says what to do.
int master_run(const struct master_setup *setup, struct buf *why);
