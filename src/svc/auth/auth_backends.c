// auth_backends: asking one after the other.
#include "svc/auth/auth_backend.h"

void auth_backends_init(struct list *all, struct auth_means *m, const struct config *c) {
    static struct auth_backend *(*const make[])(struct auth_means *, const struct config_auth *) = {
        [CONFIG_AUTH_FILE] = auth_file_new,
        [CONFIG_AUTH_PAM] = auth_pam_new,
        [CONFIG_AUTH_DOVECOT] = auth_dovecot_new,
        [CONFIG_AUTH_JWT] = auth_jwt_new,
        [CONFIG_AUTH_INTROSPECT] = auth_introspect_new,
    };
    list_init(all);
    for (size_t i = 0; i < c->auths_n; i++)
        list_append(all, &make[c->auths[i].kind](m, &c->auths[i])->entry);
}

void auth_backends_start(struct list *all) {
    LIST_EACH(at, all) {
        struct auth_backend *b = LIST_ENTRY(at, struct auth_backend, entry);
        if (b->ops->start)
            b->ops->start(b);
    }
}

void auth_backends_done(struct list *all) {
    for (struct list *at = list_shift(all); at; at = list_shift(all)) {
        struct auth_backend *b = LIST_ENTRY(at, struct auth_backend, entry);
        b->ops->free(b);
    }
}

enum auth_verdict auth_backends_password(struct list *all, const struct auth_question *q, struct arena *arena,
                                         struct auth_found *out, struct err *e) {
    struct auth_backend *waster = NULL;
    err_set(e, ERR_PERMANENT, "unknown user");
    LIST_EACH(at, all) {
        struct auth_backend *b = LIST_ENTRY(at, struct auth_backend, entry);
        enum auth_verdict v = b->ops->password ? b->ops->password(b, q, arena, out, e) : AUTH_UNKNOWN;
        if (v != AUTH_UNKNOWN)
            return v;
        if (!waster && b->ops->waste)
            waster = b;
    }
    if (waster)
        waster->ops->waste(waster, q);
    return AUTH_UNKNOWN;
}

enum auth_verdict auth_backends_token(struct list *all, const struct auth_question *q, struct arena *arena,
                                      struct auth_found *out, struct err *e) {
    err_set(e, ERR_PERMANENT, "nobody knows tokens");
    LIST_EACH(at, all) {
        struct auth_backend *b = LIST_ENTRY(at, struct auth_backend, entry);
        enum auth_verdict v = b->ops->token ? b->ops->token(b, q, arena, out, e) : AUTH_UNKNOWN;
        if (v != AUTH_UNKNOWN)
            return v;
    }
    return AUTH_UNKNOWN;
}

enum auth_verdict auth_backends_scram(struct list *all, struct slice user, enum digest_kind digest, struct arena *arena,
                                      struct sasl_scram *out, struct err *e) {
    err_set(e, ERR_PERMANENT, "unknown user");
    LIST_EACH(at, all) {
        struct auth_backend *b = LIST_ENTRY(at, struct auth_backend, entry);
        enum auth_verdict v = b->ops->scram ? b->ops->scram(b, user, digest, arena, out, e) : AUTH_UNKNOWN;
        if (v != AUTH_UNKNOWN)
            return v;
    }
    return AUTH_UNKNOWN;
}

enum auth_verdict auth_backends_certificate(struct list *all, struct slice user, struct err *e) {
    enum auth_verdict verdict = AUTH_OK;
    LIST_EACH(at, all) {
        struct auth_backend *b = LIST_ENTRY(at, struct auth_backend, entry);
        enum auth_verdict v = b->ops->knows ? b->ops->knows(b, user, e) : AUTH_UNKNOWN;
        if (v != AUTH_UNKNOWN)
            return v;
        if (!b->ops->knows && (b->ops->password || b->ops->token))
            return AUTH_OK; // it can't say who its users are
        verdict = AUTH_UNKNOWN;
    }
    if (verdict == AUTH_UNKNOWN)
        err_set(e, ERR_PERMANENT, "the certificate is good, but there is no such user");
    return verdict;
}

void auth_backends_fake(struct list *all, struct sasl_facts *out) {
    LIST_EACH(at, all) {
        struct auth_backend *b = LIST_ENTRY(at, struct auth_backend, entry);
        if (b->ops->fake && b->ops->fake(b, out))
            return;
    }
}
