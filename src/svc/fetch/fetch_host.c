// fetch_host: libcurl's parser of URLs, and the system's resolver. libcurl would look names up in threads, which the
// jail doesn't allow.
#include "svc/fetch/fetch_host.h"

#include "rt/host_address.h"

#include <curl/curl.h>
#include <string.h>

enum { NAME_MAX_BYTES = 1024, ENTRY_MAX_BYTES = 2048 };

struct parts {
    char *scheme, *host, *port; // libcurl's
};

static void parts_done(struct parts *p) {
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->port);
}

static bool parse(const char *url, struct parts *out, struct err *e) {
    CURLU *u = curl_url();
    *out = (struct parts){0};
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &out->scheme, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_HOST, &out->host, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_PORT, &out->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    curl_url_cleanup(u);
    return ok || err_set(e, ERR_PERMANENT, "not a URL of a host");
}

// "[::1]" of a URL is an address without brackets to everybody else.
static void add_bare(struct buf *to, struct slice host) {
    if (slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]")))
        host = slice_of(host.p + 1, host.n - 2);
    buf_add(to, host);
    buf_add_char(to, '\0');
}

static bool allowed(const struct parts *p, const struct netaddr *at, size_t n, struct err *e) {
    if (strcmp(p->scheme, "https") == 0)
        return true;
    if (strcmp(p->scheme, "http") != 0)
        return err_set(e, ERR_PERMANENT, "only https is asked, and http of this machine");
    for (size_t i = 0; i < n; i++)
        if (!netaddr_is_loopback(&at[i]))
            return err_set(e, ERR_PERMANENT, "http goes to this machine only");
    return true;
}

static bool look_up(struct fetch_host *h, const struct parts *p, struct err *e) {
    BUF_AUTO struct buf bare = {.max = NAME_MAX_BYTES};
    struct netaddr at[HOST_ADDRESSES_MAX];
    size_t n;
    add_bare(&bare, slice_str(p->host));
    if (bare.failed || !host_addresses(bare.p, at, HOST_ADDRESSES_MAX, &n, e) || !allowed(p, at, n, e))
        return false;
    h->entry.max = ENTRY_MAX_BYTES;
    buf_reset(&h->entry);
    buf_addf(&h->entry, "%s:%s:", p->host, p->port);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(&h->entry, ',');
        if (at[i].family == NETADDR_V6)
            buf_add_char(&h->entry, '[');
        netaddr_add_ip(&h->entry, &at[i]);
        if (at[i].family == NETADDR_V6)
            buf_add_char(&h->entry, ']');
    }
    buf_add_char(&h->entry, '\0');
    return !h->entry.failed || err_set(e, ERR_PERMANENT, "the host's name is too long");
}

bool fetch_host_find(struct fetch_host *h, const char *url, struct mono now, struct err *e) {
    struct parts p;
    BUF_AUTO struct buf key = {.max = NAME_MAX_BYTES};
    bool ok = parse(url, &p, e);
    if (ok)
        buf_addf(&key, "%s://%s:%s", p.scheme, p.host, p.port);
    if (ok && key.failed)
        ok = err_set(e, ERR_PERMANENT, "the host's name is too long");
    bool known = ok && mono_before(now, h->until) && slice_eq(buf_slice(&key), buf_slice(&h->name));
    if (ok && !known) {
        ok = look_up(h, &p, e);
        h->until = ok ? mono_add_ms(now, FETCH_HOST_LIFE_MS) : MONO_START;
        h->name.max = NAME_MAX_BYTES;
        buf_reset(&h->name);
        buf_add(&h->name, buf_slice(&key));
    }
    parts_done(&p);
    return ok;
}

void fetch_host_done(struct fetch_host *h) {
    buf_done(&h->name);
    buf_done(&h->entry);
}
