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
