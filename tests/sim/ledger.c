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

static struct ledger_recipient *find(struct ledger_message *m, const char *address) {
    for (size_t i = 0; i < m->recipients_n; i++)
        if (strcmp(m->recipients[i].address, address) == 0)
            return &m->recipients[i];
    return NULL;
}

struct ledger_recipient *ledger_add(struct ledger_message *m, const char *address) {
    struct ledger_recipient *known = find(m, address);
    if (known || m->recipients_n == LEDGER_RECIPIENTS)
        return known;
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
        struct ledger_recipient *r = find(m, address);
        if (r)
            r->arrived++;
        else if (l->strays++ == 0)
            memcpy(l->first_stray, m->token, sizeof m->token);
    }
}

static bool judge(const struct ledger *l, const struct ledger_message *m, const struct ledger_recipient *r,
                  struct buf *report) {
    bool told = r->bounced || (m->sender[0] == '\0' && strstr(r->address, "refused"));
    bool no_sender_to_tell = m->sender[0] == '\0' && !r->arrived;
    if (r->acknowledged && !r->arrived && !told && !(no_sender_to_tell && strstr(r->address, "dead.example")))
        return !buf_addf(report, "LOST %s to %s: acknowledged, and neither arrived nor bounced\n", m->token, r->address);
    if (m->refused && r->arrived)
        return !buf_addf(report, "GHOST %s to %s: refused, and arrived all the same\n", m->token, r->address);
    bool between_houses = strstr(r->address, "@example.net") != NULL;
    if (r->arrived > 1 && !l->falls && !m->unheard && !(between_houses && l->cuts))
        return !buf_addf(report, "TWICE %s to %s: arrived %u times without a lost acknowledgement\n", m->token,
                         r->address, r->arrived);
    return true;
}

bool ledger_verdict(const struct ledger *l, struct buf *report) {
    bool good = l->early == 0 && l->strays == 0;
    if (l->strays)
        buf_addf(report, "STRAY %s and %u in all: arrived where nobody sent it\n", l->first_stray, l->strays);
    if (l->early)
        buf_addf(report, "EARLY %s and %u in all: 250 was said before it was durable\n", l->first_early, l->early);
    for (size_t k = 0; k < l->n; k++)
        for (size_t i = 0; i < l->messages[k].recipients_n; i++)
            good = judge(l, &l->messages[k], &l->messages[k].recipients[i], report) && good;
    return good;
}
