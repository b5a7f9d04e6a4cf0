// smtpd_filter_play: reading packets, answering as the script says.
#include "svc/smtpd/smtpd_filter_play.h"

#include "base/mem.h"
#include "rt/fiber/loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIPE = 1 << 17 };

// --- a scripted filter

static FIBER_FN bool read_exactly(struct transport *t, char *to, size_t n) {
    struct err e;
    while (n) {
        size_t got;
        switch (t->ops->read(t, to, n, &got, &e)) {
        case TRANSPORT_SOME:
            to += got;
            n -= got;
            break;
        case TRANSPORT_AGAIN:
            if (!t->ops->wait_read(t, MONO_NEVER, &e))
                return false;
            break;
        default:
            return false;
        }
    }
    return true;
}

static void put_u32(struct buf *b, size_t v) {
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_char(b, (char)(v >> shift));
}

static void put_packet(struct buf *b, char letter, struct slice data) {
    put_u32(b, data.n + 1);
    buf_add_char(b, letter);
    buf_add(b, data);
}

// One word of a script as a packet.
static void put_word(struct buf *b, struct slice word) {
    struct buf data BUF_AUTO = {.max = 1 << 20};
    struct slice head, value, name;
    slice_cut(word, ':', &head, &value);
    char letter = head.p[0];
    if (letter == 'O') {
        slice_cut(value, ',', &name, &value);
        put_u32(&data, 6);
        put_u32(&data, strtoul(name.p, NULL, 16));
        put_u32(&data, strtoul(value.p, NULL, 16));
    } else if (letter == 'h' || letter == 'i' || letter == 'm') {
        if (head.n > 1)
            put_u32(&data, (size_t)(head.p[1] - '0'));
        slice_cut(value, '=', &name, &value);
        buf_add(&data, name);
        buf_add_char(&data, '\0');
        buf_add(&data, value);
        buf_add_char(&data, '\0');
    } else if (value.p) {
        buf_add(&data, value);
        if (letter != 'b')
            buf_add_char(&data, '\0');
    }
    put_packet(b, letter, buf_slice(&data));
}

// Answers one packet; false: the filter ends.
static FIBER_FN bool play(struct player *p, struct transport *t) {
    struct buf out BUF_AUTO = {.max = 1 << 22};
    struct err e;
    struct slice step, word, rest = slice_str(p->script);
    bool more = slice_cut(rest, ';', &step, &rest);
    p->script = more ? rest.p : "";
    if (more && !rest.p)
        p->script = "";
    while (step.n) {
        slice_cut(step, ' ', &word, &step);
        if (slice_eq(word, SLICE("!"))) {
            (void)!transport_write_all(t, buf_slice(&out), MONO_NEVER, &e);
            return false;
        }
        if (!slice_eq(word, SLICE("~")))
            put_word(&out, word);
    }
    return transport_write_all(t, buf_slice(&out), MONO_NEVER, &e);
}

static void note(struct player *p, char letter, struct slice data) {
    if (letter == 'D') {
        for (size_t i = 0; i < data.n; i++)
            buf_add_char(&p->macros, data.p[i] ? data.p[i] : '|');
        return;
    }
    buf_addf(&p->told, "%s%c", p->told.n ? " " : "", letter);
    if (letter == 'O' || data.n == 0)
        return;
    buf_add_char(&p->told, '(');
    for (size_t i = 0; i < data.n && i < 200; i++)
        buf_add_char(&p->told, data.p[i] ? data.p[i] : '|');
    if (data.n > 200)
        buf_addf(&p->told, "... %zu", data.n);
    buf_add_char(&p->told, ')');
}

// Answers what wants an answer; steps that don't are "-" in a script's options.
static void run_player(void *arg) {
    struct player *p = arg;
    struct transport *t = p->t;
    char length[4];
    uint32_t steps = 0;
    sscanf(strchr(p->script, ',') ? strchr(p->script, ',') + 1 : "0", "%x", &steps);
    while (read_exactly(t, length, 4)) {
        size_t n = (size_t)(uint8_t)length[1] << 16 | (size_t)(uint8_t)length[2] << 8 | (uint8_t)length[3];
        char *data = mem_new(n + 1, 1);
        bool got = read_exactly(t, data, n);
        if (got)
            note(p, data[0], slice_of(data + 1, n - 1));
        char letter = data[0];
        free(data);
        bool quiet = letter == 'D' || letter == 'A' || letter == 'Q' || (letter == 'L' && (steps & MILTER_NR_HEADER)) ||
                     (letter == 'B' && (steps & MILTER_NR_BODY));
        if (!got || letter == 'Q' || (!quiet && !play(p, t)))
            break;
    }
    t->ops->close(t);
}

// --- the session's side

