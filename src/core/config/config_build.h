// config_build: from the tree of directives to struct config, by the schema.
#pragma once

#include "core/config/config_schema.h"
#include "core/config/config_tree.h"

struct config_builder {
    struct config *c;
    struct config_report *report;
    struct slice directory;
    struct config_domain *domain; // whose block is being read
    struct config_user *user;     // likewise
    struct config_filter *filter; // likewise
    struct config_place no_rates; // where `rate none` was said; line 0: nowhere
    // Where each directive of the schema was seen first; line 0: not yet.
    struct config_place seen[CONFIG_DIRECTIVES_MAX];
};

// Fills `c` (zeroed but for its arena), defaults included. Mistakes go to the report. Nothing is checked across
// directives: that is config_check.
void config_build(struct config *c, const struct config_node *tree, struct slice directory,
                  struct config_report *report);

// For the parts (config_part_*.c).

// The next word, moving on; at the end of the words a mistake and NULL.
const struct config_word *config_take(struct config_builder *b, const struct config_node *node,
                                      const struct config_word **args, const char *expected);

// A mistake unless all words are used up and (but for those that want one) there is no block.
bool config_take_end(struct config_builder *b, const struct config_node *node, const struct config_word *args);

// As config_take, and only `word` will do.
bool config_take_keyword(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                         const char *keyword);

// The index in `choices` (NULL-terminated) of the next word; a mistake and false otherwise.
bool config_take_choice(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                        const char *const *choices, size_t *out);

// Reads the directives of a block, by the schema's entries of that block.
void config_build_block(struct config_builder *b, const char *block, const struct config_node *list);

// Room for one more element at the end of an array in the configuration's arena. Never NULL.
void *config_append(struct config_builder *b, void *array, size_t *n, size_t size);

// Memory of the configuration; never NULL.
void *config_alloc(struct config_builder *b, size_t n);
struct slice config_dup(struct config_builder *b, struct slice s);
struct slice config_dup_lower(struct config_builder *b, struct slice s);

// Absolute: taken from the directory of the file where it is not.
struct slice config_dup_path(struct config_builder *b, struct slice path);

// Forgets that settings of `block` were seen: for blocks that may be repeated.
void config_forget_seen(struct config_builder *b, const char *block);

// A host name as DNS and SMTP have it: letters, digits and hyphens, labels of 1..63, at most 253 in all. Names in
// other scripts are written as A-labels (RFC 5890).
bool config_is_host(struct slice s);

// The parts.
typedef void config_part(struct config_builder *b, const struct config_node *node, const struct config_word *args);
config_part config_part_hostname, config_part_user, config_part_listen, config_part_tls, config_part_table,
    config_part_domain, config_part_recipients, config_part_deliver, config_part_tag, config_part_relay,
    config_part_route, config_part_resolver, config_part_auth, config_part_mechanisms, config_part_account,
    config_part_any_sender, config_part_account_quota, config_part_senders, config_part_notify, config_part_domain_dkim,
    config_part_dkim_sign, config_part_proxy, config_part_xclient, config_part_policy, config_part_dnsbl,
    config_part_dnswl, config_part_rate, config_part_reports, config_part_organisation, config_part_arc_trust,
    config_part_arc_seal, config_part_junk, config_part_filter, config_part_filter_for, config_part_filter_time,
    config_part_filter_failure;

// The table of that name; NULL after a mistake.
struct config_table *config_table_named(struct config_builder *b, const struct config_word *word);

// What nothing was said about: rules of policy, rates, the organisation's name.
void config_gate_complete(struct config_builder *b);

// For config_part_gate.c and what is like it: a word of a simple type that isn't a setting of its own.
bool config_take_number(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                        enum config_type type, uint64_t least, uint64_t most, uint64_t *out);

// The next word as a domain, lower case.
bool config_take_domain(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                        const char *expected, struct slice *out);

// The next word as an address; kept as it is.
bool config_take_address(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                         struct slice *out);
