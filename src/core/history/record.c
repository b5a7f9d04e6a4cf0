// record: decisions as bytes, and back.
#include "core/history/record.h"

#include "base/utf8.h"
#include "core/message/message_inside.h"

// What may be cut in, so that the whole stays below RECORD_MAX: the values that are there once take 5 KB at most.
enum {
    VERSION = 1,
    NAME_BYTES = 255, // bytes of a session's id, a HELO, a user's name, a fact's or a filter's name, a tag
    ADDRESS_BYTES = 320,
    TEXT_MAX = 1000,
    VALUE_MAX = 500, // a fact's, a filter's words, a rule's source, a question of DNS
    ANSWER_MAX = 300,
    RECIPIENTS_ROOM = 20 * 1024, // bytes of each list
    RULES_ROOM = 12 * 1024,
    FACTS_ROOM = 8 * 1024,
    DNS_ROOM = 12 * 1024,
    FILTERS_ROOM = 4 * 1024,
    TAGS_ROOM = 2 * 1024,
};
_Static_assert(RECIPIENTS_ROOM + RULES_ROOM + FACTS_ROOM + DNS_ROOM + FILTERS_ROOM + TAGS_ROOM + 5 * 1024 <= RECORD_MAX,
               "a record fits");

const char *const record_stage_names[RECORD_STAGES + 1] = {"connect", "helo",  "mail",     "recipient",
                                                           "content", "login", "delivery", NULL};
const char *const record_outcome_names[RECORD_OUTCOMES + 1] = {"accepted",  "refused", "deferred", "discarded", "held",
                                                               "delivered", "bounced", "expired",  NULL};

static bool pack_cut(struct buf *b, struct slice s, size_t max) { return pack_slice(b, utf8_upto(s, max)); }

// ---- elements of the lists

static void pack_recipient(struct buf *b, const struct record *r, size_t i) {
    pack_cut(b, r->recipients[i], ADDRESS_BYTES);
}

static void pack_rule(struct buf *b, const struct record *r, size_t i) {
    pack_cut(b, r->rules[i].source, VALUE_MAX);
    pack_u32(b, r->rules[i].line);
    message_pack_bool(b, r->rules[i].matched);
}

static void pack_fact(struct buf *b, const struct record *r, size_t i) {
    pack_cut(b, r->facts[i].name, NAME_BYTES);
    pack_cut(b, r->facts[i].value, VALUE_MAX);
}

static void pack_dns(struct buf *b, const struct record *r, size_t i) {
    pack_cut(b, r->dns[i].question, VALUE_MAX);
    pack_cut(b, r->dns[i].answer, ANSWER_MAX);
}

static void pack_filter(struct buf *b, const struct record *r, size_t i) {
    pack_cut(b, r->filters[i].name, NAME_BYTES);
    pack_cut(b, r->filters[i].words, VALUE_MAX);
}

static void pack_tag(struct buf *b, const struct record *r, size_t i) { pack_cut(b, r->tags[i], NAME_BYTES); }

// As many from `from` on as there is room for.
static size_t pack_some(struct buf *b, const struct record *r, size_t from, size_t n, size_t room,
                        void (*pack)(struct buf *b, const struct record *r, size_t i)) {
    size_t count_at = b->n, packed = 0;
    if (!pack_u32(b, 0))
        return 0;
    size_t start = b->n;
    for (size_t i = from; i < n && packed < RECORD_LIST_MAX; i++) {
        size_t before = b->n;
        pack(b, r, i);
        if (b->failed)
            return packed;
        if (b->n - start > room) {
            b->n = before;
            break;
        }
        packed++;
    }
    pack_patch_u32(b, count_at, (uint32_t)packed);
    return packed;
}

// Of the rules the last ones matter: one of them decided.
static void pack_rules(struct buf *b, const struct record *r) {
    size_t least = r->rules_n > RECORD_LIST_MAX ? r->rules_n - RECORD_LIST_MAX : 0, from = r->rules_n, room = 0;
    while (from > least) {
        size_t next = r->rules[from - 1].source.n;
        room += (next < VALUE_MAX ? next : VALUE_MAX) + 9;
        if (room > RULES_ROOM)
            break;
        from--;
    }
    pack_some(b, r, from, r->rules_n, RULES_ROOM, pack_rule);
}

