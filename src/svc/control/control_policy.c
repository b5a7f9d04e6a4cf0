// control_policy: looking at lock-outs and the guard, and deciding.
#include "svc/control/control_inside.h"

#include "core/message/message_policy.h"
#include "svc/control/control_ask.h"

#include <sysexits.h>

enum { ENTRIES_MAX = 10000, ARENA_MAX = 32 * 1024 * 1024 };

// Asks policy; views in `out` lie in `reply` and `arena`.
static bool ask_policy(struct control *c, enum link_type type, struct slice what, struct buf *reply,
                       struct arena *arena, struct message_policy_reply *out, struct stream *to) {
    BUF_AUTO struct buf b = {.max = CONTROL_REQUEST_MAX};
    struct control_peer *policy = control_peer(c, ROLE_POLICY, 0);
    struct mono deadline = loop_in_ms(c->world->loop, CONTROL_ASK_MS);
    enum link_type got;
    struct err e = {0};
    if (!policy) {
        control_request_failed(to, EX_TEMPFAIL, "policy does not answer: it is not there");
        return false;
    }
    message_policy_query_pack(&b, &(struct message_policy_query){.what = what, .limit = ENTRIES_MAX});
    if (peer_call(&policy->peer, type, buf_slice(&b), deadline, &got, reply, &e) &&
        message_policy_reply_unpack(buf_slice(reply), arena, out))
        return true;
    control_request_failed(to, EX_TEMPFAIL, "policy does not answer: %s", e.text);
    return false;
}

// --- lists

static const char *kind_name(enum message_policy_kind k) {
    static const char *const names[] = {"account", "address", "network", "secret"};
    return names[k];
}

static const char *state_name(enum message_policy_state s) {
    static const char *const names[] = {"counted", "locked", "learning", "normal", "holding", "blocked"};
    return names[s];
}

static void put_lockout(const struct message_policy_entry *e, struct json *j) {
    json_put_str(j, "kind", kind_name(e->kind));
    json_put_slice(j, "what", e->what);
    json_put_str(j, "state", state_name(e->state));
    json_put_u64(j, "failures", e->failures);
    if (e->state == MESSAGE_POLICY_LOCKED)
        json_put_i64(j, "until", e->until.ms / 1000);
}

static void put_account(const struct message_policy_entry *e, struct json *j) {
    json_put_slice(j, "user", e->what);
    json_put_str(j, "state", state_name(e->state));
    json_put_u64(j, "messages", e->messages);
    json_put_u64(j, "recipients", e->recipients);
    if (e->state != MESSAGE_POLICY_LEARNING) {
        json_put_u64(j, "messages_bound", e->messages_bound);
        json_put_u64(j, "recipients_bound", e->recipients_bound);
    }
    json_put_u64(j, "held", e->held);
    if (e->why.n)
        json_put_slice(j, "reason", e->why);
}

static void put_use(const struct message_policy_entry *e, struct json *j) {
    json_put_slice(j, "user", e->what);
    json_put_slice(j, "secret", e->secret);
    json_put_i64(j, "last_use", e->used.ms / 1000);
}

static void list(struct control *c, enum link_type type, struct slice what, struct stream *to,
                 void (*put)(const struct message_policy_entry *e, struct json *j)) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    struct message_policy_reply got;
    if (!ask_policy(c, type, what, &reply, &arena, &got, to))
        return;
    for (size_t i = 0; i < got.entries_n; i++) {
        BUF_AUTO struct buf line = {.max = CONTROL_LINE_MAX};
        struct json j = {.out = &line};
        json_open_object(&j);
        put(&got.entries[i], &j);
        json_end(&j);
        buf_add_char(&line, '\n');
        stream_put(to, buf_slice(&line));
    }
    control_request_done(to, SLICE("count"), got.count);
}

// --- decisions

static bool change(struct control *c, enum link_type type, struct slice what, uint64_t *count, struct stream *to) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    struct message_policy_reply got;
    if (!ask_policy(c, type, what, &reply, &arena, &got, to))
        return false;
    *count = got.count;
    return true;
}

static void put_decision(struct stream *to, uint64_t count, uint64_t messages) {
    BUF_AUTO struct buf b = {.max = 256};
    buf_addf(&b, "{\"ok\":true,\"count\":%llu,\"messages\":%llu}\n", (unsigned long long)count,
             (unsigned long long)messages);
    stream_put(to, buf_slice(&b));
}

// The account first: what is sent meanwhile must not be held behind what is let go.
static void release(struct control *c, struct slice user, struct stream *to) {
    uint64_t count, messages;
    if (change(c, LINK_GUARD_RELEASE, user, &count, to) && control_queue_held(c, LINK_QUEUE_RETRY, user, &messages, to))
        put_decision(to, count, messages);
}

static void block(struct control *c, struct slice user, bool and_delete, struct stream *to) {
    uint64_t count, messages = 0;
    if (change(c, LINK_GUARD_BLOCK, user, &count, to) &&
        (!and_delete || control_queue_held(c, LINK_QUEUE_DELETE, user, &messages, to)))
        put_decision(to, count, messages);
}

static void clear(struct control *c, struct slice what, struct stream *to) {
    uint64_t count;
    if (change(c, LINK_LOCKOUT_CLEAR, what, &count, to))
        control_request_done(to, SLICE("count"), count);
}

// Names are kept in lower case, as they log in.
static struct slice lower(const char *about, char *to) {
    size_t n = strlen(about);
    for (size_t i = 0; i < n; i++)
        to[i] = ascii_lower(about[i]);
    return slice_of(to, n);
}

void control_policy(struct control *c, const struct control_ask *ask, struct stream *to) {
    char copy[sizeof ask->about];
    struct slice about = lower(ask->about, copy);
    switch (ask->what) {
    case CONTROL_LOCKOUT_LIST:
        list(c, LINK_LOCKOUT_LIST, about, to, put_lockout);
        break;
    case CONTROL_LOCKOUT_CLEAR:
        clear(c, about, to);
        break;
    case CONTROL_GUARD_LIST:
        list(c, LINK_GUARD_LIST, about, to, put_account);
        break;
    case CONTROL_GUARD_RELEASE:
        release(c, about, to);
        break;
    case CONTROL_GUARD_BLOCK:
        block(c, about, ask->remove, to);
        break;
    default:
        list(c, LINK_USER_USES, about, to, put_use);
    }
}
