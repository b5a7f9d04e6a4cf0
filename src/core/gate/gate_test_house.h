// gate_test_house: a gate with its outside, all made of tables and text, for the tests of the gate.
#pragma once

#include "core/gate/gate_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { GATE_TEST_RECORDS = 16 };

struct here {
    struct config *config;
    struct oracle_zone *zone;
    struct gate *gate;
    struct gate_outside outside;
    struct message_client_reply standing;
    enum message_proven proven;
    bool early, unreachable;
    const char *blocked;         // mailbox
    const char *answer;          // of the delegation
    char key[64], request[2048]; // of the greylist; of the delegation
    struct arena arena;
    struct record *records; // GATE_TEST_RECORDS
    size_t records_n, dmarc_n;
    char disposition[16], override[32];
};

void gate_test_begin(struct here *h, const char *more); // more configuration
void gate_test_end(struct here *h);
void gate_test_come(struct here *h, const char *ip);

struct session {
    const char *client, *helo, *sender, *recipient, *header;
    const char *signer;        // whose signature passes
    uint64_t behind_signature; // bytes that it leaves unsigned
    const char *sealer;        // whose seal holds, with `claims`
    const char *claims;
    bool fresh;           // the greylist doesn't know it
    const char *expected; // "rcpt 550 5.7.1", "taken", "taken quarantine"
};

extern const struct session gate_test_good;

struct content {
    struct dkim_verdict signature;
    struct dkim_verify dkim;
    struct slice sealer;
    struct arc_verify arc;
    struct slice recipient;
    struct gate_content facts;
};

// False: refused, and how in `out`.
bool gate_test_before_content(struct here *h, const struct session *s, char out[64]);
void gate_test_run(struct here *h, const struct session *s, char out[64], struct gate_verdict *v, struct content *c);

const char *gate_test_fact(const struct record *r, const char *name, char out[256]);
bool gate_test_asked(const struct record *r, const char *question, const char *answer);
