// cmd_guard: guard list, release and block.
#include "cmd/cmd.h"
#include "cmd/policy_ask.h"
#include "cmd/show.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

// "6 of 50"; while it learns there is no bound.
static void show_figure(const json_t *one, const char *figure, const char *bound) {
    char text[64];
    if (json_object_get(one, bound))
        snprintf(text, sizeof text, "%lld of %lld", (long long)policy_number(one, figure),
                 (long long)policy_number(one, bound));
    else
        snprintf(text, sizeof text, "%lld", (long long)policy_number(one, figure));
    printf("  %-16s", text);
}

static void show_account(const json_t *one, int width) {
    const char *state = policy_text(one, "state"), *reason = policy_text(one, "reason");
    bool bad = !strcmp(state, "holding") || !strcmp(state, "blocked");
    policy_column(policy_text(one, "user"), width);
    printf("  %s%-8s%s", bad ? show_colour(stdout, SHOW_BAD) : "", state, bad ? show_colour(stdout, SHOW_PLAIN) : "");
    show_figure(one, "messages", "messages_bound");
    show_figure(one, "recipients", "recipients_bound");
    printf("  %4lld\n", (long long)policy_number(one, "held"));
    if (*reason) {
        printf("    ");
        show_text(stdout, reason);
        putchar('\n');
    }
}

static void show_list(const struct args *a, const json_t *lines, const json_t *last) {
    size_t i;
    const json_t *one;
    int width = policy_width(lines, "user", 16);
    if (json_array_size(lines) == 0) {
        printf("No account has sent anything yet\n");
        return;
    }
    printf("%-*s  %-8s  %-16s  %-16s  %4s\n", width, "ACCOUNT", "STATE", "MESSAGES/HOUR", "RECIPIENTS/HOUR", "HELD");
    json_array_foreach(lines, i, one) show_account(one, width);
}

static void show_done(const struct args *a, const json_t *lines, const json_t *last) {
    long long n = policy_number(last, "count"), messages = policy_number(last, "messages");
    bool block = !strcmp(a->words[0], "block");
    show_text(stdout, a->words[1]);
    if (block)
        printf(n ? " is blocked" : " was blocked already");
    else
        printf(n ? " is released" : " was not held");
    if (!block || a->remove)
        printf(", %lld message%s %s", messages, messages == 1 ? "" : "s", block ? "deleted" : "to be sent now");
    putchar('\n');
}

static int decide(const struct args *a, const char *verb, bool block) {
    json_int_t n;
    if (a->words_n != 2) {
        fprintf(stderr, "%s: guard %s wants one user\n", a->program, a->words[0]);
        return EX_USAGE;
    }
    if (a->remove && !block) {
        fprintf(stderr, "%s: --delete goes with guard block\n", a->program);
        return EX_USAGE;
    }
    int code = policy_ask(a, verb, "user", a->words[1], a->remove ? "delete" : NULL, show_done, &n);
    return code == EX_OK && !block && !n ? EX_NOINPUT : code;
}

int cmd_guard(const struct args *a) {
    static const char *const known[] = {"list", "release", "block", NULL};
    const char *verb = a->words_n ? a->words[0] : "list";
    if (!strcmp(verb, "list"))
        return policy_list(a, "guard", "user", show_list);
    if (!strcmp(verb, "release"))
        return decide(a, "guard-release", false);
    if (!strcmp(verb, "block"))
        return decide(a, "guard-block", true);
    return cmd_unknown(a, "guard", verb, known);
}
