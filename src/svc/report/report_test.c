// report_test: what smtpd tells becomes a mail for inject, over links in memory.
#include "svc/report/report.h"

#include "core/message/message.h"
#include "core/message/message_gate.h"
#include "core/message/message_keys.h"
#include "mail/dmarc/dmarc_report.h"
#include "mail/dmarc/report_unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PIPE = 1 << 20 };

struct house {
    struct loop *loop;
    struct world world;
    struct config *config;
    struct report_service *report;
    struct fiber_group group;
    struct link *smtpd, *inject, *resolver, *keys;
    int64_t days;       // that the wall clock is ahead
    unsigned questions; // of DNS
    bool deaf;          // DNS fails
    unsigned signatures;
    unsigned posts;
    struct buf content;
    char to[64];
};

static struct house *here;

static struct wall wall_here(void *arg) {
    int64_t ms = mono_ms_between(MONO_START, loop_now(here->loop));
    return (struct wall){20778 * (int64_t)MS_DAY + here->days * MS_DAY + ms % MS_DAY};
}
static void random_here(void *arg, void *to, size_t n) { memset(to, 7, n); }
static const struct world_ops ops = {.wall = wall_here, .random = random_here};

static struct config *config_here(void) {
    struct config_report mistakes = {0};
    struct config *c = config_parse(SLICE("version 1\nhostname mx.example.net\nlisten mx 127.0.0.1:2525\n"
                                          "dmarc reports from dmarc@example.net\n"
                                          "domain example.net { recipients any; deliver maildir \"/m/{local}\" }\n"),
                                    SLICE("/"), &mistakes);
    assert_non_null(c);
    config_report_done(&mistakes);
    return c;
}

static struct link *wire(struct house *h, enum role role) {
    struct transport *a, *b;
    transport_pair(PIPE, &a, &b);
    report_attach(h->report, link_new(h->loop, b, ROLE_REPORT, role), role, 0);
    return link_new(h->loop, a, role, ROLE_REPORT);
}

// --- the others

static void answer(struct house *h, const struct link_frame *f) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_resolve q;
    struct message_dns_record record = {.text = SLICE("v=DMARC1")};
    struct message_resolve_reply r = {.status = h->deaf ? MESSAGE_DNS_FAILED : MESSAGE_DNS_NXDOMAIN};
    assert_true(f->type == LINK_RESOLVE && message_resolve_unpack(f->payload, &q));
    h->questions++;
    if (!h->deaf && slice_eq(q.name, SLICE("example.org._report._dmarc.other.example")))
        r = (struct message_resolve_reply){.status = MESSAGE_DNS_OK, .records = &record, .records_n = 1};
    assert_true(message_resolve_reply_pack(&b, &r));
    link_send1(h->resolver, LINK_RESOLVE_REPLY, f->id, buf_slice(&b));
}

static void take_post(struct house *h, const struct link_frame *f) {
    struct message_post m;
    assert_true(f->type == LINK_POST && message_post_unpack(f->payload, &m));
    assert_true(slice_eq(m.sender, SLICE("dmarc@example.net")));
    snprintf(h->to, sizeof h->to, "%.*s", SLICE_ARG(m.recipient));
    buf_reset(&h->content);
    buf_add(&h->content, m.content);
    h->posts++;
}

static void resolver_lives(void *arg) {
    struct house *h = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(h->resolver, MONO_NEVER, &e))
        while (link_next(h->resolver, &f))
            answer(h, &f);
}

static void inject_lives(void *arg) {
    struct house *h = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(h->inject, MONO_NEVER, &e))
        while (link_next(h->inject, &f))
            take_post(h, &f);
}

static void answer_keys(struct house *h, const struct link_frame *f) {
    BUF_AUTO struct buf b = {.max = 4096};
    struct message_keys_dkim rule = {.key = 7,
                                     .ed25519 = true,
                                     .domain = SLICE("example.net"),
                                     .signer = SLICE("example.net"),
                                     .selector = SLICE("s1")};
    struct message_keys_set set = {.dkims = &rule, .dkims_n = 1};
    struct message_keys_signed reply = {
        .ok = true, .signature = SLICE("0123456789012345678901234567890123456789012345678901234567890123")};
    if (f->type == LINK_KEYS_WATCH) {
        assert_true(message_keys_set_pack(&b, &set));
        link_send1(h->keys, LINK_KEYS_SET, f->id, buf_slice(&b));
        return;
    }
    assert_true(f->type == LINK_KEYS_SIGN && message_keys_signed_pack(&b, &reply));
    h->signatures++;
    link_send1(h->keys, LINK_KEYS_SIGNED, f->id, buf_slice(&b));
}

static void keys_live(void *arg) {
    struct house *h = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(h->keys, MONO_NEVER, &e))
        while (link_next(h->keys, &f))
            answer_keys(h, &f);
}

