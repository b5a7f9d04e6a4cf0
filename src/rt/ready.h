// ready: whether a descriptor can be read or written just now. For libraries that want to be told again and again while
// there is more to read, on a loop that says it once.
#pragma once

#include <stdbool.h>

// Which of those asked for hold at present; a descriptor in error or at its end counts as both.
void ready_now(int fd, bool ask_read, bool ask_write, bool *can_read, bool *can_write);
