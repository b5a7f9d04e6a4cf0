// dkim_show: zone files, tables and JSON.
#include "cmd/dkim_show.h"

#include "cmd/show.h"

#include <stdio.h>

enum { STRING_MAX = 255 /* RFC 1035 3.3 */, TTL = 3600, KIND_TEXT = 16, JSON_MAX = 4 * 1024 * 1024 };

const char *dkim_show_date(struct wall t, char to[DKIM_SHOW_DATE]) {
    char text[40];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    wall_add_rfc3339(&b, t);
    snprintf(to, DKIM_SHOW_DATE, "%.*s", (int)(b.n < 10 ? b.n : 10), text);
    return to;
}

const char *dkim_show_state(const struct dkim_entry *entry) {
    return entry->configured ? "configured" : dkim_store_state_name(entry->state);
}

static const char *kind_of(const struct dkim_entry *entry, char to[KIND_TEXT]) {
    if (!entry->readable)
        return "unreadable";
    if (entry->ed25519)
        return "ed25519";
    snprintf(to, KIND_TEXT, "rsa-%u", entry->bits);
    return to;
}

// --- records

static void show_record(const struct dkim_entry *entry) {
    struct slice rest = entry->record;
    printf("%.*s. %d IN TXT (", SLICE_ARG(entry->name), TTL);
    for (; rest.n; rest = slice_from(rest, STRING_MAX)) {
        struct slice part = slice_upto(rest, STRING_MAX);
        printf("%s\"%.*s\"", rest.p == entry->record.p ? " " : "\n        ", SLICE_ARG(part));
    }
    printf(" )\n");
    printf(";   in a web form: name  %.*s\n", SLICE_ARG(entry->name));
    printf(";                  type  TXT\n");
    printf(";                  value %.*s\n", SLICE_ARG(entry->record));
}

void dkim_show_records(const struct dkim_entry *entries, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (entries[i].readable)
            show_record(&entries[i]);
}

// --- list

static void show_note(const struct dkim_entry *entry, struct wall now) {
    struct wall end = wall_add_ms(entry->since, DKIM_STORE_RETIRING_MS);
    char date[DKIM_SHOW_DATE];
    if (entry->configured)
        printf("signs; named in the configuration");
    else if (entry->state == DKIM_STORE_PENDING)
        printf("signs once it is published: posthouse dkim rotate %.*s", SLICE_ARG(entry->signer));
    else if (entry->state == DKIM_STORE_ACTIVE)
        printf("signs");
    else if (now.ms < end.ms)
        printf("leave it in DNS until %s", dkim_show_date(end, date));
    else
        printf("may be taken out of DNS; the next rotate removes it here");
}

void dkim_show_list(const struct dkim_entry *entries, size_t n, struct wall now) {
    if (n)
        printf("%-28s %-16s %-10s %-10s %-10s\n", "domain", "selector", "key", "state", "since");
    for (size_t i = 0; i < n; i++) {
        const struct dkim_entry *entry = &entries[i];
        char kind[KIND_TEXT], date[DKIM_SHOW_DATE];
        printf("%-28.*s %-16.*s %-10s %-10s %-10s  ", SLICE_ARG(entry->signer), SLICE_ARG(entry->selector),
               kind_of(entry, kind), dkim_show_state(entry),
               entry->configured ? "" : dkim_show_date(entry->since, date));
        show_note(entry, now);
        putchar('\n');
    }
}

// --- JSON

static const char *const dns_states[] = {
    [DKIM_DNS_GOOD] = "good",
    [DKIM_DNS_MISSING] = "missing",
    [DKIM_DNS_UNKNOWN] = "unknown",
    [DKIM_DNS_WRONG] = "wrong",
};

static void put_since(struct json *j, const struct dkim_entry *entry) {
    char text[40];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    wall_add_rfc3339(&b, entry->since);
    if (!entry->configured)
        json_put_slice(j, "since", buf_slice(&b));
}

static void put_record(struct json *j, const struct dkim_entry *entry) {
    json_put_slice(j, "algorithm", entry->ed25519 ? SLICE("ed25519-sha256") : SLICE("rsa-sha256"));
    json_put_u64(j, "bits", entry->bits);
    json_put_slice(j, "name", entry->name);
    json_put_slice(j, "type", SLICE("TXT"));
    json_put_slice(j, "value", entry->record);
}

void dkim_show_json(struct json *j, const struct dkim_entry *entry, const struct dkim_dns *dns) {
    json_put_slice(j, "domain", entry->signer);
    json_put_slice(j, "selector", entry->selector);
    json_put_slice(j, "state", slice_str(dkim_show_state(entry)));
    put_since(j, entry);
    json_put_slice(j, "file", slice_str(entry->path));
    if (entry->readable)
        put_record(j, entry);
    if (!dns)
        return;
    json_put_slice(j, "dns", slice_str(dns_states[dns->state]));
    json_put_slice(j, "text", dns->text);
    if (dns->record.n)
        json_put_slice(j, "published", dns->record);
}

void dkim_show_json_all(struct slice domain, const struct dkim_entry *entries, size_t n, const struct dkim_dns *dns) {
    BUF_AUTO struct buf out = {.max = JSON_MAX};
    struct json j = {.out = &out};
    json_open_object(&j);
    if (domain.n)
        json_put_slice(&j, "domain", domain);
    json_key(&j, "keys");
    json_open_array(&j);
    for (size_t i = 0; i < n; i++) {
        json_open_object(&j);
        dkim_show_json(&j, &entries[i], dns ? &dns[i] : NULL);
        json_end(&j);
    }
    json_end(&j);
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&out)));
}