static void say(struct house *h, const char *rua) {
    BUF_AUTO struct buf b = {.max = 4096}, record = {.max = 512};
    buf_addf(&record, "v=DMARC1; p=reject; rua=%s", rua);
    struct message_dmarc_seen m = {.when = wall_here(NULL),
                                   .from_domain = SLICE("example.org"),
                                   .record_domain = SLICE("example.org"),
                                   .record = buf_slice(&record),
                                   .policy = SLICE("reject"),
                                   .disposition = SLICE("reject")};
    assert_true(netaddr_parse_ip(SLICE("192.0.2.1"), &m.client) && message_dmarc_seen_pack(&b, &m));
    assert_true(link_send1(h->smtpd, LINK_DMARC_SEEN, 0, buf_slice(&b)));
}

// --- the tests

static void begin(struct house *h, bool signs) {
    *h = (struct house){.loop = loop_new(true), .config = config_here(), .content = {.max = 1 << 20}};
    struct err e;
    here = h;
    h->world = (struct world){.loop = h->loop, .ops = &ops};
    h->report = report_new(&h->world, h->config, signs);
    assert_true(report_start(h->report, store_memory_new(), NULL, &e));
    h->smtpd = wire(h, ROLE_SMTPD);
    h->inject = wire(h, ROLE_INJECT);
    h->resolver = wire(h, ROLE_RESOLVER);
    fiber_group_init(&h->group, h->loop, "test");
    assert_true(fiber_spawn(&h->group, "resolver", resolver_lives, h, &e) &&
                fiber_spawn(&h->group, "inject", inject_lives, h, &e));
}

static void end(struct house *h) {
    report_stop(h->report);
    fiber_group_join(report_fibers(h->report));
    fiber_group_cancel(&h->group);
}

static void run(struct house *h, void (*drive)(void *), bool signs) {
    struct err e;
    begin(h, signs);
    assert_true(fiber_spawn(&h->group, "drive", drive, h, &e));
    loop_run(h->loop);
    report_free(h->report);
    link_free(h->smtpd);
    link_free(h->inject);
    link_free(h->resolver);
    link_free(h->keys);
    config_free(h->config);
    loop_free(h->loop);
    buf_done(&h->content);
}

static void drive_own(void *arg) {
    struct house *h = arg;
    ARENA_AUTO struct arena arena = {.max = 1 << 20};
    BUF_AUTO struct buf xml = {.max = 1 << 20};
    struct dmarc_report r;
    struct err e = {0};
    say(h, "mailto:a@example.org");
    say(h, "mailto:a@example.org");
    fiber_sleep(MS_MINUTE);
    assert_int_equal(h->posts, 0);
    h->days = 1;
    fiber_sleep(2 * MS_HOUR);
    assert_int_equal(h->posts, 1);
    assert_string_equal(h->to, "a@example.org");
    assert_true(report_unpack(buf_slice(&h->content), &xml, &e) && dmarc_report_read(buf_slice(&xml), &arena, &r, &e));
    assert_true(r.rows_n == 1 && r.rows[0].count == 2 && slice_eq(r.rows[0].disposition, SLICE("reject")));
    assert_true(slice_eq(r.organisation, SLICE("example.net")));
    h->days = 3;
    fiber_sleep(2 * MS_HOUR);
    assert_int_equal(h->posts, 1);
    end(h);
}

static void drive_others(void *arg) {
    struct house *h = arg;
    say(h, "mailto:a@other.example,mailto:b@victim.example,MAILTO:a%40other.example");
    fiber_sleep(MS_SECOND);
    h->days = 1;
    fiber_sleep(2 * MS_HOUR);
    assert_int_equal(h->posts, 1);
    assert_string_equal(h->to, "a@other.example");
    end(h);
}

// Nobody is asked for ever.
static void drive_deaf(void *arg) {
    struct house *h = arg;
    h->deaf = true;
    say(h, "mailto:a@other.example");
    fiber_sleep(MS_SECOND);
    h->days = 1;
    fiber_sleep(12 * MS_HOUR);
    assert_int_equal(h->posts, 0);
    unsigned asked = h->questions;
    assert_true(asked > 0);
    h->deaf = false;
    h->days = 2;
    fiber_sleep(10 * MS_HOUR);
    assert_int_equal(h->questions, asked);
    end(h);
}

// Nothing leaves unsigned, whenever the process with the keys comes.
static void drive_signed(void *arg) {
    struct house *h = arg;
    struct err e = {0};
    say(h, "mailto:a@example.org");
    fiber_sleep(MS_SECOND);
    h->days = 1;
    fiber_sleep(2 * MS_HOUR);
    assert_int_equal(h->posts, 0);
    h->keys = wire(h, ROLE_KEYS);
    assert_true(fiber_spawn(&h->group, "keys", keys_live, h, &e));
    fiber_sleep(2 * MS_HOUR);
    assert_true(h->posts == 1 && h->signatures == 1);
    struct slice mail = buf_slice(&h->content);
    assert_true(slice_starts(mail, SLICE("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.net;")));
    assert_true(slice_search(mail, SLICE("\r\nFrom: <dmarc@example.net>\r\n")) < mail.n);
    end(h);
}

static void test_signed(void **state) {
    struct house h;
    run(&h, drive_signed, true);
}

static void test_own(void **state) {
    struct house h;
    run(&h, drive_own, false);
}

static void test_others(void **state) {
    struct house h;
    run(&h, drive_others, false);
}

static void test_deaf(void **state) {
    struct house h;
    run(&h, drive_deaf, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
