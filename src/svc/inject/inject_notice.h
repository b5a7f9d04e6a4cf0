// inject_notice: NOTICE becomes a message to the administrator. Whoever sent it doesn't wait (inject_own.h).
#pragma once

#include "svc/inject/inject_own.h"

enum { INJECT_NOTICES_MAX = 100 }; // at once; one more is dropped

struct inject_notices {
    struct inject_own *own;
    size_t n;
};

void inject_notice_begin(struct inject_notices *s, struct peer_link *from, const struct link_frame *frame);
