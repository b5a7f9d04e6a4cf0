// rates_test: buckets that empty and fill, who they are counted by, and what a refusal says.
#include "core/policy/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct hash_key key = {{1, 2}};

static struct mono at(int64_t ms) { return (struct mono){1000000000 + ms * 1000000}; }

static struct message_tally tally(enum config_rate_what what, const char *client) {
    struct message_tally m = {.what = what};
    assert_true(netaddr_parse_ip(slice_str(client), &m.client));
    return m;
}

static struct rates_refusal refusal;

static bool take(struct rates *r, enum config_rate_what what, const char *client, int64_t ms) {
    struct message_tally m = tally(what, client);
    return rates_take(r, &m, at(ms), &refusal);
}

static unsigned take_many(struct rates *r, const char *client, unsigned n, int64_t ms) {
    unsigned let = 0;
    while (n-- > 0)
        let += take(r, CONFIG_RATE_MESSAGES, client, ms);
    return let;
}

static void test_burst_then_rate(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 60, .per = MS_HOUR, .burst = 5, .line = 7}};
    struct rates r;
    rates_init(&r, list, 1, &key);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 0), 5);
    assert_ptr_equal(refusal.rate, &list[0]);
    assert_string_equal(refusal.text, "too many messages from 192.0.2.1; try again in 60 seconds");
    assert_int_equal(take_many(&r, "192.0.2.2", 100, 0), 5);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 59999), 0);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 60000), 1);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 60000 + 3 * 60000), 3);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 10LL * MS_HOUR), 5);
    assert_true(take(&r, CONFIG_RATE_RECIPIENTS, "192.0.2.1", 10LL * MS_HOUR)); // there is no rate of these
    rates_done(&r);
}

static void test_by_whom(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_NETWORK, .count = 1, .per = MS_SECOND, .burst = 1},
        {.what = CONFIG_RATE_RECIPIENTS, .by = CONFIG_RATE_HELO, .count = 1, .per = MS_SECOND, .burst = 1},
        {.what = CONFIG_RATE_UNKNOWN, .by = CONFIG_RATE_SENDER_DOMAIN, .count = 1, .per = MS_SECOND, .burst = 1},
        {.what = CONFIG_RATE_ERRORS, .by = CONFIG_RATE_RECIPIENT, .count = 1, .per = MS_SECOND, .burst = 1},
        {.what = CONFIG_RATE_CONNECTIONS, .by = CONFIG_RATE_CLIENT, .count = 1, .per = MS_SECOND, .burst = 1}};
    static const char *const want[] = {[CONFIG_RATE_MESSAGES] = "too many messages from 2001:db8::/48",
                                       [CONFIG_RATE_RECIPIENTS] = "too many recipients from hosts called m?x",
                                       [CONFIG_RATE_UNKNOWN] = "too many unknown recipients from example.net",
                                       [CONFIG_RATE_ERRORS] = "too many errors to ann@example.org",
                                       [CONFIG_RATE_CONNECTIONS] = "too many connections from 2001:db8:0:1::/64"};
    struct rates r;
    rates_init(&r, list, 5, &key);
    for (int what = 0; what < CONFIG_RATE_WHATS; what++) {
        struct message_tally m = tally((enum config_rate_what)what, "2001:db8:0:1::25");
        assert_true(what == CONFIG_RATE_MESSAGES || what == CONFIG_RATE_CONNECTIONS ||
                    (rates_take(&r, &m, at(0), &refusal) && rates_take(&r, &m, at(0), &refusal))); // no such name yet
        m.helo = SLICE("m\rx");
        m.sender_domain = SLICE("example.net");
        m.recipient = SLICE("ann@example.org");
        assert_true(rates_take(&r, &m, at(0), &refusal));
        m.helo = SLICE("M\rX");
        m.sender_domain = SLICE("Example.NET");
        m.recipient = SLICE("Ann@example.org");
        assert_false(rates_take(&r, &m, at(0), &refusal));
        assert_true(slice_starts(slice_str(refusal.text), slice_str(want[what])));
        assert_true(slice_ends(slice_str(refusal.text), SLICE("; try again in 1 second")));
    }
    rates_done(&r);
}

