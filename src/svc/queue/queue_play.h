// queue_play: for tests: the queue's service on a stage: the test plays all its peers, in a loop and on a disk of its
// own.
#pragma once

#include "base/mem.h"
#include "svc/queue/queue_inside.h"
#include "svc/queue/queue_test_disk.h"

struct play {
    struct queue_test_world w;
    struct loop *loop;
    struct config *config;
    struct queue_service *q;
    struct fiber_group scripts;
    void (*script)(struct play *p);
    struct link *smtpd, *relay, *deliver, *inject, *control;
    struct arena arena, answers; // of the latest work, and of the latest answer
    uint64_t frame_id;
    struct message_work work; // the latest
};

// A check fails on a fiber's stack, from which cmocka can't jump back to its own: it says where, and ends the program.
void play_check(bool good, unsigned long long got, unsigned long long want, const char *what, int line);

#define CHECK(x) play_check((x), 0, 1, #x, __LINE__)
#define CHECK_EQ(got, want)                                                                                            \
    do {                                                                                                               \
        unsigned long long got_ = (unsigned long long)(got), want_ = (unsigned long long)(want);                       \
        play_check(got_ == want_, got_, want_, #got, __LINE__);                                                        \
    } while (0)
#define CHECK_RANGE(got, from, to) CHECK((got) >= (from) && (got) <= (to))

// Runs the script from the service's start to its stop.
void play(void (*script)(struct play *p));

// Another peer of that role; the other end is the test's.
struct link *play_join(struct play *p, enum role role);

// Starts the service with one peer of each role; ends it at once; loses power and starts it again.
void play_start(struct play *p);
FIBER_FN void play_end(struct play *p);
FIBER_FN void play_crash(struct play *p);

// What smtpd says and hears. play_submit gives 0 when it was accepted, else the SMTP code.
void play_send_submit(struct play *p, uint64_t id, uint32_t slot, const char *sender, struct slice *to, size_t n,
                      struct slice content, uint32_t flags);
// The next frame within so long.
FIBER_FN bool play_hear(struct play *p, struct link *l, int64_t ms, struct link_frame *f);

FIBER_FN struct message_submit_reply play_hear_reply(struct play *p, uint64_t id);
FIBER_FN int play_submit(struct play *p, uint64_t id, const char *sender, const char *recipient);

// What workers hear and say: about p->work.
FIBER_FN bool play_hear_work(struct play *p, struct link *l, int64_t ms);
void play_send_outcome(struct play *p, struct link *l, enum message_result result, enum message_site site);
void play_delivered(struct play *p, struct link *l);

// What control asks.
FIBER_FN struct message_queue_reply play_ask(struct play *p, enum link_type type, uint64_t id, const char *domain);
FIBER_FN uint64_t play_messages(struct play *p);
extern const char play_small[]; // what play_submit sends
