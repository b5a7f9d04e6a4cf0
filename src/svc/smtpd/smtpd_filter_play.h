// smtpd_filter_play: for tests: scripted filters over pipes, and a session that asks them. A script is what a filter
// answers, packet by packet:
//
//     "O:actions,steps"  negotiates          "c" continue, or any letter of an answer without data
//     "h:Name=value"  "i0:..." "m1:..."      "b:bytes"  "+:<a@b>" "-:<a@b>" "e:<a@b>" "q:why" "y:550 5.7.1 no"
//     "!" closes the connection              "~" never answers
//
// Words up to the next ";" are sent together. What the filter was told is kept as text: "C(unknown) H(helo) M(<a@b>)".
#pragma once

#include "svc/smtpd/smtpd_filter_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { FILTERS = 3 };

struct scene;

struct player {
    struct scene *scene;
    const char *script;
    struct transport *t;
    struct buf told; // in words
    struct buf macros;
    size_t connections;
};

struct scene {
    struct loop *loop;
    struct fiber_group group, players_group;
    struct config config;
    struct config_filter list[FILTERS];
    struct player players[FILTERS];
    struct buf said;
    struct smtpd_filters *f;
    struct smtpd_filter_facts facts;
    int64_t held;
    unsigned results[METRIC_FILTER__COUNT], ends;
    void (*body)(struct scene *s);
};

extern const struct smtpd_filter_outside play_outside;

// `scripts` of the filters "one", "two", "three"; NULL: nobody is there.
void set_up(struct scene *s, enum config_filter_failure failure, const char *const *scripts, size_t n);
void run(struct scene *s, void (*body)(struct scene *s));
void tear_down(struct scene *s);

// A message up to its end, or to the first refusal.
FIBER_FN void send_message(struct scene *s, struct smtpd_filtered *out);
void collect_body(struct scene *s, struct buf *to);

void assert_told(const struct scene *s, size_t i, const char *want);
void assert_text(struct slice got, const char *want);
