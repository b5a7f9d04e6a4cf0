// dmarc: the walk up the tree of DNS (RFC 9989 4.10), and what follows from what it finds.
#include "mail/dmarc/dmarc.h"

#include "mail/address.h"
#include "mail/dmarc/dmarc_record.h"

enum {
    NAMES_MAX = 8,    // of one walk (4.10)
    KNOWN_MAX = 128,  // names looked at for one message
    NAME_BYTES = 246, // of a domain that still has a name with _dmarc. before it
    WALKERS_MAX = 16, // identifiers that passed and are walked for
};

// What is known of one name.
struct node {
    struct slice domain;
    enum dmarc_text what;
    bool failed; // DNS gave no answer
    struct dmarc_record record;
    struct slice text;
};

struct walk { // nodes from the longest name to the shortest
    const struct node *nodes[NAMES_MAX];
    size_t n;
    bool failed;
    struct slice organisation;
    const struct node *psd; // the record that said psd=y above the start; may be NULL
};

struct check {
    const struct dmarc_query *q;
    struct oracle *oracle;
    struct arena *arena;
    struct dmarc_verdict *out;
    struct node *known[KNOWN_MAX];
    size_t known_n;
    struct walk *from; // NULL before it was needed
    size_t walks;
    bool uncertain;    // what failed for now could have made it pass
    bool other_record; // or could have been another record that holds
};

const char *dmarc_result_name(enum dmarc_result r) {
    static const char *const names[] = {"none", "pass", "fail", "temperror", "permerror"};
    return names[r];
}

const char *dmarc_policy_name(enum dmarc_policy p) {
    static const char *const names[] = {"none", "quarantine", "reject"};
    return names[p];
}

// --- names

static size_t count_labels(struct slice domain) {
    size_t n = 1;
    for (size_t i = 0; i < domain.n; i++)
        n += domain.p[i] == '.';
    return n;
}

static struct slice parent_of(struct slice domain) { return slice_from(domain, slice_find(domain, '.') + 1); }

// Whether `domain` is `top` or lies below it.
static bool is_below(struct slice domain, struct slice top) {
    return slice_ends(domain, top) && (domain.n == top.n || domain.p[domain.n - top.n - 1] == '.');
}

// 4.10 step 5: the next name to ask for; empty at the end.
static struct slice next_up(struct slice domain) {
    size_t n = count_labels(domain);
    do {
        domain = parent_of(domain);
        n--;
    } while (n >= NAMES_MAX);
    return domain;
}

// --- asking

static struct node *find_known(struct check *c, struct slice domain) {
    for (size_t i = 0; i < c->known_n; i++)
        if (slice_eq(c->known[i]->domain, domain))
            return c->known[i];
    return NULL;
}

static struct node *add_known(struct check *c, struct slice domain) {
    struct node *n = c->known_n < KNOWN_MAX ? ARENA_NEW(c->arena, struct node) : NULL;
    if (!n)
        return NULL;
    n->domain = domain;
    c->known[c->known_n++] = n;
    return n;
}

// 4.10 step 2: what isn't DMARC's is left out; several are as none.
static void take_answer(struct node *n, const struct oracle_answer *a) {
    size_t some = 0;
    n->failed = a->status == ORACLE_FAILED || a->status == ORACLE_TIMEOUT;
    for (size_t i = 0; a->status == ORACLE_OK && i < a->n; i++) {
        struct dmarc_record found;
        enum dmarc_text what = dmarc_record_read(a->records[i].text, &found, NULL);
        if (what == DMARC_TEXT_FOREIGN)
            continue;
        n->what = what;
        n->record = found;
        n->text = a->records[i].text;
        some++;
    }
    if (some > 1)
        n->what = DMARC_TEXT_FOREIGN;
}

// Asks for all of them at once. What is too long a name has no record.
static bool ask(struct check *c, struct node *const *nodes, size_t n) {
    struct oracle_question q[NAMES_MAX];
    struct oracle_answer a[NAMES_MAX];
    struct node *asked[NAMES_MAX];
    size_t asked_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (nodes[i]->domain.n > NAME_BYTES)
            continue;
        q[asked_n] =
            (struct oracle_question){ORACLE_TXT, arena_printf(c->arena, "_dmarc.%.*s", SLICE_ARG(nodes[i]->domain))};
        if (!q[asked_n].name.p)
            return false;
        asked[asked_n++] = nodes[i];
    }
    if (asked_n)
        c->oracle->ask(c->oracle, q, asked_n, c->arena, a);
    for (size_t i = 0; i < asked_n; i++)
        take_answer(asked[i], &a[i]);
    return true;
}

static const struct node *look_at(struct check *c, struct slice domain) {
    struct node *n = find_known(c, domain);
    if (n)
        return n;
    n = add_known(c, domain);
    return n && ask(c, &n, 1) ? n : NULL;
}

// --- the walk

