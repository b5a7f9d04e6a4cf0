// policy_ask: requests by jansson, answers by line.
#include "cmd/policy_ask.h"

#include "cmd/ask.h"
#include "cmd/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { COLUMN_MAX = 60 };

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

int policy_ask(const struct args *a, const char *verb, const char *key, const char *name, const char *flag,
               json_t **lines, json_t **last) {
    char *text = request_text(verb, key, name, flag), *line = NULL;
    if (!text) {
        fprintf(stderr, "%s: that is no text in UTF-8\n", a->program);
        return EX_USAGE;
    }
    *lines = json_array();
    int code = ask_server(a, text, collect, *lines, &line);
    *last = line ? json_loads(line, 0, NULL) : NULL;
    free(line);
    free(text);
    return code;
}

void policy_print(const json_t *lines, const json_t *last) {
    size_t i;
    const json_t *one;
    json_array_foreach(lines, i, one) {
        json_dumpf(one, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_dumpf(last, stdout, JSON_COMPACT);
    putchar('\n');
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
