// simulate: a session of a client that isn't there: the rules of the configuration, with facts from DNS (as it is, or a
// file) and from whoever asks. Nothing is sent, nothing is remembered.
#pragma once

#include "core/gate/gate.h"
#include "mail/oracle/oracle_zone.h"
#include "rt/world.h"
#include "svc/lookup/lookup_tables.h"

enum { SIMULATE_MEMORY = 512 * 1024 * 1024 };

struct simulate_fact { // given, not found out
    enum fact which;
    struct slice name; // of FACT_HEADER
    struct fact_value value;
};

// What somebody wrote as a fact's value, "true", "42", "pass", "192.0.2.1". False: it is none of its type.
bool simulate_fact_value(enum fact which, struct slice text, struct fact_value *out);

// By its name in the language, "spf", "header Subject"; false: there is none.
bool simulate_fact_named(struct slice text, enum fact *which, struct slice *name);

struct simulate_rule { // that was looked at
    struct slice source;
    uint32_t line; // 0: built in
    bool matched;
    struct record_fact *facts; // and what it looked at
    size_t facts_n;
};

// What one stage came to.
struct simulate_step {
    enum config_stage stage;
    struct slice recipient; // RECIPIENT
    bool again;             // after it was told to come again
    struct simulate_rule *rules;
    size_t rules_n;
    struct record_dns *dns; // that were asked in this stage
    size_t dns_n, dns_room;
    enum gate_outcome outcome;
    struct err why;  // REFUSE
    bool by_server;  // REFUSE: by no rule: no such recipient, relaying denied
    bool greylisted; // REFUSE: until it comes again
    bool hold, quarantine;
    struct slice *filters; // that a rule would ask
    size_t filters_n;
    int64_t tarpit_ms;
    struct slice redirect, *headers, *tags;
    size_t headers_n, tags_n;
    uint32_t line; // of the rule that decided; 0: none, or built in
    struct simulate_step *next;
};

struct simulate_session {
    struct netaddr client;
    struct slice session, helo, sender, user;
    bool helo_said, tls;
    struct slice *recipients;
    size_t recipients_n;
    bool has_content;
    struct slice content; // lines end in CRLF
    uint64_t size;        // 0: of `content`
};

// A configuration, and what it needs to be asked; one for many sessions.
struct simulate {
    const struct config *config;
    const char *configuration; // its file; NULL: built-in defaults
    struct oracle spy;   // notes what is asked and hands it on
    struct oracle *real; // to whom
    struct world world;
    struct lookup_tables *tables;
    struct gate_outside outside;
    struct gate *gate;
    struct wall now;
    const struct simulate_fact *facts;
    size_t facts_n;
    void (*hurry)(void *arg, int64_t ms); // may be NULL
    void *hurry_arg;
    bool came_back;     // is what the greylist says
    bool once;          // who is told to come again doesn't
    bool any_recipient; // nobody asks whether a recipient is there
    bool (*replay)(void *arg, enum fact which, struct slice name, struct fact_value *out); // asked after `facts`
    void *replay_arg;

    // --- of the session that was simulated last
    struct arena arena;
    struct simulate_step *first, *last;
    size_t accepted;      // recipients
    size_t discarded;     // of these
    struct slice results; // Authentication-Results
};

// `oracle` outlives it. simulate_done in any case.
void simulate_begin(struct simulate *s, const struct config *c, struct oracle *oracle, struct wall now);
void simulate_done(struct simulate *s);

// Until it is refused, or nothing more is known of it. `last` says where it ended. What it found is forgotten with the
// next one.
void simulate_run(struct simulate *s, const struct simulate_session *session, enum config_stage until);
