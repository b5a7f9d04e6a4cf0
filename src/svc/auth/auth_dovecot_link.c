// auth_dovecot_link: a fiber that reads, fibers that write one after the other and wait for the line with their id.
#include "svc/auth/auth_dovecot_link.h"

#include "base/mem.h"
#include "rt/process.h"
#include "rt/stream.h"

#include <stdlib.h>

enum {
    HELLO_MS = 5 * MS_SECOND,
    ANSWER_MS = 30 * MS_SECOND,
    AGAIN_MS = MS_SECOND, // after a failure to connect
    MECHANISMS_MAX = 32,
    MECHANISM_BYTES_MAX = 40,
    REQUEST_MAX = DOVECOT_AUTH_LINE_MAX,
};

enum link_state { DOWN, CONNECTING, UP, ENDING };

struct auth_dovecot_link {
    struct auth_means *means;
    struct slice path;
    enum link_state state;
    struct fiber_cond changed; // state, or the turn to write
    struct stream stream;      // unless DOWN
    bool writing;
    uint32_t last_id;
    struct list waits;
    char mechanisms[MECHANISMS_MAX][MECHANISM_BYTES_MAX];
    size_t mechanisms_n;
    struct mono not_before;
};

struct wait {
    struct list entry;
    uint32_t id;
    struct fiber *fiber;
    struct arena *arena;
    bool answered, lost, temporary;
    bool open; // Dovecot waits for more, which won't come
    enum auth_dovecot_said said;
    struct slice user;
};

// --- reading

static void take_mechanism(struct auth_dovecot_link *l, struct slice name) {
    if (l->mechanisms_n == MECHANISMS_MAX || name.n >= MECHANISM_BYTES_MAX)
        return;
    char *to = l->mechanisms[l->mechanisms_n++];
    memcpy(to, name.p, name.n);
    to[name.n] = '\0';
}

static struct slice unescape(struct arena *arena, struct slice value) {
    BUF_AUTO struct buf plain = {.max = DOVECOT_AUTH_LINE_MAX};
    return dovecot_auth_unescape(value, &plain) ? arena_dup(arena, buf_slice(&plain)) : SLICE_EMPTY;
}

static void answer(struct auth_dovecot_link *l, const struct dovecot_auth_line *line) {
    LIST_EACH(at, &l->waits) {
        struct wait *w = LIST_ENTRY(at, struct wait, entry);
        if (w->id != line->id)
            continue;
        w->answered = true;
        w->said = line->kind == DOVECOT_AUTH_OK ? AUTH_DOVECOT_OK
                  : line->disabled              ? AUTH_DOVECOT_DISABLED
                                                : AUTH_DOVECOT_FAIL;
        w->temporary = line->temporary;
        w->open = line->kind == DOVECOT_AUTH_CONT; // a token's refusal in words (RFC 7628 3.2.2)
        w->user = unescape(w->arena, line->user);
        list_remove(&w->entry);
        fiber_wake(w->fiber);
        return;
    }
}

static bool take_line(struct auth_dovecot_link *l, struct slice text) {
    struct dovecot_auth_line line;
    if (!dovecot_auth_parse(text, &line))
        return false;
    switch (line.kind) {
    case DOVECOT_AUTH_VERSION:
        return line.id == DOVECOT_AUTH_MAJOR;
    case DOVECOT_AUTH_MECH:
        take_mechanism(l, line.name);
        break;
    case DOVECOT_AUTH_DONE:
        l->state = UP;
        fiber_cond_wake_all(&l->changed);
        break;
    case DOVECOT_AUTH_OK:
    case DOVECOT_AUTH_FAIL:
    case DOVECOT_AUTH_CONT:
        answer(l, &line);
        break;
    case DOVECOT_AUTH_OTHER:
        break;
    }
    return true;
}

// Whoever writes has the transport in his hands until he is done.
static FIBER_FN void end_connection(struct auth_dovecot_link *l) {
    l->state = ENDING;
    l->stream.transport->ops->shutdown(l->stream.transport);
    while (l->writing)
        fiber_yield();
    l->state = DOWN;
    stream_done(&l->stream);
    for (struct list *at = list_shift(&l->waits); at; at = list_shift(&l->waits)) {
        struct wait *w = LIST_ENTRY(at, struct wait, entry);
        w->lost = true;
        fiber_wake(w->fiber);
    }
    fiber_cond_wake_all(&l->changed);
}

static void read_lines(void *arg) {
    struct auth_dovecot_link *l = arg;
    struct mono patience = loop_in_ms(l->means->world->loop, HELLO_MS);
    struct slice line;
    struct err e;
    bool too_long, good = true;
    while (good && stream_line(&l->stream, STREAM_IN, l->state == UP ? MONO_NEVER : patience, &line, &too_long, &e)) {
        line.n -= slice_ends(line, SLICE("\n"));
        good = !too_long && take_line(l, line);
    }
    if (l->state != UP || !good)
        l->not_before = loop_in_ms(l->means->world->loop, AGAIN_MS);
    end_connection(l);
}

// --- connecting and writing

