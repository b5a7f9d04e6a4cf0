// smtpd_gate_fake: answers that were set, and lists of what was told.
#include "smtpd_gate_fake.h"

#include <stdlib.h>

void fake_gate_init(struct fake_gate *g) {
    *g = (struct fake_gate){.zone = oracle_zone_empty(), .seen = {.max = 1 << 16}, .recorded = {.max = 1 << 20}};
    if (!g->zone)
        abort();
}

void fake_gate_done(struct fake_gate *g) {
    oracle_zone_free(g->zone);
    buf_done(&g->seen);
    buf_done(&g->recorded);
}

void fake_gate_ask(struct fake_gate *g, const struct oracle_question *questions, size_t n, struct mono deadline,
                   struct arena *arena, struct oracle_answer *answers) {
    struct oracle *o = oracle_zone_oracle(g->zone);
    struct mono answered = loop_in_ms(fiber_loop(), g->dns_ms);
    bool late = answered.ns > deadline.ns;
    g->questions += (unsigned)n;
    if (g->dns_ms)
        fiber_sleep(mono_ms_between(loop_now(fiber_loop()), late ? deadline : answered));
    o->ask(o, questions, n, arena, answers);
    for (size_t i = 0; late && i < n; i++)
        answers[i] = (struct oracle_answer){.status = ORACLE_TIMEOUT};
}

bool fake_gate_client(struct fake_gate *g, struct message_client_reply *out) {
    *out = (struct message_client_reply){.ok = g->crowd.n == 0,
                                         .known = g->known,
                                         .shut_out = g->shut_out.n > 0,
                                         .tarpit_ms = g->tarpit_ms,
                                         .text = g->crowd.n ? g->crowd : g->shut_out};
    return !g->away;
}

bool fake_gate_tally(struct fake_gate *g, const struct message_tally *m, struct message_tally_reply *out) {
    *out = (struct message_tally_reply){.ok = g->rates[m->what].n == 0, .text = g->rates[m->what]};
    return !g->away;
}

bool fake_gate_greylist(struct fake_gate *g, const struct message_greylist *m, struct message_greylist_reply *out) {
    (void)m;
    *out = (struct message_greylist_reply){.proven = g->proven ? MESSAGE_PROVEN_CAME_BACK : MESSAGE_PROVEN_NO,
                                           .wait_ms = 120000};
    return !g->away;
}

bool fake_gate_match(struct fake_gate *g, struct slice value, bool *out) {
    struct slice rest = g->table;
    *out = false;
    while (rest.n) {
        struct slice one;
        slice_cut(rest, ' ', &one, &rest);
        *out = *out || slice_ieq(one, value);
    }
    return !g->away;
}

static void add_word(struct buf *b, const char *word) {
    if (b->n)
        buf_add_char(b, ' ');
    buf_add_str(b, word);
}

void fake_gate_seen(struct fake_gate *g, const struct message_seen *m) {
    static const char *const names[MESSAGE_SEEN_WHATS] = {
        [MESSAGE_SEEN_GOOD] = "good",       [MESSAGE_SEEN_REFUSED] = "refused", [MESSAGE_SEEN_EARLY] = "early",
        [MESSAGE_SEEN_UNKNOWN] = "unknown", [MESSAGE_SEEN_RELAY] = "relay",     [MESSAGE_SEEN_ERROR] = "error",
        [MESSAGE_SEEN_WROTE] = "wrote",
    };
    add_word(&g->seen, names[m->what]);
    if (m->domain.n || m->recipient.n) {
        buf_add_char(&g->seen, ':');
        buf_add(&g->seen, m->domain.n ? m->domain : m->recipient);
    }
}

void fake_gate_record(struct fake_gate *g, const struct record *r) {
    buf_reset(&g->recorded);
    buf_addf(&g->recorded, "%s %s %u", record_stage_names[r->stage], record_outcome_names[r->outcome], r->code);
    for (size_t i = 0; i < r->recipients_n; i++) {
        buf_add_char(&g->recorded, ' ');
        buf_add(&g->recorded, r->recipients[i]);
    }
}