static void test_all_must_allow(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_NETWORK, .count = 3, .per = MS_HOUR, .burst = 3},
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 2, .per = MS_HOUR, .burst = 2}};
    struct rates r;
    rates_init(&r, list, 2, &key);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 0), 2);
    assert_ptr_equal(refusal.rate, &list[1]);
    assert_int_equal(take_many(&r, "192.0.2.2", 100, 0), 1); // what was refused took nothing of the network's
    assert_ptr_equal(refusal.rate, &list[0]);
    rates_done(&r);
}

static void test_local(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES,
         .by = CONFIG_RATE_CLIENT,
         .count = 1,
         .per = MS_HOUR,
         .burst = 1,
         .built_in = true},
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 3, .per = MS_HOUR, .burst = 3}};
    struct message_tally m = tally(CONFIG_RATE_MESSAGES, "127.0.0.1");
    struct rates r;
    rates_init(&r, list, 2, &key);
    m.local = true;
    for (int i = 0; i < 6; i++)
        assert_int_equal(rates_take(&r, &m, at(0), &refusal), i < 3);
    rates_done(&r);
}

static void test_told_once(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 60, .per = MS_HOUR, .burst = 2}};
    struct rates r;
    rates_init(&r, list, 1, &key);
    take_many(&r, "192.0.2.1", 2, 0);
    for (int i = 0; i < 10; i++) {
        assert_false(take(&r, CONFIG_RATE_MESSAGES, "192.0.2.1", 1));
        assert_int_equal(refusal.first, i == 0);
    }
    take_many(&r, "192.0.2.1", 1, MS_HOUR); // within it again
    take_many(&r, "192.0.2.1", 1, MS_HOUR);
    assert_false(take(&r, CONFIG_RATE_MESSAGES, "192.0.2.1", MS_HOUR));
    assert_true(refusal.first);
    rates_done(&r);
}

// Figures that no person would write: nothing overflows.
static void test_extremes(void **state) {
    static const struct {
        uint32_t count, burst;
        int64_t per;
        unsigned let; // of 1000 at once
    } rows[] = {{UINT32_MAX, UINT32_MAX, MS_SECOND, 1000},
                {1, UINT32_MAX, 366LL * MS_DAY, 73 /* what the clock holds */},
                {1, 0, MS_DAY, 1},
                {1, 1, 366LL * MS_DAY, 1},
                {0, 0, MS_DAY, 0},
                {1, 1, 0, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config_rate one = {
            .what = CONFIG_RATE_MESSAGES, .count = rows[i].count, .burst = rows[i].burst, .per = rows[i].per};
        struct rates r;
        rates_init(&r, &one, 1, &key);
        assert_int_equal(take_many(&r, "192.0.2.1", 1000, 0), rows[i].let);
        rates_done(&r);
    }
}

static void test_bounded(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 1, .per = MS_HOUR, .burst = 1},
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_HELO, .count = 1, .per = MS_HOUR, .burst = 1}};
    struct message_tally m = tally(CONFIG_RATE_RECIPIENTS, "192.0.2.1");
    struct rates r;
    rates_init(&r, list, 2, &key);
    assert_true(take(&r, CONFIG_RATE_MESSAGES, "192.0.2.1", 0));
    m = tally(CONFIG_RATE_MESSAGES, "2001:db8::1");
    m.client.family = NETADDR_NONE;
    for (int i = 0; i < RATES_ENTRIES + 10; i++) {
        char helo[32];
        snprintf(helo, sizeof helo, "h%d", i);
        m.helo = slice_str(helo);
        assert_true(rates_take(&r, &m, at(0), &refusal));
    }
    assert_int_equal(rates_entries(&r), RATES_ENTRIES + 1);
    assert_false(take(&r, CONFIG_RATE_MESSAGES, "192.0.2.1", 0)); // still known
    for (int i = 0; i < 100; i++)
        rates_sweep(&r, at(2LL * MS_HOUR));
    assert_int_equal(rates_entries(&r), 0);
    rates_done(&r);
}

// --- over an end and a start

struct kept {
    char key[400], value[40];
    size_t key_n, value_n;
};