static FIBER_FN bool put(struct auth_dovecot_link *l, struct slice bytes, struct mono deadline, struct err *e) {
    while (l->writing)
        if (fiber_cond_wait(&l->changed, deadline) != FIBER_WOKEN)
            return err_set(e, ERR_TEMPORARY, "Dovecot's auth takes no requests");
    if (l->state == DOWN || l->state == ENDING)
        return err_set(e, ERR_TEMPORARY, "the connection to Dovecot's auth broke");
    l->writing = true;
    bool ok = transport_write_all(l->stream.transport, bytes, deadline, e);
    l->writing = false;
    fiber_cond_wake_all(&l->changed);
    return ok;
}

static FIBER_FN bool connect_now(struct auth_dovecot_link *l, struct mono deadline, struct err *e) {
    BUF_AUTO struct buf hello = {.max = 256};
    struct transport *t;
    struct loop *loop = l->means->world->loop;
    if (mono_before(loop_now(loop), l->not_before))
        return err_set(e, ERR_TEMPORARY, "Dovecot's auth was not there a moment ago");
    if (!l->means->connect(loop, l->path, &t, e)) {
        l->not_before = loop_in_ms(loop, AGAIN_MS);
        return err_while(e, "Dovecot's auth");
    }
    stream_init(&l->stream, t);
    l->mechanisms_n = 0;
    l->state = CONNECTING;
    if (!fiber_spawn(l->means->group, "dovecot", read_lines, l, e)) {
        stream_done(&l->stream);
        l->state = DOWN;
        return false;
    }
    dovecot_auth_hello(&hello, (uint32_t)process_self());
    return put(l, buf_slice(&hello), deadline, e);
}

static FIBER_FN bool wait_for_state(struct auth_dovecot_link *l, enum link_state passing, struct mono deadline,
                                    struct err *e) {
    while (l->state == passing)
        if (fiber_cond_wait(&l->changed, deadline) != FIBER_WOKEN)
            return err_set(e, ERR_TEMPORARY, "Dovecot's auth doesn't greet");
    return true;
}

static FIBER_FN bool be_connected(struct auth_dovecot_link *l, struct mono deadline, struct err *e) {
    if (!wait_for_state(l, ENDING, deadline, e) || (l->state == DOWN && !connect_now(l, deadline, e)) ||
        !wait_for_state(l, CONNECTING, deadline, e))
        return false;
    return l->state == UP || err_set(e, ERR_TEMPORARY, "Dovecot's auth hung up, or speaks another version");
}

static bool offers(const struct auth_dovecot_link *l, struct slice mechanism) {
    for (size_t i = 0; i < l->mechanisms_n; i++)
        if (slice_ieq(slice_str(l->mechanisms[i]), mechanism))
            return true;
    return false;
}

// --- asking

static FIBER_FN void cancel(struct auth_dovecot_link *l, uint32_t id) {
    BUF_AUTO struct buf line = {.max = 64};
    struct err ignored;
    if (l->state == UP && dovecot_auth_cancel(&line, id))
        (void)!put(l, buf_slice(&line), loop_in_ms(l->means->world->loop, HELLO_MS), &ignored);
}

static FIBER_FN bool send_and_wait(struct auth_dovecot_link *l, struct dovecot_auth_request *r, struct buf *line,
                                   struct wait *w, struct mono deadline, struct err *e) {
    r->id = w->id = ++l->last_id;
    if (!dovecot_auth_request(line, r))
        return err_set(e, ERR_PERMANENT, "too long for Dovecot");
    list_append(&l->waits, &w->entry);
    bool ok = put(l, buf_slice(line), deadline, e);
    while (ok && !w->answered && !w->lost)
        ok = fiber_park_err(deadline, "waiting for Dovecot's auth", e);
    list_remove(&w->entry);
    if (w->open || (!ok && !w->answered && !w->lost))
        cancel(l, r->id);
    return ok || w->answered || w->lost;
}

static FIBER_FN bool ask_once(struct auth_dovecot_link *l, struct dovecot_auth_request *r, struct wait *w,
                              struct err *e) {
    struct mono deadline = loop_in_ms(l->means->world->loop, ANSWER_MS);
    struct buf line = {.max = REQUEST_MAX};
    w->answered = w->lost = w->open = false;
    if (!be_connected(l, deadline, e))
        return false;
    if (!offers(l, r->mechanism)) {
        w->answered = true;
        w->said = AUTH_DOVECOT_CANT;
        return true;
    }
    bool ok = send_and_wait(l, r, &line, w, deadline, e);
    if (line.p)
        explicit_bzero(line.p, line.cap);
    buf_done(&line);
    return ok;
}

bool auth_dovecot_ask(struct auth_dovecot_link *l, struct dovecot_auth_request *r, struct arena *arena,
                      enum auth_dovecot_said *said, struct slice *user, struct err *e) {
    struct wait w = {.fiber = fiber_self(), .arena = arena};
    if (!ask_once(l, r, &w, e) || (w.lost && !ask_once(l, r, &w, e)))
        return false;
    if (w.lost)
        return err_set(e, ERR_TEMPORARY, "the connection to Dovecot's auth broke");
    if (w.temporary)
        return err_set(e, ERR_TEMPORARY, "Dovecot's auth is in trouble");
    *said = w.said;
    *user = w.user;
    return true;
}

struct auth_dovecot_link *auth_dovecot_link_new(struct auth_means *m, struct slice path) {
    struct auth_dovecot_link *l = MEM_NEW(struct auth_dovecot_link);
    *l = (struct auth_dovecot_link){.means = m, .path = path};
    list_init(&l->waits);
    return l;
}

void auth_dovecot_link_free(struct auth_dovecot_link *l) { free(l); }
