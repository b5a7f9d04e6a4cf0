// story_test: what is meant by what somebody asks, and how it reads.
#include "core/history/story.h"

#include "core/queue/queue_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_matches(void **state) {
    struct slice to[] = {SLICE("Bob@Example.org"), SLICE("carol@example.org")};
    struct record r = {.session = SLICE("s3ss10n"),
                       .queue_id = 77,
                       .client = {NETADDR_V4, {192, 0, 2, 1}, 25},
                       .helo = SLICE("mx.example.net"),
                       .user = SLICE("dave"),
                       .sender = SLICE("ann@example.net"),
                       .recipients = to,
                       .recipients_n = 2};
    static const struct {
        const char *text;
        bool matches;
    } table[] = {
        {"s3ss10n", true},
        {"bob@example.org", true},
        {"<CAROL@example.org>", true},
        {"ann@example.net", true},
        {"@example.org", true},
        {"example.net", true},
        {"@EXAMPLE.NET", true},
        {"mx.example.net", true},
        {"dave", true},
        {"192.0.2.1", true},
        {"192.0.2.0/24", true},
        {"192.0.3.0/24", false},
        {"[192.0.2.1]", true},
        {"192.0.2.1:25", true},
        {"[192.0.2.2]", false},
        {"[IPv6:2001:db8::1]", false},
        {"<>", false},
        {"2001:db8::/32", false},
        {"@ample.org", false},
        {"bob", false},
        {"eve@example.org", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct story_wish w;
        story_wish_parse(slice_str(table[i].text), &w);
        if (story_matches(&w, &r) != table[i].matches)
            fail_msg("%s", table[i].text);
    }
    struct record bounce = {.stage = RECORD_MAIL, .client = {NETADDR_V6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 25}};
    static const char *const of_bounce[] = {"<>", "[IPv6:2001:db8::1]", "IPv6:2001:db8::1", "[2001:db8::1]:25",
                                            "2001:db8::/32"};
    for (size_t i = 0; i < sizeof of_bounce / sizeof *of_bounce; i++) {
        struct story_wish w;
        story_wish_parse(slice_str(of_bounce[i]), &w);
        if (!story_matches(&w, &bounce))
            fail_msg("%s", of_bounce[i]);
    }
    char id[QUEUE_ID_TEXT];
    queue_id_print(77, id);
    struct story_wish w;
    story_wish_parse(slice_of(id, sizeof id), &w);
    assert_true(story_matches(&w, &r));
    r.queue_id = 78;
    assert_false(story_matches(&w, &r));
}

static void test_keys(void **state) {
    struct record a = {.session = SLICE("s"), .queue_id = 0}, b = {.session = SLICE("s"), .queue_id = 5};
    BUF_AUTO struct buf ka = {.max = STORY_KEY}, kb = {.max = STORY_KEY}, kc = {.max = STORY_KEY};
    char name[300];
    memset(name, 'x', sizeof name);
    struct record c = {.session = slice_of(name, sizeof name)};
    story_key(&a, &ka);
    story_key(&b, &kb);
    story_key(&c, &kc);
    assert_false(slice_eq(buf_slice(&ka), buf_slice(&kb)));
    assert_false(ka.failed || kb.failed || kc.failed);
}

static void assert_story(const struct record *const *records, size_t n, bool all, const char *expected) {
    struct story_style style = {"", "", "", "", SLICE("posthouse.conf"), all};
    BUF_AUTO struct buf b = {.max = 1 << 20};
    assert_true(story_tell(&b, records, n, &style));
    buf_add_char(&b, '\0');
    assert_string_equal(b.p, expected);
}

