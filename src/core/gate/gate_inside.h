// gate_inside: what the files of the gate share.
#pragma once

#include "base/list.h"
#include "core/gate/gate.h"
#include "core/gate/helo.h"
#include "core/gate/iprev.h"

enum {
    GATE_CLIENT_MEMORY = 32 * 1024, // what is known of a client
    GATE_HELO_MEMORY = 16 * 1024,
    GATE_MAIL_MEMORY = 1024 * 1024, // of a message: keys, records of DMARC
    GATE_RECIPIENT_MEMORY = 64 * 1024,
    GATE_SCRATCH_MEMORY = 1024 * 1024, // while something is found out
    GATE_TAGS_MAX = 50,
    GATE_HEADERS_MAX = 50,
    GATE_ASKED_HEADERS_MAX = 50, // names of fields that rules asked for
    GATE_HEADER_VALUE = 16 * 1024,
    GATE_MATCHED_MAX = 100, // rules of one stage that a record tells
    GATE_FILTERS_MAX = 50,
    GATE_WORDS_MAX = 300,
};

struct gate_texts { // grows in an arena up to a bound
    struct slice *list;
    size_t n;
};

// A question of DNS and its answer, as text: "TXT example.org" and "OK v=spf1 -all".
struct gate_taped {
    struct gate_taped *older;
    uint16_t question_n, answer_n;
    char bytes[];
};

struct gate_taken { // a recipient that no rule refused
    struct gate_taken *older;
    struct slice address;
};

struct gate_said { // by a filter
    struct gate_said *older;
    struct slice name, words;
};

struct gate_field { // a field of the header that a rule asked for
    struct gate_field *older;
    struct slice name, value;
};

// What belongs to a client, to what it said in HELO, to a message or to a recipient, and is forgotten with it.
struct gate_span {
    struct arena arena;
    struct gate_taped *tape; // newest first
    struct gate_said *said;
    struct gate_texts tags;
    uint16_t taped_n, said_n;
};

struct gate_matched { // rules of a stage that matched
    const struct rule **list;
    size_t n;
};

struct gate_listed { // what block lists say
    bool asked, has_reasons;
    struct dnsbl found;
    struct slice reasons;
};

struct gate_from {
    bool read, broken;
    struct slice address, domain, why;
};

struct gate {
    const struct config *config;
    const struct gate_outside *outside;
    struct oracle *real;  // behind the tape
    struct oracle oracle; // our own: tapes what is asked
    void *arg;
    struct rule_facts facts;
    uint64_t seen;           // 1 << enum fact: found out, and told in records
    enum config_stage stage; // that is being decided, or was last
    bool telling;            // a record is made: nothing new is found out

    struct gate_span client, helo, mail, recipient;
    struct gate_matched matched[CONFIG_STAGE_COUNT]; // each in the arena of its span

    // --- of the client
    struct gate_client_facts who;
    bool standing_asked, early_asked, early, iprev_asked, pipelined;
    struct message_client_reply standing;
    struct iprev iprev;
    struct gate_listed client_listed;

    // --- of HELO
    struct slice helo_name; // as it was said
    struct helo helo_look;
    bool helo_asked, helo_confirmed;
    struct gate_listed helo_listed;

    // --- of a message; what needs room is allocated when there is one
    struct gate_message *message;
    unsigned messages; // so far
};

struct gate_message {
    struct slice sender, sender_domain; // as it was said; lower case, A-labels
    bool sender_asked, missing, unreachable, null_mx;
    bool blocked_asked, blocked, from_blocked_asked, from_blocked;
    struct gate_listed listed;
    struct spf_verdict *spf;

    struct slice recipient; // at hand
    size_t recipients;
    bool proven_asked, proven;
    struct gate_taken *taken, *thrown; // newest first; that policy discarded
    size_t taken_n, thrown_n;          // at most RECORD_LIST_MAX
    const struct rule *held_by;        // NULL: by no rule

    bool has_content, refused; // a refusal of the content is recorded already
    struct gate_content content;
    struct gate_from from;
    struct gate_field *fields; // that were asked for
    size_t fields_n;
    struct slice dkim_domains;
    struct dmarc_verdict *dmarc;
    bool arc_judged, arc_trusted, arc_vouches;

