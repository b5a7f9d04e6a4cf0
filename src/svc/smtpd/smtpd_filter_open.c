// smtpd_filter_open: a question and a descriptor.
#include "svc/smtpd/smtpd_filter_open.h"

#include <errno.h>
#include <unistd.h>

enum { REPLY_MAX = 4096, MARGIN_MS = MS_SECOND };

static FIBER_FN bool ask(struct peer *connect, const struct config_filter *f, struct mono deadline, struct buf *why,
                         int *fd, struct err *e) {
    enum link_type type;
    struct peer_link *link = peer_wait(connect, deadline, e);
    if (!link)
        return false;
    bool answered = link_call_fd(link->link, LINK_FILTER, f->name, deadline, &type, why, fd, e);
    peer_drop(link);
    return answered;
}

bool smtpd_filter_open(struct peer *connect, struct loop *loop, const struct config_filter *f, struct transport **out,
                       struct err *e) {
    struct buf why BUF_AUTO = {.max = REPLY_MAX};
    int fd;
    if (!ask(connect, f, loop_in_ms(loop, f->connect + MARGIN_MS), &why, &fd, e))
        return false;
    if (fd < 0)
        return err_set(e, ERR_TEMPORARY, "%.*s", SLICE_ARG(buf_slice(&why)));
    *out = transport_of_fd(loop, fd);
    if (*out)
        return true;
    err_sys(e, errno, "watching a connection");
    close(fd);
    return false;
}
