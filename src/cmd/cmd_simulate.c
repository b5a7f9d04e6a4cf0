// cmd_simulate: what policy would say of a session, and of sessions that there were.
#include "cmd/cmd.h"
#include "cmd/input.h"
#include "cmd/oracle_live.h"
#include "cmd/simulate_defaults.h"
#include "cmd/simulate_replay.h"
#include "cmd/simulate_show.h"

#include "base/mem.h"
#include "base/num.h"
#include "mail/address.h"
#include "rt/disk/file.h"
#include "svc/master/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MESSAGE_MAX = 100 * 1024 * 1024, DNS_MS = 20 * MS_SECOND, LIST_MS = 3 * MS_SECOND };

struct dns {
    struct oracle_zone *zone;
    struct oracle_live *live;
};

struct wish {
    struct site *site;
    struct config *defaults; // where there is no file
    struct simulate_session session;
    struct slice recipients[ARGS_MANY];
    struct simulate_fact facts[ARGS_MANY];
    size_t facts_n;
    struct wall now;
    struct buf content;
};

static int fail(const struct args *a, int code, const char *text, const char *word) {
    fprintf(stderr, "%s: simulate: %s%s%s%s\n", a->program, text, word ? ": \"" : "", word ? word : "",
            word ? "\"" : "");
    if (code == EX_USAGE)
        fprintf(stderr, "see: %s simulate --help\n", a->program);
    return code;
}

// --- what is asked for

// With <> as in MAIL, or without.
static struct slice bare(const char *text) {
    struct slice s = slice_trim(slice_str(text));
    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? slice_of(s.p + 1, s.n - 2) : s;
}

static bool is_address(struct slice s, enum address_role role) {
    ARENA_AUTO struct arena arena = {.max = 65536};
    struct address a;
    struct err ignored;
    return address_parse(s, role, &arena, &a, &ignored);
}

static int take_facts(const struct args *a, struct wish *w) {
    for (int i = 0; i < a->facts_n; i++) {
        struct simulate_fact *f = &w->facts[w->facts_n++];
        struct slice name, value;
        if (!slice_cut(slice_str(a->facts[i]), '=', &name, &value) ||
            !simulate_fact_named(slice_trim(name), &f->which, &f->name))
            return fail(a, EX_USAGE, "--fact wants NAME=VALUE of a fact that there is", a->facts[i]);
        if (!simulate_fact_value(f->which, slice_trim(value), &f->value))
            return fail(a, EX_USAGE, "this is no value of that fact", a->facts[i]);
    }
    return EX_OK;
}

static int take_recipients(const struct args *a, struct wish *w) {
    for (int i = 0; i < a->rcpts_n; i++) {
        w->recipients[i] = bare(a->rcpts[i]);
        if (!is_address(w->recipients[i], ADDRESS_RECIPIENT))
            return fail(a, EX_USAGE, "--rcpt wants an address", a->rcpts[i]);
    }
    w->session.recipients = w->recipients;
    w->session.recipients_n = (size_t)a->rcpts_n;
    return EX_OK;
}

static int take_session(const struct args *a, struct wish *w) {
    struct simulate_session *s = &w->session;
    if (!a->ip || !netaddr_parse_ip(slice_str(a->ip), &s->client))
        return fail(a, EX_USAGE, "--client wants the address of a client", a->ip);
    s->session = SLICE("simulated");
    s->helo = slice_str(a->helo);
    s->helo_said = true;
    s->sender = bare(a->from);
    s->user = slice_str(a->user);
    s->tls = a->tls;
    if (s->sender.n && !is_address(s->sender, ADDRESS_SENDER))
        return fail(a, EX_USAGE, "--from wants an address, or <>", a->from);
    return take_recipients(a, w);
}

static enum config_stage last_stage(const struct args *a) {
    return !a->helo      ? CONFIG_STAGE_CONNECT
           : !a->from    ? CONFIG_STAGE_HELO
           : !a->rcpts_n ? CONFIG_STAGE_MAIL
           : !a->message ? CONFIG_STAGE_RECIPIENT
                         : CONFIG_STAGE_CONTENT;
}

static bool take_now(const struct args *a, struct wall *now) {
    uint64_t seconds;
    *now = world_kernel_ops.wall(NULL);
    if (!a->now_time)
        return !a->now;
    if (!num_u64(slice_str(a->now_time), INT64_MAX / MS_SECOND, &seconds))
        return false;
    now->ms = (int64_t)seconds * MS_SECOND;
    return true;
}

static int take_message(const struct args *a, struct wish *w) {
    BUF_AUTO struct buf raw = {.max = MESSAGE_MAX};
    struct err e = {0};
    if (!a->message)
        return EX_OK;
    bool read = strcmp(a->message, "-") ? input_read_file(a->message, &raw, &e) : input_read(&raw, &e);
    if (!read)
        return fail(a, e.sys == ENOENT ? EX_NOINPUT : EX_DATAERR, e.text, NULL);
    if (!input_with_crlf(buf_slice(&raw), &w->content))
        return fail(a, EX_DATAERR, "the message is too large", a->message);
    w->session.content = buf_slice(&w->content);
    w->session.has_content = true;
    return EX_OK;
}