    struct gate_texts headers;
    bool hold, quarantine, discard;
    struct slice redirect, bcc;
};

// --- gate.c
struct gate_span *gate_span_of(struct gate *g, enum config_stage stage);
// Whether the client is on loopback and such aren't asked.
bool gate_is_local(const struct gate *g);
// Whether nobody asks about it: a trusted network's, or a user.
static inline bool gate_is_trusted(const struct gate *g) { return g->who.trusted || g->who.user.n; }
void gate_hurry(struct gate *g);

// Adds a copy unless it is there or the bound is reached.
void gate_texts_add(struct gate_texts *t, struct slice text, size_t most, struct arena *arena);

// --- gate_tape.c
void gate_tape_ask(struct oracle *o, const struct oracle_question *questions, size_t n, struct arena *arena,
                   struct oracle_answer *answers);

// --- gate_facts.c: for struct rule_facts, and of each kind
void gate_fact(struct rule_facts *f, enum fact which, struct slice name, struct fact_value *out);
bool gate_in_table(struct rule_facts *f, struct slice table, const struct fact_value *v);
void gate_fact_client(struct gate *g, enum fact which, struct fact_value *out);
void gate_fact_mail(struct gate *g, enum fact which, struct fact_value *out);
void gate_fact_content(struct gate *g, enum fact which, struct slice name, struct fact_value *out);
// What was found out beside what was asked for is told as well: a replay may ask for it.
static inline void gate_mark_seen(struct gate *g, enum fact which) { g->seen |= UINT64_C(1) << which; }

// --- found out when first asked
const struct message_client_reply *gate_find_standing(struct gate *g);
const struct iprev *gate_find_iprev(struct gate *g);
const struct spf_verdict *gate_find_spf(struct gate *g);
const struct gate_from *gate_find_from(struct gate *g);
const struct dkim_verify *gate_find_dkim(struct gate *g); // NULL: not verified
const struct arc_verify *gate_find_arc(struct gate *g);
const struct dmarc_verdict *gate_find_dmarc(struct gate *g);
bool gate_find_arc_trusted(struct gate *g);

// What is to be done by DMARC: none in monitor mode, or where trusted sealers vouch.
enum dmarc_policy gate_dmarc_enforced(struct gate *g);
// Whether a person blocked that address, or `domain`, which is its own in lower case and A-labels.
bool gate_is_blocked(struct gate *g, struct slice address, struct slice domain);
struct slice gate_lower(struct slice s, struct arena *arena); // a copy
bool gate_greylist(struct gate *g, bool only_ask, struct message_greylist_reply *out);

// --- gate_arc.c
// Whether results that a trusted sealer wrote say that the message was From's: dmarc=pass, or SPF or DKIM passing for
// the organizational domain or below.
bool gate_results_vouch(struct slice results, struct slice organisation);

// --- gate_ask.c: Postfix's policy delegation
bool gate_ask_request(struct gate *g, enum config_stage stage, struct buf *out);

enum gate_answer_kind {
    GATE_ANSWER_GO_ON,
    GATE_ANSWER_ACCEPT,
    GATE_ANSWER_REFUSE,   // `why`
    GATE_ANSWER_PREPEND,  // text: "Name: value"
    GATE_ANSWER_REDIRECT, // text: address
    GATE_ANSWER_BCC,      // likewise
    GATE_ANSWER_HOLD,
    GATE_ANSWER_DISCARD,
    GATE_ANSWER_WARN,            // text
    GATE_ANSWER_DEFER_IF_PERMIT, // `why`: if nothing that follows refuses
    GATE_ANSWER_DEFER_IF_REJECT, // `why`: instead of what refuses for good
    GATE_ANSWER_ODD,             // known, but it can't be obeyed: as if nothing was said
    GATE_ANSWER_UNKNOWN,
};

struct gate_answer {
    enum gate_answer_kind kind;
    struct slice text; // a view
    struct err why;
};
void gate_answer_read(struct slice words, struct gate_answer *out);

// --- gate_record.c
void gate_record(struct gate *g, enum config_stage stage, enum record_outcome outcome, const struct err *why,
                 const struct rule_run *run);
// --- gate_dmarc.c
void gate_tell_dmarc(struct gate *g, const struct err *why);
