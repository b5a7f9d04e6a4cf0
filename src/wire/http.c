// http: reading one request, writing one response.
#include "wire/http.h"
#include "base/num.h"

// One line without its end; false when there is no whole one. RFC 9112 2.2 lets us take a bare LF as well, which is
// what a person with nc sends.
static bool next_line(struct slice *rest, struct slice *line) {
    size_t n = slice_find(*rest, '\n');
    if (n == rest->n)
        return false;
    *line = slice_upto(*rest, n);
    *rest = slice_from(*rest, n + 1);
    if (slice_ends(*line, SLICE("\r")))
        line->n--;
    return true;
}

// Length of the head with its empty line, 0 where it isn't whole. Empty lines before the request are passed over
// (RFC 9112 2.2).
static size_t head_length(struct slice in) {
    struct slice rest = in, line;
    bool begun = false;
    while (next_line(&rest, &line)) {
        if (line.n == 0 && begun)
            return in.n - rest.n;
        begun = begun || line.n > 0;
    }
    return 0;
}

static bool is_visible(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    }
    return s.n > 0;
}

// tchar (RFC 9110 5.6.2)
static bool is_token(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_alnum(s.p[i]) && !memchr("!#$%&'*+-.^_`|~", s.p[i], 15))
            return false;
    }
    return s.n > 0;
}