static size_t keep_all(struct rates *r, int64_t ms, struct kept *to, size_t most) {
    struct rates_now now = {at(ms), {1000000 + ms}};
    for (size_t n = 0;; n++) {
        struct buf k = {.p = to[n % most].key, .cap = 400, .max = 400};
        struct buf v = {.p = to[n % most].value, .cap = 40, .max = 40};
        if (!rates_next_change(r, now, &k, &v))
            return n;
        to[n % most].key_n = k.n;
        to[n % most].value_n = v.n;
    }
}

static bool load(struct rates *r, const struct kept *from, int64_t ms) {
    struct rates_now now = {at(ms), {1000000 + ms}};
    return rates_load(r, slice_of(from->key, from->key_n), slice_of(from->value, from->value_n), now);
}

static void test_kept(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 60, .per = MS_HOUR, .burst = 10},
        {.what = CONFIG_RATE_RECIPIENTS, .by = CONFIG_RATE_CLIENT, .count = 1, .per = MS_SECOND, .burst = 1}};
    static const struct config_rate later[] = {
        {.what = CONFIG_RATE_RECIPIENTS, .by = CONFIG_RATE_NETWORK, .count = 1, .per = MS_HOUR, .burst = 1},
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 60, .per = MS_HOUR, .burst = 10, .line = 9}};
    struct kept kept[4];
    struct rates r;
    rates_init(&r, list, 2, &key);
    take_many(&r, "192.0.2.1", 100, 0);
    take_many(&r, "192.0.2.2", 5, 0);                 // still half full
    take(&r, CONFIG_RATE_RECIPIENTS, "192.0.2.3", 0); // over in a moment
    assert_int_equal(keep_all(&r, 0, kept, 4), 1);
    assert_int_equal(keep_all(&r, 0, kept + 1, 3), 0); // once
    rates_done(&r);
    rates_init(&r, later, 2, &key);
    assert_true(load(&r, kept, 30000));
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 59999), 0);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 60000), 1);
    assert_int_equal(take_many(&r, "192.0.2.2", 100, 60000), 10);
    assert_ptr_equal(refusal.rate, &later[1]);
    rates_sweep(&r, at(2LL * MS_HOUR)); // and forgotten elsewhere
    assert_int_equal(keep_all(&r, 2LL * MS_HOUR, kept + 1, 3), 1);
    assert_int_equal(kept[1].value_n, 0);
    assert_memory_equal(kept[1].key, kept[0].key, kept[0].key_n);
    rates_done(&r);
}

// A clock that stepped back makes nobody wait longer than an empty bucket would; what isn't ours is refused.
static void test_loaded(void **state) {
    static const struct config_rate list[] = {
        {.what = CONFIG_RATE_MESSAGES, .by = CONFIG_RATE_CLIENT, .count = 60, .per = MS_HOUR, .burst = 10}};
    struct kept kept[2];
    struct rates r;
    rates_init(&r, list, 1, &key);
    take_many(&r, "192.0.2.1", 100, 0);
    assert_int_equal(keep_all(&r, 0, kept, 2), 1);
    rates_done(&r);
    rates_init(&r, list, 1, &key);
    struct rates_now early = {at(0), {1}};
    assert_true(rates_load(&r, slice_of(kept->key, kept->key_n), slice_of(kept->value, kept->value_n), early));
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 59999), 0);
    assert_int_equal(take_many(&r, "192.0.2.1", 100, 60000), 1);
    for (size_t n = 0; n < kept->key_n; n++)
        if (n <= 20)
            assert_false(rates_load(&r, slice_of(kept->key, n), slice_of(kept->value, kept->value_n), early));
    assert_false(rates_load(&r, slice_of(kept->key, kept->key_n), slice_of(kept->value, 7), early));
    kept->key[2] = CONFIG_RATE_BYS;
    assert_false(rates_load(&r, slice_of(kept->key, kept->key_n), slice_of(kept->value, kept->value_n), early));
    rates_done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate), cmocka_unit_test(test_by_whom),   cmocka_unit_test(test_all_must_allow),
        cmocka_unit_test(test_local),           cmocka_unit_test(test_told_once), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_bounded),         cmocka_unit_test(test_kept),      cmocka_unit_test(test_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
