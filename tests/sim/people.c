// people: scripts of a client and of a foreign server, written against plain SMTP and nothing of the house's own code.
#include "people.h"

#include "base/mem.h"
#include "rt/stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PATIENCE_MS = 2 * MS_MINUTE,
    TRIES = 6,
    LARGE = 90 * 1024, // more than travels in one frame inside a house
};

// --- the client

static const char *const recipients[] = {
    "alice@example.org",  "bob@example.org",      "carol@example.net", "dave@sink.example",
    "erin@sink.example",  "refused@sink.example", "later@sink.example", "nobody@dead.example",
    "frank@slow.example",
};
static const char *const senders[] = {"alice@example.org", "dave@sink.example", "", "bob@example.org"};

// The next reply's code; 0 when there was none.
static FIBER_FN int reply(struct stream *s, struct loop *loop) {
    struct slice line;
    struct err e;
    bool too_long;
    do {
        if (!stream_line(s, 2000, loop_in_ms(loop, PATIENCE_MS), &line, &too_long, &e) || line.n < 4)
            return 0;
    } while (line.p[3] == '-');
    return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

static FIBER_FN int ask(struct stream *s, struct loop *loop, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int ask(struct stream *s, struct loop *loop, const char *format, ...) {
    char line[400];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    stream_put(s, slice_of(line, (size_t)n));
    return reply(s, loop);
}

static void put_content(struct stream *s, const struct person *p, const struct ledger_message *m, size_t size) {
    char head[200];
    int n = snprintf(head, sizeof head, "Subject: %s\r\nMessage-ID: <%s@client.example>\r\n\r\n%s\r\n..dots\r\n",
                     m->token, m->token, m->token);
    static const char filler[] = "0123456789 and so on, for as long as it takes to fill a line of a letter\r\n";
    stream_put(s, slice_of(head, (size_t)n));
    for (size_t done = 0; done < size; done += sizeof filler - 1)
        stream_put(s, slice_of(filler, sizeof filler - 1));
    stream_put(s, SLICE(".\r\n"));
    (void)p;
}

static void note_acknowledged(struct person *p, struct ledger_message *m, const bool *taken) {
    bool gone = true;
    for (size_t i = 0; i < m->recipients_n; i++) {
        m->recipients[i].acknowledged = m->recipients[i].acknowledged || taken[i];
        gone = gone && (m->recipients[i].arrived || m->recipients[i].bounced || !taken[i]);
    }
    p->ledger->acknowledged++;
    bool kept = sim_disk_durable_has(house_state_disk(p->house), slice_str(m->token)) ||
                sim_disk_durable_has(house_mail_disk(p->house), slice_str(m->token));
    if (kept || gone)
        return;
    if (p->ledger->early++ == 0)
        memcpy(p->ledger->first_early, m->token, sizeof m->token);
}

// True: the message needs no further try.
static FIBER_FN bool send_message(struct person *p, struct stream *s, struct ledger_message *m, size_t size) {
    bool taken[LEDGER_RECIPIENTS] = {false};
    bool any = false;
    size_t n = m->recipients_n; // arrivals may add more meanwhile
    if (ask(s, p->loop, "MAIL FROM:<%s>\r\n", m->sender) != 250)
        return false;
    for (size_t i = 0; i < n; i++) {
        taken[i] = ask(s, p->loop, "RCPT TO:<%s>\r\n", m->recipients[i].address) == 250;
        any = any || taken[i];
    }
    if (!any || ask(s, p->loop, "DATA\r\n") != 354)
        return false;
    unsigned falls = p->ledger->falls;
    put_content(s, p, m, size);
    int code = reply(s, p->loop);
    m->refused = code >= 400 && falls == p->ledger->falls && !house_fell(p->house);
    if (code == 250)
        note_acknowledged(p, m, taken);
    return code == 250;
}

static FIBER_FN bool open_session(struct person *p, struct stream *s) {
    struct transport *t;
    struct err e;
    if (!net_connect(p->net, &p->server, loop_in_ms(p->loop, PATIENCE_MS), &t, NULL, &e))
        return false;
    stream_init(s, t);
    s->write_timeout_ms = PATIENCE_MS;
    if (reply(s, p->loop) == 220 && ask(s, p->loop, "EHLO client.example\r\n") == 250)
        return true;
    stream_done(s);
    return false;
}

static struct ledger_message *think_of_message(struct person *p) {
    const char *sender = senders[seed_below(p->seed, sizeof senders / sizeof *senders)];
    struct ledger_message *m = ledger_new(p->ledger, p->run, sender);
    for (uint64_t n = 1 + seed_below(p->seed, 3); m && n; n--)
        ledger_add(m, recipients[seed_below(p->seed, sizeof recipients / sizeof *recipients)]);
    return m;
}

// The same message for another try, under a token of its own: so every copy that arrives tells which try it was.
static struct ledger_message *once_more(struct person *p, const struct ledger_message *before) {
    struct ledger_message *m = ledger_new(p->ledger, p->run, before->sender);
    for (size_t i = 0; m && i < before->recipients_n; i++)
        ledger_add(m, before->recipients[i].address);
    return m;
}

static FIBER_FN void send_until_clear(struct person *p, struct ledger_message *m, size_t size) {
    for (int try = 0; m && try < TRIES && !fiber_cancelled(); try++) {
        struct stream s;
        bool clear = false;
        if (open_session(p, &s)) {
            clear = send_message(p, &s, m, size);
            if (clear)
                ask(&s, p->loop, "QUIT\r\n");
            stream_done(&s);
        }
        if (clear)
            return;
        fiber_sleep((int64_t)(5000 + seed_below(p->seed, 60000)));
        m = once_more(p, m);
    }
}

void person_run(void *arg) {
    struct person *p = arg;
    fiber_sleep(p->begin_ms);
    for (unsigned i = 0; i < p->messages && !fiber_cancelled(); i++) {
        struct ledger_message *m = think_of_message(p);
        if (m)
            send_until_clear(p, m, seed_chance(p->seed, 60) ? LARGE : (size_t)seed_below(p->seed, 3000));
        fiber_sleep((int64_t)seed_below(p->seed, 20000));
    }
}

// --- the foreign server

enum { STRANGER_CONTENT_MAX = 400 * 1024 };

struct visit {
    struct stranger *host;
    struct stream stream;
    char to[LEDGER_RECIPIENTS][100];
    size_t to_n;
    struct buf content;
};

static bool in_trouble(struct stranger *h) { return seed_chance(h->seed, h->trouble_per_mille); }

static void answer(struct visit *v, const char *line) {
    stream_put(&v->stream, slice_str(line));
    stream_put(&v->stream, SLICE("\r\n"));
}

static void take_recipient(struct visit *v, struct slice line) {
    size_t from = slice_find(line, '<') + 1, to = slice_find(line, '>');
    if (to <= from || to - from >= sizeof v->to[0] || v->to_n == LEDGER_RECIPIENTS) {
        answer(v, "501 what?");
        return;
    }
    char *address = v->to[v->to_n];
    memcpy(address, line.p + from, to - from);
    address[to - from] = '\0';
    if (strstr(address, "refused@")) {
        answer(v, "550 5.1.1 not here");
    } else if (strstr(address, "later@") && v->host->later++ < 2) {
        answer(v, "450 4.2.1 come back later");
    } else {
        v->to_n++;
        answer(v, "250 ok");
    }
}

// False: the connection ended. The content's lines are kept with their dots undone.
static FIBER_FN bool take_content(struct visit *v) {
    struct slice line;
    struct err e;
    bool too_long;
    buf_reset(&v->content);
    answer(v, "354 go on");
    for (;;) {
        if (!stream_line(&v->stream, 4000, loop_in_ms(v->host->loop, PATIENCE_MS), &line, &too_long, &e))
            return false;
        if (slice_eq(line, SLICE(".\r\n")))
            return true;
        buf_add(&v->content, line.n && line.p[0] == '.' ? slice_from(line, 1) : line);
    }
}

static void note_arrivals(struct visit *v) {
    for (size_t i = 0; i < v->to_n; i++)
        ledger_arrived(v->host->ledger, v->to[i], buf_slice(&v->content));
}

static void note_unheard(struct visit *v) {
    struct ledger *l = v->host->ledger;
    for (size_t k = 0; k < l->n; k++)
        if (slice_search(buf_slice(&v->content), slice_str(l->messages[k].token)) < v->content.n)
            l->messages[k].unheard++;
}

// After the final dot. False: the connection ends.
static FIBER_FN bool finish_content(struct visit *v) {
    struct err e;
    if (in_trouble(v->host)) {
        if (seed_chance(v->host->seed, 500)) { // took it, and hangs up before it can say so
            note_arrivals(v);
            note_unheard(v);
            return false;
        }
        answer(v, "451 4.3.0 not now");
        v->to_n = 0;
        return true;
    }
    note_arrivals(v);
    v->to_n = 0;
    answer(v, "250 taken");
    if (stream_flush(&v->stream, &e))
        return true;
    note_unheard(v);
    return false;
}

static FIBER_FN bool serve_line(struct visit *v, struct slice line) {
    if (slice_istarts(line, SLICE("EHLO"))) {
        answer(v, seed_chance(v->host->seed, 500) ? "250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME"
                                                  : "250 sink.example");
    } else if (slice_istarts(line, SLICE("MAIL"))) {
        v->to_n = 0;
        answer(v, in_trouble(v->host) ? "421 4.3.2 busy" : "250 ok");
    } else if (slice_istarts(line, SLICE("RCPT"))) {
        take_recipient(v, line);
    } else if (slice_istarts(line, SLICE("DATA"))) {
        if (v->to_n)
            return take_content(v) && finish_content(v);
        answer(v, "554 nobody to take it");
    } else if (slice_istarts(line, SLICE("QUIT"))) {
        answer(v, "221 bye");
        return false;
    } else {
        answer(v, "250 ok");
    }
    return true;
}

// The last 250 may have got lost on the way when the next thing that we see is the connection's end.
static FIBER_FN void visit_run(void *arg) {
    struct visit *v = arg;
    struct slice line;
    struct err e;
    bool too_long, after_content = false;
    answer(v, "220 sink.example");
    for (;;) {
        if (!stream_line(&v->stream, 4000, loop_in_ms(v->host->loop, 5 * PATIENCE_MS), &line, &too_long, &e)) {
            if (after_content)
                note_unheard(v);
            break;
        }
        after_content = slice_istarts(line, SLICE("DATA"));
        if (in_trouble(v->host) || v->host->slow_ms)
            fiber_sleep((int64_t)seed_below(v->host->seed, v->host->slow_ms ? (uint64_t)v->host->slow_ms : 30000));
        if (!serve_line(v, line))
            break;
    }
    if (!stream_flush(&v->stream, &e))
        note_unheard(v);
    stream_done(&v->stream);
    buf_done(&v->content);
    free(v);
}

void stranger_run(void *arg) {
    struct stranger *h = arg;
    struct transport *t;
    struct netaddr peer;
    struct err e;
    while (listener_accept(h->listener, MONO_NEVER, &t, &peer, &e)) {
        struct visit *v = MEM_NEW(struct visit);
        *v = (struct visit){.host = h, .content = {.max = STRANGER_CONTENT_MAX}};
        stream_init(&v->stream, t);
        v->stream.write_timeout_ms = PATIENCE_MS;
        if (!fiber_spawn(h->group, "visit", visit_run, v, &e)) {
            stream_done(&v->stream);
            free(v);
        }
    }
    listener_close(h->listener);
}
