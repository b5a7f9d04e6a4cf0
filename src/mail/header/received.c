// received: writing the field.
#include "mail/header/received.h"

#include "base/utf8.h"

enum { NAME_MAX_BYTES = 255, RECIPIENT_MAX_BYTES = 320 };

static bool is_plain(char c) {
    return ascii_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

static void add_plain(struct buf *b, struct slice name, const char *others) {
    char text[NAME_MAX_BYTES];
    name = slice_upto(name, NAME_MAX_BYTES);
    for (size_t i = 0; i < name.n; i++)
        text[i] = is_plain(name.p[i]) || (name.p[i] && strchr(others, name.p[i])) ? name.p[i] : '?';
    buf_add(b, name.n ? slice_of(text, name.n) : SLICE("unknown"));
}

static void add_name(struct buf *b, struct slice name) { add_plain(b, name, ""); }

static void add_from(struct buf *b, const struct received *r) {
    buf_add_str(b, "from ");
    add_name(b, r->helo);
    buf_add_str(b, " (");
    if (r->host.n) {
        add_name(b, r->host);
        buf_add_char(b, ' ');
    }
    netaddr_add_literal(b, &r->client);
    buf_add_str(b, ")\r\n\t");
}

// RFC 3848: ESMTP with S for TLS and A for AUTH; RFC 6531 4.3: UTF8SMTP in the same way.
static void add_with(struct buf *b, const struct received *r) {
    buf_add_str(b, !r->esmtp ? " with SMTP" : r->utf8 ? " with UTF8SMTP" : " with ESMTP");
    if (r->esmtp && r->tls)
        buf_add_char(b, 'S');
    if (r->esmtp && r->authenticated)
        buf_add_char(b, 'A');
}

static bool shows_recipient(const struct received *r) {
    struct slice s = r->recipient;
    if (s.n == 0 || s.n > RECIPIENT_MAX_BYTES || !(r->utf8 ? utf8_valid(s) : utf8_ascii(s)))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

bool received_add(struct buf *b, const struct received *r) {
    const char *fold = "\r\n\t";
    bool inside = r->client.family == NETADDR_NONE;
    buf_add_str(b, "Received: ");
    if (!inside)
        add_from(b, r);
    buf_add_str(b, "by ");
    add_name(b, r->hostname);
    buf_add_str(b, " (Posthouse)");
    if (!inside)
        add_with(b, r);
    buf_add_str(b, " id ");
    add_name(b, r->queue_id);
    if (r->authenticated && r->user.n) {
        buf_add_str(b, fold);
        buf_add(b, SLICE("(auth="));
        add_plain(b, r->user, "@+=/");
        buf_add_char(b, ')');
        fold = " ";
    }
    if (shows_recipient(r)) {
        buf_add_str(b, fold);
        buf_add(b, SLICE("for <"));
        buf_add(b, r->recipient);
        buf_add_char(b, '>');
        fold = " ";
    }
    if (r->tls && r->cipher.n) {
        buf_add_str(b, fold);
        buf_add(b, SLICE("tls "));
        add_name(b, r->cipher);
    }
    buf_add_str(b, ";\r\n\t");
    wall_add_rfc5322(b, r->when);
    return buf_add(b, SLICE("\r\n"));
}
