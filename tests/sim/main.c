// sim: runs whole houses over a fake clock, network, DNS and disk, everything from one seed, and judges what became of
// every message.
//
//     sim                  2,000 seeds (POSTHOUSE_SIM_SEEDS), on all cores
//     sim --seeds 100      from 1, or from --from
//     sim --seed 42        one, with every event; it runs exactly as it did among the others
#include "house.h"
#include "ledger.h"
#include "people.h"

#include "base/mem.h"
#include "rt/fiber/loop.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PERSONS_MAX = 6,
    TROUBLE_MS = 20 * MS_MINUTE, // while things go wrong
    DRAIN_MS = 5 * MS_HOUR,      // and then while nothing does
};

// What goes wrong in a seed.
struct weather {
    bool network, kills, crashes, disk, clock, full, slow;
};

struct world_of_seed {
    uint64_t run;
    struct seed seed;
    struct loop *loop;
    struct sim_net *net;
    struct house *here, *there;
    struct ledger ledger;
    struct weather weather;
    int64_t clock_offset_ms;
    struct fiber_group director, outside;
    struct person persons[PERSONS_MAX];
    struct stranger stranger;
    struct net *persons_port, *stranger_port;
    char trouble[200]; // why it could not go on; empty when it could
    bool trace;
};

static const char here_text[] =
    "version 1\nhostname mx.example.org\nstate /state\nlisten mx 10.0.0.1:25\n"
    "history { size 0 }\n"
    "tls out never\n"
    "table users inline { \"alice\" \"bob\" }\n"
    "domain example.org { recipients users; deliver maildir \"/mail/{domain}/{local}\" }\n"
    "relay from 10.0.1.0/24\nroute * via mx\n"
    "queue { retry 30s .. 5m; expire 4h; concurrency 2 .. 8; attempts 40; segment 1M; reserve 1M }\n";
static const char there_text[] = "version 1\nhostname mx.example.net\nstate /state\nlisten mx 10.0.0.2:25\n"
                                 "history { size 0 }\n"
                                 "tls out never\n"
                                 "table users inline { \"carol\" }\n"
                                 "domain example.net { recipients users; deliver maildir \"/mail/{domain}/{local}\" }\n"
                                 "route * via mx\n"
                                 "queue { retry 30s .. 5m; expire 4h; segment 1M; reserve 1M }\n";
static const char *const dns[] = {
    "example.net MX 10 mx.example.net",
    "mx.example.net A 10.0.0.2",
    "example.org MX 10 mx.example.org",
    "mx.example.org A 10.0.0.1",
    "sink.example MX 10 down.sink.example",
    "sink.example MX 20 mx.sink.example",
    "down.sink.example A 10.0.0.99",
    "mx.sink.example A 10.0.0.3",
    "slow.example MX DELAY 4000",
    "slow.example MX 10 mx.sink.example",
    NULL,
};

static struct seed first_state(uint64_t run) { return (struct seed){run * 0x2545f4914f6cdd1d}; }

static struct netaddr address(uint8_t third, uint8_t last, uint16_t port) {
    return (struct netaddr){.family = NETADDR_V4, .ip = {10, 0, third, last}, .port = port};
}

static struct weather choose_weather(struct seed *s) {
    return (struct weather){
        .network = seed_chance(s, 500),
        .kills = seed_chance(s, 400),
        .crashes = seed_chance(s, 350),
        .disk = seed_chance(s, 250),
        .clock = seed_chance(s, 200),
        .full = seed_chance(s, 150),
        .slow = seed_chance(s, 300),
    };
}

