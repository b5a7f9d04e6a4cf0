// signals: the signals that master acts on, as something a fiber waits for. Children's signals are not changed.
#pragma once

#include "rt/fiber/fiber.h"
#include "rt/fiber/loop.h"

struct signals {
    struct loop_fd watch;
    struct fiber_cond *wake;
};

// From now on INT, TERM, HUP and CHLD come only here, and PIPE is ignored; `wake` is woken when one came.
MUST_CHECK bool signals_open(struct signals *s, struct loop *loop, struct fiber_cond *wake, struct err *e);

enum signals_got { SIGNALS_NONE, SIGNALS_STOP, SIGNALS_RELOAD, SIGNALS_CHILD };

// The next one that came, without waiting.
enum signals_got signals_next(struct signals *s);
