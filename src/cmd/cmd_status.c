// cmd_status: status, stop and reload: what concerns the server as a whole.
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *text_in(const json_t *o, const char *key) {
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static json_int_t number_in(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

static void show_head(const json_t *s) {
    char up[32];
    show_duration(up, sizeof up, number_in(s, "uptime_seconds"));
    printf("%sposthouse %s%s on ", show_colour(stdout, SHOW_BOLD), text_in(s, "version"),
           show_colour(stdout, SHOW_PLAIN));
    show_text(stdout, text_in(s, "hostname"));
    printf(", process %lld, up %s, configuration ", (long long)number_in(s, "pid"), up);
    show_text(stdout, text_in(s, "configuration"));
    printf("\nlistening: ");
    size_t i;
    const json_t *l;
    json_array_foreach(json_object_get(s, "listeners"), i, l) printf("%s%s", i ? ", " : "", json_string_value(l));
    printf("\n\n");
}

static void show_process(const json_t *p) {
    char up[32], sessions[24] = "";
    bool ready = !strcmp(text_in(p, "state"), "ready");
    show_duration(up, sizeof up, number_in(p, "uptime_seconds"));
    if (json_object_get(p, "sessions"))
        snprintf(sessions, sizeof sessions, "%lld", (long long)number_in(p, "sessions"));
    printf("%-12s %s%-9s%s %8lld  %-12s %8lld  %8s\n", text_in(p, "name"),
           show_colour(stdout, ready ? SHOW_GOOD : SHOW_BAD), text_in(p, "state"), show_colour(stdout, SHOW_PLAIN),
           (long long)number_in(p, "pid"), up, (long long)number_in(p, "restarts"), sessions);
}

static void show_queue(const json_t *q) {
    char size[32];
    if (!json_is_object(q)) {
        printf("queue: it does not answer\n");
        return;
    }
    show_size(size, sizeof size, (uint64_t)number_in(q, "bytes"));
    json_int_t n = number_in(q, "messages");
    printf("queue: %lld message%s, %s; recipients: %lld active, %lld ready, %lld deferred, %lld held\n", (long long)n,
           n == 1 ? "" : "s", size, (long long)number_in(q, "active"), (long long)number_in(q, "ready"),
           (long long)number_in(q, "deferred"), (long long)number_in(q, "held"));
}

int cmd_status(const struct args *a) {
    char *line = NULL;
    int code = ask_server(a, "{\"do\":\"status\"}", NULL, NULL, &line);
    if (code != EX_OK)
        return code;
    json_t *s = json_loads(line, 0, NULL);
    size_t i;
    const json_t *p;
    if (a->json) {
        fputs(line, stdout);
    } else {
        show_head(s);
        printf("%-12s %-9s %8s  %-12s %8s  %8s\n", "process", "state", "pid", "up", "restarts", "sessions");
        json_array_foreach(json_object_get(s, "processes"), i, p) show_process(p);
        putchar('\n');
        show_queue(json_object_get(s, "queue"));
    }
    json_decref(s);
    free(line);
    return EX_OK;
}

static int tell(const struct args *a, const char *request) {
    char *line = NULL;
    int code = ask_server(a, request, NULL, NULL, &line);
    if (code != EX_OK)
        return code;
    json_t *answer = json_loads(line, 0, NULL);
    if (a->json)
        fputs(line, stdout);
    else
        printf("%s\n", text_in(answer, "text"));
    json_decref(answer);
    free(line);
    return EX_OK;
}

int cmd_stop(const struct args *a) {
    int code = ask_server(a, "{\"do\":\"stop\"}", NULL, NULL, NULL);
    if (code != EX_OK)
        return code;
    if (!ask_wait_gone(a)) {
        fprintf(stderr, "%s: the server has been told to stop and is still there; see its log\n", a->program);
        return EX_TEMPFAIL;
    }
    printf(a->json ? "{\"ok\":true,\"text\":\"stopped\"}\n" : "stopped\n");
    return EX_OK;
}

int cmd_reload(const struct args *a) { return tell(a, "{\"do\":\"reload\"}"); }
