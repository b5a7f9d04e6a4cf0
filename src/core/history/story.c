// story: sentences.
#include "core/history/story.h"

#include "base/printable.h"
#include "core/queue/queue_id.h"

enum { MARGIN = 21, NAME = 22 }; // where sentences begin behind their time; the width of names in lists

struct teller {
    struct buf *to;
    const struct story_style *style;
    const struct record *before; // told just now, or NULL
};

// ---- words

static void safe(struct teller *t, struct slice text) {
    while (text.n) {
        size_t run = printable_run(text);
        uint32_t code;
        buf_add(t->to, slice_upto(text, run));
        text = slice_from(text, run);
        if (!text.n)
            return;
        size_t n = printable_decode(text, &code);
        if (n && printable_safe(code))
            buf_add(t->to, slice_upto(text, n));
        else
            buf_add_char(t->to, '?');
        text = slice_from(text, n ? n : 1);
    }
}

static void word(struct teller *t, const char *text) { buf_add_str(t->to, text); }

static void address(struct teller *t, struct slice a) {
    word(t, "<");
    safe(t, a);
    word(t, ">");
}

static void spaces(struct teller *t, size_t n) { buf_addf(t->to, "%*s", (int)n, ""); }

// "2026-11-21 10:41:15Z ", MARGIN bytes: UTC, as events have it.
static void begin_at(struct teller *t, struct wall when) {
    BUF_AUTO struct buf b = {.max = 64};
    wall_add_rfc3339(&b, when);
    for (size_t i = 0; i < 19; i++)
        buf_add_char(t->to, i < b.n && b.p[i] != 'T' ? b.p[i] : ' ');
    word(t, "Z ");
}

// A line of a list: what it is, once, then a name and a value.
static void item(struct teller *t, const char **what, struct slice name, struct slice value) {
    buf_addf(t->to, "  %-*s", MARGIN - 2, *what);
    *what = "";
    size_t before = t->to->n;
    safe(t, name);
    size_t used = t->to->n - before;
    if (value.n) {
        spaces(t, used < NAME ? NAME - used : 1);
        safe(t, value);
    }
    word(t, "\n");
}

// ---- who

static struct slice fact_of(const struct record *r, const char *name) {
    for (size_t i = 0; i < r->facts_n; i++)
        if (slice_eq(r->facts[i].name, slice_str(name)))
            return r->facts[i].value;
    return SLICE_EMPTY;
}

static bool same_client(const struct record *a, const struct record *b) {
    return a && netaddr_same_ip(&a->client, &b->client) && slice_eq(a->helo, b->helo) && slice_eq(a->user, b->user);
}

static void tell_client(struct teller *t, const struct record *r) {
    struct slice ptr = fact_of(r, "client.ptr");
    begin_at(t, r->when);
    if (r->client.family == NETADDR_NONE)
        word(t, "Somebody");
    else
        netaddr_add_ip(t->to, &r->client);
    if (ptr.n) {
        word(t, slice_eq(fact_of(r, "client.ptr-confirmed"), SLICE("true")) ? " (" : " (by its own word ");
        safe(t, ptr);
        word(t, ")");
    }
    word(t, " connected");
    if (r->helo.n) {
        word(t, ", said it was ");
        safe(t, r->helo);
    }
    if (r->user.n && r->stage != RECORD_LOGIN) {
        word(t, ", logged in as ");
        safe(t, r->user);
    }
    word(t, ".\n");
}

// ---- what

static void recipients(struct teller *t, const struct record *r) {
    enum { FEW = 3 };
    for (size_t i = 0; i < r->recipients_n && i < FEW; i++) {
        word(t, i == 0 ? " to " : i + 1 == r->recipients_n ? " and " : ", ");
        address(t, r->recipients[i]);
    }
    if (r->recipients_n > FEW)
        buf_addf(t->to, " and %zu other%s", r->recipients_n - FEW, r->recipients_n - FEW == 1 ? "" : "s");
}

static void mail(struct teller *t, const struct record *r) {
    word(t, " from ");
    address(t, r->sender);
    recipients(t, r);
}

static const char *verb(const struct record *r) {
    static const char *const verbs[RECORD_OUTCOMES] = {"accepted",  "refused",   "put off",  "taken and thrown away",
                                                       "held back", "delivered", "given up", "given up"};
    return verbs[r->outcome];
}

