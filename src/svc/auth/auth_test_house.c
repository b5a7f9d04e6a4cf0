// auth_test_house: the parts played, and the frames to and fro.
#include "svc/auth/auth_test_house.h"

#include "base/seed.h"
#include "core/message/message_policy.h"
#include "core/auth/password.h"
#include "rt/disk/file.h"
#include "rt/journal.h"
#include "rt/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE = 1 << 20 };

const char *house_users = "";

static struct wall wall_here(void *arg) { return (struct wall){1700000000000}; }

static void random_here(void *arg, void *to, size_t n) {
    static struct seed seed = {1};
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)seed_next(&seed);
}

static const struct world_ops world_ops = {.wall = wall_here, .random = random_here};

// --- the others

static void note(char *to, size_t size, struct slice what) {
    size_t n = strlen(to);
    snprintf(to + n, size - n, "%.*s ", SLICE_ARG(what));
}

static void be_policy(void *service, struct peer_link *from, const struct link_frame *f) {
    struct house *h = service;
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_try m;
    struct message_tried tried;
    if (f->type == LINK_TRIED) {
        assert_true(message_tried_unpack(f->payload, &tried));
        note(h->tried, sizeof h->tried, tried.user);
        note(h->tried, sizeof h->tried, tried.ok ? SLICE("ok") : SLICE("no"));
        note(h->tried, sizeof h->tried, tried.secret);
        return;
    }
    assert_int_equal(f->type, LINK_TRY);
    assert_true(message_try_unpack(f->payload, &m));
    note(h->tries, sizeof h->tries, m.user);
    if (h->policy_silent)
        return;
    message_try_reply_pack(&b, &(struct message_try_reply){h->locked, h->delay_ms, SLICE("account")});
    link_send1(from->link, LINK_TRY_REPLY, f->id, buf_slice(&b));
}

static void be_pam(void *service, struct peer_link *from, const struct link_frame *f) {
    struct house *h = service;
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_pam_check m;
    assert_true(f->type == LINK_PAM_CHECK && message_pam_check_unpack(f->payload, &m));
    snprintf(h->asked, sizeof h->asked, "%.*s %.*s %.*s %.*s", SLICE_ARG(m.service), SLICE_ARG(m.user),
             SLICE_ARG(m.password), SLICE_ARG(m.client));
    message_pam_reply_pack(&b, &(struct message_pam_reply){h->pam_says, SLICE("so PAM")});
    link_send1(from->link, LINK_PAM_REPLY, f->id, buf_slice(&b));
}

static void be_fetch(void *service, struct peer_link *from, const struct link_frame *f) {
    struct house *h = service;
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_fetch m;
    struct message_fetch_reply said = {.why = SLICE("nobody there")};
    assert_true(f->type == LINK_FETCH && message_fetch_unpack(f->payload, &m));
    snprintf(h->asked, sizeof h->asked, "%.*s %.*s %.*s", SLICE_ARG(m.url), SLICE_ARG(m.user_password),
             SLICE_ARG(m.body));
    if (h->fetch_says)
        said = (struct message_fetch_reply){.status = 200, .body = slice_str(h->fetch_says)};
    message_fetch_reply_pack(&b, &said);
    link_send1(from->link, LINK_FETCH_REPLY, f->id, buf_slice(&b));
}

static void be_nobody(void *service, struct peer_link *from, const struct link_frame *f) {
    fail_msg("%s is not expected", link_type_name(f->type));
}

// --- Dovecot

struct dovecot {
    struct house *house;
    struct transport *transport;
};

static void answer_auth(struct dovecot *d, struct slice line) {
    struct house *h = d->house;
    char text[512];
    struct err e;
    unsigned id = (unsigned)strtoul(line.p + strlen("AUTH\t"), NULL, 10);
    snprintf(text, sizeof text, h->dovecot_says, id);
    (void)!transport_write_all(d->transport, slice_str(text), MONO_NEVER, &e);
}

