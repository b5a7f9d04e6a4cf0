// report_book: two tables, of kinds of messages and of domains. A kind's key is all that it says.
#include "core/report/report_book.h"

#include "base/digest.h"
#include "mail/dmarc/dmarc_record.h"

enum { KEY_MAX = 2048, AGAIN_MS = 10 * MS_MINUTE, SPREAD_MOST_MS = MS_HOUR };

struct row {
    struct bounded_entry entry;
    uint64_t count;
};

void report_book_init(struct report_book *b, int64_t every, const struct hash_key *key) {
    struct hash_key other = {{key->k[0] ^ 1, key->k[1]}};
    *b = (struct report_book){.every = every > 0 ? every : MS_DAY, .spread = key->k[1]};
    bounded_init(&b->rows, sizeof(struct row), REPORT_BOOK_ROWS, key);
    bounded_init(&b->domains, sizeof(struct report_domain), REPORT_BOOK_DOMAINS, &other);
}

void report_book_done(struct report_book *b) {
    bounded_done(&b->rows);
    bounded_done(&b->domains);
}

// --- keys: the beginning of the stretch, the domain, and of a row the rest

static bool add_prefix(struct buf *key, int64_t begin, struct slice domain) {
    pack_i64(key, begin);
    return pack_slice(key, domain);
}

static void take_prefix(struct slice key, int64_t *begin, struct slice *domain, struct slice *rest) {
    struct unpack u = {.rest = key};
    *begin = unpack_i64(&u);
    *domain = unpack_slice(&u);
    *rest = u.rest;
}

// Without what differs from one message of a kind to the next. Signatures that don't fit are left out.
static bool add_kind(struct buf *key, const struct message_dmarc_seen *m, int64_t begin) {
    struct message_dmarc_seen kind = *m;
    size_t prefix = key->n;
    kind.when = (struct wall){begin};
    kind.client.port = 0;
    kind.record = kind.record_domain = SLICE_EMPTY;
    for (kind.auths_n = m->auths_n + 1; kind.auths_n-- > 0;) {
        key->n = prefix;
        key->failed = false;
        if (message_dmarc_seen_pack(key, &kind))
            return true;
    }
    return false;
}

// --- counting

static void see_record(struct report_book *b, struct report_domain *d, struct slice record) {
    record = slice_upto(record, REPORT_BOOK_RECORD);
    if (slice_eq(record, report_domain_record(d)))
        return;
    memcpy(d->record, record.p, record.n);
    d->record_n = (uint32_t)record.n;
    bounded_changed(&b->domains, &d->entry);
}

bool report_book_add(struct report_book *b, const struct message_dmarc_seen *m) {
    BUF_AUTO struct buf key = {.max = KEY_MAX};
    int64_t begin = m->when.ms - m->when.ms % b->every;
    if (m->record_domain.n == 0 || m->record.n > REPORT_BOOK_RECORD || !add_prefix(&key, begin, m->record_domain))
        return false;
    struct report_domain *d = bounded_get(&b->domains, buf_slice(&key));
    if (!d || !add_kind(&key, m, begin))
        return false;
    see_record(b, d, m->record);
    struct row *r = bounded_get(&b->rows, buf_slice(&key));
    if (!r)
        return false;
    r->count++;
    bounded_changed(&b->rows, &r->entry);
    return true;
}

// --- whose time has come

struct slice report_domain_name(const struct report_domain *d) {
    struct slice domain, rest;
    int64_t begin;
    take_prefix(d->entry.key, &begin, &domain, &rest);
    return domain;
}

struct slice report_domain_record(const struct report_domain *d) {
    return slice_of(d->record, d->record_n);
}

static int64_t begin_of(const struct report_domain *d) {
    struct slice domain, rest;
    int64_t begin;
    take_prefix(d->entry.key, &begin, &domain, &rest);
    return begin;
}

static int64_t due_at(const struct report_book *b, const struct report_domain *d) {
    struct hash_key key = {{b->spread, 0}};
    int64_t most = b->every / 8 < SPREAD_MOST_MS ? b->every / 8 : SPREAD_MOST_MS;
    int64_t spread = (int64_t)(hash_sip(&key, d->entry.key) % (uint64_t)(most + 1));
    int64_t at = begin_of(d) + b->every + spread;
    return d->not_before.ms > at ? d->not_before.ms : at;
}

struct report_domain *report_book_due(struct report_book *b, struct wall now) {
    struct report_domain *d;
    for (size_t at = 0; (d = map_next(&b->domains.map, &at));)
        if (due_at(b, d) <= now.ms)
            return d;
    return NULL;
}

// --- the report

