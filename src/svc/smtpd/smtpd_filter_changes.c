// smtpd_filter_changes: what one filter wants, kept until its answer is complete, then done at once.
#include "svc/smtpd/smtpd_filter_inside.h"

#include "base/mem.h"
#include "mail/address.h"
#include "mail/header/header.h"

#include <stdlib.h>

// --- the spool

static struct smtpd_filter_piece *last_piece(const struct smtpd_filter_spool *s) {
    return list_empty(&s->pieces) ? NULL : LIST_ENTRY(s->pieces.prev, struct smtpd_filter_piece, entry);
}

static bool hold(struct smtpd_filters *f, struct err *e) {
    if (f->outside->hold && !f->outside->hold(f->arg, SMTPD_FILTER_PIECE))
        return err_smtp(e, 451, "4.3.1", "too much content is held for filters, please try again later");
    return true;
}

bool smtpd_filter_spool_add(struct smtpd_filters *f, struct smtpd_filter_spool *s, struct slice bytes, struct err *e) {
    if (s->size + bytes.n > f->config->limits.message_size)
        return err_smtp(e, 552, "5.3.4", "the message is larger than %llu bytes",
                        (unsigned long long)f->config->limits.message_size);
    while (bytes.n) {
        struct smtpd_filter_piece *p = last_piece(s);
        if (!p || p->n == SMTPD_FILTER_PIECE) {
            if (!hold(f, e))
                return false;
            p = MEM_NEW(struct smtpd_filter_piece);
            list_append(&s->pieces, &p->entry);
        }
        struct slice part = slice_upto(bytes, SMTPD_FILTER_PIECE - p->n);
        memcpy(p->bytes + p->n, part.p, part.n);
        p->n += part.n;
        s->size += part.n;
        bytes = slice_from(bytes, part.n);
    }
    return true;
}

void smtpd_filter_spool_done(struct smtpd_filters *f, struct smtpd_filter_spool *s) {
    LIST_EACH(at, &s->pieces) {
        list_remove(at);
        free(LIST_ENTRY(at, struct smtpd_filter_piece, entry));
        if (f->outside->hold)
            f->outside->hold(f->arg, -(int64_t)SMTPD_FILTER_PIECE);
    }
    s->size = 0;
}

// --- collecting

void smtpd_filter_changes_begin(struct smtpd_filter_changes *c) {
    *c = (struct smtpd_filter_changes){0};
    c->last = &c->first;
}

static bool add_line_break(struct smtpd_filters *f, struct err *e) {
    return smtpd_filter_spool_add(f, &f->fresh, SLICE("\r\n"), e);
}