static void be_dovecot(void *arg) {
    struct dovecot *d = arg;
    struct house *h = d->house;
    struct stream s;
    struct slice line;
    struct err e;
    bool too_long;
    stream_init(&s, d->transport);
    (void)!transport_write_all(d->transport, slice_str(h->dovecot_hello), MONO_NEVER, &e);
    while (stream_line(&s, STREAM_IN, MONO_NEVER, &line, &too_long, &e)) {
        buf_add(&h->dovecot_heard, line);
        if (!slice_starts(line, SLICE("AUTH\t")))
            continue;
        if (h->dovecot_hangs_up) {
            h->dovecot_hangs_up--;
            break;
        }
        if (h->dovecot_says)
            answer_auth(d, line);
    }
    stream_done(&s);
    free(d);
}

static struct house *present;

static bool connect_dovecot(struct loop *loop, struct slice path, struct transport **out, struct err *e) {
    struct dovecot *d = calloc(1, sizeof *d);
    present->dovecot_connects++;
    if (!present->dovecot_hello) {
        free(d);
        return err_set(e, ERR_TEMPORARY, "nobody listens at %.*s", SLICE_ARG(path));
    }
    d->house = present;
    transport_pair(PIPE, out, &d->transport);
    return fiber_spawn(&present->group, "dovecot", be_dovecot, d, e);
}

// --- the house

static void wire(struct house *h, struct peer *p, enum role role,
                 void (*handle)(void *, struct peer_link *, const struct link_frame *)) {
    struct transport *a, *b;
    transport_pair(PIPE, &a, &b);
    *p = (struct peer){.group = &h->group, .handle = handle, .service = h};
    auth_attach(h->auth, link_new(h->loop, b, ROLE_AUTH, role), role);
    peer_attach(p, link_new(h->loop, a, role, ROLE_AUTH));
}

static void live(void *arg) {
    struct house *h = arg;
    h->story(h);
    auth_stop(h->auth);
    fiber_group_join(auth_fibers(h->auth));
    fiber_group_cancel(&h->group);
}

void house_write(struct house *h, const char *users) {
    char fresh[112];
    snprintf(fresh, sizeof fresh, "%s.new", h->file);
    FILE *f = fopen(fresh, "w");
    assert_non_null(f);
    fputs(users, f);
    fclose(f);
    assert_int_equal(rename(fresh, h->file), 0);
}

void house_secret(struct buf *to, const char *user, const char *name, const char *password) {
    struct password_scram s = {.iterations = HOUSE_ITERATIONS, .salt_n = 16};
    struct slice salt = slice_of(s.salt, s.salt_n);
    memcpy(s.salt, "0123456789abcdef", s.salt_n);
    scram_keys_of(DIGEST_SHA256, slice_str(password), salt, s.iterations, &s.keys);
    buf_addf(to, "%s:%s:", user, name);
    assert_true(password_scram_write(DIGEST_SHA256, &s, to));
    buf_add_str(to, "\n");
}

static void write_usual(struct house *h) {
    BUF_AUTO struct buf text = {.max = 65536};
    house_secret(&text, "alice", "", "wonder");
    house_secret(&text, "alice", "phone", "looking-glass");
    house_secret(&text, "bob", "", "builder");
    buf_add_char(&text, '\0');
    house_write(h, text.p);
}

static void parse_config(struct house *h, const char *auths) {
    struct config_report report = {0};
    BUF_AUTO struct buf text = {.max = 65536};
    buf_add_str(&text, "version 1\nhostname a.example.org\nlisten mx 127.0.0.1:2525\n");
    for (const char *at = auths; *at; at++)
        if (*at == '%')
            buf_add_str(&text, h->file);
        else
            buf_add_char(&text, *at);
    h->config = config_parse(buf_slice(&text), SLICE("/"), &report);
    assert_non_null(h->config);
    config_report_done(&report);
}