static const char *colour(const struct teller *t, const struct record *r) {
    bool good = r->outcome == RECORD_ACCEPTED || r->outcome == RECORD_DELIVERED;
    return good ? t->style->good : t->style->bad;
}

static void outcome(struct teller *t, const struct record *r) {
    buf_addf(t->to, "%s%s%s", colour(t, r), verb(r), t->style->plain);
}

static void tell_decision(struct teller *t, const struct record *r) {
    switch (r->stage) {
    case RECORD_CONNECT:
        word(t, "The connection was ");
        break;
    case RECORD_HELO:
        word(t, "Its name was ");
        break;
    case RECORD_LOGIN:
        word(t, "The log-in");
        if (r->user.n) {
            word(t, " of ");
            safe(t, r->user);
        }
        word(t, " was ");
        break;
    case RECORD_MAIL:
        word(t, "Mail from ");
        address(t, r->sender);
        word(t, " was ");
        break;
    case RECORD_RECIPIENT:
        word(t, "Mail");
        mail(t, r);
        word(t, " was ");
        break;
    default:
        word(t, "The message");
        mail(t, r);
        word(t, " was ");
    }
    outcome(t, r);
    if (r->queue_id && r->outcome != RECORD_REFUSED) {
        word(t, ", as ");
        queue_id_add(t->to, r->queue_id);
    }
    word(t, ".\n");
}

