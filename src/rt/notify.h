// notify: what systemd wants to know of a service with Type=notify (sd_notify(3)), without its library.
#pragma once

// "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=..."; nothing when no NOTIFY_SOCKET is set.
void notify_systemd(const char *state);
