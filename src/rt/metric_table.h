// metric_table: every metric there is, with its type, its label and its help text. One table for all processes, so that
// snapshots can be merged by position. Labels take their values from the bounded lists below, never from a peer.
#pragma once

// clang-format off

// A label's list: the enum's member (METRIC_<LIST>_<MEMBER>) and the value as it is printed.
#define METRIC_LABEL_NONE(X, l) X(l, NONE, "")
#define METRIC_LABEL_REASON(X, l)                                                                                    \
    X(l, LIMIT, "limit")                 /* sessions, messages, errors, recipients */                                  \
    X(l, CLIENT_LIMIT, "client-limit")   /* sessions a client */                                                       \
    X(l, SYNTAX, "syntax")               /* commands, addresses */                                                     \
    X(l, RELAY, "relay")                 /* not ours, not trusted: 550 5.7.1 */                                        \
    X(l, UNKNOWN, "unknown")             /* no such recipient */                                                       \
    X(l, SIZE, "size")                   /* message or header too large */                                             \
    X(l, CONTENT, "content")             /* bare CR or LF */                                                           \
    X(l, LOOP, "loop")                   /* too many hops */                                                           \
    X(l, DISK, "disk")                   /* no room, or a failed sync */                                               \
    X(l, SENDER, "sender")               /* a user who may not send as that address, or not any more */                \
    X(l, QUOTA, "quota")                 /* a user's messages or recipients are used up */                             \
    X(l, POLICY, "policy")               /* a rule, a rate or a filter said so */                                      \
    X(l, TEMPORARY, "temporary")         /* one of our own processes did not answer */                                 \
    X(l, OTHER, "other")
#define METRIC_LABEL_STATE(X, l)                                                                                     \
    X(l, ACTIVE, "active")               /* an attempt is under way */                                                 \
    X(l, READY, "ready")                 /* due, waits for its destination's turn */                                   \
    X(l, DEFERRED, "deferred")           /* waits for its next attempt */                                              \
    X(l, HELD, "held")                   /* waits for a person */
#define METRIC_LABEL_TRANSPORT(X, l) X(l, RELAY, "relay") X(l, MAILDIR, "maildir")
#define METRIC_LABEL_BOUNCE(X, l) X(l, FAILED, "failed") X(l, EXPIRED, "expired") X(l, DELETED, "deleted")
#define METRIC_LABEL_CONNECTION(X, l) X(l, NEW, "new") X(l, REUSED, "reused") X(l, FAILED, "failed")
#define METRIC_LABEL_RESULT(X, l) X(l, OK, "ok") X(l, FAILED, "failed")
#define METRIC_LABEL_LOGIN(X, l)                                                                                     \
    X(l, OK, "ok")                                                                                                     \
    X(l, FAILED, "failed")               /* wrong name or secret */                                                    \
    X(l, LOCKED, "locked")               /* too many failures before it */                                             \
    X(l, MALFORMED, "malformed")         /* no base64, or against the mechanism's grammar */                           \
    X(l, CANCELLED, "cancelled")         /* by the client */                                                           \
    X(l, TROUBLE, "trouble")             /* nobody could say */
#define METRIC_LABEL_MECHANISM(X, l)                                                                                 \
    X(l, PLAIN, "plain") X(l, LOGIN, "login") X(l, SCRAM_SHA_1, "scram-sha-1") X(l, SCRAM_SHA_256, "scram-sha-256")      \
    X(l, SCRAM_SHA_256_PLUS, "scram-sha-256-plus") X(l, EXTERNAL, "external") X(l, OAUTHBEARER, "oauthbearer")         \
    X(l, XOAUTH2, "xoauth2")
#define METRIC_LABEL_LOCKOUT(X, l) X(l, ACCOUNT, "account") X(l, ADDRESS, "address") X(l, NETWORK, "network")
#define METRIC_LABEL_USE(X, l) X(l, OK, "ok") X(l, HELD, "held") X(l, REFUSED, "refused")
#define METRIC_LABEL_GREYLIST(X, l)                                                                                  \
    X(l, WAIT, "wait") X(l, CAME_BACK, "came-back") X(l, KNOWN, "known") X(l, WROTE_TO, "wrote-to")