static bool is_of(const struct row *r, const struct report_domain *d) {
    return slice_starts(r->entry.key, d->entry.key);
}

static struct slice word(bool pass) { return pass ? SLICE("pass") : SLICE("fail"); }

static bool fill_auths(const struct message_dmarc_seen *m, struct arena *arena, struct dmarc_report_row *out) {
    out->auths = arena_alloc(arena, (m->auths_n + 1) * sizeof *out->auths);
    if (!out->auths)
        return false;
    out->auths_n = m->auths_n;
    for (size_t i = 0; i < m->auths_n; i++)
        out->auths[i] = (struct dmarc_report_auth){.dkim = m->auths[i].dkim,
                                                   .domain = m->auths[i].domain,
                                                   .selector = m->auths[i].selector,
                                                   .scope = m->auths[i].dkim ? SLICE_EMPTY : SLICE("mfrom"),
                                                   .result = m->auths[i].result};
    return true;
}

static bool fill_reason(const struct message_dmarc_seen *m, struct arena *arena, struct dmarc_report_row *out) {
    if (!m->override.n)
        return true;
    out->reasons = ARENA_NEW(arena, struct dmarc_report_reason);
    if (!out->reasons)
        return false;
    out->reasons_n = 1;
    *out->reasons = (struct dmarc_report_reason){m->override, m->override_comment};
    return true;
}

// RFC 9990: "pass" is a message that passed and would have met more than none.
static struct slice disposition_of(const struct message_dmarc_seen *m) {
    bool passed = m->dkim_aligned || m->spf_aligned;
    return passed && !slice_eq(m->policy, SLICE("none")) && slice_eq(m->disposition, SLICE("none")) ? SLICE("pass")
                                                                                                    : m->disposition;
}

static bool fill_row(const struct row *r, struct arena *arena, struct dmarc_report_row *out) {
    BUF_AUTO struct buf ip = {.max = 64};
    struct slice domain, rest;
    struct message_dmarc_seen m;
    int64_t begin;
    take_prefix(r->entry.key, &begin, &domain, &rest);
    rest = arena_dup(arena, rest); // the row may have to go while the report is sent
    if (!rest.p || !message_dmarc_seen_unpack(rest, arena, &m))
        return false;
    netaddr_add_ip(&ip, &m.client);
    *out = (struct dmarc_report_row){.source = arena_dup(arena, buf_slice(&ip)),
                                     .count = r->count,
                                     .disposition = disposition_of(&m),
                                     .dkim = word(m.dkim_aligned),
                                     .spf = word(m.spf_aligned),
                                     .from = m.from_domain,
                                     .envelope_from = m.envelope_from,
                                     .envelope_to = m.envelope_to};
    return out->source.p && fill_auths(&m, arena, out) && fill_reason(&m, arena, out);
}

static bool fill_rows(const struct report_book *b, const struct report_domain *d, struct arena *arena,
                      struct dmarc_report *out) {
    struct row *r;
    size_t n = 0;
    for (size_t at = 0; (r = map_next(&b->rows.map, &at));)
        n += is_of(r, d);
    out->rows = arena_alloc(arena, (n + 1) * sizeof *out->rows);
    if (!out->rows)
        return false;
    for (size_t at = 0; (r = map_next(&b->rows.map, &at));)
        if (is_of(r, d) && !fill_row(r, arena, &out->rows[out->rows_n++]))
            return false;
    return true;
}

static void fill_policy(const struct report_domain *d, struct arena *arena, struct dmarc_report *out) {
    struct dmarc_record r;
    if (dmarc_record_read(report_domain_record(d), &r, NULL) != DMARC_TEXT_POLICY)
        return;
    out->p = slice_str(dmarc_policy_name(r.policy));
    out->sp = slice_str(dmarc_policy_name(r.subdomain));
    out->np = slice_str(dmarc_policy_name(r.missing));
    out->fo = dmarc_record_fo(&r, arena);
    out->adkim = r.strict_dkim ? SLICE("s") : SLICE("r");
    out->aspf = r.strict_spf ? SLICE("s") : SLICE("r");
    out->testing = r.testing ? SLICE("y") : SLICE("n");
    out->discovery = SLICE("treewalk");
}

// The same each time it is made: who gets it twice can tell.
static struct slice make_id(const struct report_domain *d, struct arena *arena) {
    uint8_t digest[DIGEST_SHA256_SIZE];
    digest_of(DIGEST_SHA256, d->entry.key, digest);
    return arena_printf(arena, "%lld%02x%02x%02x%02x%02x%02x%02x%02x", (long long)(begin_of(d) / MS_SECOND), digest[0],
                        digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]);
}