// The name one label below `top` on the way down to `domain`.
static struct slice below(struct slice domain, struct slice top) {
    struct slice prefix = slice_upto(domain, domain.n - top.n - 1);
    size_t dot = slice_rfind(prefix, '.');
    return slice_from(domain, dot < prefix.n ? dot + 1 : 0);
}

// 4.10.2: psd=n says it itself, psd=y says it of the name below, else it is the highest with a record.
static void choose_organisation(struct walk *w) {
    w->organisation = w->nodes[0]->domain;
    for (size_t i = 0; i < w->n; i++) {
        const struct node *n = w->nodes[i];
        if (n->what == DMARC_TEXT_FOREIGN)
            continue;
        if (i > 0 && n->record.psd == DMARC_PSD_YES) {
            w->organisation = below(w->nodes[0]->domain, n->domain);
            w->psd = n;
            return;
        }
        w->organisation = n->domain;
        if (n->record.psd == DMARC_PSD_NO)
            return;
    }
}

// Where the walk ends (steps 2 and 6): names above say nothing any more, though they were asked for in the same go.
static void cut_walk(struct walk *w) {
    for (size_t i = 0; i < w->n; i++) {
        const struct node *n = w->nodes[i];
        w->failed |= n->failed;
        if (n->what != DMARC_TEXT_FOREIGN && n->record.psd != DMARC_PSD_UNKNOWN)
            w->n = i + 1;
    }
}

static struct walk *walk_up(struct check *c, struct slice domain) {
    struct walk *w = c->walks < WALKERS_MAX ? ARENA_NEW(c->arena, struct walk) : NULL;
    struct node *new[NAMES_MAX];
    size_t new_n = 0;
    c->walks++;
    for (; w && domain.n && w->n < NAMES_MAX; domain = next_up(domain)) {
        struct node *n = find_known(c, domain);
        if (!n && (n = add_known(c, domain)))
            new[new_n++] = n;
        if (!n)
            return NULL;
        w->nodes[w->n++] = n;
    }
    if (!w || !ask(c, new, new_n))
        return NULL;
    cut_walk(w);
    choose_organisation(w);
    return w;
}

static struct walk *walk_from(struct check *c) {
    if (!c->from)
        c->from = walk_up(c, c->out->from_domain);
    if (c->from)
        c->out->organisation = c->from->organisation;
    return c->from;
}

// --- the policy

static bool say(struct check *c, enum dmarc_result result, const char *why) {
    c->out->result = result;
    c->out->why = slice_str(why);
    return false;
}

static const struct node *record_at(const struct walk *w, struct slice domain) {
    for (size_t i = 0; i < w->n; i++)
        if (slice_eq(w->nodes[i]->domain, domain) && w->nodes[i]->what != DMARC_TEXT_FOREIGN)
            return w->nodes[i];
    return NULL;
}

// RFC 9989 3.2: a domain is missing if DNS says NXDOMAIN of it (RFC 8020). No answer: it is there.
static bool is_missing(struct check *c) {
    struct oracle_answer a;
    oracle_ask(c->oracle, ORACLE_A, c->out->from_domain, c->arena, &a);
    return a.status == ORACLE_NXDOMAIN;
}

// 4.10.1: the record of From's domain, else of its organisation, else of the public suffix.
static bool find_record(struct check *c, const struct node **found) {
    const struct node *own = look_at(c, c->out->from_domain);
    if (!own)
        return say(c, DMARC_TEMPERROR, "out of memory");
    if (own->failed)
        return say(c, DMARC_TEMPERROR, "DNS gave no answer about the record");
    *found = own;
    if (own->what != DMARC_TEXT_FOREIGN)
        return true;
    const struct walk *w = walk_from(c);
    if (!w)
        return say(c, DMARC_TEMPERROR, "out of memory");
    *found = record_at(w, w->organisation);
    if (!*found)
        *found = w->psd;
    c->other_record = w->failed;
    if (*found)
        return true;
    return w->failed ? say(c, DMARC_TEMPERROR, "DNS gave no answer about the record")
                     : say(c, DMARC_NONE, "no record is published");
}

static void choose_policy(struct check *c, const struct node *n) {
    struct dmarc_verdict *v = c->out;
    v->record_domain = n->domain;
    v->record_text = n->text;
    v->record = n->record;
    v->policy = n->record.policy;
    if (slice_eq(n->domain, v->from_domain))
        return;
    v->policy = n->record.subdomain;
    if (n->record.missing != n->record.subdomain && (v->missing = is_missing(c)))
        v->policy = n->record.missing;
}

// --- alignment

static struct slice last_label(struct slice domain) {
    size_t dot = slice_rfind(domain, '.');
    return dot < domain.n ? slice_from(domain, dot + 1) : domain;
}

