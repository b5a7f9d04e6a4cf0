// ask: a question to a running server over its control socket (svc/control/control.h says what can be asked).
#pragma once

#include "cmd/args.h"

#include <stddef.h>

// Sends `request` (one line, without LF) and gives each line of the answer but the last to `each`, then the last one.
// Gives the exit code: EX_UNAVAILABLE when no server answers, what the server said when it refused; both after a line
// on standard error that says what to do.
int ask_server(const struct args *a, const char *request, void (*each)(void *arg, char *line, size_t n), void *arg,
               char **last);

// Whether a server answers there, and to us; says nothing.
bool ask_running(const struct args *a);

// Waits until the server that answered has gone, at most half a minute; false when it is still there.
bool ask_wait_gone(const struct args *a);