static void test_refused(void **state) {
    struct slice bob = SLICE("bob@example.org");
    struct record_rule rules[] = {{SLICE("accept when client.trusted"), 0, false},
                                  {SLICE("tag \"odd\" unless helo.confirmed"), 9, true},
                                  {SLICE("reject when spf = fail \"spf\""), 12, true},
                                  {SLICE("accept"), 13, false}};
    struct record_fact facts[] = {{SLICE("client.ptr"), SLICE("h.example.net")},
                                  {SLICE("client.ptr-confirmed"), SLICE("true")},
                                  {SLICE("spf"), SLICE("fail")},
                                  {SLICE("spf.explanation"), SLICE_EMPTY}};
    struct record_dns dns[] = {{SLICE("TXT example.net"), SLICE("OK v=spf1 -all")}};
    struct record_filter filters[] = {{SLICE("rspamd"), SLICE("accept")}};
    struct slice tags[] = {SLICE("odd")};
    struct record r = {.when = {1795257675000},
                       .stage = RECORD_RECIPIENT,
                       .outcome = RECORD_REFUSED,
                       .session = SLICE("s1"),
                       .client = {NETADDR_V4, {192, 0, 2, 1}, 1025},
                       .helo = SLICE("h\033[2J.example.net"),
                       .sender = SLICE("ann@example.net"),
                       .recipients = &bob,
                       .recipients_n = 1,
                       .code = 550,
                       .enhanced = {5, 7, 1},
                       .text = SLICE("spf"),
                       .rules = rules,
                       .rules_n = 4,
                       .facts = facts,
                       .facts_n = 4,
                       .dns = dns,
                       .dns_n = 1,
                       .filters = filters,
                       .filters_n = 1,
                       .tags = tags,
                       .tags_n = 1};
    const struct record *records[] = {&r, &r};
    assert_story(records, 1, false,
                 "Session s1\n"
                 "2026-11-21 10:41:15Z 192.0.2.1 (h.example.net) connected, said it was h?[2J.example.net.\n"
                 "                     Mail from <ann@example.net> to <bob@example.org> was refused.\n"
                 "                     It was told: 550 5.7.1 spf\n"
                 "  decided by         posthouse.conf:12     reject when spf = fail \"spf\"\n"
                 "  applied before     posthouse.conf:9      tag \"odd\" unless helo.confirmed\n"
                 "  known              client.ptr            h.example.net\n"
                 "                     client.ptr-confirmed  true\n"
                 "                     spf                   fail\n"
                 "  DNS said           TXT example.net       OK v=spf1 -all\n"
                 "  filters said       rspamd                accept\n"
                 "  tags               odd\n");
    rules[1].matched = false;
    r.facts_n = r.dns_n = r.filters_n = r.tags_n = 0;
    r.helo = SLICE_EMPTY;
    assert_story(records, 2, true,
                 "Session s1\n"
                 "2026-11-21 10:41:15Z 192.0.2.1 connected.\n"
                 "                     Mail from <ann@example.net> to <bob@example.org> was refused.\n"
                 "                     It was told: 550 5.7.1 spf\n"
                 "  decided by         posthouse.conf:12     reject when spf = fail \"spf\"\n"
                 "  did not apply      built-in              accept when client.trusted\n"
                 "                     posthouse.conf:9      tag \"odd\" unless helo.confirmed\n"
                 "                     posthouse.conf:13     accept\n"
                 "2026-11-21 10:41:15Z Mail from <ann@example.net> to <bob@example.org> was refused.\n"
                 "                     It was told: 550 5.7.1 spf\n"
                 "  decided by         posthouse.conf:12     reject when spf = fail \"spf\"\n"
                 "  did not apply      built-in              accept when client.trusted\n"
                 "                     posthouse.conf:9      tag \"odd\" unless helo.confirmed\n"
                 "                     posthouse.conf:13     accept\n");
}

// What no rule decided isn't put down to one that applied.
static void test_no_rule(void **state) {
    struct slice bob = SLICE("bob@example.org");
    struct record_rule rules[] = {{SLICE("accept when client.trusted"), 0, true},
                                  {SLICE("accept when client.trusted"), 0, true}};
    struct record r = {.stage = RECORD_RECIPIENT,
                       .outcome = RECORD_REFUSED,
                       .when = {1795257675000},
                       .recipients = &bob,
                       .recipients_n = 1,
                       .rules = rules,
                       .rules_n = 2,
                       .code = 550,
                       .enhanced = {5, 1, 1},
                       .text = SLICE("no such recipient here")};
    const struct record *records[] = {&r};
    assert_story(records, 1, false,
                 "Decision\n"
                 "2026-11-21 10:41:15Z Somebody connected.\n"
                 "                     Mail from <> to <bob@example.org> was refused.\n"
                 "                     It was told: 550 5.1.1 no such recipient here\n"
                 "  decided by         no rule\n"
                 "  applied before     built-in              accept when client.trusted\n");
}

