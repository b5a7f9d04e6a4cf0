// resolver_unbound: contexts of libunbound, their settings, and its answers as ours.
#include "svc/resolver/resolver_unbound.h"

#include "base/mem.h"
#include "rt/disk/file.h"
#include "rt/journal.h"
#include "svc/resolver/unbound_events.h"
#include "wire/dns_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unbound-event.h>
#include <unbound.h>

enum {
    CLASS_IN = 1,
    TYPE_NS = 2,
    RCODE_NXDOMAIN = 3,
    SECURE = 2,
    BOGUS = 1,
    PROBE_AGAIN_MS = MS_HOUR,
    ANCHORS_MAX = 64 * 1024,
    NAME_BYTES_MAX = 254, // as text, final dot included
    PATH_BYTES_MAX = 1000,
};

struct unbound {
    struct resolver_backend backend;
    struct world *world;
    struct ub_event_base *events;
    struct ub_ctx *plain;      // no validation; NULL with recursion and dnssec
    struct ub_ctx *validating; // NULL: never
    bool validates;            // `validating` is the one to ask
    struct loop_timer probe;
    struct list waiting; // for libunbound's answers
};

// --- settings

// IANA's root zone anchors: the KSK of 2017 and the one of 2024 (https://data.iana.org/root-anchors/).
static const char *const anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

static const struct {
    const char *option, *value;
} options[] = {
    {"do-not-query-localhost:", "no"}, // forwarders on loopback are common
    {"infra-keep-probing:", "yes"},    // a server that was down is noticed when it is back
    {"outgoing-range:", "512"},        {"num-queries-per-thread:", "1024"}, {"unblock-lan-zones:", "yes"},
    {"insecure-lan-zones:", "yes"},    {"msg-cache-size:", "8m"},           {"rrset-cache-size:", "16m"},
};

// Names that libunbound would answer itself, and that a forwarder may well know.
static const char *const unblocked[] = {"test.", "invalid.", "home.arpa.", "onion."};

static bool done(int result, const char *what, struct err *e) {
    return result == 0 || err_set(e, ERR_TEMPORARY, "libunbound, %s: %s", what, ub_strerror(result));
}

static bool add_forwarder(struct ub_ctx *ctx, const struct netaddr *at, struct err *e) {
    char text[80];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    netaddr_add_ip(&b, at);
    buf_addf(&b, "@%u", at->port);
    buf_add_char(&b, '\0');
    return done(ub_ctx_set_fwd(ctx, text), "a forwarder", e);
}

static bool add_servers(struct ub_ctx *ctx, const struct config *c, struct err *e) {
    if (c->resolver == CONFIG_RESOLVER_SYSTEM)
        return done(ub_ctx_resolvconf(ctx, NULL), "reading /etc/resolv.conf", e);
    for (size_t i = 0; c->resolver == CONFIG_RESOLVER_FORWARD && i < c->forwarders_n; i++)
        if (!add_forwarder(ctx, &c->forwarders[i], e))
            return false;
    return true;
}

// The anchors of the package dns-root-data, which follow the root's roll-overs.
static bool add_packaged_anchors(struct ub_ctx *ctx) {
    char text[4096];
    struct err ignored;
    struct disk_file *f;
    size_t n = 0;
    bool added = false;
    struct disk *d = disk_of_path("/usr/share/dns", &ignored);
    if (!d)
        return false;
    if (disk_open(d, "root.ds", DISK_READ, &f, &ignored)) {
        if (!disk_file_read(f, text, sizeof text - 1, 0, &n, &ignored))
            n = 0;
        disk_file_close(f);
    }
    disk_free_kernel(d);
    for (struct slice line, rest = slice_of(text, n); rest.n;) {
        slice_cut(rest, '\n', &line, &rest);
        if (!slice_starts(line, SLICE(".")))
            continue;
        text[line.p + line.n - text] = '\0';
        added |= ub_ctx_add_ta(ctx, line.p) == 0;
    }
    return added;
}

// libunbound says only that something could not be set up: what can be known before is told here.
static bool name_of_file(struct slice path, char name[PATH_BYTES_MAX + 1], struct err *e) {
    if (path.n > PATH_BYTES_MAX)
        return err_set(e, ERR_PERMANENT, "the path of a file for the resolver is too long");
    memcpy(name, path.p, path.n);
    name[path.n] = '\0';
    return file_readable(name, e) || err_while(e, "resolver");
}

