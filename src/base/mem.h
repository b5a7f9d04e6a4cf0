// mem: small allocations of our own. One that fails ends this process: nothing acknowledged is lost by it, and the
// process is started again. Sizes that a peer chooses never come here: they are bounded first (buf, arena).
#pragma once

#include <stddef.h>

// Zeroed memory, never NULL; the caller frees it with free().
void *mem_new(size_t count, size_t size);

// As realloc, never NULL; the added part is not zeroed.
void *mem_grow(void *p, size_t count, size_t size);

#define MEM_NEW(type) ((type *)mem_new(1, sizeof(type)))
