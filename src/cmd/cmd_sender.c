// cmd_sender: sender list, clear, block and allow: what is remembered of those who send to us.
#include "cmd/cmd.h"
#include "cmd/policy_ask.h"
#include "cmd/show.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

// --- in words

static void show_span(const char *before, int64_t seconds, const char *behind) {
    char words[32];
    show_duration(words, sizeof words, seconds > 0 ? seconds : 0);
    printf("%s%s%s", before, words, behind);
}

static void show_foreign(const char *before, const char *text) {
    if (*text) {
        printf("%s", before);
        show_text(stdout, text);
    }
}

static void show_points(const json_t *one) {
    long long points = policy_number(one, "points");
    if (points)
        printf("%lld point%s", points, points == 1 ? "" : "s");
    show_foreign("; ", policy_text(one, "reason"));
}

static void show_good(const json_t *one) {
    long long good = policy_number(one, "good");
    printf("%lld good message%s", good, good == 1 ? "" : "s");
    if (policy_number(one, "points")) {
        printf(", ");
        show_points(one);
    }
}

static void show_waiting(const json_t *one, time_t now) {
    int64_t left = policy_number(one, "until") - now;
    show_foreign("from ", policy_text(one, "sender"));
    show_foreign(*policy_text(one, "sender") ? " to " : "to ", policy_text(one, "recipient"));
    if (left > 0)
        show_span(", passes in ", left, "");
    else
        printf(", passes when it comes again");
}

static void show_why(const json_t *one, const char *state) {
    time_t now = time(NULL);
    int64_t since = now - policy_number(one, "since"), until = policy_number(one, "until") - now;
    if (!strcmp(state, "blocked") || !strcmp(state, "allowed")) {
        show_span("by a person, ", since, " ago");
    } else if (!strcmp(state, "shut-out")) {
        show_span("for ", until, ": ");
        show_points(one);
    } else if (!strcmp(state, "counted")) {
        show_points(one);
    } else if (!strcmp(state, "known") || !strcmp(state, "seen")) {
        show_good(one);
    } else if (!strcmp(state, "waiting")) {
        show_waiting(one, now);
    } else {
        show_foreign("for ", policy_text(one, "sender"));
        show_span(*policy_text(one, "sender") ? ", last " : "last ", since, " ago");
    }
}

// --- the commands

static void show_line(const json_t *one, int width) {
    const char *state = policy_text(one, "state");
    bool bad = !strcmp(state, "blocked") || !strcmp(state, "shut-out");
    policy_column(policy_text(one, "what"), width);
    printf("  %s%-8s%s  ", bad ? show_colour(stdout, SHOW_BAD) : "", state, bad ? show_colour(stdout, SHOW_PLAIN) : "");
    show_why(one, state);
    putchar('\n');
}

static void show_list(const struct args *a, const json_t *lines, const json_t *last) {
    size_t i;
    const json_t *one;
    long long more = policy_number(last, "count") - (long long)json_array_size(lines);
    int width = policy_width(lines, "what", 16);
    if (json_array_size(lines) == 0) {
        printf("Nothing is remembered of that\n");
        return;
    }
    printf("%-*s  %-8s  %s\n", width, "SENDER", "STATE", "WHY");
    json_array_foreach(lines, i, one) show_line(one, width);
    if (more > 0)
        printf("... and %lld more; name one to see it\n", more);
}

static void show_done(const struct args *a, const json_t *lines, const json_t *last) {
    show_text(stdout, a->words[1]);
    printf(" is %s\n", !strcmp(a->words[0], "block") ? "blocked" : "allowed");
}

static int decide(const struct args *a, const char *verb) {
    if (a->words_n != 2) {
        fprintf(stderr, "%s: sender %s wants one of: a client's address, a network, a domain%s\n", a->program,
                a->words[0], !strcmp(a->words[0], "block") ? ", a mailbox" : "");
        return EX_USAGE;
    }
    return policy_ask(a, verb, "what", a->words[1], NULL, show_done, NULL);
}

int cmd_sender(const struct args *a) {
    static const char *const known[] = {"list", "clear", "block", "allow", NULL};
    const char *verb = a->words_n ? a->words[0] : "list";
    if (!strcmp(verb, "list"))
        return policy_list(a, "sender", "what", show_list);
    if (!strcmp(verb, "clear"))
        return policy_clear(a, "sender", "an address, a network, a domain, a mailbox");
    if (!strcmp(verb, "block"))
        return decide(a, "sender-block");
    if (!strcmp(verb, "allow"))
        return decide(a, "sender-allow");
    return cmd_unknown(a, "sender", verb, known);
}
