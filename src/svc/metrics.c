// metrics: answering METRICS.
#include "svc/metrics.h"

#include "rt/journal.h"

void metrics_begin(struct metric *m, const struct world *w) {
    metric_set(m, METRIC_PROCESS_UP, 1);
    metric_set(m, METRIC_PROCESS_START, world_wall(w).ms * 1000000);
}

static void observe(struct metric *m, const struct world *w) {
    metric_observe_process(m);
    metric_set(m, METRIC_PROCESS_FIBERS, (int64_t)loop_fibers(w->loop));
    metric_set(m, METRIC_PROCESS_TURN, loop_longest_turn_ms(w->loop) * 1000000);
    if (!w->journal)
        return;
    metric_set(m, METRIC_JOURNAL_LINES, (int64_t)w->journal->written);
    metric_set(m, METRIC_JOURNAL_DROPPED, (int64_t)w->journal->dropped);
}

void metrics_answer(struct metric *m, const struct world *w, struct peer_link *from, const struct link_frame *frame) {
    BUF_AUTO struct buf packed = {.max = 1024 * 1024};
    if (frame->type != LINK_METRICS) {
        link_break(from->link, "control asks for something else than metrics");
        return;
    }
    observe(m, w);
    if (metric_pack(m, &packed))
        link_send1(from->link, LINK_METRICS_REPLY, frame->id, buf_slice(&packed));
}