static bool is_aligned(struct check *c, struct slice domain, bool strict) {
    struct slice ours = c->out->from_domain;
    if (slice_eq(domain, ours))
        return true;
    if (strict || !slice_eq(last_label(domain), last_label(ours)))
        return false;
    const struct walk *from = walk_from(c);
    // An organisation is above all of its names.
    if (from && !from->failed && !is_below(domain, from->organisation))
        return false;
    const struct walk *other = from ? walk_up(c, domain) : NULL;
    if (other && slice_eq(from->organisation, other->organisation))
        return true;
    c->uncertain |= !from || !other || from->failed || other->failed;
    return false;
}

static bool normal_domain(struct check *c, struct slice domain, struct slice *out) {
    return domain.n && address_normalize_domain(domain, c->arena, out, NULL);
}

static void check_spf(struct check *c) {
    struct slice domain;
    bool temporary = c->q->spf == SPF_TEMPERROR;
    if ((c->q->spf != SPF_PASS && !temporary) || !normal_domain(c, c->q->spf_domain, &domain) ||
        !is_aligned(c, domain, c->out->record.strict_spf))
        return;
    c->uncertain |= temporary;
    c->out->spf_aligned = !temporary;
}

static void check_signature(struct check *c, const struct dmarc_signature *s) {
    struct slice domain;
    bool temporary = s->result == DKIM_TEMPERROR;
    if ((s->result != DKIM_PASS && !temporary) || !normal_domain(c, s->domain, &domain) ||
        !is_aligned(c, domain, c->out->record.strict_dkim))
        return;
    c->uncertain |= temporary;
    c->out->dkim_aligned |= !temporary;
}

// --- words

static struct slice first_signer(const struct dmarc_query *q) {
    for (size_t i = 0; i < q->dkim_n; i++)
        if (q->dkim[i].result == DKIM_PASS)
            return q->dkim[i].domain;
    return SLICE_EMPTY;
}

static void explain_fail(struct check *c) {
    struct slice signer = first_signer(c->q), from = c->out->from_domain;
    bool spf = c->q->spf == SPF_PASS;
    if (spf && signer.n)
        c->out->why = arena_printf(c->arena, "SPF passed for %.*s and DKIM for %.*s, which are not %.*s",
                                   SLICE_ARG(c->q->spf_domain), SLICE_ARG(signer), SLICE_ARG(from));
    else if (spf || signer.n)
        c->out->why = arena_printf(c->arena, "%s passed for %.*s, which is not %.*s", spf ? "SPF" : "DKIM",
                                   SLICE_ARG(spf ? c->q->spf_domain : signer), SLICE_ARG(from));
    else
        c->out->why = SLICE("neither SPF nor DKIM passed");
}

static void explain_pass(struct check *c) {
    const struct dmarc_verdict *v = c->out;
    c->out->why = v->dkim_aligned && v->spf_aligned ? SLICE("DKIM and SPF")
                  : v->dkim_aligned                 ? SLICE("DKIM")
                                                    : SLICE("SPF");
}

enum dmarc_policy dmarc_policy_held(const struct dmarc_verdict *v) {
    return v->record.testing && v->policy != DMARC_POLICY_NONE ? v->policy - 1 : v->policy;
}

static void conclude(struct check *c) {
    struct dmarc_verdict *v = c->out;
    if (v->dkim_aligned || v->spf_aligned) {
        v->result = DMARC_PASS;
        explain_pass(c);
    } else if (c->other_record) { // 5.3.6
        say(c, DMARC_TEMPERROR, "DNS gave no answer about a record that might hold instead");
    } else if (c->uncertain) {
        say(c, DMARC_TEMPERROR, "something that could have passed got no answer of DNS");
    } else {
        v->result = DMARC_FAIL;
        v->asks = dmarc_policy_held(v);
        explain_fail(c);
    }
}

void dmarc_check(const struct dmarc_query *q, struct oracle *o, struct arena *arena, struct dmarc_verdict *out) {
    struct check c = {.q = q, .oracle = o, .arena = arena, .out = out};
    const struct node *record = NULL;
    *out = (struct dmarc_verdict){0};
    if (!normal_domain(&c, q->from_domain, &out->from_domain)) {
        say(&c, DMARC_PERMERROR, q->from_domain.n ? "From's domain is none" : "there is no one author");
        return;
    }
    out->organisation = out->from_domain;
    if (!find_record(&c, &record))
        return;
    if (record->what == DMARC_TEXT_UNUSABLE) {
        say(&c, DMARC_NONE, "the record has no policy that could be used");
        return;
    }
    choose_policy(&c, record);
    check_spf(&c);
    for (size_t i = 0; i < q->dkim_n; i++)
        check_signature(&c, &q->dkim[i]);
    conclude(&c);
}

bool dmarc_organisation(struct slice domain, struct oracle *o, struct arena *arena, struct slice *out) {
    struct check c = {.oracle = o, .arena = arena};
    const struct walk *w = walk_up(&c, domain);
    if (!w || w->failed)
        return false;
    *out = w->organisation;
    return true;
}
