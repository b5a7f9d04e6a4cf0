// verify_message: each evaluator once, in the order in which one needs another.
#include "cmd/verify_message.h"

#include "mail/header/auth_results.h"
#include "mail/dmarc/author.h"
#include "mail/header/header.h"

enum { RESULTS_MAX = 64 * 1024 };

static bool wants_spf(const struct verify_wish *w) { return w->spf || w->dmarc; }
static bool wants_dkim(const struct verify_wish *w) { return w->dkim || w->dmarc; }

static void check_spf(const struct verify_wish *w, struct oracle *o, struct arena *arena, struct verify_found *f) {
    struct spf_query q = {.ip = w->ip, .helo = w->helo, .sender = w->from, .receiver = w->name, .now = w->now};
    if (w->ip.family == NETADDR_NONE)
        return;
    spf_check(&q, o, arena, &f->spf);
    f->spf_done = true;
    if (!w->from.n || !w->helo.n)
        return;
    q.sender = SLICE_EMPTY;
    spf_check(&q, o, arena, &f->helo);
    f->helo_done = true;
}

// --- what is signed

static struct slice body_of(struct slice content, struct slice header) {
    struct slice rest = slice_from(content, header.n);
    return slice_starts(rest, SLICE("\r\n")) ? slice_from(rest, 2) : rest;
}

static bool check_signatures(const struct verify_wish *w, struct oracle *o, struct arena *arena,
                             struct verify_found *f) {
    struct slice header = header_section(w->content);
    struct slice body = body_of(w->content, header);
    if (wants_dkim(w)) {
        if (!dkim_verify_begin(&f->dkim, header, w->now, arena))
            return false;
        dkim_verify_body(&f->dkim, body);
        dkim_verify_end(&f->dkim, o, arena);
    }
    if (w->arc) {
        if (!arc_verify_begin(&f->arc, header, w->now, arena))
            return false;
        arc_verify_body(&f->arc, body);
        arc_verify_end(&f->arc, o, arena);
    }
    return true;
}

// --- DMARC

static bool check_dmarc(struct oracle *o, struct arena *arena, struct verify_found *f) {
    struct dmarc_signature *list = arena_alloc(arena, (f->dkim.n + 1) * sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < f->dkim.n; i++)
        list[i] = (struct dmarc_signature){f->dkim.list[i].domain, f->dkim.list[i].selector,
                                           dkim_verdict_relied(&f->dkim.list[i])};
    struct dmarc_query q = {.from_domain = f->author, .dkim = list, .dkim_n = f->dkim.n};
    if (f->spf_done) {
        q.spf = f->spf.result;
        q.spf_domain = f->spf.domain;
    }
    dmarc_check(&q, o, arena, &f->dmarc);
    return true;
}

// --- all

static bool write_results(const struct verify_wish *w, struct arena *arena, struct verify_found *f) {
    BUF_AUTO struct buf b = {.max = RESULTS_MAX};
    struct auth_results r = {
        .authserv = w->name,
        .spf = w->spf && f->spf_done ? &f->spf : NULL,
        .spf_sender = w->from,
        .helo_spf = w->spf && f->helo_done ? &f->helo : NULL,
        .helo = w->helo,
        .dkim = w->dkim ? &f->dkim : NULL,
        .dmarc = w->dmarc ? &f->dmarc : NULL,
        .arc = w->arc ? &f->arc : NULL,
        .from = f->author,
    };
    if (!auth_results_write(&r, &b))
        return false;
    f->results = arena_dup(arena, buf_slice(&b));
    return f->results.p != NULL;
}

bool verify_message(const struct verify_wish *w, struct oracle *o, struct arena *arena, struct verify_found *out) {
    *out = (struct verify_found){0};
    if (w->dmarc && !author_domain(w->content, arena, &out->author, &out->author_why))
        out->author = SLICE_EMPTY;
    if (wants_spf(w))
        check_spf(w, o, arena, out);
    if (!check_signatures(w, o, arena, out))
        return false;
    if (w->dmarc && !check_dmarc(o, arena, out))
        return false;
    return write_results(w, arena, out);
}

void verify_done(struct verify_found *f) {
    dkim_verify_done(&f->dkim);
    arc_verify_done(&f->arc);
}
