// quota: two rings of counts for each user.
#include "core/policy/quota.h"

#include "base/num.h"
#include "base/pack.h"

#include <stdio.h>

enum { MINUTES = 60, HOURS = 24, SLOTS_MAX = 60 };

struct slot {
    uint32_t messages, recipients;
};

// Slot number n lies at n % size; `newest` is the latest one that counts.
struct ring {
    int64_t newest;
    struct slot slots[SLOTS_MAX];
};

struct span {
    int64_t slot_ms;
    int64_t size;
    const char *name;
};

static const struct span spans[] = {{MS_MINUTE, MINUTES, "hour"}, {MS_HOUR, HOURS, "day"}};
enum { SPANS = 2 };

struct user {
    struct bounded_entry entry;
    struct ring rings[SPANS];
};

void quota_init(struct quota *q, const struct hash_key *key) {
    bounded_init(&q->users, sizeof(struct user), QUOTA_USERS, key);
}

void quota_done(struct quota *q) { bounded_done(&q->users); }

static struct slice name_of(struct slice user) { return slice_upto(user, QUOTA_USER_MAX); }

// A clock that stepped back by less than the span goes on in the newest slot; by more, begins anew.
static int64_t number_at(const struct ring *r, const struct span *s, struct wall now) {
    int64_t number = now.ms / s->slot_ms;
    return number < r->newest && number > r->newest - s->size ? r->newest : number;
}

static bool counts(const struct ring *r, const struct span *s, int64_t slot, int64_t number) {
    return slot <= r->newest && slot > r->newest - s->size && slot > number - s->size && slot <= number && slot >= 0;
}

static struct slot sum(const struct ring *r, const struct span *s, int64_t number) {
    struct slot all = {0};
    for (int64_t i = number - s->size + 1; i <= number; i++)
        if (counts(r, s, i, number)) {
            all.messages += r->slots[i % s->size].messages;
            all.recipients += r->slots[i % s->size].recipients;
        }
    return all;
}

static void add(struct ring *r, const struct span *s, uint32_t recipients, struct wall now) {
    int64_t number = number_at(r, s, now);
    if (number < r->newest)
        *r = (struct ring){.newest = number};
    for (int64_t i = number - r->newest > s->size ? number - s->size : r->newest; i < number; i++)
        r->slots[(i + 1) % s->size] = (struct slot){0};
    r->newest = number;
    struct slot *slot = &r->slots[number % s->size];
    slot->messages += slot->messages < UINT32_MAX / SLOTS_MAX;
    slot->recipients = (uint32_t)num_min((uint64_t)slot->recipients + recipients, UINT32_MAX / SLOTS_MAX);
}

void quota_count(struct quota *q, struct slice user, uint32_t recipients, struct wall now) {
    struct user *u = bounded_get(&q->users, name_of(user));
    for (int i = 0; i < SPANS; i++)
        add(&u->rings[i], &spans[i], recipients, now);
}

// --- refusals

void quota_words(char to[32], int64_t ms) {
    int64_t n = (ms + MS_SECOND - 1) / MS_SECOND;
    const char *unit = "second";
    if (n >= 100) {
        n = (n + 59) / 60;
        unit = "minute";
    }
    if (n >= 100 && *unit == 'm') {
        n = (n + 59) / 60;
        unit = "hour";
    }
    snprintf(to, 32, "%lld %s%s", (long long)n, unit, n == 1 ? "" : "s");
}

// How long until slots have left that hold at least `excess`.
static int64_t wait_for(const struct ring *r, const struct span *s, uint64_t excess, bool recipients, struct wall now) {
    int64_t number = number_at(r, s, now), i = number - s->size + 1;
    for (uint64_t left = 0; i < number; i++) {
        const struct slot *slot = &r->slots[i < 0 ? 0 : i % s->size];
        left += counts(r, s, i, number) ? (recipients ? slot->recipients : slot->messages) : 0;
        if (left >= excess)
            break;
    }
    return (i + s->size) * s->slot_ms - now.ms;
}

static bool refuse_messages(struct quota_refusal *r, uint32_t sent, const char *span, int64_t wait) {
    char words[32];
    quota_words(words, wait);
    *r = (struct quota_refusal){.smtp = 451, .enhanced = {4, 7, 1}};
    snprintf(r->text, sizeof r->text,
             "you have sent %u message%s within %s %s, which is as many as you may; try again in %s", sent,
             sent == 1 ? "" : "s", *span == 'h' ? "an" : "a", span, words);
    return false;
}

static bool refuse_recipients(struct quota_refusal *r, uint32_t sent, uint32_t bound, const char *span, int64_t wait) {
    char words[32];
    quota_words(words, wait);
    *r = (struct quota_refusal){.smtp = 452, .enhanced = {4, 5, 3}};
    if (bound > sent)
        snprintf(r->text, sizeof r->text,
                 "you have written to %u recipients within %s %s and may to %u more; to as many as these in %s", sent,
                 *span == 'h' ? "an" : "a", span, bound - sent, words);
    else
        snprintf(r->text, sizeof r->text,
                 "you have written to %u recipients within %s %s, which is as many as you may; try again in %s", sent,
                 *span == 'h' ? "an" : "a", span, words);
    return false;
}