static bool add_hints(struct ub_ctx *ctx, const struct config *c, struct err *e) {
    char name[PATH_BYTES_MAX + 1];
    return c->root_hints.n == 0 ||
           (name_of_file(c->root_hints, name, e) && done(ub_ctx_set_option(ctx, "root-hints:", name), "root hints", e));
}

static bool add_anchors(struct ub_ctx *ctx, const struct config *c, struct err *e) {
    char name[PATH_BYTES_MAX + 1];
    if (c->trust_anchors.n)
        return name_of_file(c->trust_anchors, name, e) && done(ub_ctx_add_ta_file(ctx, name), "trust anchors", e);
    if (add_packaged_anchors(ctx))
        return true;
    for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++)
        if (!done(ub_ctx_add_ta(ctx, anchors[i]), "a trust anchor", e))
            return false;
    return true;
}

static bool set_up(struct ub_ctx *ctx, const struct config *c, bool validate, struct err *e) {
    ub_ctx_debugout(ctx, NULL);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!done(ub_ctx_set_option(ctx, options[i].option, options[i].value), options[i].option, e))
            return false;
    if (!add_servers(ctx, c, e) || !add_hints(ctx, c, e) || (validate && !add_anchors(ctx, c, e)))
        return false;
    // The first of these also makes libunbound read all files, before the jail.
    for (size_t i = 0; i < sizeof unblocked / sizeof *unblocked; i++)
        if (!done(ub_ctx_zone_remove(ctx, unblocked[i]), "reading its trust anchors and root hints", e))
            return false;
    return true;
}

static struct ub_ctx *context_new(struct unbound *u, const struct config *c, bool validate, struct err *e) {
    struct ub_ctx *ctx = ub_ctx_create_ub_event(u->events);
    if (!ctx) {
        err_set(e, ERR_TEMPORARY, "libunbound: out of memory");
        return NULL;
    }
    if (set_up(ctx, c, validate, e))
        return ctx;
    ub_ctx_delete(ctx);
    return NULL;
}

// --- questions

struct waiting {
    struct list entry;
    struct unbound *unbound;
    uint16_t type;
    void (*done)(void *arg, const struct message_resolve_reply *reply);
    void *arg;
};

static struct slice rcode_name(int rcode) {
    static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
    return slice_str(rcode >= 0 && rcode < 6 ? names[rcode] : "an error");
}

static void copy_records(const struct dns_answer *from, struct message_dns_record *to) {
    for (size_t i = 0; i < from->n; i++)
        to[i] = (struct message_dns_record){from->records[i].preference, from->records[i].ip, from->records[i].text};
}

static void fill(struct message_resolve_reply *reply, const struct dns_answer *a, struct message_dns_record *records) {
    copy_records(a, records);
    reply->why = SLICE_EMPTY;
    reply->records = records;
    reply->records_n = a->n;
    reply->ttl = a->ttl;
    reply->canonical = a->canonical;
    reply->status = a->rcode == RCODE_NXDOMAIN ? MESSAGE_DNS_NXDOMAIN : a->n ? MESSAGE_DNS_OK : MESSAGE_DNS_NODATA;
}

static void on_answer(void *arg, int rcode, void *packet, int packet_n, int sec, char *why_bogus, int ratelimited) {
    struct waiting *w = arg;
    ARENA_AUTO struct arena arena = {.max = 1024 * 1024};
    struct message_dns_record records[MESSAGE_DNS_RECORDS_MAX];
    struct dns_answer answer;
    struct message_resolve_reply reply = {.status = MESSAGE_DNS_FAILED, .why = rcode_name(rcode)};
    reply.security = sec == SECURE ? MESSAGE_DNS_SECURE : sec == BOGUS ? MESSAGE_DNS_BOGUS : MESSAGE_DNS_INSECURE;
    bool read = packet && (rcode == 0 || rcode == RCODE_NXDOMAIN) &&
                dns_answer_parse(slice_of(packet, (size_t)packet_n), w->type, MESSAGE_DNS_RECORDS_MAX, &arena, &answer);
    if (sec == BOGUS)
        reply.why = slice_str(why_bogus ? why_bogus : "no valid signature");
    else if (read && answer.referral) // of a forwarder that does not ask on
        reply.why = SLICE("a referral to other servers");
    else if (read && (answer.rcode == 0 || answer.rcode == RCODE_NXDOMAIN))
        fill(&reply, &answer, records);
    else if (read) // a failure from the cache is called back as a success; only its packet tells
        reply.why = rcode_name((int)answer.rcode);
    else if (rcode == RCODE_NXDOMAIN)
        reply.status = MESSAGE_DNS_NXDOMAIN;
    list_remove(&w->entry);
    w->done(w->arg, &reply);
    free(w);
}

