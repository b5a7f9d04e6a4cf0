// smtpd_links_gate: what is asked about strangers, and told of them, over links: policy, lookup, history, report.
// Whoever doesn't answer soon is done without: mail must not stand still because a count can't be made.
#pragma once

#include "core/message/message_gate.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_backend.h"

struct smtpd_links;

// As in smtpd_backend_ops.
FIBER_FN void smtpd_links_ask(struct smtpd_backend *b, const struct oracle_question *questions, size_t n,
                              struct mono deadline, struct arena *arena, struct oracle_answer *answers);
FIBER_FN bool smtpd_links_client(struct smtpd_backend *b, const struct message_client *m, struct arena *arena,
                                 struct message_client_reply *out);
FIBER_FN bool smtpd_links_tally(struct smtpd_backend *b, const struct message_tally *m, struct arena *arena,
                                struct message_tally_reply *out);
FIBER_FN bool smtpd_links_greylist(struct smtpd_backend *b, const struct message_greylist *m,
                                   struct message_greylist_reply *out);
FIBER_FN bool smtpd_links_match(struct smtpd_backend *b, struct slice table, struct slice value, bool *out);
void smtpd_links_seen(struct smtpd_backend *b, const struct message_seen *m);
void smtpd_links_record(struct smtpd_backend *b, const struct record *r);
void smtpd_links_dmarc_seen(struct smtpd_backend *b, const struct message_dmarc_seen *m);

// Records that wait to be sent together.
struct smtpd_records {
    struct buf waiting;
    struct loop_timer timer;
};
void smtpd_links_records_init(struct smtpd_links *l);
void smtpd_links_records_done(struct smtpd_links *l); // sends what waits