static void set_faults(struct world_of_seed *w, bool trouble) {
    struct sim_net_faults net = {.latency_ms_max = 80};
    struct sim_disk_faults disk = {.capacity = 64 << 20};
    if (trouble && w->weather.network)
        net = (struct sim_net_faults){40, 20, 120, 60, 400};
    if (trouble && w->weather.disk)
        disk = (struct sim_disk_faults){.write_per_mille = 15, .sync_per_mille = 30, .capacity = 64 << 20};
    if (trouble && w->weather.full)
        disk.capacity = 4 << 20;
    w->stranger.slow_ms = trouble && w->weather.slow ? 15 * MS_SECOND : 0;
    w->stranger.trouble_per_mille = trouble && w->weather.network ? 80 : 0;
    sim_net_set_faults(w->net, &net);
    sim_disk_set_faults(house_state_disk(w->here), &disk);
    sim_disk_set_faults(house_state_disk(w->there), &disk);
}

static FIBER_FN void raise_the_fallen(struct house *h) {
    if (house_fell(h))
        house_crash(h);
}

// Brings a house up again, as often as its disk makes it fail.
static FIBER_FN bool up(struct world_of_seed *w, struct house *h) {
    struct err e;
    for (int try = 0; try < 50; try++) {
        raise_the_fallen(h);
        if (house_up(h, &e))
            return true;
        fiber_sleep(2000);
    }
    snprintf(w->trouble, sizeof w->trouble, "a house did not come up again: %.150s", e.text);
    return false;
}

static FIBER_FN void make_trouble(struct world_of_seed *w) {
    static const enum role victims[] = {ROLE_SMTPD,  ROLE_QUEUE,    ROLE_RELAY,  ROLE_DELIVER,
                                        ROLE_INJECT, ROLE_RESOLVER, ROLE_LOOKUP, ROLE_POLICY};
    struct seed *s = &w->seed;
    struct house *h = seed_chance(s, 700) ? w->here : w->there;
    if (w->weather.kills && seed_chance(s, 600)) {
        w->ledger.falls++;
        house_kill(h, victims[seed_below(s, sizeof victims / sizeof *victims)]);
        fiber_sleep((int64_t)seed_below(s, 1000));
    } else if (w->weather.crashes && seed_chance(s, 300)) {
        w->ledger.falls++;
        house_crash(h);
        fiber_sleep((int64_t)seed_below(s, 20000));
    } else if (w->weather.crashes && seed_chance(s, 700)) {
        w->ledger.falls++;
        house_fall_at(h, seed_chance(s, 250), 1 + seed_below(s, 60));
    } else if (w->weather.clock && seed_chance(s, 300)) {
        w->clock_offset_ms += (int64_t)seed_below(s, 2 * MS_HOUR) - MS_HOUR / 2;
    }
}

static FIBER_FN bool live_through_trouble(struct world_of_seed *w) {
    struct mono until = loop_in_ms(w->loop, TROUBLE_MS);
    while (mono_before(loop_now(w->loop), until)) {
        fiber_sleep((int64_t)(500 + seed_below(&w->seed, w->weather.kills ? 30000 : 90000)));
        make_trouble(w);
        if (!up(w, w->here) || !up(w, w->there))
            return false;
    }
    return true;
}

static void hang_up(struct world_of_seed *w) {
    fiber_group_cancel(&w->outside);
    sim_net_kill(w->persons_port);
    sim_net_kill(w->stranger_port);
}

static FIBER_FN void direct(void *arg) {
    struct world_of_seed *w = arg;
    if (up(w, w->here) && up(w, w->there) && live_through_trouble(w)) {
        set_faults(w, false);
        if (w->weather.crashes) { // what was about to fall, falls now
            w->ledger.falls++;
            house_crash(w->here);
            house_crash(w->there);
        }
        if (up(w, w->here) && up(w, w->there))
            fiber_sleep(DRAIN_MS);
    }
    hang_up(w);
    fiber_group_join(&w->outside);
    house_stop(w->here);
    house_stop(w->there);
}

