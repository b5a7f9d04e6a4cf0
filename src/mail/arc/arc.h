// arc: whether the chain of an Authenticated Received Chain holds (RFC 8617 5.2), and adding to it (5.1). A chain that
// holds says only who claims to have seen what; whether that is believed is a matter of who sealed it (config: arc
// trust).
//
//     arc_verify_begin / _body / _end       as in dkim_verify.h
#pragma once

#include "base/when.h"
#include "mail/dkim/dkim_canon.h"
#include "mail/oracle/oracle.h"

enum { ARC_SETS_MAX = 50 }; // RFC 8617 4.2.1

enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL };

const char *arc_result_name(enum arc_result r);

struct arc_verdict {
    enum arc_result result;
    unsigned instance;     // highest i=; 0: none
    unsigned oldest_pass;  // arc.oldest-pass (5.2): the lowest instance whose message signature still holds; 0: all do
    struct slice domain;   // d= of the newest seal, lower case
    struct slice selector; // its s=
    struct slice results;  // PASS: the newest ARC-Authentication-Results' value after "i=N;", unfolded
    struct slice first_results; // PASS: that of instance 1: what was seen before anybody forwarded
    struct slice *sealers;      // d= of every seal, instance 1 first
    size_t sealers_n;
    struct slice why; // FAIL: for people
    bool temporary;   // FAIL: because DNS gave no answer
};

struct arc_verify {
    struct arc_verdict verdict; // after the end
    bool ended;
    struct arc_verify_inside *inside;
};

bool arc_verify_begin(struct arc_verify *v, struct slice header, struct wall now, struct arena *arena);
void arc_verify_body(struct arc_verify *v, struct slice piece);
void arc_verify_end(struct arc_verify *v, struct oracle *o, struct arena *arena);
void arc_verify_done(struct arc_verify *v);