bool record_pack(struct buf *b, const struct record *r) {
    pack_u8(b, VERSION);
    pack_i64(b, r->when.ms);
    pack_u8(b, (uint8_t)r->stage);
    pack_u8(b, (uint8_t)r->outcome);
    pack_cut(b, r->session, NAME_BYTES);
    pack_u64(b, r->queue_id);
    message_pack_ip(b, &r->client);
    pack_cut(b, r->helo, NAME_BYTES);
    pack_cut(b, r->user, NAME_BYTES);
    pack_cut(b, r->sender, ADDRESS_BYTES);
    pack_some(b, r, 0, r->recipients_n, RECIPIENTS_ROOM, pack_recipient);
    pack_u16(b, r->code);
    message_pack_enhanced(b, r->enhanced);
    pack_cut(b, r->text, TEXT_MAX);
    pack_cut(b, r->remote, VALUE_MAX);
    pack_rules(b, r);
    pack_some(b, r, 0, r->facts_n, FACTS_ROOM, pack_fact);
    pack_some(b, r, 0, r->dns_n, DNS_ROOM, pack_dns);
    pack_some(b, r, 0, r->filters_n, FILTERS_ROOM, pack_filter);
    pack_some(b, r, 0, r->tags_n, TAGS_ROOM, pack_tag);
    return !b->failed;
}

// ---- back

static struct slice *unpack_slices(struct unpack *u, struct arena *arena, size_t *n) {
    struct slice *s = message_unpack_array(u, arena, RECORD_LIST_MAX, 4, sizeof *s, n);
    for (size_t i = 0; i < *n; i++)
        s[i] = unpack_slice(u);
    return s;
}

static struct record_rule *unpack_rules(struct unpack *u, struct arena *arena, size_t *n) {
    struct record_rule *to = message_unpack_array(u, arena, RECORD_LIST_MAX, 9, sizeof *to, n);
    for (size_t i = 0; i < *n; i++) {
        to[i].source = unpack_slice(u);
        to[i].line = unpack_u32(u);
        to[i].matched = message_unpack_bool(u);
    }
    return to;
}

static struct record_fact *unpack_facts(struct unpack *u, struct arena *arena, size_t *n) {
    struct record_fact *to = message_unpack_array(u, arena, RECORD_LIST_MAX, 8, sizeof *to, n);
    for (size_t i = 0; i < *n; i++) {
        to[i].name = unpack_slice(u);
        to[i].value = unpack_slice(u);
    }
    return to;
}

static struct record_dns *unpack_dns(struct unpack *u, struct arena *arena, size_t *n) {
    struct record_dns *to = message_unpack_array(u, arena, RECORD_LIST_MAX, 8, sizeof *to, n);
    for (size_t i = 0; i < *n; i++) {
        to[i].question = unpack_slice(u);
        to[i].answer = unpack_slice(u);
    }
    return to;
}

static struct record_filter *unpack_filters(struct unpack *u, struct arena *arena, size_t *n) {
    struct record_filter *to = message_unpack_array(u, arena, RECORD_LIST_MAX, 8, sizeof *to, n);
    for (size_t i = 0; i < *n; i++) {
        to[i].name = unpack_slice(u);
        to[i].words = unpack_slice(u);
    }
    return to;
}

bool record_unpack(struct slice packed, struct arena *arena, struct record *out) {
    struct unpack u = {.rest = packed};
    struct record r = {0};
    if (packed.n > RECORD_MAX || unpack_u8(&u) != VERSION)
        return false;
    r.when.ms = unpack_i64(&u);
    r.stage = message_unpack_enum(&u, RECORD_STAGES - 1);
    r.outcome = message_unpack_enum(&u, RECORD_OUTCOMES - 1);
    r.session = unpack_slice(&u);
    r.queue_id = unpack_u64(&u);
    r.client = message_unpack_ip(&u);
    r.helo = unpack_slice(&u);
    r.user = unpack_slice(&u);
    r.sender = unpack_slice(&u);
    r.recipients = unpack_slices(&u, arena, &r.recipients_n);
    r.code = unpack_u16(&u);
    message_unpack_enhanced(&u, r.enhanced);
    r.text = unpack_slice(&u);
    r.remote = unpack_slice(&u);
    r.rules = unpack_rules(&u, arena, &r.rules_n);
    r.facts = unpack_facts(&u, arena, &r.facts_n);
    r.dns = unpack_dns(&u, arena, &r.dns_n);
    r.filters = unpack_filters(&u, arena, &r.filters_n);
    r.tags = unpack_slices(&u, arena, &r.tags_n);
    if (!unpack_end(&u))
        return false;
    *out = r;
    return true;
}
