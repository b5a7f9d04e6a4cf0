// message: what the targets of payloads share: one that is taken is the same when it is written again.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "fuzz.h"

// As case NUMBER of a switch; `in` is the payload.
#define MESSAGE(number, kind)                                                                                          \
    case number: {                                                                                                     \
        struct message_##kind m;                                                                                       \
        if (message_##kind##_unpack(in, &m))                                                                           \
            FUZZ_CHECK(message_##kind##_pack(&again, &m) && slice_eq(buf_slice(&again), in));                          \
        break;                                                                                                         \
    }

// For those that need an arena.
#define MESSAGE_IN_ARENA(number, kind)                                                                                 \
    case number: {                                                                                                     \
        struct message_##kind m;                                                                                       \
        if (message_##kind##_unpack(in, &arena, &m))                                                                   \
            FUZZ_CHECK(message_##kind##_pack(&again, &m) && slice_eq(buf_slice(&again), in));                          \
        break;                                                                                                         \
    }