static FIBER_FN bool open_player(void *arg, size_t index, struct transport **out, struct err *e) {
    struct scene *s = arg;
    struct player *p = &s->players[index];
    p->connections++;
    if (!p->script)
        return err_set(e, ERR_TEMPORARY, "connection refused");
    transport_pair(PIPE, out, &p->t);
    return fiber_spawn(&s->players_group, "filter", run_player, p, e);
}

static void facts(void *arg, struct smtpd_filter_facts *out) { *out = ((struct scene *)arg)->facts; }

static void said(void *arg, const struct config_filter *f, struct slice words) {
    struct scene *s = arg;
    buf_addf(&s->said, "%.*s: %.*s\n", SLICE_ARG(f->name), SLICE_ARG(words));
}

static bool hold(void *arg, int64_t bytes) {
    struct scene *s = arg;
    s->held += bytes;
    return true;
}

static void counted(void *arg, enum metric_label_FILTER result) { ((struct scene *)arg)->results[result]++; }

static void ended(void *arg, int64_t ns) {
    ((struct scene *)arg)->ends++;
    assert_true(ns >= 0);
}

const struct smtpd_filter_outside play_outside = {
    .open = open_player, .facts = facts, .said = said, .counted = counted, .ended = ended, .hold = hold};

static void run_body(void *arg) {
    struct scene *s = arg;
    s->f = smtpd_filters_new(&s->config, ROLE_SMTPD, &play_outside, s);
    s->body(s);
    smtpd_filters_free(s->f);
    fiber_sleep(10);
    fiber_group_cancel(&s->players_group);
}

void set_up(struct scene *s, enum config_filter_failure failure, const char *const *scripts, size_t n) {
    static const char *const names[] = {"one", "two", "three"};
    *s = (struct scene){.loop = loop_new(false), .said = {.max = 1 << 20}};
    fiber_group_init(&s->group, s->loop, "test");
    fiber_group_init(&s->players_group, s->loop, "players");
    for (size_t i = 0; i < n; i++) {
        s->list[i] = (struct config_filter){
            .name = slice_str(names[i]), .mx = true, .reply = 200, .content = 300, .failure = failure};
        s->players[i] =
            (struct player){.scene = s, .script = scripts[i], .told = {.max = 1 << 20}, .macros = {.max = 1 << 20}};
    }
    s->config.hostname = SLICE("mx.example.org");
    s->config.limits.header_size = 4096;
    s->config.limits.message_size = 1 << 20;
    s->config.gate.filters = s->list;
    s->config.gate.filters_n = n;
    s->facts.helo = SLICE("client.example");
    s->facts.queue_id = SLICE("Q1");
    assert_true(netaddr_parse_endpoint(SLICE("192.0.2.1:2525"), &s->facts.client));
}

void run(struct scene *s, void (*body)(struct scene *s)) {
    struct err e;
    s->body = body;
    assert_true(fiber_spawn(&s->group, "session", run_body, s, &e));
    loop_run(s->loop);
    assert_int_equal(s->held, 0);
}

void tear_down(struct scene *s) {
    for (size_t i = 0; i < FILTERS; i++) {
        buf_done(&s->players[i].told);
        buf_done(&s->players[i].macros);
    }
    buf_done(&s->said);
    loop_free(s->loop);
}

void assert_told(const struct scene *s, size_t i, const char *want) {
    if (!slice_eq(buf_slice(&s->players[i].told), slice_str(want)))
        fail_msg("filter %zu was told %.*s, not %s", i, SLICE_ARG(buf_slice(&s->players[i].told)), want);
}

void assert_text(struct slice got, const char *want) {
    if (!slice_eq(got, slice_str(want)))
        fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static const char fields[] = "Subject: hello\r\nTo: b@example.org\r\n";
static const char body[] = "one\r\n.two\r\n";

static FIBER_FN void send_content(struct scene *s, struct smtpd_filtered *out) {
    if (smtpd_filters_header(s->f, slice_str(fields)))
        (void)(smtpd_filters_body(s->f, slice_upto(slice_str(body), 5)) &&
               smtpd_filters_body(s->f, slice_from(slice_str(body), 5)));
    smtpd_filters_end(s->f, out);
}

// A message up to its end, or to the first refusal.
void send_message(struct scene *s, struct smtpd_filtered *out) {
    struct smtpd_filter_verdict *v = &out->verdict;
    *out = (struct smtpd_filtered){0};
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE("SIZE=10"), v);
    if (v->what == SMTPD_FILTER_GO_ON)
        smtpd_filters_rcpt(s->f, SLICE("b@example.org"), SLICE_EMPTY, v);
    if (v->what == SMTPD_FILTER_GO_ON)
        smtpd_filters_data(s->f, v);
    if (v->what == SMTPD_FILTER_GO_ON)
        send_content(s, out);
}

void collect_body(struct scene *s, struct buf *to) {
    struct slice piece;
    while (smtpd_filters_piece(s->f, &piece))
        buf_add(to, piece);
}
