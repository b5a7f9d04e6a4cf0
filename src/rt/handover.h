// handover: what master and a process of ours say to each other: a packet channel that carries values and descriptors.
//
//     master                                        child
//     START {role, instance, path, directory} + fd  the configuration's text lies in the descriptor
//     CREDENTIAL {name, bytes}                      0.. times
//     LISTEN {index} + fd                           0.. times
//     PEER {role, instance} + fd                    0.. times, and again whenever that peer was started anew
//     BEGIN                                         all that a start needs is there
//                                                   READY, or FAILED {text} and the end
//     PING                                          PONG: the process still turns its loop
//     STOP                                          finish what you hold, then exit with 0
//
// The channel's end tells a child that master is gone: it ends at once.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "wire/link_frame.h"

enum handover_note {
    HANDOVER_START,
    HANDOVER_CREDENTIAL,
    HANDOVER_LISTEN,
    HANDOVER_PEER,
    HANDOVER_BEGIN,
    HANDOVER_PING,
    HANDOVER_STOP,
    HANDOVER_READY,
    HANDOVER_PONG,
    HANDOVER_FAILED,
    HANDOVER_NOTE_COUNT
};

enum {
    HANDOVER_MAX = 128 * 1024,         // bytes of a packet
    HANDOVER_INDEX_CONTROL = 0xffffff, // LISTEN: not one of config.listens but the control socket
};

struct handover {
    enum handover_note note;
    enum role role;    // START: the child's own. PEER: the other side's
    uint32_t instance; // likewise; from 0
    uint32_t index;    // LISTEN: place in config.listens
    struct slice name; // START: the configuration's path. CREDENTIAL: which
    struct slice text; // START: the configuration's directory. CREDENTIAL: its bytes. FAILED: why
    int fd;            // -1 where there is none; the receiver owns it
};

bool handover_pack(struct buf *b, const struct handover *h);

// Views into `in`; fd is -1. False for anything malformed.
bool handover_unpack(struct slice in, struct handover *out);

// Never waits: a channel without room is an error. The descriptor stays the caller's.
MUST_CHECK bool handover_send(int channel, const struct handover *h, struct err *e);

enum handover_got { HANDOVER_GOT, HANDOVER_AGAIN, HANDOVER_END };

// One packet; its slices are views into `bytes`, whose `max` is at least HANDOVER_MAX. A malformed packet is END.
// With `wait` it blocks instead of AGAIN: only before a process has its loop.
enum handover_got handover_receive(int channel, bool wait, struct buf *bytes, struct handover *out);