static void reply(struct teller *t, const struct record *r) {
    if (r->code)
        buf_addf(t->to, "%u ", r->code);
    if (r->enhanced[0])
        buf_addf(t->to, "%u.%u.%u ", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    safe(t, r->text);
}

static void tell_reply(struct teller *t, const struct record *r) {
    if (!r->code && !r->text.n)
        return;
    spaces(t, MARGIN);
    word(t, r->code ? "It was told: " : "Because: ");
    reply(t, r);
    word(t, "\n");
}

// ---- why

static void tell_rule(struct teller *t, const char **what, const struct record_rule *rule) {
    BUF_AUTO struct buf place = {.max = 512};
    if (rule->line)
        buf_addf(&place, "%.*s:%u", SLICE_ARG(t->style->configuration), rule->line);
    else
        buf_add_str(&place, "built-in");
    item(t, what, buf_slice(&place), rule->source);
}

// Whether what was decided is what this rule says. A refusal behind an `accept` is the server's own: there is no such
// recipient, the message is too large.
static bool decides(const struct record *r, const struct record_rule *rule) {
    static const char *const words[RECORD_OUTCOMES][4] = {
        [RECORD_REFUSED] = {"reject"},
        [RECORD_DEFERRED] = {"defer", "greylist", "reject"},
        [RECORD_DISCARDED] = {"discard"},
        [RECORD_HELD] = {"hold"},
    };
    if (r->outcome == RECORD_ACCEPTED)
        return true;
    for (size_t i = 0; i < 4 && words[r->outcome][i]; i++)
        if (slice_starts(rule->source, slice_str(words[r->outcome][i])))
            return true;
    return false;
}

static bool same_rule(const struct record_rule *a, const struct record_rule *b) {
    return a->line == b->line && slice_eq(a->source, b->source);
}

// The last that applied decided, or none: a refusal behind it is the server's own. What is held or thrown away may have
// been so from an earlier stage on.
static size_t deciding(const struct record *r) {
    bool earlier = r->outcome == RECORD_HELD || r->outcome == RECORD_DISCARDED;
    for (size_t i = r->rules_n; i-- > 0;) {
        if (!r->rules[i].matched)
            continue;
        if (decides(r, &r->rules[i]))
            return i;
        if (!earlier)
            break;
    }
    return r->rules_n;
}

// Those that applied beside it set tags, headers and the like.
static void tell_rules(struct teller *t, const struct record *r) {
    size_t last = deciding(r);
    const char *decided = "decided by", *applied = "applied before", *passed = "did not apply";
    if (last < r->rules_n)
        tell_rule(t, &decided, &r->rules[last]);
    else if (r->rules_n)
        item(t, &decided, SLICE("no rule"), SLICE_EMPTY);
    const struct record_rule *before = NULL;
    for (size_t i = 0; i < r->rules_n; i++) {
        if (i == last)
            applied = "applied after";
        else if (r->rules[i].matched && !(before && same_rule(before, &r->rules[i])))
            tell_rule(t, &applied, before = &r->rules[i]);
    }
    for (size_t i = 0; t->style->all && i < r->rules_n; i++)
        if (!r->rules[i].matched)
            tell_rule(t, &passed, &r->rules[i]);
}

static bool told_fact(const struct teller *t, const struct record_fact *f) {
    for (size_t i = 0; t->before && i < t->before->facts_n; i++)
        if (slice_eq(t->before->facts[i].name, f->name) && slice_eq(t->before->facts[i].value, f->value))
            return true;
    return false;
}

static bool told_dns(const struct teller *t, const struct record_dns *d) {
    for (size_t i = 0; t->before && i < t->before->dns_n; i++)
        if (slice_eq(t->before->dns[i].question, d->question) && slice_eq(t->before->dns[i].answer, d->answer))
            return true;
    return false;
}

static void tell_reasons(struct teller *t, const struct record *r) {
    const char *known = "known", *dns = "DNS said", *filters = "filters said", *tags = "tags";
    tell_rules(t, r);
    for (size_t i = 0; i < r->facts_n; i++)
        if (r->facts[i].value.n && !told_fact(t, &r->facts[i]))
            item(t, &known, r->facts[i].name, r->facts[i].value);
    for (size_t i = 0; i < r->dns_n; i++)
        if (!told_dns(t, &r->dns[i]))
            item(t, &dns, r->dns[i].question, r->dns[i].answer);
    for (size_t i = 0; i < r->filters_n; i++)
        item(t, &filters, r->filters[i].name, r->filters[i].words);
    for (size_t i = 0; i < r->tags_n; i++)
        item(t, &tags, r->tags[i], SLICE_EMPTY);
}

// ---- what became of it

static void tell_delivery(struct teller *t, const struct record *r) {
    static const char *const words[RECORD_OUTCOMES] = {
        [RECORD_DELIVERED] = "Delivered", [RECORD_DEFERRED] = "Not delivered yet, and tried again later:",
        [RECORD_BOUNCED] = "Given up:",   [RECORD_EXPIRED] = "Given up, no attempt having succeeded in time:",
        [RECORD_DISCARDED] = "Deleted",
    };
    const char *what = words[r->outcome] ? words[r->outcome] : verb(r);
    begin_at(t, r->when);
    buf_addf(t->to, "%s%s%s", colour(t, r), what, t->style->plain);
    recipients(t, r);
    if (r->remote.n) {
        word(t, ", by ");
        safe(t, r->remote);
    }
    if (r->code || r->text.n) {
        word(t, ": ");
        reply(t, r);
    } else {
        word(t, ".");
    }
    word(t, "\n");
}

static void tell_heading(struct teller *t, const struct record *r, struct slice session) {
    word(t, t->style->bold);
    if (r->queue_id) {
        word(t, "Message ");
        queue_id_add(t->to, r->queue_id);
        word(t, session.n ? ", session " : "");
    } else {
        word(t, session.n ? "Session " : "Decision");
    }
    safe(t, session);
    buf_addf(t->to, "%s\n", t->style->plain);
}

bool story_tell(struct buf *to, const struct record *const *records, size_t n, const struct story_style *style) {
    struct teller t = {.to = to, .style = style};
    struct slice session = SLICE_EMPTY;
    for (size_t i = 0; i < n && !session.n; i++)
        session = records[i]->session;
    if (n)
        tell_heading(&t, records[0], session);
    for (size_t i = 0; i < n; i++) {
        if (records[i]->stage == RECORD_DELIVERY) {
            tell_delivery(&t, records[i]);
            continue;
        }
        if (same_client(t.before, records[i])) {
            begin_at(&t, records[i]->when);
        } else {
            tell_client(&t, records[i]);
            spaces(&t, MARGIN);
        }
        tell_decision(&t, records[i]);
        tell_reply(&t, records[i]);
        tell_reasons(&t, records[i]);
        t.before = records[i];
    }
    return !to->failed;
}