static size_t plain_run(struct slice s) {
    size_t i = 0;
    while (i < s.n && s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
        i++;
    return i;
}

// Every CR, LF or CRLF is a CRLF; a NUL goes. Pieces may be cut between the two.
static bool add_body(struct smtpd_filters *f, struct smtpd_filter_changes *c, struct slice bytes, struct err *e) {
    c->body = true;
    while (bytes.n) {
        size_t n = plain_run(bytes);
        if (n && c->cr && !add_line_break(f, e))
            return false;
        c->cr = c->cr && n == 0;
        if (n && !smtpd_filter_spool_add(f, &f->fresh, slice_upto(bytes, n), e))
            return false;
        bytes = slice_from(bytes, n);
        if (bytes.n == 0)
            break;
        bool cr = bytes.p[0] == '\r', ends = bytes.p[0] == '\n' || (cr && c->cr);
        if (ends && !add_line_break(f, e))
            return false;
        if (bytes.p[0] != '\0')
            c->cr = cr;
        bytes = slice_from(bytes, 1);
    }
    return true;
}

static bool end_body(struct smtpd_filters *f, struct smtpd_filter_changes *c, struct err *e) {
    return !c->cr || add_line_break(f, e);
}

static bool may(const struct smtpd_milter *m, uint32_t action, struct err *e) {
    return (m->options.actions & action) ||
           err_set(e, ERR_TEMPORARY, "it changes what it didn't say it would (0x%x)", action);
}

static bool keep(struct smtpd_filters *f, struct smtpd_filter_changes *c, const struct milter_answer *a,
                 struct err *e) {
    struct smtpd_filter_change *kept = ARENA_NEW(&f->arena, struct smtpd_filter_change);
    if (!kept || c->n++ >= SMTPD_FILTER_CHANGES_MAX)
        return err_set(e, ERR_TEMPORARY, "it wants too many changes");
    kept->answer = (struct milter_answer){
        .kind = a->kind,
        .index = a->index,
        .name = arena_dup(&f->arena, a->name),
        .value = arena_dup(&f->arena, a->value),
        .args = arena_dup(&f->arena, a->args),
    };
    if ((a->name.n && !kept->answer.name.p) || (a->value.n && !kept->answer.value.p))
        return err_set(e, ERR_TEMPORARY, "its changes are too large");
    *c->last = kept;
    c->last = &kept->next;
    return true;
}

bool smtpd_filter_changes_add(struct smtpd_filters *f, struct smtpd_filter_changes *c, const struct milter_answer *a,
                              struct err *e) {
    return a->kind == MILTER_REPLACES_BODY ? add_body(f, c, a->value, e) : keep(f, c, a, e);
}

// --- the header

// Without the blank in its values, a filter's "x" is meant as "Name: x".
static struct slice value_of(struct smtpd_filters *f, const struct smtpd_milter *m, struct slice value) {
    if (smtpd_milter_is(m, MILTER_LEADING_SPACE) || value.n == 0)
        return value;
    return arena_printf(&f->arena, " %.*s", SLICE_ARG(value));
}

// An index counts our own Received, which filters don't see: 0 is in front of it, 1 behind it. `*top` fields are in
// front of it so far.
static bool insert(struct header_edit *h, uint32_t index, struct slice name, struct slice value, size_t *top) {
    if (index > *top)
        return header_edit_insert(h, index - 1, name, value);
    return header_edit_insert(h, index, name, value) && ++*top;
}

static bool edit(struct smtpd_filters *f, const struct smtpd_milter *m, struct header_edit *h, size_t *top,
                 const struct milter_answer *a) {
    struct slice value = value_of(f, m, a->value);
    if (a->value.n && !value.p)
        return false;
    switch (a->kind) {
    case MILTER_ADDS_HEADER:
        return header_edit_add(h, a->name, value);
    case MILTER_INSERTS_HEADER:
        return insert(h, a->index, a->name, value, top);
    default:
        return header_edit_change(h, a->index, a->name, value);
    }
}

static bool is_header(const struct milter_answer *a) {
    return a->kind == MILTER_ADDS_HEADER || a->kind == MILTER_INSERTS_HEADER || a->kind == MILTER_CHANGES_HEADER;
}

static size_t count_fields(struct slice section) {
    struct header_field field;
    size_t n = 0;
    while (header_next(&section, &field))
        n++;
    return n;
}

// `*top`: bytes of it in front of our own Received.
static bool edit_header(struct smtpd_filters *f, const struct smtpd_milter *m, const struct smtpd_filter_changes *c,
                        struct buf *to, size_t *top, bool *changed, struct err *e) {
    struct header_edit h;
    size_t in_front = count_fields(slice_upto(buf_slice(&f->header), f->top));
    *changed = false;
    for (const struct smtpd_filter_change *at = c->first; at; at = at->next) {
        if (!is_header(&at->answer))
            continue;
        if (!*changed && !header_edit_begin(&h, buf_slice(&f->header), &f->arena))
            return err_set(e, ERR_TEMPORARY, "the header has too many fields to be changed");
        *changed = true;
        if (!edit(f, m, &h, &in_front, &at->answer))
            return err_set(e, ERR_TEMPORARY, "a header field that it wants can't be");
    }
    if (!*changed)
        return true;
    *top = header_edit_size(&h, in_front);
    if (!header_edit_write(&h, to) || to->n > f->config->limits.header_size)
        return err_set(e, ERR_TEMPORARY, "the header would be too large");
    return true;
}

// --- the envelope

// Recipients and sender as they would be.
struct envelope_edit {
    bool sender_changed;
    struct slice sender;
    struct slice *added, *removed; // SMTPD_FILTER_RECIPIENTS_MAX each
    size_t added_n, removed_n;
};

static struct slice *copy_list(struct smtpd_filters *f, const struct slice *list, size_t n) {
    struct slice *copy = arena_alloc(&f->arena, SMTPD_FILTER_RECIPIENTS_MAX * sizeof *copy);
    if (copy && n)
        memcpy(copy, list, n * sizeof *copy);
    return copy;
}

static bool envelope_begin(struct smtpd_filters *f, struct envelope_edit *v, struct err *e) {
    const struct smtpd_filtered *o = &f->out;
    *v = (struct envelope_edit){
        .sender_changed = o->sender_changed,
        .sender = o->sender,
        .added = copy_list(f, o->added, o->added_n),
        .removed = copy_list(f, o->removed, o->removed_n),
        .added_n = o->added_n,
        .removed_n = o->removed_n,
    };
    return (v->added && v->removed) || err_set(e, ERR_TEMPORARY, "its changes are too large");
}

// "<a@example.com>", or without its brackets.
static bool read_address(struct smtpd_filters *f, struct slice text, enum address_role role, struct slice *out,
                         struct err *e) {
    struct buf plain BUF_AUTO = {.max = 2 * ADDRESS_MAX + 4};
    struct address a;
    text = slice_trim(text);
    if (text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
        text = slice_of(text.p + 1, text.n - 2);
    if (text.n == 0 && role == ADDRESS_SENDER) {
        *out = SLICE_EMPTY;
        return true;
    }
    if (!address_parse(text, role, &f->arena, &a, e) || (a.domain.n && !address_normalize(&a, &f->arena, e)))
        return err_while(e, "an address that it gives");
    address_add(&plain, &a);
    *out = arena_dup(&f->arena, buf_slice(&plain));
    return out->p || err_set(e, ERR_TEMPORARY, "its changes are too large");
}

static bool take_out(struct slice *list, size_t *n, struct slice address) {
    for (size_t i = 0; i < *n; i++)
        if (slice_eq(list[i], address)) {
            list[i] = list[--*n];
            return true;
        }
    return false;
}

static bool put_in(struct slice *list, size_t *n, struct slice address, struct err *e) {
    for (size_t i = 0; i < *n; i++)
        if (slice_eq(list[i], address))
            return true;
    if (*n == SMTPD_FILTER_RECIPIENTS_MAX)
        return err_set(e, ERR_TEMPORARY, "it changes too many recipients");
    list[(*n)++] = address;
    return true;
}

static bool edit_envelope(struct smtpd_filters *f, const struct milter_answer *a, struct envelope_edit *v,
                          struct err *e) {
    struct slice address;
    switch (a->kind) {
    case MILTER_CHANGES_SENDER:
        v->sender_changed = true;
        return read_address(f, a->value, ADDRESS_SENDER, &v->sender, e);
    case MILTER_ADDS_RECIPIENT:
    case MILTER_ADDS_RECIPIENT_ARGS:
        if (!read_address(f, a->value, ADDRESS_RECIPIENT, &address, e))
            return false;
        return take_out(v->removed, &v->removed_n, address) || put_in(v->added, &v->added_n, address, e);
    case MILTER_DELETES_RECIPIENT:
        if (!read_address(f, a->value, ADDRESS_RECIPIENT, &address, e))
            return false;
        take_out(v->added, &v->added_n, address);
        return put_in(v->removed, &v->removed_n, address, e);
    default:
        return true;
    }
}

static bool edit_all_envelope(struct smtpd_filters *f, const struct smtpd_filter_changes *c, struct envelope_edit *v,
                              struct err *e) {
    if (!envelope_begin(f, v, e))
        return false;
    for (const struct smtpd_filter_change *at = c->first; at; at = at->next)
        if (!edit_envelope(f, &at->answer, v, e))
            return false;
    return true;
}

// --- all of it

static bool check_rights(const struct smtpd_milter *m, const struct smtpd_filter_changes *c, struct err *e) {
    uint32_t action;
    if (c->body && !may(m, MILTER_CHANGE_BODY, e))
        return false;
    for (const struct smtpd_filter_change *at = c->first; at; at = at->next)
        if (milter_answer_changes(&at->answer, &action) && !may(m, action, e))
            return false;
    return true;
}

static void say(struct smtpd_filters *f, const struct smtpd_milter *m, const struct milter_answer *a) {
    struct slice value = slice_upto(a->value, SMTPD_FILTER_WORDS / 2), name = slice_upto(a->name, 80);
    switch (a->kind) {
    case MILTER_ADDS_HEADER:
    case MILTER_INSERTS_HEADER:
        smtpd_filter_say(f, m, "adds %.*s", SLICE_ARG(name));
        break;
    case MILTER_CHANGES_HEADER:
        smtpd_filter_say(f, m, "%s %.*s", a->value.n ? "changes" : "removes", SLICE_ARG(name));
        break;
    case MILTER_ADDS_RECIPIENT:
    case MILTER_ADDS_RECIPIENT_ARGS:
        smtpd_filter_say(f, m, "adds recipient %.*s", SLICE_ARG(value));
        break;
    case MILTER_DELETES_RECIPIENT:
        smtpd_filter_say(f, m, "removes recipient %.*s", SLICE_ARG(value));
        break;
    case MILTER_CHANGES_SENDER:
        smtpd_filter_say(f, m, "changes the sender to %.*s", SLICE_ARG(value));
        break;
    case MILTER_QUARANTINES:
        smtpd_filter_say(f, m, "quarantine: %.*s", SLICE_ARG(value));
        f->out.quarantine = true;
        f->out.reason = a->value;
        break;
    default:
        break;
    }
}

static void take_body(struct smtpd_filters *f, const struct smtpd_milter *m) {
    struct list *to = &f->body.pieces;
    smtpd_filter_spool_done(f, &f->body);
    while (!list_empty(&f->fresh.pieces))
        list_append(to, list_shift(&f->fresh.pieces));
    f->body.size = f->fresh.size;
    f->fresh.size = 0;
    f->out.body_changed = true;
    smtpd_filter_say(f, m, "replaces the body");
}

static void take_envelope(struct smtpd_filters *f, const struct envelope_edit *v) {
    f->out.sender_changed = v->sender_changed;
    f->out.sender = v->sender;
    f->out.added = v->added;
    f->out.added_n = v->added_n;
    f->out.removed = v->removed;
    f->out.removed_n = v->removed_n;
}

bool smtpd_filter_changes_do(struct smtpd_filters *f, struct smtpd_milter *m, struct smtpd_filter_changes *c,
                             struct err *e) {
    struct buf header = {.max = f->header.max};
    struct envelope_edit envelope;
    bool header_changed;
    size_t top;
    if (c->n == 0 && !c->body)
        return true;
    if (!check_rights(m, c, e) || !edit_header(f, m, c, &header, &top, &header_changed, e) ||
        !edit_all_envelope(f, c, &envelope, e) || !end_body(f, c, e)) {
        buf_done(&header);
        return false;
    }
    if (header_changed) {
        buf_done(&f->header);
        f->header = header;
        f->top = top;
        f->out.header_changed = true;
    }
    take_envelope(f, &envelope);
    if (c->body)
        take_body(f, m);
    for (const struct smtpd_filter_change *at = c->first; at; at = at->next)
        say(f, m, &at->answer);
    return true;
}
