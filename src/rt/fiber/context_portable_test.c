// context_portable_test: the tests of fibers once more, on makecontext(3), as other processors than ours have it.
#define CONTEXT_PORTABLE
#include "rt/fiber/context.c"

#include "rt/fiber/fiber_test.c"
