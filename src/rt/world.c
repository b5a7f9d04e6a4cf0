// world: this machine's wall clock and randomness.
#include "rt/world.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

uint64_t world_random_u64(const struct world *w) {
    uint64_t v;
    world_random(w, &v, sizeof v);
    return v;
}

static struct wall kernel_wall(void *arg) {
    struct timespec t;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return (struct wall){(int64_t)t.tv_sec * MS_SECOND + t.tv_nsec / 1000000};
}

static void kernel_random(void *arg, void *to, size_t n) {
    char *p = to;
    (void)arg;
    while (n) {
        ssize_t r = getrandom(p, n < 256 ? n : 256, 0);
        if (r <= 0)
            abort(); // the kernel's generator doesn't fail once it is seeded; without it nothing here is safe
        p += r;
        n -= (size_t)r;
    }
}

const struct world_ops world_kernel_ops = {kernel_wall, kernel_random};
