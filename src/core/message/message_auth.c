// message_auth: the payloads about who a user is, as bytes and back.
#include "core/message/message_auth.h"

#include "core/message/message_inside.h"

// --- submission and auth

bool message_auth_begin_pack(struct buf *b, const struct message_auth_begin *m) {
    pack_slice(b, m->mechanism);
    pack_slice(b, m->session);
    message_pack_ip(b, &m->client);
    message_pack_ip(b, &m->local);
    message_pack_bool(b, m->has_initial);
    pack_slice(b, m->initial);
    pack_slice(b, m->tls_exporter);
    pack_slice(b, m->tls_end_point);
    return pack_slice(b, m->client_subject);
}

bool message_auth_begin_unpack(struct slice payload, struct message_auth_begin *out) {
    struct unpack u = {.rest = payload};
    struct message_auth_begin m = {.mechanism = unpack_slice(&u)};
    m.session = unpack_slice(&u);
    m.client = message_unpack_ip(&u);
    m.local = message_unpack_ip(&u);
    m.has_initial = message_unpack_bool(&u);
    m.initial = unpack_slice(&u);
    m.tls_exporter = unpack_slice(&u);
    m.tls_end_point = unpack_slice(&u);
    m.client_subject = unpack_slice(&u);
    u.bad |= m.initial.n > MESSAGE_SASL_MAX || (m.initial.n && !m.has_initial);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_auth_continue_pack(struct buf *b, const struct message_auth_continue *m) {
    pack_u64(b, m->conversation);
    return pack_slice(b, m->response);
}

bool message_auth_continue_unpack(struct slice payload, struct message_auth_continue *out) {
    struct unpack u = {.rest = payload};
    struct message_auth_continue m = {.conversation = unpack_u64(&u)};
    m.response = unpack_slice(&u);
    u.bad |= m.response.n > MESSAGE_SASL_MAX;
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_auth_reply_pack(struct buf *b, const struct message_auth_reply *m) {
    pack_u8(b, (uint8_t)m->result);
    pack_u64(b, m->conversation);
    pack_slice(b, m->challenge);
    pack_slice(b, m->user);
    pack_slice(b, m->secret);
    return pack_slice(b, m->why);
}

bool message_auth_reply_unpack(struct slice payload, struct message_auth_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_auth_reply m = {.result = (enum message_auth_result)message_unpack_enum(&u, MESSAGE_AUTH_BAD)};
    m.conversation = unpack_u64(&u);
    m.challenge = unpack_slice(&u);
    m.user = unpack_slice(&u);
    m.secret = unpack_slice(&u);
    m.why = unpack_slice(&u);
    u.bad |= m.result == MESSAGE_AUTH_OK && m.user.n == 0;
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

// --- auth and pam

bool message_pam_check_pack(struct buf *b, const struct message_pam_check *m) {
    pack_slice(b, m->service);
    pack_slice(b, m->user);
    pack_slice(b, m->password);
    return pack_slice(b, m->client);
}

bool message_pam_check_unpack(struct slice payload, struct message_pam_check *out) {
    struct unpack u = {.rest = payload};
    struct message_pam_check m = {.service = unpack_slice(&u)};
    m.user = unpack_slice(&u);
    m.password = unpack_slice(&u);
    m.client = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_pam_reply_pack(struct buf *b, const struct message_pam_reply *m) {
    pack_u8(b, (uint8_t)m->result);
    return pack_slice(b, m->why);
}

bool message_pam_reply_unpack(struct slice payload, struct message_pam_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_pam_reply m = {.result = (enum message_pam_result)message_unpack_enum(&u, MESSAGE_PAM_TROUBLE)};
    m.why = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

// --- auth and fetch

bool message_fetch_pack(struct buf *b, const struct message_fetch *m) {
    pack_slice(b, m->url);
    pack_slice(b, m->user_password);
    pack_slice(b, m->body);
    pack_u32(b, m->timeout_ms);
    return pack_u32(b, m->size_max);
}

bool message_fetch_unpack(struct slice payload, struct message_fetch *out) {
    struct unpack u = {.rest = payload};
    struct message_fetch m = {.url = unpack_slice(&u)};
    m.user_password = unpack_slice(&u);
    m.body = unpack_slice(&u);
    m.timeout_ms = unpack_u32(&u);
    m.size_max = unpack_u32(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}

bool message_fetch_reply_pack(struct buf *b, const struct message_fetch_reply *m) {
    pack_u32(b, m->status);
    pack_slice(b, m->body);
    return pack_slice(b, m->why);
}

bool message_fetch_reply_unpack(struct slice payload, struct message_fetch_reply *out) {
    struct unpack u = {.rest = payload};
    struct message_fetch_reply m = {.status = unpack_u32(&u)};
    m.body = unpack_slice(&u);
    m.why = unpack_slice(&u);
    if (!unpack_end(&u))
        return false;
    *out = m;
    return true;
}