// Tabs and everything above space but DEL (RFC 9110 5.5).
static bool is_field_value(struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

// What is gathered while the fields are read.
struct reading {
    struct http_request request;
    bool http_1_1;
    bool has_host, has_length;
    int status; // 0, or the first thing that is wrong
};

// RFC 9112 3.2.2: an absolute target is taken by every server.
static int read_target(struct slice target, struct http_request *r) {
    if (target.n > HTTP_TARGET_MAX)
        return 414;
    if (!is_visible(target))
        return 400;
    if (slice_istarts(target, SLICE("http://"))) {
        target = slice_from(target, 7);
        size_t n = slice_find(target, '/');
        r->host = slice_upto(target, n);
        if (n == 0 || slice_find(r->host, '?') < n)
            return 400;
        target = n < target.n ? slice_from(target, n) : SLICE("/");
    }
    if (!slice_starts(target, SLICE("/")) || slice_find(target, '#') < target.n)
        return 400;
    slice_cut(target, '?', &r->path, &r->query);
    return 0;
}

// "GET /metrics HTTP/1.1": exactly two spaces (RFC 9112 3).
static int read_request_line(struct slice line, struct reading *r) {
    struct slice method, target, version;
    if (!slice_cut(line, ' ', &method, &line) || !slice_cut(line, ' ', &target, &version) || !is_token(method))
        return 400;
    if (version.n != 8 || !slice_starts(version, SLICE("HTTP/")) || !ascii_digit(version.p[5]) || version.p[6] != '.' ||
        !ascii_digit(version.p[7]))
        return 400;
    if (version.p[5] != '1')
        return 505;
    r->http_1_1 = version.p[7] != '0';
    r->request.head_only = slice_eq(method, SLICE("HEAD"));
    if (!r->request.head_only && !slice_eq(method, SLICE("GET")))
        return 405;
    r->request.keep_alive = r->http_1_1;
    return read_target(target, &r->request);
}

static void read_connection(struct slice value, struct reading *r) {
    struct slice option = SLICE_EMPTY;
    for (bool more = value.n > 0; more;) {
        more = slice_cut(value, ',', &option, &value);
        if (slice_ieq(slice_trim(option), SLICE("close")))
            r->request.keep_alive = false;
    }
}

// Two Hosts, or two lengths, are the stuff of smuggling (RFC 9112 3.2, 6.3). Content we take none.
static int read_known(struct slice name, struct slice value, struct reading *r) {
    if (slice_ieq(name, SLICE("host"))) {
        if (r->has_host || (value.n > 0 && !is_visible(value)))
            return 400;
        r->has_host = true;
        if (r->request.host.n == 0) // that of an absolute target goes before it
            r->request.host = value;
    } else if (slice_ieq(name, SLICE("content-length"))) {
        uint64_t length = 0;
        if (r->has_length || !num_u64(value, INT64_MAX, &length))
            return 400;
        r->has_length = true;
        return length > 0 ? 413 : 0;
    } else if (slice_ieq(name, SLICE("transfer-encoding"))) {
        return 413;
    } else if (slice_ieq(name, SLICE("connection"))) {
        read_connection(value, r);
    } else if (slice_ieq(name, SLICE("accept"))) {
        r->request.accept = value;
    }
    return 0;
}

// No space before the colon, no folding (RFC 9112 5.1, 5.2).
static int read_field(struct slice line, struct reading *r) {
    struct slice name, value;
    if (!slice_cut(line, ':', &name, &value) || !is_token(name))
        return 400;
    value = slice_trim(value);
    return is_field_value(value) ? read_known(name, value, r) : 400;
}

// All of a head; the status of the first mistake, or 0.
static int read_head(struct slice head, struct reading *r) {
    struct slice line = SLICE_EMPTY;
    while (line.n == 0 && next_line(&head, &line))
        ;
    int status = read_request_line(line, r);
    for (size_t fields = 0; status == 0 && next_line(&head, &line) && line.n > 0; fields++)
        status = fields < HTTP_FIELDS_MAX ? read_field(line, r) : 431;
    if (status == 0 && r->http_1_1 && !r->has_host)
        status = 400;
    return status;
}

enum http_got http_request_parse(struct slice in, struct http_request *out, size_t *used, int *status) {
    size_t n = head_length(slice_upto(in, HTTP_HEAD_MAX));
    if (n == 0 && in.n < HTTP_HEAD_MAX)
        return HTTP_MORE;
    struct reading r = {.status = n == 0 ? 431 : 0};
    if (n > 0)
        r.status = read_head(slice_upto(in, n), &r);
    if (r.status != 0) {
        *status = r.status;
        return HTTP_BAD;
    }
    *out = r.request;
    *used = n;
    return HTTP_WHOLE;
}

static bool is_port(struct slice s) {
    uint64_t port;
    return num_u64(s, 65535, &port);
}

// 127 and three more numbers.
static bool is_127(struct slice name) {
    struct slice part = SLICE_EMPTY;
    uint64_t number = 0;
    int parts = 0;
    for (bool more = true; more; parts++) {
        more = slice_cut(name, '.', &part, &name);
        if (part.n > 3 || !num_u64(part, 255, &number) || (parts == 0 && number != 127))
            return false;
    }
    return parts == 4;
}

bool http_host_is_loopback(struct slice host) {
    if (slice_starts(host, SLICE("[::1]"))) {
        struct slice rest = slice_from(host, 5);
        return rest.n == 0 || (rest.p[0] == ':' && is_port(slice_from(rest, 1)));
    }
    struct slice name, port;
    if (slice_cut(host, ':', &name, &port) && !is_port(port))
        return false;
    return slice_ieq(name, SLICE("localhost")) || is_127(name);
}

const char *http_status_text(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 421:
        return "Misdirected Request";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Error";
    }
}

// IMF-fixdate (RFC 9110 5.6.7) from the form of mail: "Sat, 1 Nov ... +0000" becomes "Sat, 01 Nov ... GMT".
static void add_date(struct buf *out, struct wall now) {
    char text[64];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    if (!wall_add_rfc5322(&b, now) || b.n < 5 + 6)
        return;
    struct slice date = slice_upto(buf_slice(&b), b.n - 5);
    bool one_digit = date.p[6] == ' ';
    buf_addf(out, "Date: %.5s%s%.*sGMT\r\n", date.p, one_digit ? "0" : "", SLICE_ARG(slice_from(date, 5)));
}

bool http_response_add(struct buf *out, const struct http_response *r) {
    buf_addf(out, "HTTP/1.1 %d %s\r\n", r->status, http_status_text(r->status));
    add_date(out, r->now);
    if (r->status == 405)
        buf_add_str(out, "Allow: GET, HEAD\r\n");
    buf_addf(out,
             "Content-Type: %.*s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
             "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'\r\n%s\r\n",
             SLICE_ARG(r->type), r->body.n, r->keep_alive ? "" : "Connection: close\r\n");
    if (!r->head_only)
        buf_add(out, r->body);
    return !out->failed;
}