bool report_book_fill(const struct report_book *b, const struct report_domain *d, struct arena *arena,
                      struct dmarc_report *out) {
    *out = (struct dmarc_report){.version = SLICE("1.0"),
                                 .id = make_id(d, arena),
                                 .begin = begin_of(d) / MS_SECOND,
                                 .end = (begin_of(d) + b->every) / MS_SECOND - 1,
                                 .domain = report_domain_name(d)};
    fill_policy(d, arena, out);
    return out->id.p && fill_rows(b, d, arena, out);
}

// --- afterwards

void report_book_remove(struct report_book *b, struct report_domain *d) {
    struct row *r;
    for (size_t at = 0; (r = map_next(&b->rows.map, &at));)
        if (is_of(r, d))
            bounded_remove(&b->rows, &r->entry);
    bounded_remove(&b->domains, &d->entry);
}

bool report_book_later(struct report_book *b, struct report_domain *d, struct wall now) {
    if (++d->tries >= REPORT_BOOK_TRIES) {
        report_book_remove(b, d);
        return false;
    }
    d->not_before = wall_add_ms(now, d->tries * (int64_t)AGAIN_MS);
    bounded_changed(&b->domains, &d->entry);
    return true;
}

// --- kept elsewhere: 'r' or 'd' and a digest, since keys are short there

static void put_key(struct buf *to, char kind, struct slice key) {
    uint8_t digest[DIGEST_SHA256_SIZE];
    digest_of(DIGEST_SHA256, key, digest);
    buf_add_char(to, kind);
    buf_add(to, slice_of(digest, sizeof digest));
}

static bool next_row(struct report_book *b, struct buf *key, struct buf *value) {
    struct bounded_entry *e = bounded_next_change(&b->rows);
    if (!e)
        return false;
    put_key(key, 'r', e->key);
    if (!e->gone) {
        pack_u64(value, ((struct row *)(void *)e)->count);
        buf_add(value, e->key);
    }
    bounded_kept(&b->rows, e);
    return true;
}

static bool next_domain(struct report_book *b, struct buf *key, struct buf *value) {
    struct bounded_entry *e = bounded_next_change(&b->domains);
    const struct report_domain *d = (const struct report_domain *)(void *)e;
    if (!e)
        return false;
    put_key(key, 'd', e->key);
    if (!e->gone) {
        pack_slice(value, e->key);
        pack_slice(value, report_domain_record(d));
        pack_u32(value, d->tries);
        pack_i64(value, d->not_before.ms);
    }
    bounded_kept(&b->domains, e);
    return true;
}

bool report_book_next_change(struct report_book *b, struct buf *key, struct buf *value) {
    return next_row(b, key, value) || next_domain(b, key, value);
}

void report_book_change_all(struct report_book *b) {
    bounded_change_all(&b->rows);
    bounded_change_all(&b->domains);
}

static bool key_ok(struct slice key, bool row) {
    struct unpack u = {.rest = key};
    int64_t begin = unpack_i64(&u);
    struct slice domain = unpack_slice(&u);
    ARENA_AUTO struct arena arena = {.max = 16 * 1024};
    struct message_dmarc_seen m;
    return !u.bad && begin >= 0 && domain.n && (row ? message_dmarc_seen_unpack(u.rest, &arena, &m) : u.rest.n == 0);
}

static bool load_row(struct report_book *b, struct slice value) {
    struct unpack u = {.rest = value};
    uint64_t count = unpack_u64(&u);
    if (u.bad || u.rest.n > KEY_MAX || !key_ok(u.rest, true))
        return false;
    struct row *r = bounded_get(&b->rows, u.rest);
    r->count = count;
    bounded_kept(&b->rows, &r->entry);
    return true;
}

static bool load_domain(struct report_book *b, struct slice value) {
    struct unpack u = {.rest = value};
    struct slice key = unpack_slice(&u), record = unpack_slice(&u);
    uint32_t tries = unpack_u32(&u);
    int64_t not_before = unpack_i64(&u);
    if (!unpack_end(&u) || record.n > REPORT_BOOK_RECORD || !key_ok(key, false))
        return false;
    struct report_domain *d = bounded_get(&b->domains, key);
    if (record.n)
        memcpy(d->record, record.p, record.n);
    d->record_n = (uint32_t)record.n;
    d->tries = tries;
    d->not_before.ms = not_before;
    bounded_kept(&b->domains, &d->entry);
    return true;
}

bool report_book_load(struct report_book *b, struct slice key, struct slice value) {
    if (key.n != 1 + DIGEST_SHA256_SIZE)
        return false;
    return key.p[0] == 'r' ? load_row(b, value) : key.p[0] == 'd' && load_domain(b, value);
}
