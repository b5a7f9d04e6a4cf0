// main: posthouse, its sub-commands, and the names it may be called by.
#include "cmd/cmd.h"
#include "cmd/role_main.h"
#include "core/config/config_near.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct command {
    const char *name;
    int (*run)(const struct args *a);
    const char *what, *help;
} commands[] = {
    {"run", cmd_run, "start the server in the foreground",
     "usage: posthouse run [-c FILE]\n"
     "\n"
     "Starts the server and stays in the foreground until SIGINT, SIGTERM or `posthouse stop`. SIGHUP reloads.\n"
     "Events go to standard error. Exits with 78 for a mistake in the configuration, 69 when it can't start.\n"
     "\n"
     "  posthouse run -c run/posthouse.conf\n"},
    {"check", cmd_check, "look for mistakes in the configuration",
     "usage: posthouse check [-c FILE] [--json]\n"
     "\n"
     "Reads the configuration and the files it names, prints every mistake as FILE:LINE:COL: what is wrong, and\n"
     "exits with 78 when there is one. Needs no running server and changes nothing.\n"
     "\n"
     "  posthouse check -c run/posthouse.conf && posthouse reload -c run/posthouse.conf\n"},
    {"status", cmd_status, "show processes, listeners and the queue's size",
     "usage: posthouse status [-c FILE] [--json]\n"
     "\n"
     "  posthouse status\n"
     "  posthouse status --json | jq '.processes[] | {name, pid}'\n"},
    {"queue", cmd_queue, "list, show, retry or delete queued messages",
     "usage: posthouse queue list [-c FILE] [--json]\n"
     "       posthouse queue show ID [-c FILE] [--json]\n"
     "       posthouse queue retry ID | --domain D | --all [-c FILE] [--json]\n"
     "       posthouse queue delete ID | --domain D | --all [-c FILE] [--json]\n"
     "\n"
     "retry attempts what waits now, and lets go what is held. delete sends no bounce. In a list * marks messages\n"
     "of which an attempt is due or under way, ! those that are held. With --json a list has a line for each message.\n"
     "\n"
     "  posthouse queue list\n"
     "  posthouse queue retry --domain example.com\n"},
    {"user", cmd_user, "users of the password file, and their app passwords",
     "usage: posthouse user add USER [--app NAME] [--generate] [-c FILE] [--json]\n"
     "       posthouse user passwd USER [--app NAME] [--generate] [-c FILE] [--json]\n"
     "       posthouse user delete USER [--app NAME] [-c FILE] [--json]\n"
     "       posthouse user list [USER] [-c FILE] [--json]\n"
     "       posthouse user test USER [--app NAME] [-c FILE] [--json]\n"
     "\n"
     "Works on the file of the first `auth file` directive; a running server sees the change within a second. The\n"
     "password is asked for, or read as a line of standard input where that is no terminal; --generate makes one and\n"
     "prints it, once. --app NAME is about an app password: a further one of the same user, with a name. delete\n"
     "without it removes the user. test exits with 77 when the password is wrong. list shows when each was last used,\n"
     "if the server is running.\n"
     "\n"
     "  posthouse user add ann@example.org\n"
     "  posthouse user add ann@example.org --app phone --generate\n"},
    {"lockout", cmd_lockout, "list or clear what failed log-ins led to",
     "usage: posthouse lockout list [WHAT] [-c FILE] [--json]\n"
     "       posthouse lockout clear WHAT | --all [-c FILE] [--json]\n"
     "\n"
     "WHAT is an account, an address or a network. An account that is locked is locked for networks from which it has\n"
     "not logged in within 30 days; at home its owner goes on. Locks end by themselves. clear forgets the failures as\n"
     "well. With --json a list has a line for each entry.\n"
     "\n"
     "  posthouse lockout list\n"
     "  posthouse lockout clear 192.0.2.0/24\n"},
    {"guard", cmd_guard, "accounts that send far more than they used to",
     "usage: posthouse guard list [USER] [-c FILE] [--json]\n"
     "       posthouse guard release USER [-c FILE] [--json]\n"
     "       posthouse guard block USER [--delete] [-c FILE] [--json]\n"
     "\n"
     "list shows what each account sends in this hour, and past which figures its mail would be held. release sends\n"
     "what was held and allows as much from now on, and lifts a block. block refuses log-ins and mail; with --delete,\n"
     "what is held is deleted without a bounce.\n"
     "\n"
     "  posthouse guard list\n"
     "  posthouse guard release ann@example.org\n"},
    {"sender", cmd_sender, "what is remembered of those who send to us",
     "usage: posthouse sender list [WHAT] [-c FILE] [--json]\n"
     "       posthouse sender clear WHAT | --all [-c FILE] [--json]\n"
     "       posthouse sender block ADDRESS | NETWORK | DOMAIN | MAILBOX [-c FILE] [--json]\n"
     "       posthouse sender allow ADDRESS | NETWORK | DOMAIN [-c FILE] [--json]\n"
     "\n"
     "list shows who is shut out, who has points for misbehaving, who is known by good mail, who is greylisted or has\n"
     "come back, and to whom our users wrote; WHAT is an address, a network, a domain or a mailbox. clear forgets all\n"
     "of that about WHAT, and what was said of it; --all forgets points, shut-outs and who is greylisted. block shuts\n"
     "out, allow spares shut-outs and greylisting, until it is cleared; of two networks the narrower one counts.\n"
     "\n"
     "  posthouse sender list 192.0.2.1\n"
     "  posthouse sender allow 192.0.2.0/24\n"},
    {"dkim", cmd_dkim, "make, publish, check and rotate keys that sign mail",
     "usage: posthouse dkim new DOMAIN [--rsa BITS] [--ed25519] [--selector S] [-c FILE] [--json]\n"
     "       posthouse dkim dns DOMAIN [-c FILE] [--json]\n"
     "       posthouse dkim check DOMAIN [-c FILE] [--json]\n"
     "       posthouse dkim rotate DOMAIN [--now] [-c FILE] [--json]\n"
     "       posthouse dkim list [DOMAIN] [-c FILE] [--json]\n"
     "\n"
     "new makes an RSA key of 2048 bits and an Ed25519 key, or what is asked for, and prints their records for DNS.\n"
     "They sign nothing until rotate finds them published (--now: without a look). rotate makes the next keys where\n"
     "none are waiting; the ones before stay in DNS for a week, and a later rotate removes them. dns prints records\n"
     "again, check compares what is published. check and rotate exit with 75 for what is not there (yet), 65 for\n"
     "what is wrong. A running server sees changes within a second.\n"
     "\n"
     "  posthouse dkim new example.org\n"
     "  posthouse dkim check example.org && posthouse dkim rotate example.org\n"},
    {"verify", cmd_verify, "see what receivers make of a message",
     "usage: posthouse verify [spf|dkim|arc|dmarc|all] [--ip A] [--helo H] [--from F] [--dns FILE]\n"
     "                        [--now UNIXTIME] [--json] < message\n"
     "\n"
     "Evaluates SPF, DKIM, ARC and DMARC of the message on standard input; spf alone reads none. --ip is the client's\n"
     "address, --helo its name, --from the sender of the envelope. DNS is asked, unless FILE stands for all of it:\n"
     "records in master-file syntax, with TIMEOUT, SERVFAIL or NXDOMAIN instead of a type and data. --now is the time\n"
     "at which signatures are looked at. Reads no configuration. Exits with 0 whatever the results are.\n"
     "\n"
     "  posthouse verify --ip 192.0.2.1 --helo mail.example.com --from ann@example.com < message\n"
     "  posthouse verify dkim --json < message | jq .dkim.signatures\n"},
    {"parse", cmd_parse, "look for mistakes in a record or an address",
     "usage: posthouse parse address|spf|dkim-key|dkim-signature|dmarc|mta-sts|tlsrpt [TEXT] [--json]\n"
     "\n"
     "Says whether TEXT is well-formed and what it means, or what is wrong and where. TEXT that is left out, or -, is\n"
     "read from standard input. mta-sts takes the record of DNS and the policy file. Asks nobody. Exits with 65 when\n"
     "something is wrong.\n"
     "\n"
     "  posthouse parse dmarc 'v=DMARC1; p=reject; rua=mailto:dmarc@example.org'\n"
     "  posthouse parse mta-sts < mta-sts.txt\n"},
    {"simulate", cmd_simulate, "what policy would say of a client and its mail",
     "usage: posthouse simulate --client A [--helo H [--from F [--rcpt R ... [--message FILE]]]] [--user U] [--tls]\n"
     "                          [--fact NAME=VALUE ...] [--dns FILE] [--now UNIXTIME] [-c FILE] [--json]\n"
     "       posthouse simulate --replay FILE [--fact NAME=VALUE ...] [-c FILE] [--json]\n"
     "\n"
     "Walks the rules of the configuration without sending or remembering anything, and shows each stage, rule by\n"
     "rule: whether it applied, the facts it looked at, what DNS was asked and said, and the reply that the client\n"
     "would get. It ends where nothing more is known of the session. --from '<>' is the null reverse-path,\n"
     "--message - standard input. --dns FILE stands for all of DNS. The client is one that was never seen; --fact\n"
     "client.known=true, or any other fact of POLICY in posthouse.conf(5), says otherwise. Filters of others aren't\n"
     "asked, but named. Without any configuration the defaults are walked, and the recipients' domains are ours.\n"
     "\n"
     "--replay runs what was decided before, as explain --json prints it, or out of a file of STATE/history or all of\n"
     "them, against the configuration -c, and prints only what changes. Facts are as they were recorded, and so is\n"
     "DNS.\n"
     "\n"
     "  posthouse simulate --client 192.0.2.1 --helo mx.example.net --from ann@example.net --rcpt bob@example.org\n"
     "  posthouse explain --json 192.0.2.1 > then && posthouse simulate --replay then -c new.conf\n"},
    {"report", cmd_report, "read aggregate reports of DMARC",
     "usage: posthouse report show [FILE] [--json]\n"
     "\n"
     "Shows an aggregate report that came (RFC 9990, RFC 7489): the XML, compressed or in a zip archive, or the mail\n"
     "that it is attached to. Without FILE, or with -, standard input is read.\n"
     "\n"
     "  posthouse report show 'google.com!example.org!1795219200!1795305599.zip'\n"},
    {"explain", cmd_explain, "tell why mail was accepted, refused or given up",
     "usage: posthouse explain ID | ADDRESS | @DOMAIN | CLIENT | NETWORK [-n N] [--all] [-c FILE] [--json]\n"
     "\n"
     "Tells what happened, newest last: who connected, what was decided and by which rule, the facts and the answers\n"
     "of DNS that it looked at, what filters said, what became of the message. ID is that of a message or of a\n"
     "session, ADDRESS a sender, a recipient or a user. Needs no running server. The latest 10 stories are told, or N\n"
     "(0: all). --all shows the rules that did not apply, too. With --json, a line for each record; simulate --replay\n"
     "reads them. Exits with 67 when nothing is known.\n"
     "\n"
     "  posthouse explain ann@example.net\n"
     "  posthouse explain 192.0.2.0/24 -n 3\n"},
    {"stop", cmd_stop, "stop a running server",
     "usage: posthouse stop [-c FILE] [--json]\n"
     "\n"
     "Sessions end with 421 and deliveries under way may finish, for five seconds. Queued mail stays queued.\n"
     "\n"
     "  posthouse stop -c run/posthouse.conf\n"},
    {"reload", cmd_reload, "take a changed configuration without stopping",
     "usage: posthouse reload [-c FILE] [--json]\n"
     "\n"
     "A configuration with a mistake is refused, and the server goes on with the old one.\n"
     "\n"
     "  posthouse reload\n"},
    {"config", cmd_config, "print the configuration, with --effective all defaults",
     "usage: posthouse config [--effective] [-c FILE] [--json]\n"
     "\n"
     "  posthouse config --effective | less\n"},
    {"version", cmd_version, "print the version", "usage: posthouse version [--json]\n\n  posthouse version\n"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *to) {
    fprintf(to, "usage: posthouse COMMAND [-c FILE] [--json] [--help]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].what);
    fprintf(to,
            "\n-c FILE names the configuration; without it %s is read.\n"
            "posthouse COMMAND --help says more about each.\n",
            ARGS_CONFIG);
}

int cmd_unknown(const struct args *a, const char *what, const char *word, const char *const *known) {
    struct config_near near = config_near_start(slice_str(word));
    fprintf(stderr, "%s: %s%sunknown command \"%.40s\"", a->program, what, *what ? ": " : "", word);
    for (; *known; known++)
        config_near_offer(&near, *known);
    if (near.best)
        fprintf(stderr, "; did you mean \"%s\"?\n", near.best);
    else
        fprintf(stderr, "; see: %s %s%s--help\n", a->program, what, *what ? " " : "");
    return EX_USAGE;
}

static int unknown(const struct args *a) {
    const char *names[COMMANDS + 1] = {NULL};
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    return cmd_unknown(a, "", a->words[0], names);
}

static const struct command *find(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

int cmd_too_many(const struct args *a, const char *what, const char *word) {
    fprintf(stderr, "%s: one word too many: \"%.40s\"; see: %s %s --help\n", a->program, word, a->program, what);
    return EX_USAGE;
}

static bool takes_words(const struct command *c) {
    return c->run == cmd_queue || c->run == cmd_user || c->run == cmd_lockout || c->run == cmd_guard ||
           c->run == cmd_sender || c->run == cmd_dkim || c->run == cmd_verify || c->run == cmd_parse ||
           c->run == cmd_report || c->run == cmd_explain;
}

static int dispatch(struct args *a) {
    const struct command *c = a->words_n ? find(a->words[0]) : NULL;
    if (!a->words_n) {
        usage(a->help ? stdout : stderr);
        return a->help ? EX_OK : EX_USAGE;
    }
    if (!c)
        return unknown(a);
    if (a->help) {
        fputs(c->help, stdout);
        return EX_OK;
    }
    if (!takes_words(c) && a->words_n > 1)
        return cmd_too_many(a, a->words[0], a->words[1]);
    struct args rest = *a; // without the command's own word
    rest.words++;
    rest.words_n--;
    return c->run(&rest);
}

static bool called(const char *argv0, const char *name) {
    const char *slash = strrchr(argv0, '/');
    return !strcmp(slash ? slash + 1 : argv0, name);
}

int main(int argc, char **argv) {
    static char version[] = "version";
    struct args a;
    if (argc == 3 && !strcmp(argv[1], "--role"))
        return role_main(argv[2]);
    if (argc == 2 && !strcmp(argv[1], "--version"))
        argv[1] = version;
    if (!args_parse(argc, argv, &a))
        return EX_USAGE;
    int code = called(argv[0], "mailq") && !a.help ? cmd_queue(&a) : dispatch(&a);
    args_done(&a);
    return code;
}
