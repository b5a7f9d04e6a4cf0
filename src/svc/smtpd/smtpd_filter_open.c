// smtpd_filter_open: a question and a descriptor.
#include "svc/smtpd/smtpd_filter_open.h"

enum { REPLY_MAX = 4096, MARGIN_MS = MS_SECOND };

static FIBER_FN bool ask(struct peer *connect, const struct config_filter *f, struct mono deadline, struct buf *why,
                         struct transport **out, struct err *e) {
    enum link_type type;
    struct peer_link *link = peer_wait(connect, deadline, e);
    if (!link)
        return false;
    bool answered = link_call_transport(link->link, LINK_FILTER, f->name, deadline, &type, why, out, e);
    peer_drop(link);
    return answered;
}

bool smtpd_filter_open(struct peer *connect, struct loop *loop, const struct config_filter *f, struct transport **out,
                       struct err *e) {
    struct buf why BUF_AUTO = {.max = REPLY_MAX};
    struct transport *t;
    if (!ask(connect, f, loop_in_ms(loop, f->connect + MARGIN_MS), &why, &t, e))
        return false;
    if (!t)
        return err_set(e, ERR_TEMPORARY, "%.*s", SLICE_ARG(buf_slice(&why)));
    *out = t;
    return true;
}