static void start_people(struct world_of_seed *w) {
    struct err e;
    size_t n = 1 + (size_t)seed_below(&w->seed, PERSONS_MAX);
    struct netaddr ip = address(1, 1, 0), sink = address(0, 3, 0);
    w->persons_port = sim_net_port(w->net, &ip);
    w->stranger_port = sim_net_port(w->net, &sink);
    w->stranger = (struct stranger){.loop = w->loop,
                                    .seed = &w->seed,
                                    .listener = sim_net_listen(w->stranger_port, 25),
                                    .ledger = &w->ledger,
                                    .group = &w->outside};
    bool ok = fiber_spawn(&w->outside, "stranger", stranger_run, &w->stranger, &e);
    for (size_t i = 0; ok && i < n; i++) {
        w->persons[i] = (struct person){
            .loop = w->loop,
            .seed = &w->seed,
            .net = w->persons_port,
            .server = address(0, 1, 25),
            .ledger = &w->ledger,
            .house = w->here,
            .run = w->run,
            .begin_ms = (int64_t)seed_below(&w->seed, 2 * MS_MINUTE),
            .messages = 1 + (unsigned)seed_below(&w->seed, 8),
        };
        ok = fiber_spawn(&w->outside, "person", person_run, &w->persons[i], &e);
    }
    if (!ok)
        snprintf(w->trouble, sizeof w->trouble, "%.150s", e.text);
}

static void print_events(void *arg) {
    struct world_of_seed *w = arg;
    house_flush(w->here);
    house_flush(w->there);
}

static struct house *build(struct world_of_seed *w, const char *name, uint8_t last, const char *text) {
    struct house_setup setup = {
        .loop = w->loop,
        .seed = &w->seed,
        .net = w->net,
        .ip = address(0, last, 0),
        .name = name,
        .configuration = text,
        .dns = dns,
        .clock_offset_ms = &w->clock_offset_ms,
        .trace = w->trace,
    };
    return house_new(&setup);
}

// Mailboxes: /mail/example.org/alice/new/...
static void look_into_mailbox(void *arg, const char *name, struct slice bytes) {
    struct world_of_seed *w = arg;
    char domain[64], local[64], address_text[140];
    if (sscanf(name, "mail/%63[^/]/%63[^/]/new/", domain, local) != 2 || !strstr(name, "/new/"))
        return;
    snprintf(address_text, sizeof address_text, "%s@%s", local, domain);
    ledger_arrived(&w->ledger, address_text, bytes);
}

static bool judge(struct world_of_seed *w, struct buf *report) {
    bool good = true;
    sim_disk_each(house_mail_disk(w->here), look_into_mailbox, w);
    sim_disk_each(house_mail_disk(w->there), look_into_mailbox, w);
    if (w->trouble[0])
        good = !buf_addf(report, "STUCK %s\n", w->trouble);
    if (loop_fibers(w->loop))
        return !buf_addf(report, "FIBERS %zu did not end\n", loop_fibers(w->loop));
    w->ledger.cuts = sim_net_cuts(w->net);
    return ledger_verdict(&w->ledger, report) && good;
}

static bool run_seed(uint64_t run, bool trace, struct buf *report, unsigned *acknowledged) {
    struct world_of_seed *w = MEM_NEW(struct world_of_seed);
    w->run = run;
    w->trace = trace;
    w->seed = first_state(run);
    w->loop = loop_new(true);
    loop_shuffle(w->loop, &w->seed);
    w->net = sim_net_new(w->loop, &w->seed);
    fiber_group_init(&w->director, w->loop, "director");
    fiber_group_init(&w->outside, w->loop, "outside");
    w->weather = choose_weather(&w->seed);
    w->here = build(w, "here", 1, here_text);
    w->there = build(w, "there", 2, there_text);
    if (trace)
        loop_on_idle(w->loop, print_events, w);
    start_people(w);
    set_faults(w, true);
    struct err e;
    if (!fiber_spawn(&w->director, "director", direct, w, &e))
        snprintf(w->trouble, sizeof w->trouble, "%.150s", e.text);
    loop_run(w->loop);
    bool good = judge(w, report);
    *acknowledged = w->ledger.acknowledged;
    if (loop_fibers(w->loop) == 0) { // else it is a finding, and what hangs is left for a debugger
        house_free(w->here);
        house_free(w->there);
        sim_net_port_free(w->persons_port);
        sim_net_port_free(w->stranger_port);
        sim_net_free(w->net);
        loop_free(w->loop);
        free(w);
    }
    return good;
}

