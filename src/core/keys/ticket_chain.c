// ticket_chain: HMAC-SHA-256 throughout: a step of the chain, and HKDF-Expand (RFC 5869 2.3) for the keys.
#include "core/keys/ticket_chain.h"

#include "base/digest.h"
#include "base/pack.h"
#include "core/message/message_keys.h"

#include <assert.h>

bool ticket_chain_pack(struct buf *b, const struct ticket_chain *c) {
    pack_i64(b, c->epoch);
    return buf_add(b, slice_of(c->secret, sizeof c->secret));
}

bool ticket_chain_unpack(struct slice bytes, struct ticket_chain *out) {
    if (bytes.n != TICKET_CHAIN_BYTES)
        return false;
    struct unpack u = {.rest = bytes};
    out->epoch = unpack_i64(&u);
    memcpy(out->secret, u.rest.p, sizeof out->secret);
    return true;
}

static int64_t length_of(int64_t life_ms) { return life_ms > 4 ? life_ms / 4 : 1; }

int64_t ticket_epoch(struct wall now, int64_t life_ms) {
    assert(life_ms > 0);
    return now.ms / length_of(life_ms);
}

static void step(struct ticket_chain *c) {
    uint8_t next[DIGEST_SHA256_SIZE];
    _Static_assert(sizeof next == TICKET_SECRET, "the chain is made of digests");
    digest_hmac(DIGEST_SHA256, slice_of(c->secret, sizeof c->secret), SLICE("posthouse ticket chain"), next);
    memcpy(c->secret, next, sizeof next);
    explicit_bzero(next, sizeof next);
    c->epoch++;
}

bool ticket_chain_advance(struct ticket_chain *c, int64_t epoch) {
    if (epoch - c->epoch > TICKET_STEPS_MAX)
        return false;
    while (c->epoch < epoch)
        step(c);
    return true;
}

// T(1) = HMAC(secret, info | 1), T(n) = HMAC(secret, T(n-1) | info | n)
static void add_key(const struct ticket_chain *c, struct slice role, struct buf *out) {
    uint8_t block[DIGEST_SHA256_SIZE];
    char text[128];
    struct buf input = {.p = text, .cap = sizeof text, .max = sizeof text};
    size_t left = MESSAGE_TICKET_KEY;
    for (uint8_t n = 1; left; n++) {
        buf_reset(&input);
        if (n > 1)
            buf_add(&input, slice_of(block, sizeof block));
        buf_add(&input, SLICE("posthouse tickets "));
        buf_add(&input, role);
        buf_add_char(&input, (char)n);
        assert(!input.failed);
        digest_hmac(DIGEST_SHA256, slice_of(c->secret, sizeof c->secret), buf_slice(&input), block);
        struct slice part = slice_upto(slice_of(block, sizeof block), left);
        buf_add(out, part);
        left -= part.n;
    }
    explicit_bzero(block, sizeof block);
    explicit_bzero(text, sizeof text);
}

void ticket_chain_keys(const struct ticket_chain *c, struct slice role, int64_t epoch, struct buf *out) {
    int64_t oldest = epoch - TICKET_EPOCHS_BACK > c->epoch ? epoch - TICKET_EPOCHS_BACK : c->epoch;
    if (c->epoch > epoch)
        return;
    for (int64_t at = 0; at <= epoch + 1 - oldest; at++) {
        int64_t wanted = at < 2 ? epoch + at : epoch + 1 - at;
        struct ticket_chain copy = *c;
        ticket_chain_advance(&copy, wanted);
        add_key(&copy, role, out);
        explicit_bzero(&copy, sizeof copy);
    }
}
