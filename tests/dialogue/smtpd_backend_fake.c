// smtpd_backend_fake: answering from memory.
#include "smtpd_backend_fake.h"

#include "base/list.h"
#include "base/mem.h"
#include "rt/fiber/loop.h"

#include <assert.h>
#include <stdlib.h>

struct smtpd_slot {
    struct buf content;
    size_t reserve; // bytes that may still come in front
};

static struct fake_backend *of(struct smtpd_backend *b) { return LIST_ENTRY(b, struct fake_backend, backend); }

static FIBER_FN bool pass_time(int64_t ms, struct err *e) {
    return ms == 0 || fiber_sleep(ms) || err_set(e, ERR_CANCELLED, "stopped");
}

static FIBER_FN bool expand(struct smtpd_backend *backend, struct slice address, struct arena *arena,
                            struct message_expand_reply *out, struct err *e) {
    struct fake_backend *b = of(backend);
    struct recipients found;
    if (!pass_time(b->expand_ms, e))
        return false;
    if (b->expand_fails)
        return err_smtp(e, 451, "4.3.0", "lookup is away");
    *out = (struct message_expand_reply){.result = b->says};
    if (b->says != MESSAGE_EXPAND_OK)
        return true;
    if (!recipient_expand(b->config, b->tables, address, arena, &found, e))
        return false;
    out->result = found.kind == RECIPIENT_UNKNOWN ? MESSAGE_EXPAND_UNKNOWN : MESSAGE_EXPAND_OK;
    out->addresses = arena_alloc(arena, (found.n + 1) * sizeof *out->addresses);
    for (size_t i = 0; i < found.n; i++)
        out->addresses[i] = found.list[i].address;
    out->addresses_n = found.n;
    return true;
}

static FIBER_FN bool ready(struct fake_backend *b, struct err *e) {
    if (!pass_time(b->submit_ms, e))
        return false;
    if (b->queue_down)
        return err_smtp(e, 451, "4.3.0", "the queue is away");
    return !b->disk_full || err_smtp(e, 452, "4.3.1", "no room on the disk");
}

static void keep(struct fake_backend *b, const struct message_submit *m, struct slice before) {
    struct fake_message *k = &b->kept[b->kept_n];
    const struct envelope *env = &m->envelope;
    if (b->kept_n++ >= FAKE_MESSAGES || b->forgets)
        return;
    struct buf content = {.max = 1 << 28};
    buf_add(&content, before);
    buf_add(&content, m->content);
    k->flags = env->flags;
    k->sender = arena_dup(&b->arena, env->sender);
    k->client = arena_dup(&b->arena, env->client);
    k->user = arena_dup(&b->arena, env->user);
    k->helo = arena_dup(&b->arena, env->helo);
    k->content = arena_dup(&b->arena, buf_slice(&content));
    k->recipients = arena_alloc(&b->arena, (env->recipients_n + 1) * sizeof *k->recipients);
    for (size_t i = 0; i < env->recipients_n; i++)
        k->recipients[i] = arena_dup(&b->arena, env->recipients[i].address);
    k->recipients_n = env->recipients_n;
    k->tags = arena_alloc(&b->arena, (env->tags_n + 1) * sizeof *k->tags);
    for (size_t i = 0; i < env->tags_n; i++)
        k->tags[i] = arena_dup(&b->arena, env->tags[i]);
    k->tags_n = env->tags_n;
    buf_done(&content);
}

static void free_slot(struct fake_backend *b, struct smtpd_slot *slot) {
    b->slots--;
    buf_done(&slot->content);
    free(slot);
}

static FIBER_FN bool submit(struct smtpd_backend *backend, struct message_submit *m, struct smtpd_slot *slot,
                            struct err *e) {
    struct fake_backend *b = of(backend);
    assert(m->envelope.recipients_n > 0 && m->content.n <= MESSAGE_INLINE_MAX);
    bool ok = ready(b, e);
    if (ok)
        keep(b, m, slot ? buf_slice(&slot->content) : SLICE_EMPTY);
    if (slot)
        free_slot(b, slot);
    return ok;
}

static FIBER_FN bool open_slot(struct smtpd_backend *backend, uint32_t reserve, struct smtpd_slot **slot,
                               struct err *e) {
    struct fake_backend *b = of(backend);
    if (!ready(b, e))
        return false;
    b->slots++;
    *slot = MEM_NEW(struct smtpd_slot);
    (*slot)->content.max = 1 << 28;
    (*slot)->reserve = reserve;
    return true;
}

static FIBER_FN bool piece(struct smtpd_backend *backend, struct smtpd_slot *slot, struct slice bytes, struct err *e) {
    struct fake_backend *b = of(backend);
    assert(bytes.n <= MESSAGE_INLINE_MAX);
    if (!ready(b, e))
        return false;
    if (b->pieces_left == 0)
        return err_smtp(e, 452, "4.3.1", "no room on the disk");
    b->pieces_left -= b->pieces_left > 0;
    buf_add(&slot->content, bytes);
    return true;
}

static FIBER_FN bool front(struct smtpd_backend *backend, struct smtpd_slot *slot, struct slice bytes, struct err *e) {
    assert(bytes.n <= MESSAGE_INLINE_MAX && bytes.n <= slot->reserve);
    struct buf all = {.max = 1 << 28};
    if (!ready(of(backend), e))
        return false;
    slot->reserve -= bytes.n;
    buf_add(&all, bytes);
    buf_add(&all, buf_slice(&slot->content));
    buf_done(&slot->content);
    slot->content = all;
    return true;
}