static int take_wish(const struct args *a, struct wish *w) {
    int code = take_facts(a, w);
    if (a->words_n)
        return cmd_too_many(a, "simulate", a->words[0]);
    if (code == EX_OK && !take_now(a, &w->now))
        return fail(a, EX_USAGE, "--now wants seconds since 1970", NULL);
    if (code == EX_OK && !a->replay)
        code = take_session(a, w);
    return code == EX_OK ? take_message(a, w) : code;
}

// Who only wants to see what the built-in rules do needs no file: the recipients' domains are then ours.
static bool is_absent(const struct args *a) {
    struct err e = {0};
    return !a->config_named && !a->replay && !file_readable(a->config, &e) && e.sys == ENOENT;
}

static int take_defaults(const struct args *a, struct wish *w) {
    struct config_report report;
    w->defaults = simulate_defaults(w->recipients, w->session.recipients_n, &report);
    int code = w->defaults ? EX_OK : fail(a, EX_USAGE, "no built-in configuration fits these domains; use -c FILE", NULL);
    config_report_done(&report);
    return code;
}

static int take_config(const struct args *a, struct wish *w) {
    BUF_AUTO struct buf mistakes = {.max = SITE_MISTAKES_MAX};
    if (is_absent(a))
        return take_defaults(a, w);
    if (site_read(a->config, &w->site, &mistakes))
        return EX_OK;
    fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&mistakes)));
    return EX_CONFIG;
}

// --- DNS

static int open_dns(const struct args *a, const struct config *c, struct dns *dns) {
    BUF_AUTO struct buf text = {.max = ORACLE_ZONE_TEXT_MAX};
    struct err e = {0};
    if (!a->dns) {
        dns->live = oracle_live_new(c, DNS_MS);
        return EX_OK;
    }
    if (!input_read_file(a->dns, &text, &e))
        return fail(a, e.sys == ENOENT ? EX_NOINPUT : EX_DATAERR, e.text, NULL);
    dns->zone = oracle_zone_new(buf_slice(&text), &e);
    return dns->zone ? EX_OK : fail(a, EX_DATAERR, e.text, a->dns);
}

static void hurry(void *arg, int64_t ms) { oracle_live_hurry(arg, ms); }

// As the server does: lists that are out of their senses aren't asked. One in a file need not have its test entries.
static enum dnsbl_state *test_lists(const struct config *c, struct dns *dns, struct oracle *o, struct arena *arena) {
    enum dnsbl_state *states = arena_alloc(arena, (c->gate.lists_n + 1) * sizeof *states);
    for (size_t i = 0; states && i < c->gate.lists_n; i++) {
        struct dnsbl_test t;
        if (dns->live)
            oracle_live_hurry(dns->live, (int64_t)num_min((uint64_t)c->gate.checks.dns_time, LIST_MS));
        dnsbl_self_test(&c->gate.lists[i], o, arena, &t);
        states[i] = dns->zone && t.state == DNSBL_DEAD ? DNSBL_GOOD : t.state;
        if (states[i] != DNSBL_GOOD)
            fprintf(stderr, "%.*s isn't asked: %.*s\n", SLICE_ARG(c->gate.lists[i].zone), SLICE_ARG(t.words));
    }
    return states;
}

// --- all

static const struct config *config_of(const struct wish *w) { return w->site ? w->site->config : w->defaults; }

static int simulate(const struct args *a, struct wish *w, struct dns *dns) {
    const struct config *c = config_of(w);
    ARENA_AUTO struct arena arena = {.max = 16 << 20};
    struct oracle *o = dns->zone ? oracle_zone_oracle(dns->zone) : oracle_live_oracle(dns->live);
    struct simulate s;
    simulate_begin(&s, c, o, w->now);
    s.configuration = w->site ? w->site->path : NULL;
    s.facts = w->facts;
    s.facts_n = w->facts_n;
    if (dns->live) {
        s.hurry = hurry;
        s.hurry_arg = dns->live;
    }
    s.outside.list_states = test_lists(c, dns, o, &arena);
    simulate_run(&s, &w->session, last_stage(a));
    if (a->json)
        simulate_show_json(&s, &w->session);
    else
        simulate_show(&s, &w->session);
    simulate_done(&s);
    return EX_OK;
}

static int run(const struct args *a, struct wish *w) {
    struct dns dns = {0};
    int code = take_wish(a, w);
    if (code == EX_OK)
        code = take_config(a, w);
    if (code == EX_OK && a->replay)
        return simulate_replay(a, w->site->config, w->facts, w->facts_n);
    if (code == EX_OK)
        code = open_dns(a, config_of(w), &dns);
    if (code == EX_OK)
        code = simulate(a, w, &dns);
    oracle_zone_free(dns.zone);
    oracle_live_free(dns.live);
    return code;
}

int cmd_simulate(const struct args *a) {
    struct wish *w = MEM_NEW(struct wish); // too large for a stack
    w->content.max = 2 * (size_t)MESSAGE_MAX;
    int code = run(a, w);
    buf_done(&w->content);
    site_free(w->site);
    config_free(w->defaults);
    free(w);
    return code;
}
