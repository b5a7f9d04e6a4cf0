// history_test: the service, with records from a session's process, a full disk, and frames that are none.
#include "svc/history/history.h"

#include "core/message/message_gate.h"
#include "core/history/record_file.h"
#include "rt/journal.h"
#include "rt/sim/sim_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PIPE = 1 << 22 };

// On a fiber nothing may jump away, as cmocka's asserts do.
#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

struct house {
    struct loop *loop;
    struct world world;
    struct config *config;
    struct seed seed;
    struct sim_disk *machine;
    struct journal journal;
    struct buf said;
    struct history_service *history;
    struct fiber_group group;
    struct link *link;
    bool broken;
    size_t seen;
};

static struct wall wall_here(void *arg) { return (struct wall){1795257675000}; }
static void random_here(void *arg, void *to, size_t n) { memset(to, 7, n); }
static const struct world_ops ops = {.wall = wall_here, .random = random_here};

static void read_link(void *arg) {
    struct house *h = arg;
    struct link_frame f;
    struct err e;
    while (link_receive(h->link, MONO_NEVER, &e))
        while (link_next(h->link, &f))
            continue;
    h->broken = true;
}

static void send(struct house *h, size_t n) {
    struct record r = {.session = SLICE("s"), .text = SLICE("why")};
    struct buf b = {.max = 1 << 20};
    for (size_t i = 0; i < n; i++)
        CHECK(message_records_add(&b, &r));
    CHECK(link_send1(h->link, LINK_RECORDS, 0, buf_slice(&b)));
    buf_done(&b);
}

static void look(void *arg, const char *name, struct slice bytes) {
    struct house *h = arg;
    ARENA_AUTO struct arena arena = {.max = 1 << 16};
    struct wall begun;
    struct slice packed;
    struct record r;
    if (!record_file_open(&bytes, &begun))
        return;
    while (record_file_next(&bytes, &packed)) {
        CHECK(record_unpack(packed, &arena, &r) && slice_eq(r.text, SLICE("why")));
        arena_reset(&arena);
        h->seen++;
    }
}

static size_t on_disk(struct house *h) {
    h->seen = 0;
    sim_disk_each(h->machine, look, h);
    return h->seen;
}

static size_t times(struct house *h, const char *event) {
    size_t n = 0;
    journal_flush(&h->journal);
    for (struct slice rest = buf_slice(&h->said); rest.n;) {
        size_t at = slice_search(rest, slice_str(event));
        n += at < rest.n;
        rest = slice_from(rest, at + 1);
    }
    return n;
}

static void script(void *arg) {
    struct house *h = arg;
    send(h, 1000);
    send(h, 10);
    fiber_sleep(1);
    CHECK(on_disk(h) == 1010);
    sim_disk_set_faults(h->machine, &(struct sim_disk_faults){.capacity = 1});
    for (size_t i = 0; i < 300; i++) {
        send(h, 5);
        fiber_sleep(1000);
    }
    CHECK(times(h, "history-stopped") == 1);
    CHECK(times(h, "history-goes-on") == 0);
    sim_disk_set_faults(h->machine, &(struct sim_disk_faults){.capacity = UINT64_MAX});
    fiber_sleep(61 * MS_SECOND);
    send(h, 5);
    fiber_sleep(1);
    CHECK(on_disk(h) == 1015);
    CHECK(times(h, "history-goes-on") == 1);
    link_send1(h->link, LINK_RECORDS, 0, SLICE("\1\0\0\0"));
    fiber_sleep(10);
    CHECK(h->broken);
    history_stop(h->history);
    fiber_group_join(history_fibers(h->history));
    fiber_group_cancel(&h->group);
}

static void test_service(void **state) {
    struct house h = {.loop = loop_new(true)};
    struct config_report report = {0};
    struct transport *a, *b;
    struct err e;
    h.config = config_parse(SLICE("version 1\nhostname mx.example.org\nlisten mx 127.0.0.1:2525\n"
                                  "domain example.org { recipients any; deliver maildir \"/m/{local}\" }\n"),
                            SLICE("/"), &report);
    assert_non_null(h.config);
    h.config->gate.history = (struct config_history){.size = 8 << 20, .days = 7 * (int64_t)MS_DAY};
    h.config->queue.reserve = 0;
    h.seed.state = 1;
    h.machine = sim_disk_new(&h.seed);
    h.said.max = 1 << 20;
    h.world = (struct world){.loop = h.loop, .ops = &ops, .disk = sim_disk_mount(h.machine), .journal = &h.journal};
    journal_init_memory(&h.journal, &(struct journal_setup){.role = "history", .now = wall_here}, &h.said);
    h.history = history_new(&h.world, h.config);
    assert_true(history_start(h.history, &e));
    transport_pair(PIPE, &a, &b);
    history_attach(h.history, link_new(h.loop, b, ROLE_HISTORY, ROLE_SMTPD), ROLE_SMTPD);
    h.link = link_new(h.loop, a, ROLE_SMTPD, ROLE_HISTORY);
    fiber_group_init(&h.group, h.loop, "test");
    assert_true(fiber_spawn(&h.group, "read", read_link, &h, &e) && fiber_spawn(&h.group, "script", script, &h, &e));
    loop_run(h.loop);
    assert_true(h.broken);
    link_free(h.link);
    history_free(h.history);
    sim_disk_unmount(h.world.disk);
    sim_disk_free(h.machine);
    journal_done(&h.journal);
    buf_done(&h.said);
    config_report_done(&report);
    config_free(h.config);
    loop_free(h.loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_service)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
