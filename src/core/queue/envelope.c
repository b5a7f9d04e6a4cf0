// envelope: as bytes and back.
#include "core/queue/envelope.h"

bool envelope_pack(struct buf *b, const struct envelope *env) {
    uint32_t flags = env->flags & ~(uint32_t)(ENVELOPE_USER | ENVELOPE_TAGS);
    size_t tags_n = env->tags_n < ENVELOPE_TAGS_MAX ? env->tags_n : ENVELOPE_TAGS_MAX;
    pack_u32(b, flags | (env->user.n ? ENVELOPE_USER : 0u) | (tags_n ? ENVELOPE_TAGS : 0u));
    pack_slice(b, env->sender);
    pack_slice(b, env->client);
    pack_slice(b, env->helo);
    pack_slice(b, env->session);
    pack_i64(b, env->arrived.ms);
    if (env->user.n)
        pack_slice(b, env->user);
    if (tags_n)
        pack_u32(b, (uint32_t)tags_n);
    for (size_t i = 0; i < tags_n; i++)
        pack_slice(b, env->tags[i]);
    pack_u32(b, (uint32_t)env->recipients_n);
    for (size_t i = 0; i < env->recipients_n; i++) {
        pack_slice(b, env->recipients[i].address);
        pack_slice(b, env->recipients[i].original);
    }
    return !b->failed;
}

static bool unpack_tags(struct unpack *u, struct arena *arena, struct envelope *env) {
    env->tags_n = unpack_u32(u);
    if (u->bad || env->tags_n == 0 || env->tags_n > ENVELOPE_TAGS_MAX)
        return false;
    env->tags = arena_alloc(arena, env->tags_n * sizeof *env->tags);
    for (size_t i = 0; env->tags && i < env->tags_n; i++)
        env->tags[i] = unpack_slice(u);
    return env->tags;
}

bool envelope_unpack(struct unpack *u, struct arena *arena, struct envelope *out) {
    struct envelope env = {.flags = unpack_u32(u)};
    env.sender = unpack_slice(u);
    env.client = unpack_slice(u);
    env.helo = unpack_slice(u);
    env.session = unpack_slice(u);
    env.arrived.ms = unpack_i64(u);
    if (env.flags & ENVELOPE_USER)
        env.user = unpack_slice(u);
    if ((env.flags & ENVELOPE_USER) && env.user.n == 0)
        return false;
    if ((env.flags & ENVELOPE_TAGS) && !unpack_tags(u, arena, &env))
        return false;
    env.recipients_n = unpack_u32(u);
    // Each recipient takes at least its two lengths: a count that the input can't hold is refused before it is
    // believed.
    if (u->bad || env.recipients_n == 0 || env.recipients_n > ENVELOPE_RECIPIENTS_MAX ||
        env.recipients_n > u->rest.n / 8)
        return false;
    env.recipients = arena_alloc(arena, env.recipients_n * sizeof *env.recipients);
    if (!env.recipients)
        return false;
    for (size_t i = 0; i < env.recipients_n; i++) {
        env.recipients[i].address = unpack_slice(u);
        env.recipients[i].original = unpack_slice(u);
    }
    if (u->bad)
        return false;
    *out = env;
    return true;
}
