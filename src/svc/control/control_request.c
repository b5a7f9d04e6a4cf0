// control_request: a request line of the control socket, read and answered.
#include "svc/control/control_inside.h"

#include "svc/control/control_ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

enum { ERROR_MAX = 64 * 1024 };

void control_request_done(struct stream *to, struct slice key, uint64_t count) {
    BUF_AUTO struct buf b = {.max = 256};
    buf_addf(&b, "{\"ok\":true,\"%.*s\":%llu}\n", SLICE_ARG(key), (unsigned long long)count);
    stream_put(to, buf_slice(&b));
}

static void put_failure(struct stream *to, int exit_code, struct slice text) {
    BUF_AUTO struct buf b = {.max = ERROR_MAX * 6 + 256};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_bool(&j, "ok", false);
    json_put_slice(&j, "error", text);
    json_put_i64(&j, "exit", exit_code);
    json_end(&j);
    buf_add_char(&b, '\n');
    stream_put(to, buf_slice(&b));
}

void control_request_failed(struct stream *to, int exit_code, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_failure(to, exit_code, slice_str(text));
}

// --- the requests

static void status(struct control *c, struct stream *to) {
    BUF_AUTO struct buf b = {.max = CONTROL_LINE_MAX};
    struct control_report r;
    control_report_make(c, &r);
    if (r.master) {
        control_report_status(c, &r, &b);
        buf_add_char(&b, '\n');
        stream_put(to, buf_slice(&b));
    } else {
        control_request_failed(to, EX_TEMPFAIL, "master does not answer");
    }
    control_report_done(&r);
}

static void metrics(struct control *c, struct stream *to) {
    BUF_AUTO struct buf text = {.max = METRIC_RENDER_MAX}, b = {.max = CONTROL_LINE_MAX};
    struct control_report r;
    control_report_make(c, &r);
    control_report_metrics(c, &r, &text);
    control_report_done(&r);
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_bool(&j, "ok", true);
    json_put_slice(&j, "text", buf_slice(&text));
    json_end(&j);
    buf_add_char(&b, '\n');
    stream_put(to, buf_slice(&b));
}

static void tell_master(struct control *c, enum link_type type, int refused, struct stream *to) {
    BUF_AUTO struct buf reply = {.max = ERROR_MAX}, b = {.max = CONTROL_LINE_MAX};
    struct control_peer *master = control_peer(c, ROLE_MASTER, 0);
    struct mono deadline = loop_in_ms(c->world->loop, CONTROL_RELOAD_MS);
    struct master_answer answer;
    enum link_type got;
    struct err e;
    if (!master || !peer_call(&master->peer, type, SLICE_EMPTY, deadline, &got, &reply, &e) ||
        !master_answer_unpack(buf_slice(&reply), &answer)) {
        control_request_failed(to, EX_TEMPFAIL, "master does not answer");
        return;
    }
    if (!answer.ok) {
        put_failure(to, refused, answer.text);
        return;
    }
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_bool(&j, "ok", true);
    json_put_slice(&j, "text", answer.text);
    json_end(&j);
    buf_add_char(&b, '\n');
    stream_put(to, buf_slice(&b));
}

void control_request(struct control *c, struct slice line, struct stream *to) {
    struct control_ask ask;
    struct err e;
    if (!control_ask_parse(line, &ask, &e)) {
        put_failure(to, EX_USAGE, slice_str(e.text));
        return;
    }
    switch (ask.what) {
    case CONTROL_STATUS:
        status(c, to);
        break;
    case CONTROL_METRICS:
        metrics(c, to);
        break;
    case CONTROL_QUEUE_LIST:
        control_queue_list(c, to);
        break;
    case CONTROL_QUEUE_SHOW:
        control_queue_show(c, ask.id, to);
        break;
    case CONTROL_QUEUE_RETRY:
        control_queue_act(c, LINK_QUEUE_RETRY, ask.id, slice_str(ask.domain), to);
        break;
    case CONTROL_QUEUE_DELETE:
        control_queue_act(c, LINK_QUEUE_DELETE, ask.id, slice_str(ask.domain), to);
        break;
    case CONTROL_LOCKOUT_LIST:
    case CONTROL_LOCKOUT_CLEAR:
    case CONTROL_GUARD_LIST:
    case CONTROL_GUARD_RELEASE:
    case CONTROL_GUARD_BLOCK:
    case CONTROL_USER_USES:
        control_policy(c, &ask, to);
        break;
    case CONTROL_SENDER_LIST:
    case CONTROL_SENDER_CLEAR:
    case CONTROL_SENDER_BLOCK:
    case CONTROL_SENDER_ALLOW:
        control_sender(c, &ask, to);
        break;
    case CONTROL_STOP:
        tell_master(c, LINK_MASTER_STOP, EX_TEMPFAIL, to);
        break;
    case CONTROL_RELOAD:
        tell_master(c, LINK_MASTER_RELOAD, EX_CONFIG, to);
        break;
    case CONTROL_WHAT_COUNT:
        break;
    }
}
