// smtpd_proxy: reading no byte too many: the next may belong to a TLS handshake.
#include "svc/smtpd/smtpd_proxy.h"

#include "wire/proxy_protocol.h"

static FIBER_FN bool read_some(struct transport *t, char *to, size_t n, struct mono deadline, size_t *got,
                               struct err *e) {
    for (;;)
        switch (t->ops->read(t, to, n, got, e)) {
        case TRANSPORT_SOME:
            return true;
        case TRANSPORT_AGAIN:
            if (!t->ops->wait_read(t, deadline, e))
                return false;
            break;
        case TRANSPORT_END:
            return err_set(e, ERR_TEMPORARY, "closed before its header was whole");
        case TRANSPORT_FAILED:
            return false;
        }
}

bool smtpd_proxy_read(struct transport *t, struct netaddr *client, struct netaddr *local, struct err *e) {
    struct mono deadline = loop_in_ms(fiber_loop(), SMTPD_PROXY_MS);
    char header[PROXY_PROTOCOL_MAX];
    struct proxy_protocol found;
    size_t have = 0, n, got;
    for (;;)
        switch (proxy_protocol_parse(slice_of(header, have), &found, &n)) {
        case PROXY_PROTOCOL_BAD:
            return err_set(e, ERR_PERMANENT, "it sent no header of the PROXY protocol");
        case PROXY_PROTOCOL_MORE:
            if (!read_some(t, header + have, n - have, deadline, &got, e))
                return err_while(e, "waiting for the PROXY protocol's header");
            have += got;
            break;
        case PROXY_PROTOCOL_WHOLE:
            if (found.known) {
                *client = found.source;
                *local = found.target;
            }
            return true;
        }
}