static void build(struct house *h, const char *auths, const char *users) {
    snprintf(h->dir, sizeof h->dir, "/tmp/posthouse-auth-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->file, sizeof h->file, "%s/users", h->dir);
    if (users == house_users)
        write_usual(h);
    else if (users)
        house_write(h, users);
    parse_config(h, auths);
    h->loop = loop_new(true);
    h->log.max = 1 << 20;
    h->space.max = h->dovecot_heard.max = 1 << 16;
    journal_init_memory(&h->journal, &(struct journal_setup){.role = "auth", .least = JOURNAL_INFO, .now = wall_here},
                        &h->log);
    h->world = (struct world){.loop = h->loop, .journal = &h->journal, .ops = &world_ops};
    fiber_group_init(&h->group, h->loop, "house");
}

void house_run(struct house *h, const char *auths, const char *users, void (*story)(struct house *h)) {
    struct err e;
    present = h;
    h->story = story;
    build(h, auths, users);
    h->auth = auth_new(&h->world, h->config);
    h->auth->means.connect = connect_dovecot;
    wire(h, &h->others[0], ROLE_POLICY, be_policy);
    wire(h, &h->others[1], ROLE_PAM, be_pam);
    wire(h, &h->others[2], ROLE_FETCH, be_fetch);
    wire(h, &h->others[3], ROLE_SUBMISSION, be_nobody);
    wire(h, &h->submission, ROLE_SUBMISSION, be_nobody);
    assert_true(fiber_spawn(&h->group, "story", live, h, &e));
    loop_run(h->loop);
    assert_int_equal(h->group.n, 0);
    auth_free(h->auth);
    journal_done(&h->journal);
    loop_free(h->loop);
    config_free(h->config);
    unlink(h->file);
    rmdir(h->dir);
    buf_done(&h->log);
    buf_done(&h->space);
    buf_done(&h->dovecot_heard);
}

// --- what submission says

static struct message_auth_reply call(struct house *h, enum link_type type, struct buf *packed) {
    struct message_auth_reply said;
    enum link_type reply;
    struct err e;
    if (!peer_call(&h->submission, type, buf_slice(packed), MONO_NEVER, &reply, &h->space, &e))
        fail_msg("auth: %s", e.text);
    assert_int_equal(reply, LINK_AUTH_REPLY);
    assert_true(message_auth_reply_unpack(buf_slice(&h->space), &said));
    return said;
}

struct message_auth_reply house_begin_as(struct house *h, const struct message_auth_begin *m) {
    BUF_AUTO struct buf b = {.max = 1 << 16};
    assert_true(message_auth_begin_pack(&b, m));
    return call(h, LINK_AUTH_BEGIN, &b);
}

struct message_auth_reply house_begin(struct house *h, const char *mechanism, struct slice initial) {
    return house_begin_as(
        h, &(struct message_auth_begin){.mechanism = slice_str(mechanism),
                                        .session = SLICE("s1"),
                                        .client = {.family = NETADDR_V4, .ip = {192, 0, 2, 1}, .port = 4000},
                                        .local = {.family = NETADDR_V4, .ip = {127, 0, 0, 1}, .port = 587},
                                        .has_initial = initial.p != NULL,
                                        .initial = initial});
}

struct message_auth_reply house_continue(struct house *h, uint64_t conversation, struct slice response) {
    BUF_AUTO struct buf b = {.max = 1 << 16};
    assert_true(message_auth_continue_pack(&b, &(struct message_auth_continue){conversation, response}));
    return call(h, LINK_AUTH_CONTINUE, &b);
}

void house_plain(struct house *h, const char *user, const char *password, enum message_auth_result expected) {
    BUF_AUTO struct buf b = {.max = 4096};
    buf_add_char(&b, '\0');
    buf_add_str(&b, user);
    buf_add_char(&b, '\0');
    buf_add_str(&b, password);
    struct message_auth_reply said = house_begin(h, "PLAIN", buf_slice(&b));
    if (said.result != expected)
        fail_msg("%s: result %d, why %.*s", user, (int)said.result, SLICE_ARG(said.why));
}

bool house_logged(struct house *h, const char *text) {
    journal_flush(&h->journal);
    return slice_search(buf_slice(&h->log), slice_str(text)) < h->log.n;
}
