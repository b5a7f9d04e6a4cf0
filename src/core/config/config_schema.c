// config_schema: the table itself, and looking things up in it.
#include "core/config/config_schema.h"

#include "core/config/config_schema_rows.h"

#include <assert.h>

static const char *const tls_out_words[] = {"may", "never", NULL};
static const char *const line_end_words[] = {"refuse", "repair", NULL};
static const char *const profile_words[] = {"modern", "old", NULL};
static const char *const log_words[] = {"text", "json", NULL};

static const struct config_directive config_schema[] = {
    {"", "version", COUNT(1, 1), .fallback = "1", .at = SIZE_MAX, .doc = "The version of this language."},
    {"", "hostname", "NAME", .build = config_part_hostname,
     .doc = "The name that this server gives itself in its banner, in EHLO, in Received and in bounces; fully "
            "qualified. Required."},
    {"", "state", "PATH", CONFIG_PATH, .fallback = "state", AT(state),
     .doc = "The directory of the queue. A path that isn't absolute is taken from the directory of this file, here "
            "and everywhere."},
    {"", "control", "PATH", CONFIG_PATH, .fallback = "STATE/control.sock", AT(control),
     .doc = "The socket that posthouse(8) talks to a running server through. At most 107 bytes long."},
    {"", "user", "NAME", .build = config_part_user,
     .doc = "The user to run as when started by root. Without it the user stays."},
    {"", "listen", "mx|submission|http ADDRESS:PORT [tls implicit]", .many = true, .build = config_part_listen,
     .doc = "Where to stand: mx takes mail from other servers (port 25); submission takes mail from users, who log in "
            "first (port 587, or 465 with tls implicit); http serves metrics and health, on loopback only. Written "
            "192.0.2.1:25, [2001:db8::1]:25, or *:25 for all addresses. At least one is required."},
    {"", "tls certificate", "PATH key PATH [ocsp PATH]", .many = true, .build = config_part_tls,
     .doc = "PEM files: the chain, the server's own certificate first, and its private key; and an OCSP response (DER) "
            "to staple. Without them STARTTLS is not offered, and nobody can log in. With several, a client gets the "
            "one whose names fit the name that it asks for, else the first; for one name there may be an RSA and an "
            "ECDSA certificate. Files that are replaced are taken up by themselves."},
    {"", "tls profile", "modern|old", CONFIG_CHOICE, .fallback = "modern", AT(tls_profile), .choices = profile_words,
     .doc =
         "What clients may speak: modern is TLS 1.2 and 1.3 with forward secrecy and AEAD; old is TLS 1.0 and up and "
         "CBC suites too, for machines that can't do better."},
    {"", "tls client-ca", "PATH", CONFIG_PATH, AT(tls_client_ca),
     .doc = "PEM: who vouches for the certificates of users that log in by EXTERNAL. Without it none are asked for."},
    {"", "tls ca", "PATH", CONFIG_PATH, AT(tls_ca),
     .doc = "PEM: who vouches for next hops where TLS must be verified (REQUIRETLS), instead of the system's list."},
    {"", "tls ticket-life", .type = CONFIG_TIME, .syntax = "TIME", .least = 0, .most = 7 * MS_DAY, .fallback = "12h",
     AT(tls_ticket_life),
     .doc = "How long a client may resume a session. 0s: never. The keys change every quarter of it."},
    {"", "tls out", "may|never", CONFIG_CHOICE, .fallback = "may", AT(tls_out), .choices = tls_out_words,
     .doc = "Whether STARTTLS is used when the next hop offers it."},
    {"", "table", "NAME file|aliases|cidr|regex PATH, or NAME inline { \"ENTRY\" ... }", .many = true,
     .build = config_part_table,
     .doc = "Names a table of recipients, or one that rules of policy ask, or both. file has one name a line; aliases "
            "is aliases(5); inline has its entries here: a name, or \"name = target, target\". For rules, names in "
            "file and inline may also be networks, .example.org for all below a domain, and @example.org or "
            "@.example.org for the addresses in it or below; cidr has a network a line, regex a pattern a line "
            "(pcre2pattern(3), in any case). cidr and regex are for rules only. Files that change are read again."},
    {"", "domain", "NAME { ... }", .many = true, .build = config_part_domain,
     .doc = "A domain whose mail is taken from anybody."},
    {"domain", "recipients", "TABLE + TABLE ... | any", .build = config_part_recipients,
     .doc = "Who exists. The first table that knows a name decides. Anybody else is refused with 550 5.1.1. any "
            "takes every name. Required."},
    {"domain", "deliver", "maildir PATTERN | relay", .build = config_part_deliver,
     .doc = "Where mail goes: into a Maildir, where {domain} and {local} are put in; or on to the next hop that route "
            "names (a backup MX, a gateway). Required."},
    {"domain", "tag", "CHARACTER | off", .build = config_part_tag, .fallback = "\"+\"",
     .doc = "What separates a user from a tag: user+tag is delivered to user, unless user+tag itself is in a table."},
    {"domain", "dkim", "selector SELECTOR key PATH", .many = true, .build = config_part_domain_dkim,
     .doc = "Mail of users of this domain is signed (RFC 6376) by this key: PEM, RSA of at least 2048 bits or Ed25519. "
            "With several, each signs. posthouse dkim makes and rotates keys without a word here."},
    {"", "dkim sign", "DOMAIN as SIGNER selector SELECTOR key PATH", .many = true, .build = config_part_dkim_sign,
     .doc =
         "Mail whose From is of DOMAIN, which is a name, .name for all below it, or * for the rest, is signed in the "
         "name of SIGNER. The most particular DOMAIN counts."},
    {"", "dkim keys", "PATH", CONFIG_PATH, .fallback = "dkim", AT(dkim_keys),
     .doc = "The directory where posthouse dkim keeps its keys. Those that it calls active sign."},
    {"", "auth", "file PATH | pam [SERVICE] | dovecot SOCKET | jwt PATH OPTIONS | introspect URL secret PATH OPTIONS",
     .many = true, .build = config_part_auth,
     .doc = "Who knows the users, asked in this order: a file of passwords (posthouse user); PAM; Dovecot's auth "
            "socket; tokens signed by a key of a JWKS file; tokens that a server knows (RFC 7662), with a file that "
            "holds ID:SECRET. The file of passwords wants a directory of its own, readable by user: the process that "
            "checks log-ins may read all of it, so that a file that takes its place is seen. OPTIONS are issuer TEXT, "
            "audience TEXT, and claim NAME, which says who the user is."},
    {"", "auth mechanisms", "plain login scram-sha-1 scram-sha-256 scram-sha-256-plus external oauthbearer xoauth2",
     .build = config_part_mechanisms, .fallback = "all but scram-sha-1",
     .doc = "Which of the mechanisms that the back ends can do are offered (RFC 4954), over TLS only."},
    {"", "senders", "TABLE", .build = config_part_senders,
     .doc = "A table whose names are users, and whose targets are the addresses that they may send as besides their "
            "own: an address, @domain, @.domain for all below it, or a pattern with *."},
    {"", "account", "NAME { ... }", .many = true, .build = config_part_account,
     .doc = "What is particular about one user."},
    {"account", "senders", "any", .build = config_part_any_sender, .doc = "This user may send as anybody."},
    {"account", "messages-per-hour", "NUMBER", .build = config_part_account_quota, .doc = "As in quota."},
    {"account", "messages-per-day", "NUMBER", .build = config_part_account_quota, .doc = "As in quota."},
    {"account", "recipients-per-hour", "NUMBER", .build = config_part_account_quota, .doc = "As in quota."},
    {"account", "recipients-per-day", "NUMBER", .build = config_part_account_quota, .doc = "As in quota."},
    {"account", "message-size", "SIZE", .build = config_part_account_quota, .doc = "As in quota."},
    {"", "proxy from", "NETWORK ...", .many = true, .build = config_part_proxy,
     .doc = "Load balancers, whose connections must begin with the PROXY protocol, version 1 or 2. Nobody else's may."},
    {"", "xclient from", "NETWORK ...", .many = true, .build = config_part_xclient,
     .doc = "Proxies and tests that may say by XCLIENT who the client is."},
    {"", "relay from", "NETWORK ...", .many = true, .build = config_part_relay,
     .doc = "Networks whose clients may send to any domain. A network wider than /8 (IPv6: /16), and many that add up "
            "to as much, would make an open relay and are refused, unless the words end with "
            "yes-i-want-an-open-relay."},
    {"", "route", "DOMAIN via mx [port PORT] | DOMAIN via HOST[:PORT] | DOMAIN hold", .many = true,
     .build = config_part_route, .fallback = "* via mx",
     .doc = "Where mail for other domains goes. DOMAIN is a name, .name for all below it, or * for the rest; the most "
            "particular decides. via mx asks DNS; via HOST goes to that name or address without asking for MX; hold "
            "keeps mail until it is released by posthouse queue retry."},
    {"", "content line-ends", "refuse|repair", CONFIG_CHOICE, .fallback = "refuse", AT(line_ends),
     .choices = line_end_words,
     .doc = "What becomes of content with a bare CR or LF: refused with 554 5.6.0, or repaired to CRLF. In neither "
            "case does it end the message."},
    {"", "resolver", "system | recursive | forward ADDRESS[:PORT] ...", .build = config_part_resolver,
     .fallback = "system",
     .doc = "Whom to ask for DNS: the servers of /etc/resolv.conf, the root and all below it, or these servers."},
    {"", "resolver dnssec", "on|off", CONFIG_SWITCH, .fallback = "on", AT(dnssec),
     .doc = "Whether answers are validated. A forged or broken answer is none: mail waits. Behind servers that pass no "
            "signatures every answer counts as unsigned."},
    {"", "resolver trust-anchors", "PATH", CONFIG_PATH, AT(trust_anchors),
     .doc = "DS and DNSKEY records, a line each as in a zone file, to trust instead of those of the root zone."},
    {"", "resolver root-hints", "PATH", CONFIG_PATH, AT(root_hints),
     .doc = "NS records of the root and the addresses of its servers, as in a zone file, instead of the built-in ones. "
            "For resolver recursive only."},
    {"", "log", "text|json", CONFIG_CHOICE, .fallback = "text", AT(log_format), .choices = log_words,
     .doc = "The form of events on standard error."},
    {"", "workers", "{ ... }", CONFIG_SECTION, .doc = "Processes of a role."},
    {"workers", "smtpd", COUNT(1, 64), .fallback = "1", AT(smtpd_workers), .doc = "Processes that take mail by SMTP."},
    {"workers", "relay", COUNT(1, 64), .fallback = "1", AT(relay_workers), .doc = "Processes that relay mail."},

    {"workers", "submission", COUNT(1, 64), .fallback = "1", AT(submission_workers),
     .doc = "Processes that take mail from users."},
    {"workers", "auth", COUNT(1, 64), .fallback = "2", AT(auth_workers), .doc = "Processes that check passwords."},
    {"workers", "keys", COUNT(1, 16), .fallback = "1", AT(keys_workers),
     .doc = "Processes that hold private keys and sign."},

    {"", "submission", "{ ... }", CONFIG_SECTION, .doc = "Mail from users."},
    {"submission", "received-user", "on|off", CONFIG_SWITCH, .fallback = "on", AT(received_user),
     .doc = "Whether Received says who logged in."},

    {"", "quota", "{ ... }", CONFIG_SECTION, .doc = "What a user can send at most. 0: without a bound."},
    {"quota", "messages-per-hour", COUNT(0, 1000000000), .fallback = "500", AT(quota.messages_hour),
     .doc = "Messages in any hour.", .reply = "452 4.7.1"},
    {"quota", "messages-per-day", COUNT(0, 1000000000), .fallback = "2000", AT(quota.messages_day),
     .doc = "Messages in any day.", .reply = "452 4.7.1"},
    {"quota", "recipients-per-hour", COUNT(0, 1000000000), .fallback = "1000", AT(quota.recipients_hour),
     .doc = "Recipients in any hour.", .reply = "452 4.7.1"},
    {"quota", "recipients-per-day", COUNT(0, 1000000000), .fallback = "5000", AT(quota.recipients_day),
     .doc = "Recipients in any day.", .reply = "452 4.7.1"},
    {"quota", "message-size", .type = CONFIG_BIG_SIZE, .syntax = "SIZE", .least = 0, .most = 4096LL * MIB,
     .fallback = "0", AT(quota.message_size), .doc = "Bytes of a message, below limit message-size.",
     .reply = "552 5.3.4"},

    {"", "lockout", "{ ... }", CONFIG_SECTION, .doc = "What failed log-ins lead to."},
    {"lockout", "account", COUNT(0, 1000000), .fallback = "20", AT(lockout.account),
     .doc = "Failures of one account before it is locked for addresses that it never logged in from. 0: never.",
     .reply = "454 4.7.0"},
    {"lockout", "address", COUNT(0, 1000000), .fallback = "10", AT(lockout.address),
     .doc = "Failures of one address (IPv6: /64) before it is locked. 0: never.", .reply = "454 4.7.0"},
    {"lockout", "network", COUNT(0, 1000000), .fallback = "100", AT(lockout.network),
     .doc = "Failures of one network (/24, IPv6: /48) before it is locked. 0: never.", .reply = "454 4.7.0"},
    {"lockout", "window", TIME, .fallback = "15m", AT(lockout.window), .doc = "How long a failure counts."},
    {"lockout", "time", "TIME .. TIME", CONFIG_TIME_RANGE, .fallback = "5m .. 4h", .least = 10, .most = 7 * MS_DAY,
     AT(lockout.time_first), TO(lockout.time_most), .doc = "How long a lock lasts: the first one, and the longest."},
    {"lockout", "delay", "TIME .. TIME", CONFIG_TIME_RANGE, .fallback = "1s .. 8s", .least = 0, .most = MS_MINUTE,
     AT(lockout.delay_first), TO(lockout.delay_most),
     .doc = "How long a failure waits before it is told: the first one, and the longest."},

    {"", "guard", "{ ... }", CONFIG_SECTION,
     .doc =
         "Accounts that suddenly send far more than ever before: their mail is taken and held, and the administrator "
         "is told once."},
    {"guard", "watch", "on|off", CONFIG_SWITCH, .fallback = "on", AT(guard.on), .doc = "Whether it watches."},
    {"guard", "learn", .type = CONFIG_TIME, .syntax = "TIME", .least = 10, .most = 90LL * MS_DAY, .fallback = "7d",
     AT(guard.learn), .doc = "The past of an account that must be known before anything of it is held."},
    {"guard", "factor", COUNT(2, 1000), .fallback = "5", AT(guard.factor),
     .doc = "How many times the busiest hour of its past is too much."},
    {"guard", "least", COUNT(1, 1000000), .fallback = "50", AT(guard.least),
     .doc = "Messages, recipients or failures in an hour that are never too many."},
    {"", "guard notify", "ADDRESS", .build = config_part_notify,
     .fallback = "postmaster@HOSTNAME, or of the first domain of ours", .doc = "Who is told."},

    {"", "limit", "{ ... }", CONFIG_SECTION, .doc = "What a client can have at most."},
    {"limit", "sessions", COUNT(1, 1000000), .fallback = "30000", AT(limits.sessions),
     .doc = "Sessions at once, of all clients. While more than 80 in 100 are there, strangers who are slow give way:"
            " who keeps silent for 10 seconds, sends content slower than 100 bytes a second over a minute, or has had"
            " a minute for commands without a message.",
     .reply = "421 4.3.2"},
    {"limit", "sessions-per-client", COUNT(1, 1000000), .fallback = "100", AT(limits.sessions_per_client),
     .doc = "Sessions at once of one address (IPv6: its /64). Trusted networks are exempt.", .reply = "421 4.7.0"},
    {"limit", "messages-per-session", COUNT(1, 1000000), .fallback = "1000", AT(limits.messages_per_session),
     .doc = "Messages in one session. Trusted networks are exempt.", .reply = "421 4.7.0"},
    {"limit", "recipients", COUNT(100, 10000), .fallback = "1000", AT(limits.recipients),
     .doc = "Recipients of one message (RFC 5321 4.5.3.1.8 asks for at least 100).", .reply = "452 4.5.3"},
    {"limit", "message-size", .type = CONFIG_BIG_SIZE, .syntax = "SIZE", .least = 64 * KIB, .most = 4096LL * MIB,
     .fallback = "50M", AT(limits.message_size), .doc = "Bytes of a message; announced by SIZE.", .reply = "552 5.3.4"},
    {"limit", "header-size", SIZE(4 * KIB, 64 * MIB), .fallback = "256K", AT(limits.header_size),
     .doc = "Bytes of a message's header.", .reply = "552 5.3.4"},
    {"limit", "command-line", SIZE(512, 16 * KIB), .fallback = "2K", AT(limits.command_line),
     .doc = "Bytes of a command with its CRLF (RFC 5321 4.5.3.1.4 asks for at least 512).", .reply = "500 5.5.2"},
    {"limit", "errors", COUNT(1, 1000), .fallback = "10", AT(limits.errors), .doc = "Failed commands in a session.",
     .reply = "421 4.7.0"},
    {"limit", "hops", COUNT(5, 1000), .fallback = "50", AT(limits.hops),
     .doc = "Received fields of a message; more mean that it goes in circles (RFC 5321 6.3).", .reply = "554 5.4.6"},

    {"", "timeout", "{ ... }", CONFIG_SECTION, .doc = "How long to wait for a peer (RFC 5321 4.5.3.2)."},
    {"timeout", "command", TIME, .fallback = "5m", AT(timeouts.command), .doc = "As a server: for the next command.",
     .reply = "421 4.4.2"},
    {"timeout", "data-block", TIME, .fallback = "3m", AT(timeouts.data_block),
     .doc = "As a server: for more of a message's content.", .reply = "421 4.4.2"},
    {"timeout", "connect", TIME, .fallback = "30s", AT(timeouts.connect), .doc = "As a client: for the connection."},
    {"timeout", "greeting", TIME, .fallback = "5m", AT(timeouts.greeting),
     .doc = "As a client: for the banner, and for replies to EHLO and STARTTLS."},
    {"timeout", "mail", TIME, .fallback = "5m", AT(timeouts.mail), .doc = "As a client: for the reply to MAIL."},
    {"timeout", "rcpt", TIME, .fallback = "5m", AT(timeouts.rcpt), .doc = "As a client: for the reply to RCPT."},
    {"timeout", "data-init", TIME, .fallback = "2m", AT(timeouts.data_init), .doc = "As a client: for the 354."},
    {"timeout", "data-send", TIME, .fallback = "3m", AT(timeouts.data_send),
     .doc = "As a client: for the next hop to take more content."},
    {"timeout", "data-end", TIME, .fallback = "10m", AT(timeouts.data_end),
     .doc = "As a client: for the reply to the end of content. Short waits here make duplicates."},

    {"", "queue", "{ ... }", CONFIG_SECTION, .doc = "How mail waits."},
    {"queue", "retry", "TIME .. TIME", CONFIG_TIME_RANGE, .fallback = "5m .. 4h", .least = 10, .most = 7 * MS_DAY,
     AT(queue.retry_first), TO(queue.retry_most),
     .doc = "The wait after the first failed attempt, and the longest one; waits grow between them, with jitter."},
    {"queue", "expire", .type = CONFIG_TIME, .syntax = "TIME", .least = 10, .most = 20LL * MS_DAY, .fallback = "5d",
     AT(queue.expire), .doc = "After this a recipient who wasn't reached gets a bounce."},
    {"queue", "concurrency", "NUMBER .. NUMBER", CONFIG_COUNT_RANGE, .fallback = "5 .. 50", .least = 1, .most = 1000,
     AT(queue.concurrency_first), TO(queue.concurrency_most),
     .doc = "Attempts at once to one destination: at first, and at most; success raises it, failure lowers it."},
    {"queue", "attempts", COUNT(1, 100000), .fallback = "500", AT(queue.attempts),
     .doc = "Attempts at once to all destinations."},
    {"queue", "segment", .type = CONFIG_BIG_SIZE, .syntax = "SIZE", .least = 64 * KIB, .most = 1024LL * MIB,
     .fallback = "128M", AT(queue.segment_size), .doc = "Bytes of one segment of the log."},
    {"queue", "reserve", .type = CONFIG_BIG_SIZE, .syntax = "SIZE", .least = 0, .most = 1LL << 50, .fallback = "64M",
     AT(queue.reserve), .doc = "With less than this free on the disk new mail is refused while the queue drains.",
     .reply = "452 4.3.1"},
};

