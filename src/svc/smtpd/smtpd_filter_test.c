// smtpd_filter_test: scripted filters over pipes. A script is what a filter answers, packet by packet:
//
//     "O:actions,steps"  negotiates          "c" continue, or any letter of an answer without data
//     "h:Name=value"  "i0:..." "m1:..."      "b:bytes"  "+:<a@b>" "-:<a@b>" "e:<a@b>" "q:why" "y:550 5.7.1 no"
//     "!" closes the connection              "~" never answers
//
// Words up to the next ";" are sent together. What the filter was told is kept as text: "C(unknown) H(helo) M(<a@b>)".
#include "svc/smtpd/smtpd_filter_inside.h"

#include "base/mem.h"
#include "rt/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { PIPE = 1 << 17, FILTERS = 3 };

struct scene;

struct player {
    struct scene *scene;
    const char *script;
    struct transport *t;
    struct buf told; // in words
    struct buf macros;
    size_t connections;
};

struct scene {
    struct loop *loop;
    struct fiber_group group, players_group;
    struct config config;
    struct config_filter list[FILTERS];
    struct player players[FILTERS];
    struct buf said;
    struct smtpd_filters *f;
    struct smtpd_filter_facts facts;
    int64_t held;
    void (*body)(struct scene *s);
};

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
        for (size_t i = 1; i < data.n; i++)
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

static const struct smtpd_filter_outside outside = {.open = open_player, .facts = facts, .said = said, .hold = hold};

static void run_body(void *arg) {
    struct scene *s = arg;
    s->f = smtpd_filters_new(&s->config, ROLE_SMTPD, &outside, s);
    s->body(s);
    smtpd_filters_free(s->f);
    fiber_sleep(10);
    fiber_group_cancel(&s->players_group);
}

