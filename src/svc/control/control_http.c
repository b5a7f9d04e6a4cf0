// control_http: a connection of the HTTP port. It only reads: nothing here changes anything.
#include "svc/control/control_inside.h"

#include "wire/http.h"

enum {
    HEAD_MS = 10 * 1000,       // for a whole request, so that a slow one holds no place for long
    CONNECTION_REQUESTS = 100, // then it is closed
};

static const char page[] = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Posthouse</title>"
                           "<h1>Posthouse</h1><ul><li><a href=\"/health\">health</a>"
                           "<li><a href=\"/metrics\">metrics</a></ul>"
                           "<p>More on the machine itself: <code>posthouse status</code>, "
                           "<code>posthouse queue list</code>.\n";

static void answer_metrics(struct control *c, struct http_response *r, struct buf *body) {
    struct control_report report;
    control_report_make(c, &report);
    bool fits = control_report_metrics(c, &report, body);
    control_report_done(&report);
    r->status = fits ? 200 : 500;
    r->type = SLICE("text/plain; version=0.0.4; charset=utf-8");
}

static void answer_health(struct control *c, struct http_response *r, struct buf *body) {
    struct control_report report;
    control_report_make(c, &report);
    r->status = control_report_health(c, &report, body) ? 200 : 503;
    control_report_done(&report);
    buf_add_char(body, '\n');
    r->type = SLICE("application/json");
}

static void answer(struct control *c, const struct http_request *q, struct http_response *r, struct buf *body) {
    *r = (struct http_response){.status = 404, .type = SLICE("text/plain; charset=utf-8")};
    r->head_only = q->head_only;
    if (q->host.n && !http_host_is_loopback(q->host)) {
        r->status = 421;
        buf_add_str(body, "this port answers by its loopback address only\n");
    } else if (slice_eq(q->path, SLICE("/metrics"))) {
        answer_metrics(c, r, body);
    } else if (slice_eq(q->path, SLICE("/health"))) {
        answer_health(c, r, body);
    } else if (slice_eq(q->path, SLICE("/"))) {
        r->status = 200;
        r->type = SLICE("text/html; charset=utf-8");
        buf_add_str(body, page);
    } else {
        buf_add_str(body, "there is /metrics, /health and /\n");
    }
}

static bool send(struct control *c, struct http_response *r, struct buf *body, struct stream *s) {
    BUF_AUTO struct buf out = {.max = METRIC_RENDER_MAX + HTTP_HEAD_MAX};
    struct err e;
    r->body = buf_slice(body);
    r->now = world_wall(c->world);
    if (!http_response_add(&out, r))
        return false;
    stream_put(s, buf_slice(&out));
    return stream_flush(s, &e) && r->keep_alive;
}

// More of a request's head behind what `in` holds.
static bool read_more(struct stream *s, struct buf *in, struct mono deadline) {
    struct slice view;
    struct err e;
    if (!stream_peek(s, deadline, &view, &e))
        return false;
    view = slice_upto(view, in->max - in->n);
    bool fits = view.n && buf_add(in, view);
    stream_consume(s, view.n);
    return fits;
}

static enum http_got read_request(struct control *c, struct stream *s, struct buf *in, struct http_request *q,
                                  size_t *used, int *status) {
    struct mono deadline = loop_in_ms(c->world->loop, HEAD_MS);
    enum http_got got;
    while ((got = http_request_parse(buf_slice(in), q, used, status)) == HTTP_MORE)
        if (!read_more(s, in, deadline))
            return HTTP_MORE;
    return got;
}

static bool serve_one(struct control *c, struct stream *s, struct buf *in, bool last) {
    BUF_AUTO struct buf body = {.max = METRIC_RENDER_MAX};
    struct http_request q;
    struct http_response r = {.type = SLICE("text/plain; charset=utf-8")};
    size_t used = 0;
    switch (read_request(c, s, in, &q, &used, &r.status)) {
    case HTTP_WHOLE:
        answer(c, &q, &r, &body);
        r.keep_alive = q.keep_alive && !last;
        buf_drop(in, used);
        return send(c, &r, &body, s);
    case HTTP_BAD:
        buf_addf(&body, "%s\n", http_status_text(r.status));
        return send(c, &r, &body, s);
    case HTTP_MORE:
        break;
    }
    return false;
}

void control_http(struct control *c, struct stream *s) {
    BUF_AUTO struct buf in = {.max = 2 * HTTP_HEAD_MAX};
    int n = 0;
    while (serve_one(c, s, &in, ++n == CONNECTION_REQUESTS)) {
    }
}
