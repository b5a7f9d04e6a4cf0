// receiver: see receiver.h.
#include "receiver.h"

#include <assert.h>

static const char END[] = "\r\n.\r\n";
enum { END_N = sizeof END - 1, END_AT_LINE_START = 2 };

void receiver_say(struct receiver *r, struct slice reply) {
    if (reply.n > RECEIVER_OUT - r->out_n)
        return;
    memcpy(r->out + r->out_n, reply.p, reply.n);
    r->out_n += reply.n;
}

void receiver_greet(struct receiver *r) { receiver_say(r, SLICE("220 bench.example ESMTP\r\n")); }

void receiver_accepted(struct receiver *r) { receiver_say(r, SLICE("250 2.0.0 taken\r\n")); }

static void begin_content(struct receiver *r) {
    if (r->recipients == 0) {
        receiver_say(r, SLICE("503 5.5.1 RCPT first\r\n"));
        return;
    }
    r->content = true;
    r->matched = END_AT_LINE_START;
    r->envelope_n = r->keep ? r->keep->n : 0;
    receiver_say(r, SLICE("354 go on\r\n"));
}

static void begin_transaction(struct receiver *r, struct slice line) {
    r->recipients = 0;
    if (r->keep) {
        buf_reset(r->keep);
        buf_add(r->keep, line);
    }
    receiver_say(r, SLICE("250 2.1.0 ok\r\n"));
}

static void add_recipient(struct receiver *r, struct slice line) {
    r->recipients++;
    if (r->keep)
        buf_add(r->keep, line);
    receiver_say(r, SLICE("250 2.1.5 ok\r\n"));
}

static enum receiver_event command(struct receiver *r, struct slice line) {
    if (slice_istarts(line, SLICE("MAIL")))
        begin_transaction(r, line);
    else if (slice_istarts(line, SLICE("RCPT")))
        add_recipient(r, line);
    else if (slice_istarts(line, SLICE("DATA")))
        begin_content(r);
    else if (slice_istarts(line, SLICE("EHLO")))
        receiver_say(r, SLICE("250-bench.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250 8BITMIME\r\n"));
    else if (slice_istarts(line, SLICE("HELO")) || slice_istarts(line, SLICE("RSET")) ||
             slice_istarts(line, SLICE("NOOP")))
        receiver_say(r, SLICE("250 ok\r\n"));
    else if (slice_istarts(line, SLICE("QUIT"))) {
        receiver_say(r, SLICE("221 bye\r\n"));
        return RECEIVER_QUIT;
    } else
        receiver_say(r, SLICE("500 5.5.2 unknown\r\n"));
    return RECEIVER_MORE;
}

// How much of `in` still belongs to the content; r->matched is END_N where the end was found.
static size_t content_upto(struct receiver *r, struct slice in) {
    size_t at = 0;
    while (at < in.n && r->matched < END_N) {
        if (r->matched == 0) {
            const char *cr = memchr(in.p + at, '\r', in.n - at);
            if (!cr)
                return in.n;
            at = (size_t)(cr - in.p);
        }
        char c = in.p[at++];
        r->matched = c == END[r->matched] ? r->matched + 1 : c == '\r';
    }
    return at;
}

static enum receiver_event feed_content(struct receiver *r, struct slice in, size_t *taken) {
    *taken = content_upto(r, in);
    if (r->keep)
        buf_add(r->keep, slice_upto(in, *taken));
    if (r->matched < END_N)
        return RECEIVER_MORE;
    r->content = false;
    r->finished_recipients = r->recipients;
    r->recipients = 0;
    return RECEIVER_MESSAGE;
}

// Collects a line that came in pieces. An overlong one is cut: no client of a bench sends it.
static bool collect(struct receiver *r, struct slice in) {
    size_t room = RECEIVER_LINE - r->line_n;
    struct slice part = slice_upto(in, room);
    memcpy(r->line + r->line_n, part.p, part.n);
    r->line_n += part.n;
    return part.n > 0 && part.p[part.n - 1] == '\n';
}

static enum receiver_event feed_command(struct receiver *r, struct slice in, size_t *taken) {
    size_t newline = slice_find(in, '\n');
    *taken = newline < in.n ? newline + 1 : in.n;
    struct slice line = slice_upto(in, *taken);
    if (r->line_n == 0 && newline < in.n)
        return command(r, line);
    if (!collect(r, line) && newline == in.n)
        return RECEIVER_MORE;
    line = slice_of(r->line, r->line_n);
    r->line_n = 0;
    return command(r, line);
}

enum receiver_event receiver_feed(struct receiver *r, struct slice in, size_t *taken) {
    enum receiver_event event = RECEIVER_MORE;
    *taken = 0;
    while (event == RECEIVER_MORE && *taken < in.n) {
        size_t n = 0;
        struct slice rest = slice_from(in, *taken);
        event = r->content ? feed_content(r, rest, &n) : feed_command(r, rest, &n);
        assert(n > 0);
        *taken += n;
    }
    return event;
}
