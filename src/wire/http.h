// http: as much of HTTP/1.1 as metrics and health need (RFC 9112, RFC 9110): requests without content, GET and HEAD,
// and their responses. Pure.
//
//     GET /metrics HTTP/1.1
//     Host: 127.0.0.1:8025
//
//     HTTP/1.1 200 OK
//     Content-Type: text/plain; charset=utf-8
//     Content-Length: 12
#pragma once

#include "base/buf.h"
#include "base/when.h"

enum {
    HTTP_HEAD_MAX = 8192,   // bytes of a request up to its empty line; 431 past it
    HTTP_TARGET_MAX = 1024, // bytes of a request target; 414
    HTTP_FIELDS_MAX = 64,   // header fields; 431
};

struct http_request {
    bool head_only;      // HEAD: the response has no content
    bool keep_alive;     // the client will take another response on this connection (RFC 9112 9.3)
    struct slice path;   // as sent, begins with "/", visible ASCII; not decoded
    struct slice query;  // behind "?", without it; empty where there is none
    struct slice host;   // the Host field or the authority of an absolute target; empty in HTTP/1.0 without one
    struct slice accept; // the Accept field; empty where there is none
};

enum http_got { HTTP_WHOLE, HTTP_MORE, HTTP_BAD };

// The first request of `in`. WHOLE: `*out` (views into `in`, or constants), and `*used` bytes of it. MORE: nothing can
// be said before more came. BAD: `*status` is what to answer with before closing the connection: 400, 405, 413, 414,
// 431 or 505. The answer depends on the bytes of the head only, not on how they were cut.
enum http_got http_request_parse(struct slice in, struct http_request *out, size_t *used, int *status);

// Whether `host` names this machine's loopback, with or without a port: localhost, 127.x.x.x, [::1]. A page of some
// other site that a browser shows on this machine may reach a loopback port under a name of its own choice (DNS
// rebinding): what is not named so is to be refused with 421.
bool http_host_is_loopback(struct slice host);

struct http_response {
    int status;
    struct slice type; // Content-Type
    struct slice body;
    bool head_only;
    bool keep_alive;
    struct wall now; // for Date
};

// Adds the head, and the body unless head_only. Nothing is cached, framed, or guessed at by a browser. False when it
// did not fit.
bool http_response_add(struct buf *out, const struct http_response *r);

// The usual words: "Not Found". "Error" for a status that is never sent here.
const char *http_status_text(int status);
