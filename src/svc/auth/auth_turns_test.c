// auth_turns_test: turns go round by networks, and those who wait are bounded.
#include "svc/auth/auth_turns.h"

#include "rt/fiber/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { CLIENTS_MAX = 200, WORK_MS = 50 };

struct here {
    struct loop *loop;
    struct fiber_group group;
    struct auth_turns turns;
    char order[CLIENTS_MAX + 1]; // whose turns, by letter
    size_t n;
    unsigned refused, late;
    int64_t patience_ms;
};

struct client {
    struct here *here;
    struct netaddr at;
    char letter;
};

static struct client clients[CLIENTS_MAX];

static void log_in(void *arg) {
    struct client *c = arg;
    struct here *h = c->here;
    struct err e;
    if (!auth_turns_take(&h->turns, &c->at, loop_in_ms(h->loop, h->patience_ms), &e)) {
        h->refused += e.kind == ERR_TEMPORARY;
        h->late += e.kind == ERR_TIMEOUT;
        return;
    }
    h->order[h->n++] = c->letter;
    fiber_sleep(WORK_MS);
    auth_turns_give(&h->turns);
}

static void begin(struct here *h, size_t at_once) {
    *h = (struct here){.loop = loop_new(true), .patience_ms = 100000};
    fiber_group_init(&h->group, h->loop, "test");
    auth_turns_init(&h->turns, at_once);
}

// Letters are networks: A is 10.0.0.0/24, B 10.0.1.0/24; a is 2001:db8:0::/48, and so on. Addresses within differ.
static void come(struct here *h, const char *letters) {
    size_t i = 0;
    for (; letters[i]; i++) {
        struct client *c = &clients[i];
        uint8_t net = (uint8_t)(letters[i] & 31);
        struct err e;
        *c = (struct client){.here = h, .letter = letters[i]};
        if (letters[i] < 'a')
            c->at = (struct netaddr){.family = NETADDR_V4, .ip = {10, 0, net, (uint8_t)i}};
        else
            c->at = (struct netaddr){.family = NETADDR_V6, .ip = {0x20, 1, 0xd, 0xb8, 0, net, (uint8_t)i}};
        assert_true(fiber_spawn(&h->group, "client", log_in, c, &e));
    }
}

static void end(struct here *h, const char *order) {
    loop_run(h->loop);
    assert_string_equal(h->order, order);
    assert_int_equal(h->turns.busy, 0);
    assert_int_equal(h->turns.waiting, 0);
    loop_free(h->loop);
}

static void goes_round(void **state) {
    struct here h;
    begin(&h, 1);
    come(&h, "AAAAAABaBC");
    end(&h, "AABaCABAAA");
}

static void lets_several(void **state) {
    struct here h;
    begin(&h, 3);
    come(&h, "AAAAAB");
    end(&h, "AAAABA");
}

static void bounds_a_network(void **state) {
    struct here h;
    begin(&h, 1);
    char who[AUTH_TURNS_NETWORK + 12] = {0};
    memset(who, 'A', AUTH_TURNS_NETWORK + 10);
    who[AUTH_TURNS_NETWORK + 10] = 'B';
    come(&h, who);
    loop_run(h.loop);
    assert_int_equal(h.refused, 9); // one was served while as many as may waited
    assert_int_equal(h.n, AUTH_TURNS_NETWORK + 2);
    assert_int_equal(h.order[2], 'B');
    loop_free(h.loop);
}

static void forgets_the_late(void **state) {
    struct here h;
    begin(&h, 1);
    h.patience_ms = WORK_MS + WORK_MS / 2;
    come(&h, "AAABB");
    end(&h, "AA");
    assert_int_equal(h.late, 3);
}

static void stop(void *arg) {
    struct here *h = arg;
    fiber_sleep(WORK_MS / 2);
    fiber_group_cancel(&h->group);
}

static void ends_when_stopped(void **state) {
    struct here h;
    struct err e;
    begin(&h, 1);
    come(&h, "AAB");
    assert_true(fiber_spawn(&h.group, "stop", stop, &h, &e));
    end(&h, "A");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_round),       cmocka_unit_test(lets_several),      cmocka_unit_test(bounds_a_network),
        cmocka_unit_test(forgets_the_late), cmocka_unit_test(ends_when_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
