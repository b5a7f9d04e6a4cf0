// auth_pam: asks the pam process, which may take its time.
#include "svc/auth/auth_backend.h"

#include "base/mem.h"
#include "core/message/message_auth.h"

#include <stdlib.h>

enum { TURN_MS = MS_MINUTE, ANSWER_MS = 40 * MS_SECOND, PACKED_MAX = 4096, ADDRESS_MAX = 64 };

struct auth_pam {
    struct auth_backend base;
    struct auth_means *means;
    struct slice service;
};

static enum auth_verdict verdict_of(enum message_pam_result result) {
    switch (result) {
    case MESSAGE_PAM_OK:
        return AUTH_OK;
    case MESSAGE_PAM_FAILED:
        return AUTH_WRONG;
    case MESSAGE_PAM_UNKNOWN:
        return AUTH_UNKNOWN;
    default:
        return AUTH_TROUBLE;
    }
}

static FIBER_FN enum auth_verdict ask(struct auth_pam *p, const struct auth_question *q, struct buf *packed,
                                      struct err *e) {
    BUF_AUTO struct buf address = {.max = ADDRESS_MAX}, reply = {.max = PACKED_MAX};
    struct message_pam_reply said;
    enum link_type type;
    netaddr_add_ip(&address, &q->client);
    struct message_pam_check m = {p->service, q->user, q->secret, buf_slice(&address)};
    if (!message_pam_check_pack(packed, &m)) {
        err_set(e, ERR_PERMANENT, "the password is too long for PAM");
        return AUTH_UNKNOWN;
    }
    struct mono deadline = loop_in_ms(p->means->world->loop, ANSWER_MS);
    if (!peer_call(p->means->pam, LINK_PAM_CHECK, buf_slice(packed), deadline, &type, &reply, e))
        return AUTH_TROUBLE;
    if (type != LINK_PAM_REPLY || !message_pam_reply_unpack(buf_slice(&reply), &said)) {
        err_set(e, ERR_TEMPORARY, "pam gave no answer");
        return AUTH_TROUBLE;
    }
    err_set(e, ERR_PERMANENT, "PAM: %.*s", SLICE_ARG(said.why));
    return verdict_of(said.result);
}

static enum auth_verdict password(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                                  struct auth_found *out, struct err *e) {
    struct auth_pam *p = LIST_ENTRY(b, struct auth_pam, base);
    struct buf packed = {.max = PACKED_MAX};
    if (!auth_turns_take(&p->means->asking, &q->client, loop_in_ms(p->means->world->loop, TURN_MS), e))
        return AUTH_TROUBLE;
    enum auth_verdict v = ask(p, q, &packed, e);
    auth_turns_give(&p->means->asking);
    if (packed.p)
        explicit_bzero(packed.p, packed.cap);
    buf_done(&packed);
    return v;
}

static void pam_free(struct auth_backend *b) { free(LIST_ENTRY(b, struct auth_pam, base)); }

static const struct auth_backend_ops ops = {.password = password, .free = pam_free};

struct auth_backend *auth_pam_new(struct auth_means *m, const struct config_auth *c) {
    struct auth_pam *p = MEM_NEW(struct auth_pam);
    *p = (struct auth_pam){.base = {.ops = &ops}, .means = m, .service = c->service};
    return &p->base;
}
