// author: the one From, its members compared.
#include "mail/dmarc/author.h"

#include "mail/header/header.h"
#include "mail/header/mailboxes.h"

struct fields {
    struct slice from;
    size_t from_n;
    bool sender;
};

static struct fields find_fields(struct slice content) {
    struct fields found = {0};
    struct header_field f;
    while (header_next(&content, &f)) {
        if (slice_ieq(f.name, SLICE("From")) && found.from_n++ == 0)
            found.from = f.value;
        if (slice_ieq(f.name, SLICE("Sender")))
            found.sender = true;
    }
    return found;
}

static struct slice domain_of(struct slice address) { return slice_from(address, slice_rfind(address, '@') + 1); }

static bool same_domain(const struct mailboxes *m) {
    for (size_t i = 1; i < m->n; i++)
        if (!slice_eq(domain_of(m->list[i]), domain_of(m->list[0])))
            return false;
    return true;
}

static bool one_domain(const struct mailboxes *m, bool sender, struct err *e) {
    if (m->n == 0)
        return err_set(e, ERR_PERMANENT, "From names no address");
    if (m->n > 1 && !sender)
        return err_set(e, ERR_PERMANENT, "From has several addresses and there is no Sender");
    if (!same_domain(m))
        return err_set(e, ERR_PERMANENT, "From has addresses of different domains");
    if (domain_of(m->list[0]).n == 0)
        return err_set(e, ERR_PERMANENT, "From has an address without a domain");
    return true;
}

bool author_domain(struct slice content, struct arena *arena, struct slice *domain, struct err *e) {
    struct fields found = find_fields(content);
    struct mailboxes m;
    if (found.from_n != 1)
        return err_set(e, ERR_PERMANENT, found.from_n ? "there are several From fields" : "there is no From field");
    if (!mailboxes_parse(found.from, arena, &m, e))
        return err_while(e, "From can't be read");
    if (!one_domain(&m, found.sender, e))
        return false;
    *domain = domain_of(m.list[0]);
    return true;
}

bool author_is_several(struct slice content, struct arena *arena) {
    struct fields found = find_fields(content);
    struct mailboxes m;
    struct err ignored;
    if (found.from_n != 1)
        return found.from_n > 1;
    return mailboxes_parse(found.from, arena, &m, &ignored) && !same_domain(&m);
}
