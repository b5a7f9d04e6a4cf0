// config_schema_gate: the schema's rows about strangers: policy, lists, rates, filters, what is remembered of them.
#include "core/config/config_schema_rows.h"

static const char *const dmarc_words[] = {"enforce", "monitor", NULL};

const struct config_directive config_schema_gate[] = {
    {"", "policy", "STAGE { ... }", .many = true, .build = config_part_policy,
     .doc = "Rules for one stage of a session with a stranger: connect, helo, mail, recipient or content. They take "
            "the place of the built-in ones of that stage. See POLICY."},
    {"", "dnsbl", "ZONE [weight NUMBER] [of client|sender|helo] [codes CODE, CODE .. CODE]", .many = true,
     .build = config_part_dnsbl,
     .doc = "A block list in DNS (RFC 5782). Its weight, 8 unless said, is added to dnsbl.score of a client, a "
            "sender's domain or a HELO name that is on it. With codes, only answers among those addresses count; "
            "without, all of 127.0.0.0/8 but 127.255.255.0/24, by which lists say that they won't answer. A list that "
            "is dead, or that lists everybody, is noticed and left out."},
    {"", "dnswl", "ZONE [weight NUMBER] [of client|sender|helo] [codes CODE, CODE .. CODE]", .many = true,
     .build = config_part_dnswl,
     .doc = "An allow list, likewise: who is on it is dnsbl.allowed, and its weight is taken away from dnsbl.score."},
    {"", "rate", "WHAT by WHOM NUMBER per UNIT [burst NUMBER] [except local] | none", .many = true,
     .build = config_part_rate,
     .fallback = "connections by client 120 per minute, connections by network 600 per minute, messages by client "
                 "2000 per hour, messages by network 10000 per hour, unknown-recipients by client 60 per hour, errors "
                 "by client 120 per hour, all except local",
     .doc =
         "A token bucket: that many at once, or as many as burst says, and then as fast as NUMBER per UNIT. WHAT is "
         "connections, messages, recipients, unknown-recipients or errors; WHOM is client (IPv6: its /64), network "
         "(/24, IPv6: /48), helo, sender-domain or recipient; UNIT is second, minute, hour or day. Past it the reply "
         "is 421 4.7.0 for connections, unknown recipients and errors, and 451 4.7.1 else. except local: "
         "not for clients on loopback, unless checks loopback is on. Trusted networks are exempt. The first rate "
         "that is given takes the place of all of the built-in ones; none: there are none."},

    {"", "checks", "{ ... }", CONFIG_SECTION, .doc = "What strangers are asked."},
    {"checks", "loopback", "on|off", CONFIG_SWITCH, .fallback = "off", AT(gate.checks.loopback),
     .doc = "Whether clients on this machine are asked as others are: for early talk, lists, their name in DNS, "
            "greylisting, built-in rates. What their mail says of itself (SPF, DKIM, DMARC) is always verified."},
    {"checks", "greet-wait", TIME_FROM(0, 30 * MS_SECOND), .fallback = "2s", AT(gate.checks.greet_wait),
     .doc =
         "How long an unknown client is listened to before it is greeted, when a rule asks for client.early. One that "
         "waited is greeted at once for a day, unless it talks early; each smtpd process remembers 50,000 of them."},
    {"checks", "dns-time", TIME_FROM(100, 5 * MS_MINUTE), .fallback = "10s", AT(gate.checks.dns_time),
     .doc = "How long all questions of one stage to DNS may take. What isn't known by then speaks for the client."},

    {"", "shutout", "{ ... }", CONFIG_SECTION,
     .doc = "What a client's repeated misbehaviour leads to: slow replies, and then none for a while."},
    {"shutout", "points", COUNT(0, 1000000), .fallback = "30", AT(gate.shutout.points),
     .doc = "How many points within window shut a client out. 0: never.", .reply = "421 4.7.0"},
    {"shutout", "window", TIME, .fallback = "1h", AT(gate.shutout.window), .doc = "How long a point counts."},
    {"shutout", "time", "TIME .. TIME", CONFIG_TIME_RANGE, .fallback = "10m .. 1d", .least = 10, .most = 30LL * MS_DAY,
     AT(gate.shutout.time_first), TO(gate.shutout.time_most),
     .doc = "How long that lasts: the first time, and at most; it doubles."},
    {"shutout", "tarpit", "TIME .. TIME", CONFIG_TIME_RANGE, .fallback = "1s .. 10s", .least = 0, .most = MS_MINUTE,
     AT(gate.shutout.tarpit_first), TO(gate.shutout.tarpit_most),
     .doc = "How long a reply to an error waits, from half of the points on."},

    {"", "greylist", "{ ... }", CONFIG_SECTION,
     .doc = "What the action greylist does: whom SPF or DKIM doesn't prove is known by the network, others by their "
            "domain."},
    {"greylist", "wait", TIME, .fallback = "2m", AT(gate.greylist.wait), .doc = "Before this a second try is too soon.",
     .reply = "451 4.7.1"},
    {"greylist", "window", TIME_FROM(10, 30LL * MS_DAY), .fallback = "1d", AT(gate.greylist.window),
     .doc = "A second try must come within this."},
    {"greylist", "keep", TIME_FROM(10, 366LL * MS_DAY), .fallback = "35d", AT(gate.greylist.keep),
     .doc = "How long who came back is remembered, from the last use on."},

    {"", "dmarc", "enforce|monitor", CONFIG_CHOICE, .fallback = "enforce", AT(gate.dmarc), .choices = dmarc_words,
     .doc = "Whether what domains ask for by DMARC (RFC 9989) is done, or only found out and written down."},
    {"", "dmarc reports", "from ADDRESS [{ ... }]", .build = config_part_reports,
     .doc = "Results are kept, and aggregate reports (RFC 9990) sent to the domains that want them, from this address. "
            "They are signed where there is a DKIM key for its domain. Without it neither is done."},
    {"dmarc reports", "organisation", "TEXT", .build = config_part_organisation, .fallback = "the domain of ADDRESS",
     .doc = "Who reports."},
    {"dmarc reports", "every", TIME_FROM(MS_MINUTE, 7 * MS_DAY), .fallback = "1d", AT(gate.reports.every),
     .doc = "How often."},

    {"", "arc trust", "DOMAIN ...", .many = true, .build = config_part_arc_trust,
     .doc = "Domains whose seals are believed (RFC 8617): mail that they passed on isn't refused for its DMARC."},
    {"", "arc seal", "as DOMAIN selector SELECTOR key PATH", .build = config_part_arc_seal,
     .doc = "Mail that goes on to other servers is sealed by this key. Without it nothing is."},

    {"", "filter", "NAME milter|delegation ADDRESS [{ ... }]", .many = true, .build = config_part_filter,
     .doc =
         "A filter of others: a milter (protocol version 6), asked in the file's order; or a server of Postfix's "
         "policy delegation, asked where a rule says ask NAME. ADDRESS is 127.0.0.1:8891, [::1]:8891 or unix:/path; a "
         "Unix socket must let the user of Posthouse connect. A milter is asked from MAIL on, about mail of trusted "
         "clients as well. What it changes counts once its answer is complete, and the next milter sees it. Mail that "
         "it quarantines is held. A server of policy is told all attributes that Postfix has, empty where nothing is "
         "known, and answers with the actions of Postfix's access(5). FILTER can't be obeyed: it is logged and passed "
         "over, as is an action whose address or header is none. A word that is no action is logged, and is a "
         "failure."},
    {"filter", "for", "mx submission", .build = config_part_filter_for, .fallback = "mx",
     .doc = "Whose sessions a milter sees."},
    {"filter", "connect", "TIME", .build = config_part_filter_time, .fallback = "10s",
     .doc = "How long to wait for the connection to it."},
    {"filter", "reply", "TIME", .build = config_part_filter_time, .fallback = "30s",
     .doc =
         "How long to wait for an answer; again that long each time that it says that it makes progress, ten minutes "
         "in all."},
    {"filter", "content", "TIME", .build = config_part_filter_time, .fallback = "5m",
     .doc = "How long to wait for the answer to the end of content."},
    {"filter", "failure", "tempfail|accept|reject|quarantine", .build = config_part_filter_failure,
     .fallback = "tempfail",
     .doc = "What is done where it can't be asked, or breaks off: 451, nothing, 550, or the message is held. It isn't "
            "asked again in that session."},

    {"", "history", "{ ... }", CONFIG_SECTION, .doc = "Why things were decided, for posthouse explain."},
    {"history", "size", BIG_SIZE(0, 1LL << 40), .fallback = "256M", AT(gate.history.size),
     .doc = "Bytes on disk; the oldest goes first. 0: nothing is kept."},
    {"history", "days", TIME_FROM(MS_HOUR, 3660LL * MS_DAY), .fallback = "30d", AT(gate.history.days),
     .doc = "How long it is kept."},

    {"domain", "junk", "FOLDER | off", .build = config_part_junk, .fallback = "\".Junk\"",
     .doc = "The folder of the Maildir (Maildir++, so it begins with a dot) for what policy quarantines. off: it goes "
            "where other mail goes."},

    {"limit", "memory", BIG_SIZE(1 * MIB, 1LL << 40), .fallback = "512M", AT(gate.memory),
     .doc = "Bytes of content that the sessions of one process hold at once, of all clients.", .reply = "451 4.3.2"},
    {"limit", "queue-messages", COUNT(0, UINT32_MAX), .fallback = "1000000", AT(gate.queue_messages),
     .doc = "Messages in the queue past which new mail waits outside. 0: without a bound.", .reply = "451 4.3.2"},
};

const size_t config_schema_gate_n = sizeof config_schema_gate / sizeof *config_schema_gate;
