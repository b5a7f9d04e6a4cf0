// ledger: counting arrivals, and judging at the end.
#include "ledger.h"

#include <stdio.h>
#include <string.h>

struct ledger_message *ledger_new(struct ledger *l, uint64_t seed, const char *sender) {
    if (l->n == LEDGER_MESSAGES)
        return NULL;
    struct ledger_message *m = &l->messages[l->n];
    *m = (struct ledger_message){.sender = sender};
    snprintf(m->token, sizeof m->token, "tok%llxn%zuz", (unsigned long long)(seed & 0xffffff), l->n);
    l->n++;
    return m;
}

struct ledger_recipient *ledger_add(struct ledger_message *m, const char *address) {
    for (size_t i = 0; i < m->recipients_n; i++)
        if (strcmp(m->recipients[i].address, address) == 0)
            return &m->recipients[i];
    if (m->recipients_n == LEDGER_RECIPIENTS)
        return NULL;
    struct ledger_recipient *r = &m->recipients[m->recipients_n++];
    *r = (struct ledger_recipient){.address = address};
    return r;
}

static bool names(struct slice content, const char *text) { return slice_search(content, slice_str(text)) < content.n; }

// A notification carries the header of what it is about, with the token, and names those that failed.
static void note_bounce(struct ledger_message *m, struct slice content) {
    for (size_t i = 0; i < m->recipients_n; i++) {
        char field[160];
        snprintf(field, sizeof field, "Final-Recipient: rfc822; %s", m->recipients[i].address);
        if (names(content, field))
            m->recipients[i].bounced++;
    }
}

void ledger_arrived(struct ledger *l, const char *address, struct slice content) {
    bool report = names(content, "multipart/report");
    for (size_t k = 0; k < l->n; k++) {
        struct ledger_message *m = &l->messages[k];
        if (!names(content, m->token))
            continue;
        if (report) {
            note_bounce(m, content);
            continue;
        }
        struct ledger_recipient *r = ledger_add(m, address);
        if (r)
            r->arrived++;
    }
}

static bool judge(const struct ledger *l, const struct ledger_message *m, const struct ledger_recipient *r,
                  struct buf *report) {
    bool told = r->bounced || (m->sender[0] == '\0' && strstr(r->address, "refused"));
    bool no_sender_to_tell = m->sender[0] == '\0' && !r->arrived;
    if (r->acknowledged && !r->arrived && !told && !(no_sender_to_tell && strstr(r->address, "dead.example")))
        return !buf_addf(report, "LOST %s to %s: acknowledged, and neither arrived nor bounced\n", m->token, r->address);
    bool between_houses = strstr(r->address, "@example.net") != NULL;
    if (r->arrived > 1 && !l->faults && !m->unanswered && !m->unheard && !(between_houses && l->cuts))
        return !buf_addf(report, "TWICE %s to %s: arrived %u times without a lost acknowledgement\n", m->token,
                         r->address, r->arrived);
    return true;
}

bool ledger_verdict(const struct ledger *l, struct buf *report) {
    bool good = l->early == 0;
    if (!good)
        buf_addf(report, "EARLY %s and %u in all: 250 was said before it was durable\n", l->first_early, l->early);
    for (size_t k = 0; k < l->n; k++)
        for (size_t i = 0; i < l->messages[k].recipients_n; i++)
            good = judge(l, &l->messages[k], &l->messages[k].recipients[i], report) && good;
    return good;
}
