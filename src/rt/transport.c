// transport: writing all of something, whatever the transport.
#include "rt/transport.h"

bool transport_write_all(struct transport *t, struct slice bytes, struct mono deadline, struct err *e) {
    while (bytes.n) {
        size_t put = 0;
        switch (t->ops->write(t, bytes, &put, e)) {
        case TRANSPORT_SOME:
            bytes = slice_from(bytes, put);
            break;
        case TRANSPORT_AGAIN:
            if (!t->ops->wait_write(t, deadline, e))
                return false;
            break;
        default:
            return false;
        }
    }
    return true;
}

bool transport_read_some(struct transport *t, char *to, size_t n, struct mono deadline, size_t *got, struct err *e) {
    for (;;)
        switch (t->ops->read(t, to, n, got, e)) {
        case TRANSPORT_SOME:
            return true;
        case TRANSPORT_END:
            return err_set(e, ERR_TEMPORARY, "it closed the connection");
        case TRANSPORT_FAILED:
            return false;
        case TRANSPORT_AGAIN:
            if (!t->ops->wait_read(t, deadline, e))
                return false;
        }
}
