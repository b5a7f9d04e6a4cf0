// dkim_show: what posthouse dkim prints.
#pragma once

#include "base/json.h"
#include "cmd/dkim_dns.h"

// The records as lines of a zone file, each followed by what a web form wants, in comments.
void dkim_show_records(const struct dkim_entry *entries, size_t n);

// A table of keys, a line each, and what is to be done about them.
void dkim_show_list(const struct dkim_entry *entries, size_t n, struct wall now);

// Members of an object about a key; `dns` may be NULL.
void dkim_show_json(struct json *j, const struct dkim_entry *entry, const struct dkim_dns *dns);

// {"domain":...,"keys":[...]} on a line, without an empty `domain`; `dns` may be NULL.
void dkim_show_json_all(struct slice domain, const struct dkim_entry *entries, size_t n, const struct dkim_dns *dns);

// "2026-11-21"
enum { DKIM_SHOW_DATE = 11 };
const char *dkim_show_date(struct wall t, char to[DKIM_SHOW_DATE]);

// "active", "configured", ...
const char *dkim_show_state(const struct dkim_entry *entry);
