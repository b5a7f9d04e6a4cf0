// cmd: the sub-commands of posthouse. Each gives an exit code of sysexits.h.
#pragma once

#include "cmd/args.h"

int cmd_run(const struct args *a);
int cmd_check(const struct args *a);
int cmd_config(const struct args *a);
int cmd_status(const struct args *a);
int cmd_queue(const struct args *a);   // words[0]: list, show, retry, delete
int cmd_user(const struct args *a);    // words[0]: add, passwd, delete, list, test
int cmd_lockout(const struct args *a); // words[0]: list, clear
int cmd_guard(const struct args *a);   // words[0]: list, release, block
int cmd_sender(const struct args *a);  // words[0]: list, clear, block, allow
int cmd_dkim(const struct args *a);    // words[0]: new, dns, check, rotate, list
int cmd_verify(const struct args *a);  // words[0]: spf, dkim, arc, dmarc, all
int cmd_parse(const struct args *a);   // words: what, text
int cmd_simulate(const struct args *a);
int cmd_explain(const struct args *a); // words: what is asked about
int cmd_report(const struct args *a);  // words[0]: show
int cmd_stop(const struct args *a);
int cmd_reload(const struct args *a);
int cmd_version(const struct args *a);

// For whoever mistypes: a line with the nearest of `known` (NULL-terminated); gives EX_USAGE.
int cmd_unknown(const struct args *a, const char *what, const char *word, const char *const *known);
// Likewise for a word too many behind `what`, a command.
int cmd_too_many(const struct args *a, const char *what, const char *word);