#define METRIC_LABEL_RATE(X, l)                                                                                      \
    X(l, CONNECTIONS, "connections") X(l, MESSAGES, "messages") X(l, RECIPIENTS, "recipients")                         \
    X(l, UNKNOWN, "unknown-recipients") X(l, ERRORS, "errors")
#define METRIC_LABEL_MEMORY(X, l)                                                                                    \
    X(l, ADDRESSES, "addresses") X(l, NETWORKS, "networks") X(l, DOMAINS, "domains") X(l, MARKS, "marks")              \
    X(l, WAITING, "waiting") X(l, PROVEN, "proven") X(l, WROTE_TO, "wrote-to") X(l, WROTE_TO_DOMAINS, "wrote-to-domains") \
    X(l, RATES, "rates")
#define METRIC_LABEL_VOLUME(X, l) X(l, IN, "in") X(l, OUT, "out") X(l, UNKNOWN, "unknown")
#define METRIC_LABEL_ANSWER(X, l) X(l, FOUND, "found") X(l, NONE, "none") X(l, FAILED, "failed")
#define METRIC_LABEL_DNSSEC(X, l) X(l, INSECURE, "insecure") X(l, SECURE, "secure") X(l, BOGUS, "bogus")
#define METRIC_LABEL_SEGMENT(X, l) X(l, LIVE, "live") X(l, SPARE, "spare")
#define METRIC_LABEL_FILTER(X, l)                                                                                    \
    X(l, CONTINUE, "continue") X(l, ACCEPT, "accept") X(l, REJECT, "reject") X(l, TEMPFAIL, "tempfail")                \
    X(l, DISCARD, "discard")                                                                                          \
    X(l, FAILED, "failed")               /* it couldn't be asked, or broke off */
#define METRIC_LABEL_HISTORY(X, l) X(l, KEPT, "kept") X(l, LOST, "lost")

//    list        key
#define METRIC_LABELS(X)                                                                                             \
    X(NONE, "")                                                                                                        \
    X(REASON, "reason")                                                                                                \
    X(STATE, "state")                                                                                                  \
    X(TRANSPORT, "transport")                                                                                          \
    X(BOUNCE, "reason")                                                                                                \
    X(CONNECTION, "connection")                                                                                        \
    X(RESULT, "result")                                                                                                \
    X(LOGIN, "result")                                                                                                 \
    X(MECHANISM, "mechanism")                                                                                          \
    X(LOCKOUT, "kind")                                                                                                \
    X(USE, "result")                                                                                                  \
    X(GREYLIST, "result")                                                                                             \
    X(RATE, "what")                                                                                                   \
    X(MEMORY, "table")                                                                                                \
    X(VOLUME, "what")                                                                                                 \
    X(ANSWER, "answer")                                                                                                \
    X(DNSSEC, "dnssec")                                                                                                \
    X(FILTER, "result")                                                                                                \
    X(HISTORY, "result")                                                                                               \
    X(SEGMENT, "kind")

