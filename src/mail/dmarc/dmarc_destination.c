// dmarc_destination: two organisations compared, and a question to the other one.
#include "mail/dmarc/dmarc_destination.h"

#include "mail/address.h"
#include "mail/dmarc/dmarc_record.h"
#include "mail/dmarc/report_uri.h"

enum { DNS_NAME_MAX = 253 };

static enum dmarc_destination refuse(struct err *e, const char *why) {
    err_set(e, ERR_PERMANENT, "%s", why);
    return DMARC_DESTINATION_REFUSED;
}

static enum dmarc_destination later(struct err *e, const char *why) {
    err_set(e, ERR_TEMPORARY, "%s", why);
    return DMARC_DESTINATION_LATER;
}

static bool host_of(struct slice mailbox, struct arena *arena, struct slice *host) {
    struct slice domain = slice_from(mailbox, slice_rfind(mailbox, '@') + 1);
    return address_normalize_domain(domain, arena, host, NULL);
}

// The addresses that the destination itself names stand for the one asked for, where they are of the same host.
static enum dmarc_destination take_override(const struct dmarc_record *r, struct slice host, struct arena *arena,
                                            struct slice *mailbox, struct err *e) {
    for (size_t i = 0; i < r->rua_n; i++) {
        struct slice other, other_host;
        if (!report_uri_mailbox(r->rua[i], arena, &other) || !host_of(other, arena, &other_host) ||
            !slice_eq(host, other_host))
            return refuse(e, "the destination names an address of yet another host");
        if (i == 0)
            *mailbox = other;
    }
    return DMARC_DESTINATION_GOOD;
}

static enum dmarc_destination ask(struct slice record_domain, struct slice host, struct oracle *o, struct arena *arena,
                                  struct slice *mailbox, struct err *e) {
    struct slice name = arena_printf(arena, "%.*s._report._dmarc.%.*s", SLICE_ARG(record_domain), SLICE_ARG(host));
    struct oracle_answer a;
    struct dmarc_record r;
    if (!name.p || name.n > DNS_NAME_MAX)
        return refuse(e, "the destination can't be asked: its name is too long");
    oracle_ask(o, ORACLE_TXT, name, arena, &a);
    if (a.status == ORACLE_FAILED || a.status == ORACLE_TIMEOUT)
        return later(e, "DNS does not say whether the destination takes reports");
    for (size_t i = 0; a.status == ORACLE_OK && i < a.n; i++)
        if (dmarc_record_read(a.records[i].text, &r, NULL) != DMARC_TEXT_FOREIGN)
            return take_override(&r, host, arena, mailbox, e);
    return refuse(e, "the destination does not say that it takes reports of others");
}

enum dmarc_destination dmarc_destination_check(struct slice record_domain, struct slice uri, struct oracle *o,
                                               struct arena *arena, struct slice *mailbox, struct err *e) {
    struct slice host, ours, theirs;
    if (!report_uri_mailbox(uri, arena, mailbox) || !host_of(*mailbox, arena, &host))
        return refuse(e, "it is no address of mail");
    if (slice_eq(host, record_domain))
        return DMARC_DESTINATION_GOOD;
    if (!dmarc_organisation(record_domain, o, arena, &ours) || !dmarc_organisation(host, o, arena, &theirs))
        return later(e, "DNS does not say whose destination it is");
    return slice_eq(ours, theirs) ? DMARC_DESTINATION_GOOD : ask(record_domain, host, o, arena, mailbox, e);
}
