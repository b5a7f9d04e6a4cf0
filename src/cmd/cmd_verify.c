// cmd_verify: what receivers make of a message: SPF, DKIM, ARC, DMARC, over DNS as it is or over a file.
#include "cmd/cmd.h"
#include "cmd/input.h"
#include "cmd/oracle_live.h"
#include "cmd/verify_show.h"

#include "base/num.h"
#include "mail/oracle/oracle_zone.h"
#include "rt/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { CONTENT_MAX = 100 * 1024 * 1024, ZONE_MAX = 16 * 1024 * 1024, ARENA_MAX = 512 * 1024 * 1024 };
enum { DNS_MS = 20 * MS_SECOND, DNS_ALL_MS = 60 * MS_SECOND }; // of a question; of all of them

// Our name in a result that is shown and not kept.
#define NAME SLICE("localhost")

struct dns {
    struct oracle_zone *zone;
    struct oracle_live *live;
};

static int usage(const struct args *a, const char *text) {
    fprintf(stderr, "%s: verify: %s; see: %s verify --help\n", a->program, text, a->program);
    return EX_USAGE;
}

// --- what is asked for

static bool take_word(const char *word, struct verify_wish *w) {
    bool all = !word || !strcmp(word, "all");
    w->spf = all || !strcmp(word, "spf");
    w->dkim = all || !strcmp(word, "dkim");
    w->arc = all || !strcmp(word, "arc");
    w->dmarc = all || !strcmp(word, "dmarc");
    return w->spf || w->dkim || w->arc || w->dmarc;
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

// With <> as in MAIL, or without.
static struct slice take_from(const char *text) {
    struct slice s = slice_trim(slice_str(text));
    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? slice_of(s.p + 1, s.n - 2) : s;
}

static int take_wish(const struct args *a, struct verify_wish *w) {
    static const char *const known[] = {"spf", "dkim", "arc", "dmarc", "all", NULL};
    *w = (struct verify_wish){.name = NAME, .helo = slice_str(a->helo), .from = take_from(a->from)};
    if (a->words_n > 1)
        return cmd_too_many(a, "verify", a->words[1]);
    if (!take_word(a->words_n ? a->words[0] : NULL, w))
        return cmd_unknown(a, "verify", a->words[0], known);
    if (!take_now(a, &w->now))
        return usage(a, "--now wants seconds since 1970");
    if (a->ip && !netaddr_parse_ip(slice_str(a->ip), &w->ip))
        return usage(a, "--ip wants an address");
    if (w->spf && !w->dmarc && !a->ip)
        return usage(a, "spf wants the client's address: --ip A");
    if (w->spf && !w->dmarc && !w->from.n && !w->helo.n)
        return usage(a, "spf wants a sender or a name: --from F, --helo H");
    return EX_OK;
}

// --- the message

static int read_content(const struct args *a, struct buf *out) {
    BUF_AUTO struct buf raw = {.max = CONTENT_MAX};
    struct err e;
    if (!input_read(&raw, &e)) {
        fprintf(stderr, "%s: verify: the message can't be read: %s\n", a->program, e.text);
        return EX_DATAERR;
    }
    if (!input_with_crlf(buf_slice(&raw), out)) {
        fprintf(stderr, "%s: verify: the message is too large\n", a->program);
        return EX_DATAERR;
    }
    return EX_OK;
}

// --- DNS

static int open_zone(const struct args *a, struct dns *dns) {
    BUF_AUTO struct buf text = {.max = ZONE_MAX};
    struct err e = {0};
    if (!input_read_file(a->dns, &text, &e)) {
        fprintf(stderr, "%s: verify: %s\n", a->program, e.text);
        return e.sys == ENOENT ? EX_NOINPUT : EX_DATAERR;
    }
    dns->zone = oracle_zone_new(buf_slice(&text), &e);
    if (dns->zone)
        return EX_OK;
    fprintf(stderr, "%s: verify: %s: %s\n", a->program, a->dns, e.text);
    return EX_DATAERR;
}

static int open_dns(const struct args *a, struct dns *dns) {
    *dns = (struct dns){0};
    if (a->dns)
        return open_zone(a, dns);
    dns->live = oracle_live_new(NULL, DNS_MS);
    oracle_live_hurry(dns->live, DNS_ALL_MS);
    return EX_OK;
}

static struct oracle *oracle_of(struct dns *dns) {
    return dns->zone ? oracle_zone_oracle(dns->zone) : oracle_live_oracle(dns->live);
}

static void close_dns(struct dns *dns) {
    oracle_zone_free(dns->zone);
    oracle_live_free(dns->live);
}

// --- all

static int evaluate(const struct args *a, const struct verify_wish *w, struct dns *dns) {
    ARENA_AUTO struct arena arena = {.max = ARENA_MAX};
    struct verify_found found;
    bool ok = verify_message(w, oracle_of(dns), &arena, &found);
    if (!ok)
        fprintf(stderr, "%s: verify: out of memory\n", a->program);
    else if (a->json)
        verify_show_json(w, &found);
    else
        verify_show(w, &found);
    verify_done(&found);
    return ok ? EX_OK : EX_OSERR;
}

int cmd_verify(const struct args *a) {
    BUF_AUTO struct buf content = {.max = 2 * (size_t)CONTENT_MAX};
    struct verify_wish w;
    struct dns dns;
    int code = take_wish(a, &w);
    if (code == EX_OK && (w.dkim || w.arc || w.dmarc))
        code = read_content(a, &content);
    if (code != EX_OK)
        return code;
    w.content = buf_slice(&content);
    code = open_dns(a, &dns);
    if (code == EX_OK)
        code = evaluate(a, &w, &dns);
    close_dns(&dns);
    return code;
}
