// smtpd_waited: a table by address.
#include "svc/smtpd/smtpd_waited.h"

#include "core/policy/client_name.h"

// The time of its first wait: a day later it waits again, however often it came.
struct waited {
    struct bounded_entry entry;
    struct mono since;
};

void smtpd_waited_init(struct smtpd_waited *w, const struct hash_key *key) {
    bounded_init(&w->clients, sizeof(struct waited), SMTPD_WAITED_MAX, key);
}

void smtpd_waited_done(struct smtpd_waited *w) { bounded_done(&w->clients); }

static struct waited *find(struct smtpd_waited *w, const struct netaddr *client) {
    char name[CLIENT_NAME];
    struct slice key = w ? client_name_address(client, name) : SLICE_EMPTY;
    return key.n ? bounded_find(&w->clients, key) : NULL;
}

void smtpd_waited_forget(struct smtpd_waited *w, const struct netaddr *client) {
    struct waited *at = find(w, client);
    if (at)
        bounded_remove(&w->clients, &at->entry);
}

bool smtpd_waited_knows(struct smtpd_waited *w, const struct netaddr *client, struct mono now) {
    const struct waited *at = find(w, client);
    if (at && mono_ms_between(at->since, now) < MS_DAY)
        return true;
    smtpd_waited_forget(w, client);
    return false;
}

void smtpd_waited_note(struct smtpd_waited *w, const struct netaddr *client, struct mono now) {
    char name[CLIENT_NAME];
    struct slice key = w ? client_name_address(client, name) : SLICE_EMPTY;
    if (!key.n)
        return;
    struct waited *at = bounded_get(&w->clients, key);
    at->since = now;
    bounded_kept(&w->clients, &at->entry);
}