// As libunbound reads a question: what isn't plain is escaped (RFC 1035 5.1). A sender's local part may be anything, and
// SPF makes names of it.
static bool write_name(struct slice name, char to[4 * NAME_BYTES_MAX + 1]) {
    size_t n = 0;
    if (name.n == 0 || name.n > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned c = (uint8_t)name.p[i];
        bool plain = c > ' ' && c < 0x7f && c != '\\';
        n += (size_t)snprintf(to + n, 5, plain ? "%c" : "\\%03u", c);
    }
    return true;
}

static void ask(struct resolver_backend *b, const struct message_resolve *q,
                void (*answered)(void *arg, const struct message_resolve_reply *reply), void *arg) {
    struct unbound *u = LIST_ENTRY(b, struct unbound, backend);
    char name[4 * NAME_BYTES_MAX + 1];
    int result = UB_SYNTAX;
    struct waiting *w = MEM_NEW(struct waiting);
    *w = (struct waiting){.unbound = u, .type = q->type, .done = answered, .arg = arg};
    list_append(&u->waiting, &w->entry);
    if (write_name(q->name, name))
        result = ub_resolve_event(u->validates ? u->validating : u->plain, name, q->type, CLASS_IN, w, on_answer, NULL);
    if (result == 0)
        return;
    struct message_resolve_reply reply = {.status = result == UB_SYNTAX ? MESSAGE_DNS_NXDOMAIN : MESSAGE_DNS_FAILED,
                                          .why = slice_str(ub_strerror(result))};
    list_remove(&w->entry);
    answered(arg, &reply);
    free(w);
}

// --- whether validation works through the forwarders

static void on_probed(void *arg, int rcode, void *packet, int packet_n, int sec, char *why_bogus, int ratelimited) {
    struct unbound *u = arg;
    u->validates = rcode == 0 && sec == SECURE;
    if (u->validates) {
        journal_mark(u->world->journal, JOURNAL_INFO, "dnssec-works");
        return;
    }
    journal_event(u->world->journal, JOURNAL_INFO, "dnssec-unavailable",
                  JOURNAL_Z("reason", why_bogus ? why_bogus : "the forwarder gives no signed answer for the root"));
    loop_timer_set(u->world->loop, &u->probe, loop_in_ms(u->world->loop, PROBE_AGAIN_MS));
}

static void probe(struct loop_timer *t) {
    struct unbound *u = LIST_ENTRY(t, struct unbound, probe);
    if (ub_resolve_event(u->validating, ".", TYPE_NS, CLASS_IN, u, on_probed, NULL) != 0)
        loop_timer_set(u->world->loop, &u->probe, loop_in_ms(u->world->loop, PROBE_AGAIN_MS));
}

// --- the backend

static void free_unbound(struct resolver_backend *b) {
    struct unbound *u = LIST_ENTRY(b, struct unbound, backend);
    if (u->plain)
        ub_ctx_delete(u->plain);
    if (u->validating)
        ub_ctx_delete(u->validating);
    loop_timer_stop(u->world->loop, &u->probe); // now: questions that stood open end with an answer, which sets it
    LIST_EACH(at, &u->waiting) {
        list_remove(at);
        free(LIST_ENTRY(at, struct waiting, entry));
    }
    unbound_events_free(u->events);
    free(u);
}

struct resolver_backend *resolver_unbound_new(struct world *w, const struct config *c, struct err *e) {
    struct unbound *u = MEM_NEW(struct unbound);
    bool strict = c->dnssec && c->resolver == CONFIG_RESOLVER_RECURSIVE;
    *u = (struct unbound){.backend = {.ask = ask, .free = free_unbound}, .world = w, .probe = {.fire = probe}};
    list_init(&u->waiting);
    u->events = unbound_events_new(w->loop);
    u->validates = strict;
    bool ok = (strict || (u->plain = context_new(u, c, false, e))) &&
              (!c->dnssec || (u->validating = context_new(u, c, true, e)));
    if (!ok) {
        free_unbound(&u->backend);
        return NULL;
    }
    if (c->dnssec && !strict)
        loop_timer_set(w->loop, &u->probe, loop_now(w->loop));
    return &u->backend;
}