// Type: COUNTER, GAUGE, HISTOGRAM (of nanoseconds). Unit of the stored value: ONE, or NS printed as seconds. Merge: SUM
// over the processes, or EACH process with a `process` label.
//    id                   name                              type       unit merge label       help
#define METRICS(X)                                                                                                   \
    X(SESSIONS_OPEN,       "sessions_open",                  GAUGE,     ONE, SUM,  NONE,       "SMTP sessions open now") \
    X(SESSIONS,            "sessions_total",                 COUNTER,   ONE, SUM,  NONE,       "SMTP sessions begun") \
    X(TLS_IN,              "tls_in_total",                   COUNTER,   ONE, SUM,  RESULT,     "TLS handshakes as a server") \
    X(LOGINS,              "logins_total",                   COUNTER,   ONE, SUM,  LOGIN,      "AUTH exchanges, by how they ended") \
    X(LOGINS_OK,           "logins_accepted_total",          COUNTER,   ONE, SUM,  MECHANISM,  "Successful log-ins, by mechanism") \
    X(LOGINS_REFUSED,      "logins_refused_total",           COUNTER,   ONE, SUM,  MECHANISM,  "Refused log-ins, by mechanism") \
    X(COMMAND_ERRORS,      "command_errors_total",           COUNTER,   ONE, SUM,  NONE,       "Commands answered with 4xx or 5xx") \
    X(MESSAGES_ACCEPTED,   "messages_accepted_total",        COUNTER,   ONE, SUM,  NONE,       "Messages answered with 250") \
    X(BYTES_ACCEPTED,      "messages_accepted_bytes_total",  COUNTER,   ONE, SUM,  NONE,       "Content of accepted messages") \
    X(RECIPIENTS_ACCEPTED, "recipients_accepted_total",      COUNTER,   ONE, SUM,  NONE,       "Recipients of accepted messages") \
    X(SESSIONS_REFUSED,    "sessions_refused_total",         COUNTER,   ONE, SUM,  REASON,     "Sessions refused or ended by us") \
    X(MESSAGES_REFUSED,    "messages_refused_total",         COUNTER,   ONE, SUM,  REASON,     "Messages refused after MAIL, DATA or BDAT") \
    X(MESSAGES_DISCARDED,  "messages_discarded_total",       COUNTER,   ONE, SUM,  NONE,       "Messages taken and dropped, as a rule or a filter says") \
    X(LISTS_IGNORED,       "lists_ignored",                  GAUGE,     ONE, SUM,  NONE,       "Lists in DNS that are left out: dead, or listing everybody") \
    X(RECIPIENTS_REFUSED,  "recipients_refused_total",       COUNTER,   ONE, SUM,  REASON,     "Recipients refused") \
    X(DELIVERED,           "recipients_delivered_total",     COUNTER,   ONE, SUM,  TRANSPORT,  "Recipients delivered") \
    X(DEFERRED,            "recipients_deferred_total",      COUNTER,   ONE, SUM,  TRANSPORT,  "Attempts that ended with a deferral, per recipient") \
    X(BOUNCED,             "recipients_bounced_total",       COUNTER,   ONE, SUM,  BOUNCE,     "Recipients given up") \
    X(BOUNCES_SENT,        "bounces_sent_total",             COUNTER,   ONE, SUM,  NONE,       "Non-delivery notifications queued") \
    X(BOUNCES_DROPPED,     "bounces_dropped_total",          COUNTER,   ONE, SUM,  NONE,       "Notifications not sent, the reverse-path being null") \
    X(QUEUE_MESSAGES,      "queue_messages",                 GAUGE,     ONE, SUM,  NONE,       "Messages in the queue") \
    X(QUEUE_RECIPIENTS,    "queue_recipients",               GAUGE,     ONE, SUM,  STATE,      "Recipients in the queue, by state") \
    X(QUEUE_DESTINATIONS,  "queue_destinations",             GAUGE,     ONE, SUM,  NONE,       "Destinations with queued recipients") \
    X(QUEUE_BYTES,         "queue_bytes",                    GAUGE,     ONE, SUM,  NONE,       "Content of queued messages") \
    X(QUEUE_OLDEST,        "queue_oldest_seconds",           GAUGE,     NS,  SUM,  NONE,       "Age of the oldest queued message") \
    X(QUEUE_FREE,          "queue_free_bytes",               GAUGE,     ONE, SUM,  NONE,       "Free disk below the state directory") \
    X(QUEUE_REFUSES,       "queue_refuses",                  GAUGE,     ONE, SUM,  NONE,       "1 while the disk keeps the queue from taking mail") \
    X(LOG_SYNCS,           "queue_log_syncs_total",          COUNTER,   ONE, SUM,  RESULT,     "Syncs of the queue log") \
    X(LOG_RECORDS,         "queue_log_records_total",        COUNTER,   ONE, SUM,  NONE,       "Records written to the queue log") \
    X(LOG_BYTES,           "queue_log_bytes_total",          COUNTER,   ONE, SUM,  NONE,       "Bytes written to the queue log") \
    X(LOG_SEGMENTS,        "queue_log_segments",             GAUGE,     ONE, SUM,  SEGMENT,    "Segments of the queue log") \
    X(LOG_COMPACTED,       "queue_log_compacted_total",      COUNTER,   ONE, SUM,  NONE,       "Segments given back by compaction") \
    X(LOG_DAMAGED,         "queue_log_damaged_total",        COUNTER,   ONE, SUM,  NONE,       "Damaged records met by replay") \
    X(CONNECTIONS_OUT,     "connections_out_total",          COUNTER,   ONE, SUM,  CONNECTION, "Connections to next hops, per transaction") \
    X(SIGNATURES,          "key_signatures_total",           COUNTER,   ONE, SUM,  RESULT,     "Signatures that the keys processes were asked for") \
    X(CERTIFICATE_EXPIRY,  "certificate_expiry_seconds",     GAUGE,     NS,  SUM,  NONE,       "Until the first certificate expires; 0 without one") \
    X(TLS_OUT,             "tls_out_total",                  COUNTER,   ONE, SUM,  RESULT,     "TLS handshakes as a client") \
    X(DNS_QUERIES,         "dns_queries_total",              COUNTER,   ONE, SUM,  ANSWER,     "Questions put to the resolver") \
    X(DNS_ANSWERS,         "dns_answers_total",              COUNTER,   ONE, SUM,  DNSSEC,     "Answers that DNS gave, by what validation found") \
    X(LOOKUPS,             "table_lookups_total",            COUNTER,   ONE, SUM,  ANSWER,     "Recipients looked up in tables") \
    X(LOCKOUTS,            "lockouts_total",                 COUNTER,   ONE, SUM,  LOCKOUT,    "Locks after failed log-ins") \
    X(LOCKED,              "lockouts",                       GAUGE,     ONE, SUM,  NONE,       "Locks that hold now") \
    X(USES,                "submissions_total",              COUNTER,   ONE, SUM,  USE,        "Messages of users, by quotas and the guard") \
    X(GUARD_HELD,          "guard_held",                     GAUGE,     ONE, SUM,  NONE,       "Accounts whose mail is held") \
    X(POLICY_KEPT,         "policy_kept_total",              COUNTER,   ONE, SUM,  RESULT,     "Writes of what policy remembers") \
    X(GREYLISTED,          "greylist_total",                 COUNTER,   ONE, SUM,  GREYLIST,   "Questions of greylisting, by the answer") \
    X(RATES_REFUSED,       "rates_refused_total",            COUNTER,   ONE, SUM,  RATE,       "Refused for a rate, by what was counted") \
    X(SHUT_OUTS,           "shut_outs_total",                COUNTER,   ONE, SUM,  NONE,       "Clients shut out for misbehaviour") \
    X(SHUT_OUT,            "shut_out",                       GAUGE,     ONE, SUM,  NONE,       "Clients that are shut out now") \
    X(PROBINGS,            "recipient_probings_total",       COUNTER,   ONE, SUM,  NONE,       "Clients and networks that probed for recipients") \
    X(POLICY_ENTRIES,      "policy_entries",                 GAUGE,     ONE, SUM,  MEMORY,     "Remembered of strangers, by table") \
    X(VOLUME_HOUR,         "volume_hour",                    GAUGE,     ONE, SUM,  VOLUME,     "This hour: messages in, recipients written to, unknown ones") \
    X(VOLUME_BASELINE,     "volume_hour_baseline",           GAUGE,     ONE, SUM,  VOLUME,     "The busiest hour of the past, which fades") \
    X(VOLUME_UNUSUAL,      "volume_unusual",                 GAUGE,     ONE, SUM,  VOLUME,     "1 while the hour is far beyond the baseline") \
    X(DMARC_SEEN,          "dmarc_results_total",            COUNTER,   ONE, SUM,  RESULT,     "Messages counted for aggregate reports") \
    X(DMARC_REPORTS,       "dmarc_reports_total",            COUNTER,   ONE, SUM,  RESULT,     "Aggregate reports, per address") \
    X(HISTORY_RECORDS,     "history_records_total",          COUNTER,   ONE, SUM,  HISTORY,    "Decisions that history was told of") \
    X(HISTORY_UNSENT,      "history_unsent_total",           COUNTER,   ONE, SUM,  NONE,       "Outcomes of deliveries that history could not be told of") \
    X(HISTORY_BYTES,       "history_bytes",                  GAUGE,     ONE, SUM,  NONE,       "History on disk") \
    X(FILTERS,             "filter_results_total",           COUNTER,   ONE, SUM,  FILTER,     "What filters said of messages, recipients and clients") \
    X(FILTER_SECONDS,      "filter_end_seconds",             HISTOGRAM, NS,  SUM,  NONE,       "A filter's answer to the end of a message") \
    X(ACCEPT_SECONDS,      "accept_seconds",                 HISTOGRAM, NS,  SUM,  NONE,       "From the end of content to 250") \
    X(SYNC_SECONDS,        "queue_log_sync_seconds",         HISTOGRAM, NS,  SUM,  NONE,       "One sync of the queue log") \
    X(ATTEMPT_SECONDS,     "attempt_seconds",                HISTOGRAM, NS,  SUM,  TRANSPORT,  "One attempt of delivery") \
    X(TRANSIT_SECONDS,     "transit_seconds",                HISTOGRAM, NS,  SUM,  NONE,       "From acceptance to delivery, per recipient") \
    X(DNS_SECONDS,         "dns_seconds",                    HISTOGRAM, NS,  SUM,  NONE,       "One question put to the resolver") \
    X(LOOKUP_SECONDS,      "table_lookup_seconds",           HISTOGRAM, NS,  SUM,  NONE,       "One recipient looked up") \
    X(AUTH_CONVERSATIONS,  "auth_conversations",             GAUGE,     ONE, SUM,  NONE,       "Log-ins that are under way") \
    X(AUTH_WAITING,        "auth_waiting",                   GAUGE,     ONE, SUM,  NONE,       "Log-ins that wait for their turn to be checked") \
    X(AUTH_TROUBLE,        "auth_trouble_total",             COUNTER,   ONE, SUM,  NONE,       "Log-ins that nobody could decide") \
    X(AUTH_HASH_SECONDS,   "auth_hash_seconds",              HISTOGRAM, NS,  SUM,  NONE,       "One hashing of a password") \
    X(PROCESS_UP,          "process_up",                     GAUGE,     ONE, EACH, NONE,       "1 for each process that answers") \
    X(PROCESS_START,       "process_start_time_seconds",     GAUGE,     NS,  EACH, NONE,       "Start, in seconds since 1970") \
    X(PROCESS_CPU,         "process_cpu_seconds_total",      COUNTER,   NS,  EACH, NONE,       "User and system time") \
    X(PROCESS_MEMORY,      "process_resident_max_bytes",     GAUGE,     ONE, EACH, NONE,       "Largest resident memory so far") \
    X(PROCESS_FIBERS,      "process_fibers",                 GAUGE,     ONE, EACH, NONE,       "Fibers alive") \
    X(PROCESS_TURN,        "process_longest_turn_seconds",   GAUGE,     NS,  EACH, NONE,       "Longest turn of the loop since the last look") \
    X(RESTARTS,            "process_restarts_total",         COUNTER,   ONE, SUM,  NONE,       "Processes started again after they ended") \
    X(JOURNAL_LINES,       "journal_lines_total",            COUNTER,   ONE, EACH, NONE,       "Events written") \
    X(JOURNAL_DROPPED,     "journal_dropped_total",          COUNTER,   ONE, EACH, NONE,       "Events lost because the sink was full")
// clang-format on
