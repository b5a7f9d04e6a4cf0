// control_queue: looking into the queue and acting on it.
#include "svc/control/control_inside.h"

#include "core/queue/queue_id.h"

#include <stdlib.h>

enum { PAGE = 200, ARENA_MAX = 32 * 1024 * 1024, SOCKET_ROOM = 256 * 1024 };

static const char *state_name(enum message_recipient_state s) {
    static const char *const names[] = {"ready", "active", "deferred", "held", "failed", "done"};
    return s < sizeof names / sizeof *names ? names[s] : "?";
}

// The queue that Postfix would keep it in: some of its recipients decide for the whole message.
static const char *queue_name(const struct message_queue_entry *m) {
    bool held = false, deferred = false;
    for (size_t i = 0; i < m->recipients_n; i++)
        switch (m->recipients[i].state) {
        case MESSAGE_RECIPIENT_HELD:
            held = true;
            break;
        case MESSAGE_RECIPIENT_DEFERRED:
            deferred = true;
            break;
        case MESSAGE_RECIPIENT_DONE:
            break;
        default:
            return "active";
        }
    return deferred ? "deferred" : held ? "hold" : "active";
}

static void put_recipient(const struct message_queue_recipient *r, struct json *j) {
    json_open_object(j);
    json_put_slice(j, "address", r->address);
    if (r->original.n)
        json_put_slice(j, "orig_address", r->original);
    if (r->reason.n)
        json_put_slice(j, "delay_reason", r->reason);
    json_put_str(j, "state", state_name(r->state));
    json_put_u64(j, "attempts", r->attempts);
    if (r->state == MESSAGE_RECIPIENT_DEFERRED)
        json_put_i64(j, "next_attempt", r->next_attempt.ms / 1000);
    json_put_slice(j, "destination", r->destination);
    json_end(j);
}

void control_queue_entry(const struct message_queue_entry *m, struct slice header, struct buf *to) {
    char id[QUEUE_ID_TEXT];
    struct json j = {.out = to};
    queue_id_print(m->queue_id, id);
    json_open_object(&j);
    json_put_str(&j, "queue_name", queue_name(m));
    json_put_slice(&j, "queue_id", slice_of(id, sizeof id));
    json_put_i64(&j, "arrival_time", m->arrived.ms / 1000);
    json_put_u64(&j, "message_size", m->size);
    json_put_bool(&j, "forced_expire", false);
    json_put_slice(&j, "sender", m->sender);
    json_key(&j, "tags");
    json_open_array(&j);
    for (size_t i = 0; i < m->tags_n; i++)
        json_slice(&j, m->tags[i]);
    json_end(&j);
    json_key(&j, "recipients");
    json_open_array(&j);
    for (size_t i = 0; i < m->recipients_n; i++)
        if (m->recipients[i].state != MESSAGE_RECIPIENT_DONE)
            put_recipient(&m->recipients[i], &j);
    json_end(&j);
    if (header.p)
        json_put_slice(&j, "header", header);
    json_end(&j);
    buf_add_char(to, '\n');
}

// Asks the queue; views in `out` lie in `reply` and `arena`.
static bool ask(struct control *c, enum link_type type, const struct message_queue_query *query, struct buf *reply,
                struct arena *arena, struct message_queue_reply *out, struct stream *to) {
    BUF_AUTO struct buf b = {.max = CONTROL_REQUEST_MAX};
    struct control_peer *queue = control_peer(c, ROLE_QUEUE, 0);
    struct mono deadline = loop_in_ms(c->world->loop, 5 * (int64_t)CONTROL_ASK_MS);
    enum link_type got;
    struct err e = {0};
    message_queue_query_pack(&b, query);
    if (!queue)
        err_set(&e, ERR_TEMPORARY, "no link to it");
    else if (peer_call(&queue->peer, type, buf_slice(&b), deadline, &got, reply, &e) &&
             !message_queue_reply_unpack(buf_slice(reply), arena, out))
        err_set(&e, ERR_BUG, "it answers what nobody understands");
    if (!e.text[0])
        return true;
    control_request_failed(to, 75, "the queue does not answer: %s", e.text);
    return false;
}

void control_queue_list(struct control *c, struct stream *to) {
    struct message_queue_query query = {.limit = PAGE};
    struct message_queue_reply page = {.more = true};
    uint64_t n = 0;
    while (page.more) {
        ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
        BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
        struct err e;
        page = (struct message_queue_reply){0};
        if (!ask(c, LINK_QUEUE_LIST, &query, &reply, &arena, &page, to))
            return;
        for (size_t i = 0; i < page.entries_n; i++) {
            BUF_AUTO struct buf line = {.max = CONTROL_LINE_MAX};
            control_queue_entry(&page.entries[i], SLICE_EMPTY, &line);
            stream_put(to, buf_slice(&line));
            query.queue_id = page.entries[i].queue_id;
            if (to->out.n > SOCKET_ROOM && !stream_flush(to, &e))
                return;
        }
        n += page.entries_n;
        page.more = page.more && page.entries_n;
    }
    control_request_done(to, SLICE("count"), n);
}

void control_queue_show(struct control *c, uint64_t id, struct stream *to) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    BUF_AUTO struct buf line = {.max = CONTROL_LINE_MAX};
    struct message_queue_reply got;
    if (!ask(c, LINK_QUEUE_SHOW, &(struct message_queue_query){.queue_id = id}, &reply, &arena, &got, to))
        return;
    for (size_t i = 0; i < got.entries_n && i < 1; i++)
        control_queue_entry(&got.entries[i], got.header.p ? got.header : SLICE(""), &line);
    stream_put(to, buf_slice(&line));
    control_request_done(to, SLICE("count"), got.entries_n);
}

void control_queue_act(struct control *c, enum link_type type, uint64_t id, struct slice domain, struct stream *to) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    struct message_queue_reply got;
    struct message_queue_query query = {.queue_id = id, .destination = domain};
    if (ask(c, type, &query, &reply, &arena, &got, to))
        control_request_done(to, SLICE("count"), got.count);
}

bool control_queue_held(struct control *c, enum link_type type, struct slice user, uint64_t *count, struct stream *to) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    BUF_AUTO struct buf reply = {.max = CONTROL_REPLY_MAX};
    struct message_queue_reply got;
    if (!ask(c, type, &(struct message_queue_query){.user = user}, &reply, &arena, &got, to))
        return false;
    *count = got.count;
    return true;
}
