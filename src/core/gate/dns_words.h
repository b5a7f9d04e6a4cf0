// dns_words: questions to DNS and its answers as text, for records and for people: "MX example.org" and
// "OK 10 mx1.example.org | 20 mx2.example.org", "NXDOMAIN", "TIMEOUT no answer in time"; and back.
#pragma once

#include "mail/oracle/oracle.h"

enum { DNS_WORDS_MAX = 300 }; // bytes of either; longer ones are cut

// At most DNS_WORDS_MAX bytes each; false: `b` is full.
bool dns_words_question(struct buf *b, const struct oracle_question *q);
bool dns_words_answer(struct buf *b, enum oracle_type type, const struct oracle_answer *a);

// The answer that these words say, in `arena`. False: they were cut, or can't be read.
bool dns_words_read(enum oracle_type type, struct slice words, struct arena *arena, struct oracle_answer *out);