// --- many seeds

static void show_weather(uint64_t run) {
    struct seed seed = first_state(run);
    struct weather w = choose_weather(&seed);
    printf("# seed %llu:%s%s%s%s%s%s%s\n", (unsigned long long)run, w.network ? " network" : "",
           w.kills ? " kills" : "", w.crashes ? " crashes" : "", w.disk ? " disk" : "", w.clock ? " clock" : "",
           w.full ? " full" : "", w.slow ? " slow" : "");
}

static int run_one(uint64_t run) {
    BUF_AUTO struct buf report = {.max = 100000};
    unsigned acknowledged;
    show_weather(run);
    bool good = run_seed(run, true, &report, &acknowledged);
    printf("%.*s# seed %llu: %s, %u acknowledged\n", SLICE_ARG(buf_slice(&report)), (unsigned long long)run,
           good ? "good" : "NOT GOOD", acknowledged);
    return good ? 0 : 1;
}

// Every `step`th seed. The number of those that failed is the exit code, at most 100.
static int run_share(uint64_t from, uint64_t to, uint64_t step) {
    int failed = 0;
    for (uint64_t run = from; run < to; run += step) {
        BUF_AUTO struct buf report = {.max = 100000};
        unsigned acknowledged = 0;
        alarm(60); // a seed that hangs is a finding: the signal ends this share, and says which one it was
        fprintf(stderr, "\rseed %llu ", (unsigned long long)run);
        if (run_seed(run, false, &report, &acknowledged))
            continue;
        failed++;
        printf("not ok - seed %llu (again, with every event: sim --seed %llu)\n%.*s", (unsigned long long)run,
               (unsigned long long)run, SLICE_ARG(buf_slice(&report)));
        fflush(stdout);
    }
    return failed < 100 ? failed : 100;
}

static int run_many(uint64_t from, uint64_t seeds, uint64_t jobs) {
    bool good = true;
    fflush(stdout);
    for (uint64_t j = 0; j < jobs; j++)
        if (fork() == 0)
            exit(run_share(from + j, from + seeds, jobs));
    for (uint64_t j = 0; j < jobs; j++) {
        int status;
        wait(&status);
        if (WIFSIGNALED(status))
            printf("not ok - a share of the seeds was ended by signal %d\n", WTERMSIG(status));
        good = good && status == 0;
    }
    fprintf(stderr, "\r");
    if (good)
        printf("ok - %llu seeds from %llu\n", (unsigned long long)seeds, (unsigned long long)from);
    return good ? 0 : 1;
}

static uint64_t number(const char *text) {
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (*end || end == text) {
        fprintf(stderr, "sim: \"%s\" is not a number; for example: sim --seed 42\n", text);
        exit(64);
    }
    return v;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seeds", required_argument, NULL, 'n'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {0}};
    const char *wanted = getenv("POSTHOUSE_SIM_SEEDS");
    uint64_t seeds = wanted ? number(wanted) : 2000, from = 1, jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (o) {
        case 's':
            return run_one(number(optarg));
        case 'n':
            seeds = number(optarg);
            break;
        case 'f':
            from = number(optarg);
            break;
        case 'j':
            jobs = number(optarg);
            break;
        default:
            fprintf(stderr, "usage: sim [--seeds N] [--from N] [--jobs N] | --seed N\n");
            return 64;
        }
    return run_many(from, seeds, jobs);
}
