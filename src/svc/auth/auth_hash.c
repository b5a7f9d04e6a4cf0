// auth_hash: turns, and the work aside.
#include "svc/auth/auth_hash.h"

#include "rt/aside.h"
#include "rt/password_hash.h"

enum { PATIENCE_MS = MS_MINUTE, HASH_BYTES_MAX = PASSWORD_LINE_MAX };

bool auth_hash_same_salt(const struct password_scram *a, const struct password_scram *b) {
    return a->iterations == b->iterations && a->salt_n == b->salt_n && memcmp(a->salt, b->salt, a->salt_n) == 0;
}

// --- one hashing

struct job {
    struct slice password;
    const struct password_hash *hash; // or:
    const struct password_scram *scram;
    enum digest_kind digest;
    bool waste;
    bool fits;              // of hash
    struct scram_keys keys; // of scram
};

static void run(void *arg) {
    struct job *j = arg;
    if (j->waste)
        password_hash_waste(j->hash, j->password);
    else if (j->scram)
        scram_keys_of(j->digest, j->password, slice_of(j->scram->salt, j->scram->salt_n), j->scram->iterations,
                      &j->keys);
    else
        j->fits = password_hash_fits(j->hash, j->password);
}

static FIBER_FN bool in_turn(struct auth_means *m, const struct netaddr *client, struct job *j, struct err *e) {
    struct loop *loop = m->world->loop;
    if (!auth_turns_take(&m->hashing, client, loop_in_ms(loop, PATIENCE_MS), e))
        return false;
    struct mono began = loop_now(loop);
    bool ran = aside_run(run, j);
    auth_turns_give(&m->hashing);
    metric_observe(m->metric, METRIC_AUTH_HASH_SECONDS, 0, loop_now(loop).ns - began.ns);
    return ran || err_set(e, ERR_CANCELLED, "stopped");
}

// --- a user's secrets

// Keys of this kind, by one derivation for each salt. Those that were looked at are marked in `done`.
static FIBER_FN bool check_keys(struct auth_means *m, const struct auth_question *q, const struct auth_secret *secrets,
                                size_t n, enum digest_kind digest, bool *done, size_t *which, struct err *e) {
    for (size_t i = 0; i < n && *which == n; i++) {
        if (done[i] || !secrets[i].has_scram[digest])
            continue;
        struct job j = {.password = q->secret, .scram = &secrets[i].scram[digest], .digest = digest};
        if (!in_turn(m, &q->client, &j, e))
            return false;
        for (size_t k = i; k < n; k++) {
            const struct password_scram *s = &secrets[k].scram[digest];
            if (done[k] || !secrets[k].has_scram[digest] || !auth_hash_same_salt(s, j.scram))
                continue;
            done[k] = true;
            if (digest_equal(slice_of(s->keys.stored, digest_size(digest)),
                             slice_of(j.keys.stored, digest_size(digest))))
                *which = k;
        }
        explicit_bzero(&j.keys, sizeof j.keys);
    }
    return true;
}

static FIBER_FN bool check_hashes(struct auth_means *m, const struct auth_question *q,
                                  const struct auth_secret *secrets, size_t n, bool *done, size_t *which,
                                  struct err *e) {
    for (size_t i = 0; i < n && *which == n; i++) {
        struct job j = {.password = q->secret, .hash = &secrets[i].hash};
        if (done[i] || secrets[i].hash.scheme == PASSWORD_NONE)
            continue;
        if (!in_turn(m, &q->client, &j, e))
            return false;
        done[i] = true;
        if (j.fits)
            *which = i;
    }
    return true;
}

bool auth_hash_check(struct auth_means *m, const struct auth_question *q, const struct auth_secret *secrets, size_t n,
                     size_t *which, struct err *e) {
    bool done[SASL_SECRETS_MAX] = {0};
    *which = n;
    return check_keys(m, q, secrets, n, DIGEST_SHA256, done, which, e) &&
           check_hashes(m, q, secrets, n, done, which, e) && check_keys(m, q, secrets, n, DIGEST_SHA1, done, which, e);
}

void auth_hash_waste(struct auth_means *m, const struct auth_question *q, const struct password_hash *like,
                     struct err *e) {
    BUF_AUTO struct buf text = {.max = HASH_BYTES_MAX};
    buf_add(&text, like->text);
    struct password_hash copy = {.scheme = like->scheme, .text = buf_slice(&text)};
    struct job j = {.password = q->secret, .hash = &copy, .waste = true};
    (void)!in_turn(m, &q->client, &j, e);
}
