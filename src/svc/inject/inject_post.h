// inject_post: POST, a whole message of our own, such as a report, goes into the queue as it is. Whoever sent it
// doesn't wait: each is tried until the queue has it, for a day; what is on its way when this process dies is lost.
#pragma once

#include "svc/inject/inject_notice.h"

enum { INJECT_POSTS_BYTES = 64 * 1024 * 1024 }; // of all at once; one more is dropped

struct inject_posts {
    struct inject_notices *notices; // whose world and peers are ours too
    size_t bytes;
};

void inject_post_begin(struct inject_posts *s, struct peer_link *from, const struct link_frame *frame);
