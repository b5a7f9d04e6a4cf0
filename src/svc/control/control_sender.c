// control_sender: looking at what is remembered of those who send to us, and deciding.
#include "svc/control/control_inside.h"

#include "core/message/message_sender.h"
#include "svc/control/control_ask.h"

#include <sysexits.h>

enum { ENTRIES_MAX = 10000, ARENA_MAX = 32 * 1024 * 1024 };

// Asks policy; views in `out` lie in `reply` and `arena`.
static bool ask_policy(struct control *c, enum link_type type, struct slice what, struct buf *reply,
                       struct arena *arena, struct message_sender_reply *out, struct stream *to) {
    BUF_AUTO struct buf b = {.max = CONTROL_REQUEST_MAX};
    struct control_peer *policy = control_peer(c, ROLE_POLICY, 0);
    struct mono deadline = loop_in_ms(c->world->loop, CONTROL_ASK_MS);
    enum link_type got;
    struct err e = {.text = "it is not there"};
    message_policy_query_pack(&b, &(struct message_policy_query){.what = what, .limit = ENTRIES_MAX});
    if (policy && peer_call(&policy->peer, type, buf_slice(&b), deadline, &got, reply, &e) &&
        message_sender_reply_unpack(buf_slice(reply), arena, out))
        return true;
    control_request_failed(to, EX_TEMPFAIL, "policy does not answer: %s", e.text);
    return false;
}

static void put_seconds(struct json *j, const char *key, struct wall when) {
    if (when.ms)
        json_put_i64(j, key, when.ms / 1000);
}

static void put_entry(const struct message_sender_entry *e, struct json *j) {
    json_put_str(j, "kind", message_sender_kind_names[e->kind]);
    json_put_slice(j, "what", e->what);
    json_put_str(j, "state", message_sender_state_names[e->state]);
    if (e->sender.n)
        json_put_slice(j, "sender", e->sender);
    if (e->recipient.n)
        json_put_slice(j, "recipient", e->recipient);
    if (e->state < MESSAGE_SENDER_WAITING) {
        json_put_u64(j, "points", e->points);
        json_put_u64(j, "good", e->good);
    }
    put_seconds(j, "since", e->since);
    put_seconds(j, "until", e->until);
    if (e->why.n)
        json_put_slice(j, "reason", e->why);
}

static void list(struct control *c, struct slice what, struct stream *to) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    struct message_sender_reply got;
    if (!ask_policy(c, LINK_SENDER_LIST, what, &reply, &arena, &got, to))
        return;
    for (size_t i = 0; i < got.entries_n; i++) {
        BUF_AUTO struct buf line = {.max = CONTROL_LINE_MAX};
        struct json j = {.out = &line};
        json_open_object(&j);
        put_entry(&got.entries[i], &j);
        json_end(&j);
        buf_add_char(&line, '\n');
        stream_put(to, buf_slice(&line));
    }
    control_request_done(to, SLICE("count"), got.count);
}

static void decide(struct control *c, enum link_type type, struct slice what, struct stream *to) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    struct message_sender_reply got;
    if (!ask_policy(c, type, what, &reply, &arena, &got, to))
        return;
    if (got.ok)
        control_request_done(to, SLICE("count"), got.count);
    else
        control_request_failed(
            to, EX_DATAERR, "\"%.*s\" is no client's address, no network and no domain%s, or too much is said already",
            SLICE_ARG(slice_upto(what, 80)), type == LINK_SENDER_ALLOW ? "" : ", no mailbox either");
}

// Names are kept in lower case.
static struct slice lower(const char *about, char *to) {
    size_t n = strlen(about);
    for (size_t i = 0; i < n; i++)
        to[i] = ascii_lower(about[i]);
    return slice_of(to, n);
}

void control_sender(struct control *c, const struct control_ask *ask, struct stream *to) {
    char copy[sizeof ask->about];
    struct slice about = lower(ask->about, copy);
    switch (ask->what) {
    case CONTROL_SENDER_LIST:
        list(c, about, to);
        break;
    case CONTROL_SENDER_CLEAR:
        decide(c, LINK_SENDER_CLEAR, about, to);
        break;
    case CONTROL_SENDER_BLOCK:
        decide(c, LINK_SENDER_BLOCK, about, to);
        break;
    default:
        decide(c, LINK_SENDER_ALLOW, about, to);
    }
}
