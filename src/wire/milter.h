// milter: the protocol between a mail server and its filters, version 6 as Sendmail 8.14 and Postfix speak it: packets
// of a length, a letter and data. Bytes to values and back; the server's side.
//
//     server                                  filter
//     O version, what it can do               O version, what it wants; perhaps l: macros for each stage
//     D macros of CONNECT, C host, address    c
//     D macros of HELO,    H name             c
//     D macros of MAIL,    M <sender> args    c        or r reject, t tempfail, y reply, a accept, d discard
//     D macros of RCPT,    R <recipient> args c
//     D macros of DATA,    T                  c
//                          L name, value      c        each field
//     D macros of EOH,     N                  c
//                          B up to 65535      c        or s: no more of the body, please
//     D macros of EOM,     E                  p p p    still at it
//                                             h m i b + - e q   changes
//                                             c
//                          Q                           or A: this message is over; K: this connection is, another
//                          begins
//
// Which of them are told at all, and which are answered, is agreed upon at the beginning.
#pragma once

#include "base/buf.h"
#include "wire/netaddr.h"

enum {
    MILTER_VERSION = 6,
    MILTER_VERSION_LEAST = 2,
    MILTER_CHUNK = 65535,           // bytes of the body in a packet
    MILTER_PACKET_MAX = 128 * 1024, // bytes after the length that we take; 65535 and a letter are agreed upon
    MILTER_REPLY_LINES = 32,        // of a reply that a filter gives
};

// What a filter may do with a message.
enum {
    MILTER_ADD_HEADERS = 0x1,
    MILTER_CHANGE_BODY = 0x2,
    MILTER_ADD_RECIPIENT = 0x4,
    MILTER_DELETE_RECIPIENT = 0x8,
    MILTER_CHANGE_HEADERS = 0x10,
    MILTER_QUARANTINE = 0x20,
    MILTER_CHANGE_SENDER = 0x40,
    MILTER_ADD_RECIPIENT_ARGS = 0x80,
    MILTER_SET_MACROS = 0x100,
    MILTER_ACTIONS = 0x1ff,
};

// NO_: isn't told. NR_: is told, and doesn't answer.
enum {
    MILTER_NO_CONNECT = 0x1,
    MILTER_NO_HELO = 0x2,
    MILTER_NO_MAIL = 0x4,
    MILTER_NO_RCPT = 0x8,
    MILTER_NO_BODY = 0x10,
    MILTER_NO_HEADERS = 0x20,
    MILTER_NO_EOH = 0x40,
    MILTER_NR_HEADER = 0x80,
    MILTER_NO_UNKNOWN = 0x100,
    MILTER_NO_DATA = 0x200,
    MILTER_SKIP = 0x400,          // may answer BODY with SKIP
    MILTER_REJECTED_RCPT = 0x800, // wants to know of recipients that were refused
    MILTER_NR_CONNECT = 0x1000,
    MILTER_NR_HELO = 0x2000,
    MILTER_NR_MAIL = 0x4000,
    MILTER_NR_RCPT = 0x8000,
    MILTER_NR_DATA = 0x10000,
    MILTER_NR_UNKNOWN = 0x20000,
    MILTER_NR_EOH = 0x40000,
    MILTER_NR_BODY = 0x80000,
    MILTER_LEADING_SPACE = 0x100000, // values of headers have the space after the colon, both ways
    MILTER_STEPS = 0x1fffff,
};

enum milter_stage { // numbered as the protocol does
    MILTER_STAGE_CONNECT,
    MILTER_STAGE_HELO,
    MILTER_STAGE_MAIL,
    MILTER_STAGE_RCPT,
    MILTER_STAGE_DATA,
    MILTER_STAGE_EOM,
    MILTER_STAGE_EOH,
    MILTER_STAGE_COUNT
};

// --- what a server says

