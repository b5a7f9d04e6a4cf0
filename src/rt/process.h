// process: this program executed again for a role, so that each has an address-space layout of its own; and what only
// the parent of such processes needs from the kernel.
#pragma once

#include "base/err.h"
#include "wire/link_frame.h"

#include <sys/types.h> // pid_t

enum { PROCESS_CHANNEL = 3 }; // descriptor of the handover channel in a child (rt/handover.h)

struct process {
    pid_t pid;
    int channel; // the parent's end
};

// Runs `/proc/self/exe --role NAME` with nothing but the standard descriptors, the channel and the environment's
// sanitizer options. It dies with the caller.
MUST_CHECK bool process_spawn(enum role role, struct process *out, struct err *e);

// First thing in a child: signals that are meant for master are ignored, the name is "ph-NAME", no new privileges.
// False when the parent has gone already.
bool process_begin_child(enum role role);

// Dies with the parent; again after a change of user, which takes it away (prctl(2), PR_SET_PDEATHSIG). False when the
// parent has gone already.
bool process_bind_to_parent(void);

// Whether `pid` has ended, and then in `how` (NUL-terminated) "signal 9 (Killed)" or "exit code 1", and in `*clean`
// whether it was exit code 0.
bool process_reap(pid_t pid, char *how, size_t how_size, bool *clean);
void process_signal(pid_t pid, int signal);

// Both ends of a link between two of our processes: non-blocking, with buffers as large as we are allowed.
MUST_CHECK bool process_link_pair(int ends[2], struct err *e);

// A descriptor that reads as `text`, for a child's START.
MUST_CHECK bool process_text_fd(struct slice text, int *out, struct err *e);

// As many descriptors as the system lets us have.
void process_raise_descriptors(void);

void process_close(int fd); // nothing for -1
pid_t process_self(void);