// One recipient's rule holds the message, whatever applied later.
static void test_held_earlier(void **state) {
    struct slice bob = SLICE("bob@example.org");
    struct record_rule rules[] = {{SLICE("hold when recipient = bob@example.org"), 3, true},
                                  {SLICE("tag late"), 7, true}};
    struct record r = {.stage = RECORD_CONTENT,
                       .outcome = RECORD_HELD,
                       .when = {1795257675000},
                       .queue_id = 77,
                       .recipients = &bob,
                       .recipients_n = 1,
                       .rules = rules,
                       .rules_n = 2};
    const struct record *records[] = {&r};
    assert_story(records, 1, false,
                 "Message 000000000002D\n"
                 "2026-11-21 10:41:15Z Somebody connected.\n"
                 "                     The message from <> to <bob@example.org> was held back, as 000000000002D.\n"
                 "  decided by         posthouse.conf:3      hold when recipient = bob@example.org\n"
                 "  applied after      posthouse.conf:7      tag late\n");
}

static void test_accepted(void **state) {
    struct slice to[] = {SLICE("a@example.org"), SLICE("b@example.org"), SLICE("c@example.org"),
                         SLICE("d@example.org")};
    struct record accepted = {.when = {1795257675000},
                              .stage = RECORD_CONTENT,
                              .session = SLICE("s1"),
                              .queue_id = 77,
                              .client = {NETADDR_V4, {192, 0, 2, 1}, 1025},
                              .helo = SLICE("h"),
                              .recipients = to,
                              .recipients_n = 4};
    struct record deferred = {.when = {1795257676000},
                              .stage = RECORD_DELIVERY,
                              .outcome = RECORD_DEFERRED,
                              .queue_id = 77,
                              .recipients = to,
                              .recipients_n = 1,
                              .code = 451,
                              .enhanced = {4, 3, 0},
                              .text = SLICE("later"),
                              .remote = SLICE("mx.example.org[192.0.2.9]:25")};
    struct record delivered = {.when = {1795257677000},
                               .stage = RECORD_DELIVERY,
                               .outcome = RECORD_DELIVERED,
                               .queue_id = 77,
                               .recipients = to,
                               .recipients_n = 1};
    struct record deleted = {.when = {1795257678000},
                             .stage = RECORD_DELIVERY,
                             .outcome = RECORD_DISCARDED,
                             .queue_id = 77,
                             .text = SLICE("by hand")};
    const struct record *records[] = {&accepted, &deferred, &delivered, &deleted};
    assert_true(story_order(&accepted, &deferred) < 0);
    assert_story(records, 4, false,
                 "Message 000000000002D, session s1\n"
                 "2026-11-21 10:41:15Z 192.0.2.1 connected, said it was h.\n"
                 "                     The message from <> to <a@example.org>, <b@example.org>, <c@example.org> and 1 "
                 "other was accepted, as 000000000002D.\n"
                 "2026-11-21 10:41:16Z Not delivered yet, and tried again later: to <a@example.org>, by "
                 "mx.example.org[192.0.2.9]:25: 451 4.3.0 later\n"
                 "2026-11-21 10:41:17Z Delivered to <a@example.org>.\n"
                 "2026-11-21 10:41:18Z Deleted: by hand\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches),      cmocka_unit_test(test_keys),
                                       cmocka_unit_test(test_refused),      cmocka_unit_test(test_no_rule),
                                       cmocka_unit_test(test_held_earlier), cmocka_unit_test(test_accepted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
