// facts: what rules of policy can ask about, with type, the first stage at which it is known, and a word for the
// manual. One table; the language, `simulate`, records and the manual are made from it.
#pragma once

#include "core/config/config_gate.h"

#include <stdbool.h>

enum fact_type {
    FACT_BOOL,
    FACT_NUMBER,
    FACT_TEXT, // compared without regard to case
    FACT_IP,
};

// clang-format off
//    member                 name                    type    stage      meaning
#define FACTS(X)                                                                                                       \
    X(CLIENT_IP,             "client.ip",            IP,     CONNECT,   "address of the client")                                 \
    X(CLIENT_TRUSTED,        "client.trusted",       BOOL,   CONNECT,   "it is in relay from")                                   \
    X(CLIENT_LOCAL,          "client.local",         BOOL,   CONNECT,   "it is on loopback, and checks loopback is off")         \
    X(CLIENT_KNOWN,          "client.known",         BOOL,   CONNECT,   "its earlier mail was good: checks may be spared")       \
    X(CLIENT_SHUT_OUT,       "client.shut-out",      BOOL,   CONNECT,   "it misbehaved again and again")                         \
    X(CLIENT_EARLY,          "client.early",         BOOL,   CONNECT,   "it talked before the greeting; asking waits")           \
    X(CLIENT_PTR,            "client.ptr",           TEXT,   CONNECT,   "its name in DNS; empty where there is none")            \
    X(CLIENT_PTR_CONFIRMED,  "client.ptr-confirmed", BOOL,   CONNECT,   "that name leads back to its address")                   \
    X(DNSBL_SCORE,           "dnsbl.score",          NUMBER, CONNECT,   "sum of the weights of the lists that it is on")         \
    X(DNSBL_REASONS,         "dnsbl.reasons",        TEXT,   CONNECT,   "those lists, with their words")                         \
    X(DNSBL_ALLOWED,         "dnsbl.allowed",        BOOL,   CONNECT,   "an allow list has it")                                  \
    X(TLS,                   "tls",                  BOOL,   CONNECT,   "the session is encrypted")                              \
    X(HELO,                  "helo",                 TEXT,   HELO,      "what HELO or EHLO said")                                \
    X(HELO_VALID,            "helo.valid",           BOOL,   HELO,      "a host name or an address literal by the grammar")      \
    X(HELO_QUALIFIED,        "helo.qualified",       BOOL,   HELO,      "a name with a dot, or a literal")                       \
    X(HELO_LITERAL,          "helo.literal",         BOOL,   HELO,      "an address literal")                                    \
    X(HELO_LITERAL_OWN,      "helo.literal-own",     BOOL,   HELO,      "an address literal, and the client's own address")      \
    X(HELO_OURS,             "helo.ours",            BOOL,   HELO,      "our own name, address or domain, from outside")         \
    X(HELO_CONFIRMED,        "helo.confirmed",       BOOL,   HELO,      "the name leads to the client's address")                \
    X(PIPELINED,             "pipelined",            BOOL,   HELO,      "commands came before they were allowed")                \
    X(SENDER,                "sender",               TEXT,   MAIL,      "reverse-path; empty for the null one")                  \
    X(SENDER_DOMAIN,         "sender.domain",        TEXT,   MAIL,      "its domain")                                            \
    X(SENDER_NULL,           "sender.null",          BOOL,   MAIL,      "it is the null reverse-path")                           \
    X(SENDER_OURS,           "sender.ours",          BOOL,   MAIL,      "its domain is one of ours")                             \
    X(SENDER_MISSING,        "sender.missing",       BOOL,   MAIL,      "its domain does not exist")                             \
    X(SENDER_UNREACHABLE,    "sender.unreachable",   BOOL,   MAIL,      "likewise, or it has neither MX nor address")            \
    X(SENDER_NULL_MX,        "sender.null-mx",       BOOL,   MAIL,      "its domain says that it takes no mail (RFC 7505)")      \
    X(SENDER_BLOCKED,        "sender.blocked",       BOOL,   MAIL,      "a person blocked it or its domain (posthouse sender block)") \
    X(SPF,                   "spf",                  TEXT,   MAIL,      "none neutral pass fail softfail temperror permerror")   \
    X(SPF_DOMAIN,            "spf.domain",           TEXT,   MAIL,      "the domain that SPF was asked about")                   \
    X(SPF_EXPLANATION,       "spf.explanation",      TEXT,   MAIL,      "what that domain says to those who fail")               \
    X(RECIPIENT,             "recipient",            TEXT,   RECIPIENT, "the recipient at hand")                                 \
    X(RECIPIENT_DOMAIN,      "recipient.domain",     TEXT,   RECIPIENT, "its domain")                                            \
    X(RECIPIENTS,            "recipients",           NUMBER, RECIPIENT, "recipients so far, this one included")                  \
    X(PROVEN,                "proven",               BOOL,   RECIPIENT, "it came back after a greylisting, is known or allowed, or we wrote to it") \
    X(SIZE,                  "size",                 NUMBER, CONTENT,   "bytes of the message")                                  \
    X(HOPS,                  "hops",                 NUMBER, CONTENT,   "Received fields")                                       \
    X(HEADER,                "header",               TEXT,   CONTENT,   "header NAME: the field's value, unfolded; empty where there is none; of several any") \
    X(FROM,                  "from",                 TEXT,   CONTENT,   "address of From")                                       \
    X(FROM_DOMAIN,           "from.domain",          TEXT,   CONTENT,   "its domain")                                            \
    X(FROM_SEVERAL,          "from.several",         BOOL,   CONTENT,   "there are several From fields, or addresses of several domains in it") \
    X(FROM_BROKEN,           "from.broken",          BOOL,   CONTENT,   "there is no From, several, or one that can't be read")  \
    X(FROM_BLOCKED,          "from.blocked",         BOOL,   CONTENT,   "a person blocked that address or its domain")         \
    X(DKIM,                  "dkim",                 TEXT,   CONTENT,   "none pass fail policy neutral temperror permerror: the best signature") \
    X(DKIM_DOMAINS,          "dkim.domains",         TEXT,   CONTENT,   "domains whose signatures passed, with spaces between")  \
    X(DMARC,                 "dmarc",                TEXT,   CONTENT,   "none pass fail temperror permerror")                    \
    X(DMARC_POLICY,          "dmarc.policy",         TEXT,   CONTENT,   "none quarantine reject: what the domain asks for now")  \
    X(DMARC_ENFORCED,        "dmarc.enforced",       TEXT,   CONTENT,   "likewise, and none where dmarc monitor is set or a trusted seal vouches") \
    X(DMARC_DOMAIN,          "dmarc.domain",         TEXT,   CONTENT,   "the organizational domain of From")                     \
    X(ARC,                   "arc",                  TEXT,   CONTENT,   "none pass fail")                                        \
    X(ARC_SEALER,            "arc.sealer",           TEXT,   CONTENT,   "who sealed last")                                       \
    X(ARC_TRUSTED,           "arc.trusted",          BOOL,   CONTENT,   "the chain holds and all who sealed it are trusted")

enum fact {
#define X(member, name, type, stage, doc) FACT_##member,
    FACTS(X)
#undef X
    FACT_COUNT
};
// clang-format on

struct fact_info {
    const char *name;
    enum fact_type type;
    enum config_stage stage;
    const char *doc;
};
extern const struct fact_info fact_infos[FACT_COUNT];

struct fact_value {
    enum fact_type type;
    bool yes;          // BOOL
    int64_t number;    // NUMBER
    struct slice text; // TEXT
    struct netaddr ip; // IP
};

// As records and people see it: "true", "42", "pass", "192.0.2.1".
bool fact_value_add(struct buf *b, const struct fact_value *v);