static void give_up(struct smtpd_backend *backend, struct smtpd_slot *slot) { free_slot(of(backend), slot); }
static uint64_t queue_id(struct smtpd_backend *backend) { return 0x1000000 + of(backend)->ids++; }
static struct wall now(struct smtpd_backend *backend) { return (struct wall){1795257675000}; }

static FIBER_FN bool auth_begin(struct smtpd_backend *b, const struct message_auth_begin *m, struct smtpd_asked **asked,
                                struct buf *space, struct message_auth_reply *out, struct err *e) {
    return fake_auth_begin(&of(b)->auth, m, asked, space, out, e);
}

static FIBER_FN bool auth_continue(struct smtpd_backend *b, struct smtpd_asked **asked, struct slice response,
                                   struct buf *space, struct message_auth_reply *out, struct err *e) {
    return fake_auth_continue(&of(b)->auth, asked, response, space, out, e);
}

static void auth_cancel(struct smtpd_backend *b, struct smtpd_asked *asked) { fake_auth_cancel(&of(b)->auth, asked); }

static FIBER_FN bool use(struct smtpd_backend *backend, const struct message_use *m, struct arena *arena,
                         struct message_use_reply *out, struct err *e) {
    struct fake_backend *b = of(backend);
    (void)arena;
    assert(m->user.n);
    if (b->policy_away)
        return err_smtp(e, 451, "4.3.0", "policy is away");
    *out = (struct message_use_reply){.ok = b->quota.n == 0, .hold = b->hold};
    if (!out->ok) {
        out->smtp = 452;
        out->enhanced[0] = 4;
        out->enhanced[1] = 5;
        out->enhanced[2] = 3;
        out->text = b->quota;
    }
    b->used += out->ok && !m->only_ask;
    return true;
}

static FIBER_FN bool owns(struct smtpd_backend *backend, struct slice user, struct slice address, bool *out,
                          struct err *e) {
    struct fake_backend *b = of(backend);
    struct slice local, domain;
    if (b->owns_away)
        return err_smtp(e, 451, "4.3.0", "lookup is away");
    slice_cut(address, '@', &local, &domain);
    *out = !b->owns_none &&
           (slice_ieq(user, address) || (slice_ieq(user, local) && slice_ieq(domain, SLICE("example.org"))));
    return true;
}

// --- strangers

static FIBER_FN void ask(struct smtpd_backend *b, const struct oracle_question *questions, size_t n,
                         struct mono deadline, struct arena *arena, struct oracle_answer *answers) {
    fake_gate_ask(&of(b)->gate, questions, n, deadline, arena, answers);
}

static FIBER_FN bool ask_client(struct smtpd_backend *b, const struct message_client *m, struct arena *arena,
                                struct message_client_reply *out) {
    return fake_gate_client(&of(b)->gate, out);
}

static FIBER_FN bool tally(struct smtpd_backend *b, const struct message_tally *m, struct arena *arena,
                           struct message_tally_reply *out) {
    return fake_gate_tally(&of(b)->gate, m, out);
}

static FIBER_FN bool greylist(struct smtpd_backend *b, const struct message_greylist *m,
                              struct message_greylist_reply *out) {
    return fake_gate_greylist(&of(b)->gate, m, out);
}

static FIBER_FN bool match(struct smtpd_backend *b, struct slice table, struct slice value, bool *out) {
    return fake_gate_match(&of(b)->gate, value, out);
}

static void seen(struct smtpd_backend *b, const struct message_seen *m) { fake_gate_seen(&of(b)->gate, m); }
static void record(struct smtpd_backend *b, const struct record *r) { fake_gate_record(&of(b)->gate, r); }
static void dmarc_seen(struct smtpd_backend *b, const struct message_dmarc_seen *m) {}

static FIBER_FN bool filter_open(struct smtpd_backend *backend, size_t index, struct transport **out, struct err *e) {
    struct fake_backend *b = of(backend);
    if (b->filter_open)
        return b->filter_open(b->filter_arg, index, out, e);
    return err_set(e, ERR_TEMPORARY, "no filter is there");
}

static const struct smtpd_backend_ops ops = {
    .filter_open = filter_open,
    .ask = ask,
    .client = ask_client,
    .tally = tally,
    .greylist = greylist,
    .match = match,
    .seen = seen,
    .record = record,
    .dmarc_seen = dmarc_seen,
    .expand = expand,
    .submit = submit,
    .open = open_slot,
    .piece = piece,
    .front = front,
    .give_up = give_up,
    .auth_begin = auth_begin,
    .auth_continue = auth_continue,
    .auth_cancel = auth_cancel,
    .use = use,
    .owns = owns,
    .queue_id = queue_id,
    .now = now,
};

void fake_backend_init(struct fake_backend *b, const struct config *config) {
    struct recipient_warnings warnings = {0};
    *b = (struct fake_backend){.backend = {&ops}, .config = config, .arena = {.max = 1 << 28}, .pieces_left = -1};
    fake_gate_init(&b->gate);
    assert(config->tables_n <= FAKE_TABLES);
    for (size_t i = 0; i < config->tables_n; i++)
        b->tables[i] =
            recipient_table_parse(config->tables[i].kind, config->tables[i].text, (struct hash_key){0}, &warnings);
    recipient_warnings_done(&warnings);
}

void fake_backend_done(struct fake_backend *b) {
    for (size_t i = 0; i < FAKE_TABLES; i++)
        recipient_table_free(b->tables[i]);
    fake_gate_done(&b->gate);
    arena_done(&b->arena);
}
