// args: the command line as a value.
#pragma once

#include <stdbool.h>

#define ARGS_CONFIG "/etc/posthouse/posthouse.conf"

enum { ARGS_MANY = 100 }; // times that --rcpt or --fact may be given

struct args {
    const char *program;  // for messages
    const char *config;   // -c FILE
    bool config_named;    // it was given
    const char *control;  // --control PATH: where the server listens, without reading a configuration
    const char *domain;   // --domain D
    const char *app;      // --app NAME: of a user's secret
    bool generate;        // --generate
    bool remove;          // --delete
    const char *rsa;      // --rsa BITS
    const char *selector; // --selector S
    bool ed25519, now;    // --ed25519, --now
    const char *now_time; // --now UNIXTIME: a number that follows belongs to it
    const char *count;    // -n N
    const char *dns;      // --dns FILE: stands for all of DNS
    const char *ip;       // --ip A, --client A
    const char *helo;     // --helo H
    const char *from;     // --from F
    const char *message;  // --message FILE
    const char *user;     // --user U
    const char *replay;   // --replay FILE
    bool tls;             // --tls
    const char **rcpts;   // --rcpt R, each
    const char **facts;   // --fact NAME=VALUE, each
    int rcpts_n, facts_n;
    bool json, help, all, effective;
    const char **words; // what is no option; NULL-terminated
    int words_n;
};

// Options may stand anywhere. False after a line on standard error: exit with EX_USAGE.
bool args_parse(int argc, char **argv, struct args *out);
void args_done(struct args *a);
