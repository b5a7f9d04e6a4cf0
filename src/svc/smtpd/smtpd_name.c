// smtpd_name: one question, and its answer kept.
#include "svc/smtpd/smtpd_name.h"

#include "core/gate/iprev.h"
#include "rt/fiber/loop.h"
#include "svc/smtpd/smtpd_gate.h"
#include "svc/smtpd/smtpd_session.h"

enum { SCRATCH = 256 * 1024 };

struct asking {
    struct oracle oracle;
    struct smtpd_backend *backend;
    struct mono deadline;
};

static FIBER_FN void ask_dns(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                             struct oracle_answer *answers) {
    struct asking *a = LIST_ENTRY(o, struct asking, oracle);
    a->backend->ops->ask(a->backend, questions, n, a->deadline, arena, answers);
}

static FIBER_FN void find(struct smtpd_session *s) {
    ARENA_AUTO struct arena scratch = {.max = SCRATCH};
    const struct smtpd_shared *shared = s->shared;
    struct asking a = {{ask_dns}, shared->backend, loop_in_ms(fiber_loop(), shared->config->gate.checks.dns_time)};
    struct iprev found;
    s->name_asked = true;
    if (netaddr_is_loopback(&s->client)) { // RFC 6761 6.3
        found = (struct iprev){AUTH_IPREV_PASS, SLICE("localhost")};
    } else {
        iprev_check(&s->client, &a.oracle, &scratch, &found);
    }
    buf_add(&s->name, found.name);
    s->name_confirmed = found.result == AUTH_IPREV_PASS;
}

struct slice smtpd_name(struct smtpd_session *s, bool *confirmed) {
    if (s->gate)
        return smtpd_gate_client_name(s, confirmed);
    if (!s->name_asked)
        find(s);
    *confirmed = s->name_confirmed;
    return buf_slice(&s->name);
}
