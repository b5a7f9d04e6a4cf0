// inject_post: POST, a whole message of our own, such as a report, goes into the queue as it is. Whoever sent it
// doesn't wait (inject_own.h).
#pragma once

#include "svc/inject/inject_own.h"

enum { INJECT_POSTS_BYTES = 64 * 1024 * 1024 }; // of all at once; one more is dropped

struct inject_posts {
    struct inject_own *own;
    size_t bytes;
};

void inject_post_begin(struct inject_posts *s, struct peer_link *from, const struct link_frame *frame);
