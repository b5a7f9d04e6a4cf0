// cmd_queue: queue list, show, retry, delete; also mailq.
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { COLUMN = 42 }; // where senders and recipients begin

struct listing {
    bool json;
    uint64_t messages, bytes;
};

static const char *text_in(const json_t *o, const char *key) {
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static json_int_t number_in(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

// "Sat Nov 21 10:41:15", local time, as mailq has it.
static void time_text(char *to, size_t size, json_int_t at) {
    time_t t = (time_t)at;
    struct tm tm;
    if (!localtime_r(&t, &tm) || !strftime(to, size, "%a %b %e %H:%M:%S", &tm))
        snprintf(to, size, "?");
}

// A reason stands before the recipients that it holds for.
static void show_recipients(const json_t *list) {
    const char *reason = "";
    size_t i;
    const json_t *r;
    json_array_foreach(list, i, r) {
        const char *why = text_in(r, "delay_reason");
        if (strcmp(why, reason)) {
            reason = why;
            printf("%*s(", COLUMN - 2, "");
            show_text(stdout, why);
            printf(")\n");
        }
        printf("%*s", COLUMN, "");
        show_text(stdout, text_in(r, "address"));
        putchar('\n');
    }
}

static void show_message(const json_t *m) {
    char when[32], id[32];
    const char *queue = text_in(m, "queue_name"), *sender = text_in(m, "sender");
    time_text(when, sizeof when, number_in(m, "arrival_time"));
    snprintf(id, sizeof id, "%s%s", text_in(m, "queue_id"),
             !strcmp(queue, "active") ? "*"
             : !strcmp(queue, "hold") ? "!"
                                      : "");
    printf("%-14s %8lld %s  ", id, (long long)number_in(m, "message_size"), when);
    show_text(stdout, *sender ? sender : "MAILER-DAEMON");
    putchar('\n');
    show_recipients(json_object_get(m, "recipients"));
    putchar('\n');
}

static void list_one(void *arg, char *line, size_t n) {
    struct listing *l = arg;
    if (l->json) {
        fputs(line, stdout);
        return;
    }
    json_t *m = json_loads(line, 0, NULL);
    if (!l->messages)
        printf("%-14s %8s %-19s  %s\n", "-Queue ID-----", "--Size--", "----Arrival Time---",
               "-Sender/Recipient-------");
    l->messages++;
    l->bytes += (uint64_t)number_in(m, "message_size");
    show_message(m);
    json_decref(m);
}

static int list(const struct args *a) {
    struct listing l = {.json = a->json};
    int code = ask_server(a, "{\"do\":\"queue-list\"}", list_one, &l, NULL);
    if (code != EX_OK || a->json)
        return code;
    if (!l.messages)
        printf("Mail queue is empty\n");
    else
        printf("-- %llu Kbytes in %llu Request%s.\n", (unsigned long long)((l.bytes + 1023) / 1024),
               (unsigned long long)l.messages, l.messages == 1 ? "" : "s");
    return EX_OK;
}

// --- one message

static void show_attempts(const json_t *list_of) {
    size_t i;
    const json_t *r;
    json_array_foreach(list_of, i, r) {
        char when[32] = "";
        time_text(when, sizeof when, number_in(r, "next_attempt"));
        printf("recipient    ");
        show_text(stdout, text_in(r, "address"));
        printf("\n  state      %s, %lld attempt%s", text_in(r, "state"), (long long)number_in(r, "attempts"),
               number_in(r, "attempts") == 1 ? "" : "s");
        if (number_in(r, "next_attempt"))
            printf(", next at %s", when);
        printf("\n  by         ");
        show_text(stdout, text_in(r, "destination"));
        putchar('\n');
        if (*text_in(r, "delay_reason")) {
            printf("  reason     ");
            show_text(stdout, text_in(r, "delay_reason"));
            putchar('\n');
        }
    }
}

static void show_header(const char *header) {
    printf("\n");
    while (*header) {
        char line[1024];
        size_t n = strcspn(header, "\r\n");
        snprintf(line, sizeof line, "%.*s", (int)(n < 1000 ? n : 1000), header);
        show_text(stdout, line);
        header += n;
        header += *header == '\r';
        header += *header == '\n';
        putchar('\n');
    }
}

static void show_tags(const json_t *tags) {
    if (json_array_size(tags))
        printf("tags        ");
    for (size_t i = 0; i < json_array_size(tags); i++) {
        putchar(' ');
        show_text(stdout, json_string_value(json_array_get(tags, i)));
    }
    if (json_array_size(tags))
        putchar('\n');
}

static void show_one(void *arg, char *line, size_t n) {
    struct listing *l = arg;
    l->messages++;
    if (l->json) {
        fputs(line, stdout);
        return;
    }
    char when[32], size[32];
    json_t *m = json_loads(line, 0, NULL);
    time_text(when, sizeof when, number_in(m, "arrival_time"));
    show_size(size, sizeof size, (uint64_t)number_in(m, "message_size"));
    printf("message      %s (%s), %s, arrived %s\nsender       ", text_in(m, "queue_id"), text_in(m, "queue_name"),
           size, when);
    show_text(stdout, *text_in(m, "sender") ? text_in(m, "sender") : "<> (a notification)");
    putchar('\n');
    show_tags(json_object_get(m, "tags"));
    show_attempts(json_object_get(m, "recipients"));
    show_header(text_in(m, "header"));
    json_decref(m);
}

static int show(const struct args *a) {
    if (a->words_n != 2) {
        fprintf(stderr, "%s: queue show wants one queue id, as: posthouse queue show 1F8K6Z7Q2M3NP\n", a->program);
        return EX_USAGE;
    }
    struct listing l = {.json = a->json};
    json_t *request = json_pack("{s:s,s:s}", "do", "queue-show", "id", a->words[1]);
    if (!request) {
        fprintf(stderr, "%s: that is no text in UTF-8\n", a->program);
        return EX_USAGE;
    }
    char *text = json_dumps(request, JSON_COMPACT);
    int code = ask_server(a, text, show_one, &l, NULL);
    free(text);
    json_decref(request);
    if (code == EX_OK && !l.messages) {
        fprintf(stderr, "%s: no message %s in the queue: it has been delivered, has bounced, or never was\n",
                a->program, a->words[1]);
        return EX_NOINPUT;
    }
    return code;
}

// --- retry, delete

static json_t *which(const struct args *a, const char *verb) {
    int named = a->words_n - 1;
    if (named + a->all + (a->domain != NULL) != 1) {
        fprintf(stderr, "%s: queue %s wants one of: a queue id, --domain D, --all\n", a->program, a->words[0]);
        return NULL;
    }
    json_t *request = a->all      ? json_pack("{s:s,s:b}", "do", verb, "all", 1)
                      : a->domain ? json_pack("{s:s,s:s}", "do", verb, "domain", a->domain)
                                  : json_pack("{s:s,s:s}", "do", verb, "id", a->words[1]);
    if (!request)
        fprintf(stderr, "%s: that is no text in UTF-8\n", a->program);
    return request;
}

static int act(const struct args *a, const char *verb, const char *done) {
    char *line = NULL;
    json_t *request = which(a, verb);
    if (!request)
        return EX_USAGE;
    char *text = json_dumps(request, JSON_COMPACT);
    int code = ask_server(a, text, NULL, NULL, &line);
    free(text);
    json_decref(request);
    if (code != EX_OK)
        return code;
    json_t *answer = json_loads(line, 0, NULL);
    long long n = number_in(answer, "count");
    if (a->json)
        fputs(line, stdout);
    else
        printf("%lld message%s %s\n", n, n == 1 ? "" : "s", done);
    json_decref(answer);
    free(line);
    bool named_one = !a->all && !a->domain;
    return n == 0 && named_one ? EX_NOINPUT : EX_OK;
}

int cmd_queue(const struct args *a) {
    static const char *const known[] = {"list", "show", "retry", "delete", NULL};
    const char *verb = a->words_n ? a->words[0] : "list";
    if (!strcmp(verb, "list"))
        return list(a);
    if (!strcmp(verb, "show"))
        return show(a);
    if (!strcmp(verb, "retry"))
        return act(a, "queue-retry", "to be attempted now");
    if (!strcmp(verb, "delete"))
        return act(a, "queue-delete", "deleted");
    return cmd_unknown(a, "queue", verb, known);
}
