// mem: allocation that cannot fail, or ends the process.
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void *checked(void *p, size_t count, size_t size) {
    if (!p) {
        fprintf(stderr, "posthouse: out of memory for %zu * %zu bytes, ending this process\n", count, size);
        abort();
    }
    return p;
}

void *mem_new(size_t count, size_t size) { return checked(calloc(count ? count : 1, size ? size : 1), count, size); }

void *mem_grow(void *p, size_t count, size_t size) {
    return checked(reallocarray(p, count ? count : 1, size ? size : 1), count, size);
}