static void set_up(struct scene *s, enum config_filter_failure failure, const char *const *scripts, size_t n) {
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

static void run(struct scene *s, void (*body)(struct scene *s)) {
    struct err e;
    s->body = body;
    assert_true(fiber_spawn(&s->group, "session", run_body, s, &e));
    loop_run(s->loop);
    assert_int_equal(s->held, 0);
}

static void tear_down(struct scene *s) {
    for (size_t i = 0; i < FILTERS; i++) {
        buf_done(&s->players[i].told);
        buf_done(&s->players[i].macros);
    }
    buf_done(&s->said);
    loop_free(s->loop);
}

static void assert_told(const struct scene *s, size_t i, const char *want) {
    if (!slice_eq(buf_slice(&s->players[i].told), slice_str(want)))
        fail_msg("filter %zu was told %.*s, not %s", i, SLICE_ARG(buf_slice(&s->players[i].told)), want);
}

static void assert_text(struct slice got, const char *want) {
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
static FIBER_FN void send_message(struct scene *s, struct smtpd_filtered *out) {
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

static void collect_body(struct scene *s, struct buf *to) {
    struct slice piece;
    while (smtpd_filters_piece(s->f, &piece))
        buf_add(to, piece);
}

// --- tests

static void two_messages(struct scene *s) {
    struct smtpd_filtered out;
    for (int i = 0; i < 2; i++) {
        send_message(s, &out);
        assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
        assert_false(out.header_changed || out.body_changed || out.sender_changed || out.quarantine);
        smtpd_filters_abort(s->f);
    }
}

static void tells_everything(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,0;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c"};
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, two_messages);
    assert_told(&s, 0,
                "O C([192.0.2.1]|4\x09\xdd"
                "192.0.2.1|) H(client.example|) "
                "M(<a@example.net>|SIZE=10|) R(<b@example.org>|) T L(Subject|hello|) L(To|b@example.org|) N "
                "B(one\r\n) B(.two\r\n) E "
                "M(<a@example.net>|SIZE=10|) R(<b@example.org>|) T L(Subject|hello|) L(To|b@example.org|) N "
                "B(one\r\n) B(.two\r\n) E Q");
    assert_int_equal(s.players[0].connections, 1);
    const char *macros[] = {"j|mx.example.org|",          "{client_addr}|192.0.2.1|",
                            "{client_port}|2525|",        "i|Q1|",
                            "{mail_addr}|a@example.net|", "{rcpt_addr}|b@example.org|",
                            "{rcpt_host}|example.org|",   "_|unknown [192.0.2.1]|",
                            "{daemon_name}|mx|"};
    for (size_t i = 0; i < COUNT(macros); i++)
        if (slice_search(buf_slice(&s.players[0].macros), slice_str(macros[i])) == s.players[0].macros.n)
            fail_msg("no %s in %.*s", macros[i], SLICE_ARG(buf_slice(&s.players[0].macros)));
    tear_down(&s);
}

static void one_message(struct scene *s) {
    struct smtpd_filtered out;
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    smtpd_filters_abort(s->f);
}

static void obeys_steps(void **state) {
    static const struct {
        const char *script, *told;
    } cases[] = {
        {"O:1,7f;c;c", "O T E Q"}, // nothing but DATA and the end
        {"O:1,27f;c", "O E Q"},
        {"O:1,80080;c;c;c;c;c;c;c", // headers and body are told, not answered
         "O C([192.0.2.1]|4\x09\xdd"
         "192.0.2.1|) H(client.example|) M(<a@example.net>|SIZE=10|) R(<b@example.org>|) T "
         "L(Subject|hello|) L(To|b@example.org|) N B(one\r\n) B(.two\r\n) E Q"},
        {"O:1,10026f;c;c;c;c", "O L(Subject| hello|) L(To| b@example.org|) E Q"}, // leading space; no body asked
        {"O:1,62f;s;c;c", "O N B(one\r\n) E Q"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        const char *script = cases[i].script;
        // 0x10026f: no CONNECT, HELO, MAIL, RCPT, HEADERS are told
        if (i == 3)
            script = "O:1,10025f;c;c;c";
        if (i == 4)
            script = "O:1,62f;c;s;c";
        set_up(&s, CONFIG_FILTER_TEMPFAIL, &script, 1);
        run(&s, one_message);
        assert_told(&s, 0, cases[i].told);
        tear_down(&s);
    }
}

struct expectation {
    const char *script;
    enum smtpd_filter_what what;
    int code;
    const char *text;
    bool end;
};

static const struct expectation *expected;

static void meet_expectation(struct scene *s) {
    struct smtpd_filtered out;
    send_message(s, &out);
    struct smtpd_filter_verdict *v = &out.verdict;
    if (v->what != expected->what)
        fail_msg("%s: verdict %d: %s (%.*s)", expected->script, (int)v->what, v->why.text,
                 SLICE_ARG(buf_slice(&s->said)));
    if (v->what == SMTPD_FILTER_REFUSE) {
        if (v->why.smtp != expected->code)
            fail_msg("%s: %d %s", expected->script, v->why.smtp, v->why.text);
        if (expected->text)
            assert_text(v->text, expected->text);
        assert_int_equal(v->end, expected->end);
    }
    smtpd_filters_abort(s->f);
}

static void gives_verdicts(void **state) {
    static const struct expectation cases[] = {
        {"O:1,0;r", SMTPD_FILTER_REFUSE, 550, NULL, false}, // of CONNECT
        {"O:1,0;c;t", SMTPD_FILTER_REFUSE, 451, NULL, false},
        {"O:1,0;c;c;y:550_5.7.1", SMTPD_FILTER_REFUSE, 451, NULL, false}, // no reply: it broke off
        {"O:1,0;c;c;y:550", SMTPD_FILTER_REFUSE, 550, "", false},
        {"O:1,0;c;c;y:421", SMTPD_FILTER_REFUSE, 421, "", true},
        {"O:1,0;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false},
        {"O:1,0;c;c;c;d", SMTPD_FILTER_DISCARD, 0, NULL, false},
        {"O:1,0;c;c;c;c;t", SMTPD_FILTER_REFUSE, 451, NULL, false},       // of DATA
        {"O:1,0;c;c;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false},     // of a header
        {"O:1,0;c;c;c;c;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false}, // of EOH
        {"O:1,0;c;c;c;c;c;c;c;c;d", SMTPD_FILTER_DISCARD, 0, NULL, false},
        {"O:1,0;c;c;c;c;c;c;c;c;c;c;r", SMTPD_FILTER_REFUSE, 550, NULL, false}, // of the end
        {"O:1,0;c;c;c;c;c;c;c;c;c;c;p p h:X=y t", SMTPD_FILTER_REFUSE, 451, NULL, false},
        {"O:1,0;c;c;c;c;c;c;c;c;c;c;4", SMTPD_FILTER_REFUSE, 421, NULL, true},
        {"O:1,0;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
        {"O:1,0;c;c;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
        {"O:1,0;c;c;c;c;c;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
        {"O:1,0;c;c;c;c;c;c;c;c;c;a", SMTPD_FILTER_GO_ON, 0, NULL, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        expected = &cases[i];
        set_up(&s, CONFIG_FILTER_TEMPFAIL, &expected->script, 1);
        run(&s, meet_expectation);
        tear_down(&s);
    }
}

static enum config_filter_failure failing_as;

static void meet_failure(struct scene *s) {
    struct smtpd_filtered out;
    for (int i = 0; i < 2; i++) {
        send_message(s, &out);
        struct smtpd_filter_verdict *v = &out.verdict;
        switch (failing_as) {
        case CONFIG_FILTER_TEMPFAIL:
            assert_int_equal(v->what, SMTPD_FILTER_REFUSE);
            assert_int_equal(v->why.smtp, 451);
            break;
        case CONFIG_FILTER_REJECT:
            assert_int_equal(v->what, SMTPD_FILTER_REFUSE);
            assert_int_equal(v->why.smtp, 554);
            break;
        case CONFIG_FILTER_ACCEPT:
        case CONFIG_FILTER_QUARANTINE:
            assert_int_equal(v->what, SMTPD_FILTER_GO_ON);
            assert_false(out.header_changed || out.body_changed || out.sender_changed || out.added_n || out.removed_n);
            assert_int_equal(out.quarantine, failing_as == CONFIG_FILTER_QUARANTINE);
            break;
        }
        smtpd_filters_abort(s->f);
    }
    assert_true(slice_search(buf_slice(&s->said), SLICE("one: broke off: ")) < s->said.n);
}

// Whatever a filter does wrong, and whenever: nothing is changed, and the configuration says what becomes of it.
static void survives_failures(void **state) {
    static const char *const scripts[] = {
        NULL, // nobody is there
        "!",  // dies at each step
        "O:1,0;!",
        "O:1,0;c;!",
        "O:1,0;c;c;!",
        "O:1,0;c;c;c;!",
        "O:1,0;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;c;c;c;!",
        "O:1,0;c;c;c;c;c;c;c;c;c;c;!",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;c;h:X=y b:new +:<c@d.example> e:<x@y.example> q:why !", // half of its changes
        "~",                                                                               // never answers
        "O:1,0;c;~",
        "O:1,0;c;c;c;c;c;c;c;c;c;c;~",
        "c",         // doesn't negotiate
        "O:200,0;c", // wants too much
        "O:1,80000000;c",
        "O:1,0;s",                                     // skips what can't be
        "O:1,0;h:X=y c",                               // changes too early
        "O:1,0;c;c;c;c;c;c;c;c;c;c;+:<a@b.example> c", // changes what it didn't say it would
        "O:1ff,0;c;c;c;c;c;c;c;c;c;c;h:X=y h:bad_name:=z c;",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;c;h:X=y +:<no_address c",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;c;h:X=y h:=z c",
        "O:1ff,0;c;c;c;c;c;c;c;c;c;c;h:X=y l c",
    };
    for (size_t k = CONFIG_FILTER_TEMPFAIL; k <= CONFIG_FILTER_QUARANTINE; k++)
        for (size_t i = 0; i < COUNT(scripts); i++) {
            struct scene s;
            if (slice_search(slice_str(scripts[i]), SLICE("bad_name:")) < slice_str(scripts[i]).n)
                continue;
            failing_as = (enum config_filter_failure)k;
            set_up(&s, failing_as, &scripts[i], 1);
            run(&s, meet_failure);
            tear_down(&s);
        }
}

static void change_everything(struct scene *s) {
    struct smtpd_filtered out;
    struct buf got BUF_AUTO = {.max = 1 << 20};
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    assert_true(out.header_changed && out.body_changed && out.sender_changed && out.quarantine);
    assert_text(out.header, "X-First: 1\r\nSubject: bye\r\nX-Last: 2\r\n\tEvil:3\r\n");
    collect_body(s, &got);
    assert_text(buf_slice(&got), "new\r\nline\r\nend");
    assert_int_equal(out.body_size, got.n);
    assert_text(out.sender, "x@y.example");
    assert_int_equal(out.added_n, 1);
    assert_text(out.added[0], "c@d.example");
    assert_int_equal(out.removed_n, 2);
    assert_text(out.removed[0], "e@f.example");
    assert_text(out.removed[1], "b@example.org");
    assert_text(out.reason, "why");
    smtpd_filters_abort(s->f);
}

static void changes_messages(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,0;c;c;c;c;c;c;c;c;c;c;p i0:X-First=1 m1:subject= m1:Subject=bye m1:To= "
                             "h:X-Last=2\nEvil:3 b:new\r b:\nline\nend +:<c@D.example> +:<e@f.example> "
                             "-:<e@f.example> -:<b@example.org> +:<c@d.example> e:<x@Y.example> q:why p c"};
    // the first m1 takes Subject out; the second finds it gone all the same, and puts it back
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, change_everything);
    tear_down(&s);
}

static void see_changes(struct scene *s) {
    struct smtpd_filtered out;
    struct buf got BUF_AUTO = {.max = 1 << 20};
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    assert_text(out.header, "Subject: hello\r\nTo: b@example.org\r\nX-One: 1\r\nX-Three: 3\r\n");
    collect_body(s, &got);
    assert_text(buf_slice(&got), "first\r\n");
    smtpd_filters_abort(s->f);
}

// The second one changes and then dies: nobody sees what it wanted.
static void later_filters_see_changes(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,6f;c;c;c;h:X-One=1 b:first\n c", "O:1ff,6f;c;c;h:X-Two=2 b:second !",
                             "O:1ff,4f;c;c;c;c;c;h:X-Three=3 c"};
    set_up(&s, CONFIG_FILTER_ACCEPT, scripts, 3);
    // 0x6f and 0x4f tell no CONNECT, HELO, MAIL, RCPT and EOH
    run(&s, see_changes);
    assert_told(&s, 1, "O T B(first\r\n) E");
    assert_told(&s, 2, "O T L(Subject|hello|) L(To|b@example.org|) L(X-One|1|) B(first\r\n) E Q");
    tear_down(&s);
}

static void stop_at_refusal(struct scene *s) {
    struct smtpd_filtered out;
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_REFUSE);
    assert_int_equal(out.verdict.filter, 0);
    smtpd_filters_abort(s->f);
}

static void aborts_the_others(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1,7f;c;r", "O:1,7f;c;c"};
    set_up(&s, CONFIG_FILTER_ACCEPT, scripts, 2);
    run(&s, stop_at_refusal);
    assert_told(&s, 0, "O T E Q");
    assert_told(&s, 1, "O T A Q");
    tear_down(&s);
}

static void send_large(struct scene *s) {
    static char piece[100000];
    struct smtpd_filter_verdict v;
    struct smtpd_filtered out;
    memset(piece, 'x', sizeof piece);
    smtpd_filters_mail(s->f, SLICE(""), SLICE_EMPTY, &v);
    assert_true(smtpd_filters_header(s->f, SLICE("A: b\r\n")));
    for (int i = 0; i < 3; i++)
        assert_true(smtpd_filters_body(s->f, slice_of(piece, sizeof piece)));
    assert_int_equal(s->held, 5 * SMTPD_FILTER_PIECE);
    smtpd_filters_end(s->f, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    assert_false(out.body_changed);
    smtpd_filters_abort(s->f);
    assert_int_equal(s->held, 0);
}

static void cuts_and_holds_bodies(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1,802ff;c", "O:1,802ff;c"};
    scripts[0] = scripts[1] = "O:1,802ef;c";
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 2);
    run(&s, send_large);
    struct slice told = buf_slice(&s.players[0].told);
    assert_true(slice_search(told, SLICE("... 65535) B(")) < told.n);
    assert_true(slice_search(told, SLICE("... 34465) B(")) < told.n);
    told = buf_slice(&s.players[1].told);
    assert_true(slice_search(told, SLICE("... 65535) B(x) B(")) < told.n);
    tear_down(&s);
}

static void speak_twice(struct scene *s) {
    struct smtpd_filter_verdict v;
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_REFUSE); // what it said of HELO holds while that is so
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_REFUSE);
    assert_text(v.text, "");
    s->facts.tls_version = SLICE("TLSv1.3");
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_GO_ON);
    struct err why;
    err_smtp(&why, 550, "5.1.1", "no such user");
    smtpd_filters_rcpt_refused(s->f, SLICE("z@example.org"), &why);
    smtpd_filters_unknown(s->f, SLICE("WIZ"), &v);
    assert_int_equal(v.what, SMTPD_FILTER_GO_ON);
    assert_true(netaddr_parse_ip(SLICE("2001:db8::7"), &s->facts.client)); // somebody else, by XCLIENT
    s->players[0].script = "O:1,0;a";
    smtpd_filters_mail(s->f, SLICE("a@example.net"), SLICE_EMPTY, &v);
    assert_int_equal(v.what, SMTPD_FILTER_GO_ON);
    fiber_sleep(1);
}

static void tells_what_changed(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1,801;y:554;c;c;c;c"};
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, speak_twice);
    assert_told(&s, 0,
                "O H(client.example|) H(client.example|) M(<a@example.net>|) R(<z@example.org>|) U(WIZ|) A Q "
                "O C([IPv6:2001:db8::7]|6||IPv6:2001:db8::7|) Q");
    struct slice macros = buf_slice(&s.players[0].macros);
    assert_true(slice_search(macros, SLICE("{rcpt_mailer}|error|")) < macros.n);
    assert_true(slice_search(macros, SLICE("{rcpt_host}|5.1.1|")) < macros.n);
    assert_true(slice_search(macros, SLICE("{rcpt_addr}|no such user|")) < macros.n);
    assert_int_equal(s.players[0].connections, 2);
    tear_down(&s);
}

static void costs_nothing_without_filters(void **state) {
    struct config c = {0};
    struct config_filter list[] = {{.name = SLICE("d"), .kind = CONFIG_FILTER_DELEGATION, .mx = true},
                                   {.name = SLICE("s"), .submission = true}};
    assert_null(smtpd_filters_new(&c, ROLE_SMTPD, &outside, NULL));
    c.gate.filters = list;
    c.gate.filters_n = 2;
    assert_false(smtpd_filters_wanted(&c, ROLE_SMTPD));
    assert_true(smtpd_filters_wanted(&c, ROLE_SUBMISSION));
    assert_null(smtpd_filters_new(&c, ROLE_SMTPD, &outside, NULL));
    smtpd_filters_free(NULL);
}

static void writes_replies(void **state) {
    struct buf out BUF_AUTO = {.max = 4096};
    struct smtpd_filter_verdict v = {.what = SMTPD_FILTER_REFUSE, .text = SLICE("one\ntwo")};
    err_smtp(&v.why, 550, "5.7.1", "one\ntwo");
    smtpd_filters_reply(&v, &out);
    assert_text(buf_slice(&out), "550-5.7.1 one\r\n550 5.7.1 two\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_everything),   cmocka_unit_test(obeys_steps),
        cmocka_unit_test(gives_verdicts),     cmocka_unit_test(survives_failures),
        cmocka_unit_test(changes_messages),   cmocka_unit_test(later_filters_see_changes),
        cmocka_unit_test(aborts_the_others),  cmocka_unit_test(cuts_and_holds_bodies),
        cmocka_unit_test(tells_what_changed), cmocka_unit_test(costs_nothing_without_filters),
        cmocka_unit_test(writes_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
