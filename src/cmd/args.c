// args: options by getopt_long.
#include "cmd/args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --now stands alone (dkim rotate) or has a time behind it, as --now=TIME too.
static void take_now(struct args *a, int argc, char **argv) {
    a->now = true;
    if (optarg)
        a->now_time = optarg;
    else if (optind < argc && argv[optind][0] && argv[optind][strspn(argv[optind], "0123456789")] == '\0')
        a->now_time = argv[optind++];
}

static bool add(const char ***list, int *n) {
    if (!*list)
        *list = calloc(ARGS_MANY, sizeof **list);
    if (!*list)
        abort();
    if (*n == ARGS_MANY)
        return false;
    (*list)[(*n)++] = optarg;
    return true;
}

// What verify and simulate are told about a client and its mail.
static bool take_client(struct args *a, int option) {
    switch (option) {
    case 'm':
        a->message = optarg;
        break;
    case 'u':
        a->user = optarg;
        break;
    case 'p':
        a->replay = optarg;
        break;
    case 't':
        a->tls = true;
        break;
    case 'r':
        return add(&a->rcpts, &a->rcpts_n);
    case 'F':
        return add(&a->facts, &a->facts_n);
    case 'Z':
        a->dns = optarg;
        break;
    case 'i':
        a->ip = optarg;
        break;
    case 'H':
        a->helo = optarg;
        break;
    case 'f':
        a->from = optarg;
        break;
    default:
        return false;
    }
    return true;
}

static bool take(struct args *a, int option, int argc, char **argv) {
    switch (option) {
    case 'c':
        a->config = optarg;
        a->config_named = true;
        break;
    case 'C':
        a->control = optarg;
        break;
    case 'd':
        a->domain = optarg;
        break;
    case 'j':
        a->json = true;
        break;
    case 'h':
        a->help = true;
        break;
    case 'a':
        a->all = true;
        break;
    case 'e':
        a->effective = true;
        break;
    case 'A':
        a->app = optarg;
        break;
    case 'g':
        a->generate = true;
        break;
    case 'D':
        a->remove = true;
        break;
    case 'R':
        a->rsa = optarg;
        break;
    case 'S':
        a->selector = optarg;
        break;
    case 'E':
        a->ed25519 = true;
        break;
    case 'n':
        a->count = optarg;
        break;
    case 'N':
        take_now(a, argc, argv);
        break;
    default:
        return take_client(a, option);
    }
    return true;
}

bool args_parse(int argc, char **argv, struct args *out) {
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"control", required_argument, NULL, 'C'},
        {"domain", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {"all", no_argument, NULL, 'a'},
        {"effective", no_argument, NULL, 'e'},    {"app", required_argument, NULL, 'A'},
        {"generate", no_argument, NULL, 'g'},     {"delete", no_argument, NULL, 'D'},
        {"rsa", required_argument, NULL, 'R'},    {"selector", required_argument, NULL, 'S'},
        {"ed25519", no_argument, NULL, 'E'},      {"now", optional_argument, NULL, 'N'},
        {"dns", required_argument, NULL, 'Z'},    {"ip", required_argument, NULL, 'i'},
        {"helo", required_argument, NULL, 'H'},   {"from", required_argument, NULL, 'f'},
        {"client", required_argument, NULL, 'i'}, {"message", required_argument, NULL, 'm'},
        {"user", required_argument, NULL, 'u'},   {"replay", required_argument, NULL, 'p'},
        {"tls", no_argument, NULL, 't'},          {"rcpt", required_argument, NULL, 'r'},
        {"fact", required_argument, NULL, 'F'},   {NULL, 0, NULL, 0},
    };
    struct args a = {.program = "posthouse", .config = ARGS_CONFIG};
    int option;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:jhn:", options, NULL)) != -1) {
        if (take(&a, option, argc, argv))
            continue;
        fprintf(stderr, "%s: an unknown option, or one without its value: %s; see: %s --help\n", a.program,
                argv[optind - 1], a.program);
        return false;
    }
    a.words_n = argc - optind;
    a.words = calloc((size_t)a.words_n + 1, sizeof *a.words);
    if (!a.words)
        abort();
    for (int i = 0; i < a.words_n; i++)
        a.words[i] = argv[optind + i];
    *out = a;
    return true;
}

void args_done(struct args *a) {
    free(a->words);
    free(a->rcpts);
    free(a->facts);
}
