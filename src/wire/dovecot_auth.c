// dovecot_auth: lines of tab-separated fields.
#include "wire/dovecot_auth.h"

#include "base/base64.h"
#include "base/num.h"

static struct slice next_field(struct slice *rest) {
    struct slice field;
    slice_cut(*rest, '\t', &field, rest);
    return field;
}

// "key=value"; false for another key.
static bool take_value(struct slice field, struct slice key, struct slice *value) {
    if (!slice_starts(field, key))
        return false;
    *value = slice_from(field, key.n);
    return true;
}

static void take_parameter(struct slice field, struct dovecot_auth_line *line) {
    struct slice code = SLICE_EMPTY;
    if (take_value(field, SLICE("user="), &line->user) || take_value(field, SLICE("reason="), &line->reason))
        return;
    take_value(field, SLICE("code="), &code);
    if (slice_eq(field, SLICE("temp")) || slice_eq(code, SLICE("temp_fail")))
        line->temporary = true;
    if (slice_eq(field, SLICE("user_disabled")) || slice_eq(code, SLICE("user_disabled")))
        line->disabled = true;
}

static bool take_number(struct slice *rest, uint32_t *out) {
    uint64_t n;
    if (!num_u64(next_field(rest), UINT32_MAX, &n))
        return false;
    *out = (uint32_t)n;
    return true;
}

static enum dovecot_auth_kind kind_of(struct slice command) {
    static const struct {
        const char *name;
        enum dovecot_auth_kind kind;
    } kinds[] = {{"VERSION", DOVECOT_AUTH_VERSION}, {"MECH", DOVECOT_AUTH_MECH}, {"DONE", DOVECOT_AUTH_DONE},
                 {"OK", DOVECOT_AUTH_OK},           {"FAIL", DOVECOT_AUTH_FAIL}, {"CONT", DOVECOT_AUTH_CONT}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_eq(command, slice_str(kinds[i].name)))
            return kinds[i].kind;
    return DOVECOT_AUTH_OTHER;
}

bool dovecot_auth_parse(struct slice line, struct dovecot_auth_line *out) {
    struct slice rest = line;
    struct dovecot_auth_line l = {.kind = kind_of(next_field(&rest))};
    switch (l.kind) {
    case DOVECOT_AUTH_MECH:
        l.name = next_field(&rest);
        if (l.name.n == 0)
            return false;
        break;
    case DOVECOT_AUTH_VERSION:
    case DOVECOT_AUTH_CONT:
        if (!take_number(&rest, &l.id))
            return false;
        break;
    case DOVECOT_AUTH_OK:
    case DOVECOT_AUTH_FAIL:
        if (!take_number(&rest, &l.id))
            return false;
        while (rest.n)
            take_parameter(next_field(&rest), &l);
        break;
    default:
        break;
    }
    *out = l;
    return true;
}

bool dovecot_auth_unescape(struct slice value, struct buf *out) {
    static const char from[] = "01trn", to[] = "\0\1\t\r\n";
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\1') {
            if (++i == value.n)
                return false;
            size_t which = slice_find(slice_of(from, 5), value.p[i]);
            c = which < 5 ? to[which] : value.p[i];
        }
        buf_add_char(out, c);
    }
    return !out->failed;
}

static void add_escaped(struct buf *out, struct slice value) {
    static const char from[] = "\0\1\t\r\n", to[] = "01trn";
    for (size_t i = 0; i < value.n; i++) {
        size_t which = slice_find(slice_of(from, 5), value.p[i]);
        if (which == 5) {
            buf_add_char(out, value.p[i]);
        } else {
            buf_add_char(out, '\1');
            buf_add_char(out, to[which]);
        }
    }
}

bool dovecot_auth_hello(struct buf *out, uint32_t process_id) {
    return buf_addf(out, "VERSION\t%d\t1\nCPID\t%u\n", DOVECOT_AUTH_MAJOR, process_id);
}

static void add_address(struct buf *out, const char *ip, const char *port, const struct netaddr *a) {
    if (a->family == NETADDR_NONE)
        return;
    buf_addf(out, "\t%s=", ip);
    netaddr_add_ip(out, a);
    if (a->port)
        buf_addf(out, "\t%s=%u", port, a->port);
}

bool dovecot_auth_request(struct buf *out, const struct dovecot_auth_request *r) {
    buf_addf(out, "AUTH\t%u\t", r->id);
    add_escaped(out, r->mechanism);
    buf_add_str(out, "\tservice=smtp\tnologin\tsecured");
    if (r->session.n) {
        buf_add_str(out, "\tsession=");
        add_escaped(out, r->session);
    }
    add_address(out, "lip", "lport", &r->local);
    add_address(out, "rip", "rport", &r->client);
    buf_add_str(out, "\tresp="); // the last one, by the protocol
    base64_encode(out, r->response);
    return buf_add_char(out, '\n');
}

bool dovecot_auth_cancel(struct buf *out, uint32_t id) { return buf_addf(out, "CANCEL\t%u\n", id); }
