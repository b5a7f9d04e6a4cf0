// rules: the language of policy: first-match sentences over typed facts (core/rules/facts.h).
//
//     policy recipient {
//         accept    when client.trusted
//         reject    when dnsbl.score >= 8 and not dnsbl.allowed   "blocked: {dnsbl.reasons}"
//         reject    552 when size > 10M                            "too large for this list"
//         tarpit 5s when spf = softfail
//         greylist  unless proven
//         built-in
//     }
//
// ACTION [when EXPRESSION | unless EXPRESSION] ["text"]; `not`, `and`, `or` and parentheses; = != < <= > >= ; FACT in
// TABLE | NETWORK, ... | "NAME", ... (a word alone is a table); FACT matches "REGEX" (PCRE2, bounded); a BOOL stands
// alone. {fact} in a text, or in a header, is put in. accept, reject, defer, discard and hold end a stage's rules;
// greylist does when it makes the client wait; the others go on. `built-in` stands for the built-in set of the stage. A
// rule may be at any stage where its facts are known.
#pragma once

#include "base/err.h"
#include "core/config/config.h"
#include "core/rules/facts.h"

enum rule_action {
    RULE_ACCEPT,
    RULE_REJECT,     // [CODE [ENHANCED]] 5xx; 550 5.7.1 unless said
    RULE_DEFER,      // [CODE [ENHANCED]] 4xx; 451 4.7.1 unless said; 421 ends the session
    RULE_GREYLIST,   // mail, recipient, content
    RULE_TARPIT,     // TIME
    RULE_TAG,        // WORD: kept with the message, for delivery and for records
    RULE_HEADER,     // "Name: value", in front of the message; content
    RULE_REDIRECT,   // ADDRESS instead of all recipients (content) or of this one (recipient)
    RULE_QUARANTINE, // a header and the tag "quarantine"; content
    RULE_HOLD,       // kept in the queue for a person; recipient, content
    RULE_DISCARD,    // 250, and gone; said in the log; recipient, content
    RULE_ASK,        // NAME of a delegation filter
    RULE_ACTIONS
};

extern const char *const rule_action_names[RULE_ACTIONS + 1];

bool rule_ends(enum rule_action a); // accept, reject, defer, discard, hold

struct rule_expression;

struct rule {
    enum rule_action action;
    uint16_t code, enhanced[3];         // REJECT, DEFER
    int64_t ms;                         // TARPIT
    struct slice argument;              // TAG, HEADER, REDIRECT, ASK
    struct slice text;                  // for the client, as written, {fact} not put in yet; empty: none
    const struct rule_expression *when; // NULL: always
    struct slice source;                // as it is written, on one line
    bool built_in;
    struct config_place place; // in the configuration; of the built-in set its line there
};

struct rules {
    enum config_stage stage;
    struct rule *list;
    size_t n;
};

// Who knows facts. `get` may suspend the fiber; it always gives a value of the fact's type (the empty one where nothing
// is known), valid as long as the run's arena. `name`: of FACT_HEADER's field, else empty. `in_table`: whether the
// named table has the value; false where it can't be asked.
struct rule_facts {
    void (*get)(struct rule_facts *f, enum fact which, struct slice name, struct fact_value *out);
    bool (*in_table)(struct rule_facts *f, struct slice table, const struct fact_value *v);
};

// What a run looked at, in order: for records and for `simulate`.
struct rule_seen {
    const struct rule *rule;
    bool matched;
    struct rule_seen_fact {
        enum fact which;
        struct slice name; // HEADER
        struct fact_value value;
    } * facts; // in the arena
    size_t facts_n;
};

struct rule_run {
    const struct rules *rules;
    struct rule_facts *facts;
    struct arena *arena;
    size_t next;
    struct rule_seen *seen; // seen[0..next)
};

void rule_run_begin(struct rule_run *run, const struct rules *rules, struct rule_facts *facts, struct arena *arena);

// The next rule that applies, or NULL at the end (which is an accept). The caller does what it says, and stops when it
// ends the stage.
const struct rule *rule_run_next(struct rule_run *run);

// A rule's text with facts put in: printable, one line, at most 400 bytes; "" where it has none.
struct slice rule_text(const struct rule *r, struct rule_facts *facts, struct arena *arena);

// HEADER: the field with facts put in, likewise.
struct slice rule_field(const struct rule *r, struct rule_facts *facts, struct arena *arena);

// Whether any of these rules may ask for that fact, in its expression or in what it says.
bool rules_ask(const struct rules *r, enum fact which);

// --- for the configuration

struct config_node;
struct config_builder;

// `policy STAGE { ... }`: mistakes go to the builder's report. Never NULL.
struct rules *rules_build(struct config_builder *b, enum config_stage stage, const struct config_node *block);
struct rules *rules_built_in(struct config_builder *b, enum config_stage stage);
const char *rules_built_in_text(enum config_stage stage); // as it is written, a rule a line

// In the language, with built-in rules written out.
bool rules_write(const struct rules *r, struct buf *out);
