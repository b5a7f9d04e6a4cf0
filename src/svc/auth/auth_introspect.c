// auth_introspect: asks the issuer of a token what it is worth (RFC 7662), by the fetch process.
#include "svc/auth/auth_backend.h"
#include "svc/auth/auth_source.h"

#include "base/mem.h"
#include "core/auth/jwt.h"
#include "core/message/message_auth.h"
#include "rt/aside.h"

#include <stdlib.h>

enum {
    TURN_MS = 20 * MS_SECOND,
    FETCH_MS = 10 * MS_SECOND,
    ANSWER_MS = 15 * MS_SECOND, // FETCH_MS and some waiting at fetch
    ANSWER_MAX = 64 * 1024,
    SECRET_MAX = 4096,
    PACKED_MAX = 4 * JWT_TOKEN_MAX,
    REPLY_MAX = ANSWER_MAX + 4096,
};

struct auth_introspect {
    struct auth_backend base;
    struct auth_means *means;
    const struct config_auth *config;
    struct auth_source source;
    struct buf secret; // ID:SECRET
};

static struct auth_introspect *of(struct auth_backend *b) { return LIST_ENTRY(b, struct auth_introspect, base); }

static void wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

static void read_secret(struct auth_introspect *i) {
    struct buf text = {.max = SECRET_MAX};
    if (!auth_source_changed(&i->source, &text))
        return;
    wipe(&i->secret);
    i->secret = text;
}

// application/x-www-form-urlencoded (RFC 7662 2.1).
static void add_encoded(struct buf *to, struct slice value) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (ascii_alnum((char)c) || c == '-' || c == '.' || c == '_' || c == '~') {
            buf_add_char(to, (char)c);
        } else {
            buf_add_char(to, '%');
            buf_add_char(to, hex[c >> 4]);
            buf_add_char(to, hex[c & 15]);
        }
    }
}

static bool pack(struct auth_introspect *i, struct slice token, struct buf *to) {
    struct buf body = {.max = PACKED_MAX};
    buf_add_str(&body, "token=");
    add_encoded(&body, token);
    buf_add_str(&body, "&token_type_hint=access_token");
    struct message_fetch m = {.url = i->config->url,
                              .user_password = slice_trim(buf_slice(&i->secret)),
                              .body = buf_slice(&body),
                              .timeout_ms = FETCH_MS,
                              .size_max = ANSWER_MAX};
    bool ok = !body.failed && message_fetch_pack(to, &m);
    wipe(&body);
    return ok;
}

struct check {
    struct auth_introspect *i;
    struct slice answer;
    struct arena *arena;
    struct slice user;
    struct err *e;
    bool ok;
};

static void run(void *arg) {
    struct check *c = arg;
    const struct config_auth *config = c->i->config;
    struct jwt_wanted wanted = {config->issuer, config->audience, config->claim, world_wall(c->i->means->world)};
    c->ok = jwt_introspection(c->answer, &wanted, c->arena, &c->user, c->e);
}

static FIBER_FN enum auth_verdict judge(struct auth_introspect *i, const struct message_fetch_reply *said,
                                        struct arena *arena, struct auth_found *out, struct err *e) {
    struct check c = {.i = i, .answer = said->body, .arena = arena, .e = e};
    if (said->status == 0)
        err_set(e, ERR_TEMPORARY, "introspection: %.*s", SLICE_ARG(said->why));
    else if (said->status != 200)
        err_set(e, ERR_TEMPORARY, "introspection was answered with status %u", said->status);
    else if (!aside_run(run, &c))
        err_set(e, ERR_CANCELLED, "stopped");
    else if (!c.ok && err_is_permanent(e))
        return AUTH_UNKNOWN;
    if (!c.ok)
        return AUTH_TROUBLE;
    out->user = c.user;
    return AUTH_OK;
}

static FIBER_FN enum auth_verdict ask(struct auth_introspect *i, struct slice packed, struct arena *arena,
                                      struct auth_found *out, struct err *e) {
    struct buf reply = {.max = REPLY_MAX};
    struct message_fetch_reply said;
    enum link_type type;
    enum auth_verdict v = AUTH_TROUBLE;
    struct mono deadline = loop_in_ms(i->means->world->loop, ANSWER_MS);
    if (!peer_call(i->means->fetch, LINK_FETCH, packed, deadline, &type, &reply, e))
        err_while(e, "introspection");
    else if (type != LINK_FETCH_REPLY || !message_fetch_reply_unpack(buf_slice(&reply), &said))
        err_set(e, ERR_TEMPORARY, "fetch gave no answer");
    else
        v = judge(i, &said, arena, out, e);
    wipe(&reply);
    return v;
}

static enum auth_verdict token(struct auth_backend *b, const struct auth_question *q, struct arena *arena,
                               struct auth_found *out, struct err *e) {
    struct auth_introspect *i = of(b);
    struct buf packed = {.max = PACKED_MAX};
    enum auth_verdict v = AUTH_TROUBLE;
    read_secret(i);
    if (!i->secret.n)
        err_set(e, ERR_TEMPORARY, "the file with the secret for introspection can't be read");
    else if (!pack(i, q->secret, &packed))
        err_set(e, ERR_PERMANENT, "the token is too long");
    else if (auth_turns_take(&i->means->asking, &q->client, loop_in_ms(i->means->world->loop, TURN_MS), e)) {
        v = ask(i, buf_slice(&packed), arena, out, e);
        auth_turns_give(&i->means->asking);
    }
    wipe(&packed);
    return v;
}

static void start(struct auth_backend *b) { read_secret(of(b)); }

static void introspect_free(struct auth_backend *b) {
    struct auth_introspect *i = of(b);
    wipe(&i->secret);
    free(i);
}

static const struct auth_backend_ops ops = {.start = start, .token = token, .free = introspect_free};

struct auth_backend *auth_introspect_new(struct auth_means *m, const struct config_auth *c) {
    struct auth_introspect *i = MEM_NEW(struct auth_introspect);
    *i = (struct auth_introspect){
        .base = {.ops = &ops}, .means = m, .config = c, .source = {.world = m->world, .path = c->path}};
    return &i->base;
}