static bool refuse_crowd(struct quota_refusal *r, uint32_t bound, const char *span) {
    *r = (struct quota_refusal){.smtp = 452, .enhanced = {4, 5, 3}};
    snprintf(r->text, sizeof r->text, "you may write to %u recipients within %s %s, so no message can have more", bound,
             *span == 'h' ? "an" : "a", span);
    return false;
}

static bool span_allows(const struct ring *r, const struct span *s, uint32_t messages, uint32_t recipients,
                        uint32_t wanted, struct wall now, struct quota_refusal *refusal) {
    struct slot sent = sum(r, s, number_at(r, s, now));
    if (messages && sent.messages >= messages)
        return refuse_messages(refusal, sent.messages, s->name,
                               wait_for(r, s, sent.messages - messages + 1, false, now));
    if (recipients && wanted > recipients)
        return refuse_crowd(refusal, recipients, s->name);
    if (recipients && (uint64_t)sent.recipients + wanted > recipients)
        return refuse_recipients(refusal, sent.recipients, recipients, s->name,
                                 wait_for(r, s, (uint64_t)sent.recipients + wanted - recipients, true, now));
    return true;
}

bool quota_allows(const struct quota *q, const struct config_quota *bounds, struct slice user, uint32_t recipients,
                  uint64_t size, struct wall now, struct quota_refusal *refusal) {
    static const struct ring nothing;
    const struct user *u = bounded_find(&q->users, name_of(user));
    uint32_t wanted = recipients ? recipients : 1;
    if (bounds->message_size && size > bounds->message_size) {
        *refusal = (struct quota_refusal){.smtp = 552, .enhanced = {5, 3, 4}};
        snprintf(refusal->text, sizeof refusal->text, "a message of yours may have %llu bytes at most",
                 (unsigned long long)bounds->message_size);
        return false;
    }
    // The day first: when both are used up, it is the one to wait for.
    return span_allows(u ? &u->rings[1] : &nothing, &spans[1], bounds->messages_day, bounds->recipients_day, wanted,
                       now, refusal) &&
           span_allows(u ? &u->rings[0] : &nothing, &spans[0], bounds->messages_hour, bounds->recipients_hour, wanted,
                       now, refusal);
}

// --- to be kept: the slots that hold something

static void pack_ring(struct buf *b, const struct ring *r, const struct span *s) {
    for (int64_t i = r->newest - s->size + 1; i <= r->newest; i++) {
        const struct slot *slot = &r->slots[i < 0 ? 0 : i % s->size];
        if (i < 0 || !slot->messages)
            continue;
        pack_u8(b, (uint8_t)(s - spans));
        pack_i64(b, i);
        pack_u32(b, slot->messages);
        pack_u32(b, slot->recipients);
    }
}

bool quota_next_change(struct quota *q, struct buf *key, struct buf *value) {
    struct bounded_entry *e = bounded_next_change(&q->users);
    if (!e)
        return false;
    buf_add_char(key, 'q');
    buf_add(key, e->key);
    for (int i = 0; i < SPANS && !e->gone; i++)
        pack_ring(value, &((const struct user *)(void *)e)->rings[i], &spans[i]);
    bounded_kept(&q->users, e);
    return true;
}

void quota_change_all(struct quota *q) { bounded_change_all(&q->users); }

static bool load_slot(struct user *u, struct unpack *from) {
    uint8_t span = unpack_u8(from);
    int64_t number = unpack_i64(from);
    struct slot slot = {.messages = unpack_u32(from)};
    slot.recipients = unpack_u32(from);
    uint32_t most = UINT32_MAX / SLOTS_MAX;
    if (from->bad || span >= SPANS || number < u->rings[span].newest || slot.messages > most ||
        slot.recipients > most || number > INT64_MAX / MS_HOUR)
        return false;
    struct ring *r = &u->rings[span];
    const struct span *s = &spans[span];
    for (int64_t i = number - r->newest > s->size ? number - s->size : r->newest; i < number; i++)
        r->slots[(i + 1) % s->size] = (struct slot){0};
    r->newest = number;
    r->slots[number % s->size] = slot;
    return true;
}

bool quota_load(struct quota *q, struct slice key, struct slice value) {
    struct unpack from = {.rest = value};
    struct user u = {.rings = {{.newest = 0}}};
    if (key.n < 2 || key.p[0] != 'q')
        return false;
    while (from.rest.n)
        if (!load_slot(&u, &from))
            return false;
    struct user *to = bounded_get(&q->users, slice_from(key, 1));
    u.entry = to->entry;
    *to = u;
    bounded_kept(&q->users, &to->entry);
    return true;
}