enum { CONFIG_SCHEMA_N = sizeof config_schema / sizeof *config_schema };

const struct config_directive *config_schema_at(size_t i) {
    if (i < CONFIG_SCHEMA_N)
        return &config_schema[i];
    i -= CONFIG_SCHEMA_N;
    return i < config_schema_gate_n ? &config_schema_gate[i] : NULL;
}

size_t config_schema_index(const struct config_directive *d) {
    size_t i = 0;
    while (config_schema_at(i) != d)
        i++;
    assert(i < CONFIG_DIRECTIVES_MAX);
    return i;
}

static bool is_named(const struct config_directive *d, struct slice name, struct slice second) {
    struct slice first, rest;
    bool two = slice_cut(slice_str(d->name), ' ', &first, &rest);
    return slice_eq(first, name) && (!two || slice_eq(rest, second));
}

const struct config_directive *config_schema_find(const char *block, struct slice name, struct slice second) {
    const struct config_directive *found = NULL, *d;
    for (size_t i = 0; (d = config_schema_at(i)); i++)
        // Two words are more particular than one: `resolver dnssec` is not `resolver`.
        if (strcmp(d->block, block) == 0 && is_named(d, name, second) && (!found || strchr(d->name, ' ')))
            found = d;
    return found;
}

size_t config_schema_arity(const struct config_directive *d) {
    switch (d->type) {
    case CONFIG_PART:
    case CONFIG_SECTION:
        return 0;
    case CONFIG_COUNT_RANGE:
    case CONFIG_TIME_RANGE:
        return 3;
    default:
        return 1;
    }
}
