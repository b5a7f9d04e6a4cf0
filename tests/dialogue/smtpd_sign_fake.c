// signing_fake: one rule, one signature.
#include "smtpd_sign_fake.h"

static const struct message_keys_set *signers(void *arg) {
    struct fake_signer *f = arg;
    return f->unheard ? NULL : &f->set;
}

static FIBER_FN bool sign(void *arg, const struct message_keys_sign *what, struct buf *out, struct err *e) {
    struct fake_signer *f = arg;
    (void)what;
    if (f->away || !fiber_sleep(1))
        return err_set(e, ERR_TEMPORARY, "keys is away");
    return buf_add_str(out, "This is the signature, 64 bytes of it, as Ed25519 makes them all");
}

void fake_signer_begin(struct fake_signer *f, struct slice domain, struct smtpd_shared *shared) {
    f->rule = (struct message_keys_dkim){
        .key = 7, .ed25519 = true, .domain = domain, .signer = domain, .selector = SLICE("s1")};
    f->set = (struct message_keys_set){.dkims = &f->rule, .dkims_n = 1};
    shared->signers = signers;
    shared->signer = (struct signer){sign, f};
}
