// policy_ask: requests by jansson, answers by line.
#include "cmd/policy_ask.h"

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { COLUMN_MAX = 60, VERB_MAX = 32 };

static void collect(void *arg, char *line, size_t n) {
    json_t *one = json_loadb(line, n, 0, NULL);
    if (one)
        json_array_append_new(arg, one);
}

static char *request_text(const char *verb, const char *key, const char *name, const char *flag) {
    json_t *request = json_pack("{s:s}", "do", verb);
    bool ok = request && (!name || json_object_set_new(request, key, json_string(name)) == 0) &&
              (!flag || json_object_set_new(request, flag, json_true()) == 0);
    char *text = ok ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return text;
}

static void print_json(const json_t *lines, const json_t *last) {
    size_t i;
    const json_t *one;
    json_array_foreach(lines, i, one) {
        json_dumpf(one, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_dumpf(last, stdout, JSON_COMPACT);
    putchar('\n');
}

int policy_ask(const struct args *a, const char *verb, const char *key, const char *name, const char *flag,
               void (*show)(const struct args *a, const json_t *lines, const json_t *last), json_int_t *n) {
    char *text = request_text(verb, key, name, flag), *line = NULL;
    if (!text) {
        fprintf(stderr, "%s: that is no text in UTF-8\n", a->program);
        return EX_USAGE;
    }
    json_t *lines = json_array();
    int code = ask_server(a, text, collect, lines, &line);
    json_t *last = line ? json_loads(line, 0, NULL) : NULL;
    if (code == EX_OK && a->json)
        print_json(lines, last);
    else if (code == EX_OK)
        show(a, lines, last);
    if (n)
        *n = policy_number(last, "count") + policy_number(last, "messages");
    json_decref(lines);
    json_decref(last);
    free(line);
    free(text);
    return code;
}

int policy_list(const struct args *a, const char *command, const char *key,
                void (*show)(const struct args *a, const json_t *lines, const json_t *last)) {
    char verb[VERB_MAX];
    if (a->words_n > 2)
        return cmd_too_many(a, command, a->words[2]);
    snprintf(verb, sizeof verb, "%s-list", command);
    return policy_ask(a, verb, key, a->words_n == 2 ? a->words[1] : NULL, NULL, show, NULL);
}

static void show_cleared(const struct args *a, const json_t *lines, const json_t *last) {
    long long n = policy_number(last, "count");
    printf("%lld entr%s cleared\n", n, n == 1 ? "y" : "ies");
}

int policy_clear(const struct args *a, const char *command, const char *names) {
    char verb[VERB_MAX];
    bool named = a->words_n == 2;
    json_int_t n;
    if (a->words_n > 2 || named == a->all) {
        fprintf(stderr, "%s: %s clear wants one of: %s, --all\n", a->program, command, names);
        return EX_USAGE;
    }
    snprintf(verb, sizeof verb, "%s-clear", command);
    int code = policy_ask(a, verb, "what", named ? a->words[1] : NULL, a->all ? "all" : NULL, show_cleared, &n);
    return code == EX_OK && named && !n ? EX_NOINPUT : code;
}

const char *policy_text(const json_t *o, const char *key) {
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

json_int_t policy_number(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

int policy_width(const json_t *lines, const char *key, int least) {
    size_t i, width = (size_t)least;
    const json_t *one;
    json_array_foreach(lines, i, one) {
        size_t n = strlen(policy_text(one, key));
        width = n > width ? n : width;
    }
    return width > COLUMN_MAX ? COLUMN_MAX : (int)width;
}

void policy_column(const char *text, int width) {
    int n = (int)strlen(text);
    show_text(stdout, text);
    printf("%*s", n < width ? width - n : 0, "");
}
