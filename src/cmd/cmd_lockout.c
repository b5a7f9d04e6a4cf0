// cmd_lockout: lockout list and clear.
#include "cmd/cmd.h"
#include "cmd/policy_ask.h"
#include "cmd/show.h"

#include <stdio.h>
#include <string.h>
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

static void show_list(const struct args *a, const json_t *lines, const json_t *last) {
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

int cmd_lockout(const struct args *a) {
    static const char *const known[] = {"list", "clear", NULL};
    const char *verb = a->words_n ? a->words[0] : "list";
    if (!strcmp(verb, "list"))
        return policy_list(a, "lockout", "what", show_list);
    if (!strcmp(verb, "clear"))
        return policy_clear(a, "lockout", "an account, an address, a network");
    return cmd_unknown(a, "lockout", verb, known);
}
