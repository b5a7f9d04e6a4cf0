// cmd_lockout: lockout list and clear.
#include "cmd/cmd.h"
#include "cmd/policy_ask.h"
#include "cmd/show.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static void show_line(const json_t *one, int width) {
    json_int_t until = policy_number(one, "until");
    printf("%-8s  ", policy_text(one, "kind"));
    policy_column(policy_text(one, "what"), width);
    printf("  %8lld  ", (long long)policy_number(one, "failures"));
    if (!until) {
        printf("not locked\n");
        return;
    }
    char left[32];
    time_t now = time(NULL);
    show_duration(left, sizeof left, until > now ? until - now : 0);
    printf("%slocked%s for %s\n", show_colour(stdout, SHOW_BAD), show_colour(stdout, SHOW_PLAIN), left);
}

static void show_list(const json_t *lines) {
    size_t i;
    const json_t *one;
    int width = policy_width(lines, "what", 16);
    if (json_array_size(lines) == 0) {
        printf("No failed log-ins lately\n");
        return;
    }
    printf("%-8s  %-*s  %8s  %s\n", "KIND", width, "WHAT", "FAILURES", "STATE");
    json_array_foreach(lines, i, one) show_line(one, width);
}

static int list(const struct args *a) {
    json_t *lines = NULL, *last = NULL;
    if (a->words_n > 2)
        return cmd_too_many(a, "lockout", a->words[2]);
    int code = policy_ask(a, "lockout-list", "what", a->words_n == 2 ? a->words[1] : NULL, NULL, &lines, &last);
    if (code == EX_OK && a->json)
        policy_print(lines, last);
    else if (code == EX_OK)
        show_list(lines);
    json_decref(lines);
    json_decref(last);
    return code;
}

static int clear(const struct args *a) {
    json_t *lines = NULL, *last = NULL;
    bool named = a->words_n == 2;
    if (a->words_n > 2 || named == a->all) {
        fprintf(stderr, "%s: lockout clear wants one of: an account, an address, a network, --all\n", a->program);
        return EX_USAGE;
    }
    int code = policy_ask(a, "lockout-clear", "what", named ? a->words[1] : NULL, a->all ? "all" : NULL, &lines, &last);
    long long n = policy_number(last, "count");
    if (code == EX_OK && a->json)
        policy_print(lines, last);
    else if (code == EX_OK)
        printf("%lld entr%s cleared\n", n, n == 1 ? "y" : "ies");
    json_decref(lines);
    json_decref(last);
    return code == EX_OK && named && !n ? EX_NOINPUT : code;
}

int cmd_lockout(const struct args *a) {
    static const char *const known[] = {"list", "clear", NULL};
    const char *verb = a->words_n ? a->words[0] : "list";
    if (!strcmp(verb, "list"))
        return list(a);
    if (!strcmp(verb, "clear"))
        return clear(a);
    return cmd_unknown(a, "lockout", verb, known);
}
