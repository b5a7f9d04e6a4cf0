// topology_test: links are symmetric and carry at least one type of message; restart waits grow to their bound.
#include "svc/master/topology.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool any_type_between(enum role a, enum role b) {
    for (int t = 0; t < LINK_TYPE_COUNT; t++)
        if (link_type_allowed((enum link_type)t, a, b) || link_type_allowed((enum link_type)t, b, a))
            return true;
    return false;
}

static void links_are_symmetric_and_of_use(void **state) {
    for (int a = 0; a < ROLE_COUNT; a++)
        for (int b = 0; b < ROLE_COUNT; b++) {
            assert_int_equal(topology_linked((enum role)a, (enum role)b), topology_linked((enum role)b, (enum role)a));
            if (topology_linked((enum role)a, (enum role)b))
                assert_true(any_type_between((enum role)a, (enum role)b));
        }
}

static void nobody_but_control_talks_to_master(void **state) {
    for (int a = 0; a < ROLE_COUNT; a++)
        assert_int_equal(topology_linked((enum role)a, ROLE_MASTER), a == ROLE_CONTROL);
}

static void every_role_is_started_once(void **state) {
    uint32_t seen = 0;
    for (size_t i = 0; i < TOPOLOGY_ROLES; i++)
        seen |= 1u << topology_order[i];
    assert_int_equal(seen, ROLE_ANY & ~ROLE_BIT(MASTER));
}

static void workers_come_from_the_configuration(void **state) {
    const struct config c = {.smtpd_workers = 3, .relay_workers = 2};
    assert_int_equal(topology_instances(&c, ROLE_SMTPD), 3);
    assert_int_equal(topology_instances(&c, ROLE_RELAY), 2);
    assert_int_equal(topology_instances(&c, ROLE_QUEUE), 1);
    assert_int_equal(topology_instances(&c, ROLE_POLICY), 1); // strangers are remembered, with users or without
    assert_int_equal(topology_instances(&c, ROLE_MASTER), 0);
}

static void restart_waits_grow(void **state) {
    static const struct {
        uint32_t deaths;
        int64_t ms;
    } cases[] = {{0, 0}, {1, 0}, {2, 100}, {3, 200}, {4, 400}, {8, 6400}, {9, 10000}, {4000000000u, 10000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(topology_restart_wait_ms(cases[i].deaths), cases[i].ms);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_symmetric_and_of_use),
        cmocka_unit_test(nobody_but_control_talks_to_master),
        cmocka_unit_test(every_role_is_started_once),
        cmocka_unit_test(workers_come_from_the_configuration),
        cmocka_unit_test(restart_waits_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
