// aside: runs a function on the process's own stack instead of the calling fiber's, for what needs more of it than a
// fiber has: parsers of others that recurse, hashes of passwords. The function blocks everything else meanwhile, and
// may not wait as fibers do.
#pragma once

#include "rt/fiber/fiber.h"

// False when the fiber's group is cancelled before it ran: then it won't.
FIBER_FN MUST_CHECK bool aside_run(void (*work)(void *arg), void *arg);