enum milter_command {
    MILTER_ABORT = 'A',
    MILTER_BODY = 'B',
    MILTER_CONNECT = 'C',
    MILTER_MACRO = 'D',
    MILTER_EOB = 'E',
    MILTER_HELO = 'H',
    MILTER_QUIT_NC = 'K',
    MILTER_HEADER = 'L',
    MILTER_MAIL = 'M',
    MILTER_EOH = 'N',
    MILTER_OPTIONS = 'O',
    MILTER_QUIT = 'Q',
    MILTER_RCPT = 'R',
    MILTER_DATA = 'T',
    MILTER_UNKNOWN = 'U',
};

struct milter_options {
    uint32_t version, actions, steps;
    struct slice macros[MILTER_STAGE_COUNT]; // a filter's wishes, with spaces or commas between; p NULL: none
};

bool milter_put(struct buf *b, enum milter_command c, struct slice data); // any, as it is
bool milter_put_options(struct buf *b, const struct milter_options *o);   // without macros
bool milter_put_connect(struct buf *b, struct slice host, const struct netaddr *client);
bool milter_put_text(struct buf *b, enum milter_command c, struct slice text); // HELO, UNKNOWN: ends at a NUL
// MAIL, RCPT: `path` with its <>; `args` are parted by spaces.
bool milter_put_path(struct buf *b, enum milter_command c, struct slice path, struct slice args);
// The name and value as the message has them, folded: line ends become LF. `leading_space`: as agreed upon.
bool milter_put_header(struct buf *b, struct slice name, struct slice value, bool leading_space);

// Macros of one stage; add pairs between begin and end.
size_t milter_macros_begin(struct buf *b, enum milter_command of);
void milter_macro(struct buf *b, struct slice name, struct slice value); // name as "{auth_type}" or "i"
void milter_macros_end(struct buf *b, size_t begun);

// --- what a filter says

enum milter_answer_kind {
    MILTER_ADDS_RECIPIENT = '+',      // value, args
    MILTER_DELETES_RECIPIENT = '-',   // value
    MILTER_ADDS_RECIPIENT_ARGS = '2', // value, args
    MILTER_SHUTDOWN = '4',            // 421 for the client
    MILTER_ACCEPT = 'a',
    MILTER_REPLACES_BODY = 'b', // value: a piece
    MILTER_CONTINUE = 'c',
    MILTER_DISCARD = 'd',
    MILTER_CHANGES_SENDER = 'e', // value, args
    MILTER_CONNECTION_FAILS = 'f',
    MILTER_ADDS_HEADER = 'h',    // name, value
    MILTER_INSERTS_HEADER = 'i', // index, name, value
    MILTER_SETS_MACROS = 'l',    // in the options only
    MILTER_CHANGES_HEADER = 'm', // index (from 1, of that name), name, value; an empty one deletes
    MILTER_OPTIONS_ANSWER = 'O', // options
    MILTER_PROGRESS = 'p',
    MILTER_QUARANTINES = 'q', // value: why
    MILTER_REJECT = 'r',
    MILTER_SKIPS = 's',
    MILTER_TEMPFAIL = 't',
    MILTER_REPLY = 'y', // value: "550 5.7.1 text", its lines as milter_reply_read takes them
};

struct milter_answer { // views into the packet
    enum milter_answer_kind kind;
    uint32_t index;
    struct slice name, value, args;
    struct milter_options options;
};

enum milter_got { MILTER_WHOLE, MILTER_MORE, MILTER_BAD };

// The first packet of `in`. MORE: it takes `*used` bytes in all, 4 while that isn't known. BAD: no packet that we know.
enum milter_got milter_take(struct slice in, struct milter_answer *out, size_t *used);

// A reply's code, enhanced code ("" when there is none) and text with LF between lines. False when it is none that
// refuses (4yz, 5yz), or its lines don't fit together.
struct milter_reply {
    int code;
    char enhanced[18];
};
bool milter_reply_read(struct slice value, struct milter_reply *out, struct buf *text);

// Whether `a` changes the message, and so may only come at the end; and which MILTER_... action it needs.
bool milter_answer_changes(const struct milter_answer *a, uint32_t *action);
