// notify: what systemd wants to know of a service with Type=notify (sd_notify(3)), without its library.
#pragma once

#include <stdint.h>

// "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=..."; nothing when no NOTIFY_SOCKET is set.
void notify_systemd(const char *state);

// RELOADING=1, with the time that newer versions want to see with it.
void notify_reloading(void);

// How often "WATCHDOG=1" is to be said: half of the time after which systemd takes us for hung; 0: it doesn't watch.
int64_t notify_watchdog_ms(void);
