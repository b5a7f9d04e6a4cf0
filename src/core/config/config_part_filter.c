// config_part_filter: the words of `filter`: who is asked, for whom, how long, and what if he doesn't answer.
#include "core/config/config_build.h"

#include "base/when.h"

enum { FILTERS_MAX = 32, NAME_MAX_BYTES = 64, SOCKET_PATH_MAX = 107 };

static const char *const kind_names[] = {
    [CONFIG_FILTER_MILTER] = "milter", [CONFIG_FILTER_DELEGATION] = "delegation", NULL};

const char *const config_filter_failure_names[] = {[CONFIG_FILTER_TEMPFAIL] = "tempfail",
                                                   [CONFIG_FILTER_ACCEPT] = "accept",
                                                   [CONFIG_FILTER_REJECT] = "reject",
                                                   [CONFIG_FILTER_QUARANTINE] = "quarantine",
                                                   NULL};

static bool is_name(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

static bool name_is_new(struct config_builder *b, const struct config_word *name) {
    const struct config_gate *g = &b->c->gate;
    for (size_t i = 0; i < g->filters_n; i++)
        if (slice_eq(g->filters[i].name, name->text)) {
            struct slice quoted = config_report_quote(b->report, name->text);
            config_report_add(b->report, name->place,
                              "expected a new name for a filter, found %.*s again (first on line %u)",
                              SLICE_ARG(quoted), g->filters[i].line);
            return false;
        }
    if (!is_name(name->text))
        config_report_word(b->report, name->place, "a name of letters, digits, - and _", name->text, NULL);
    else if (g->filters_n == FILTERS_MAX)
        config_report_add(b->report, name->place, "expected at most %d filters, found more", FILTERS_MAX);
    else
        return true;
    return false;
}

// Sendmail's and Postfix's forms are other ways to say the same; one is enough.
static void mistake_address(struct config_builder *b, const struct config_word *word) {
    struct slice port, host, quoted = config_report_quote(b->report, word->text);
    bool inet = slice_starts(word->text, SLICE("inet:")) || slice_starts(word->text, SLICE("inet6:"));
    if (inet) {
        slice_cut(word->text, ':', &port, &host);
        if (slice_cut(host, '@', &port, &host)) {
            const char *at = slice_starts(word->text, SLICE("inet6:")) ? "[::1]" : "127.0.0.1";
            struct slice shown = slice_upto(port, 5);
            config_report_add(b->report, word->place,
                              "expected an address such as 127.0.0.1:8891, found %.*s; an address has the port behind "
                              "it, as in %s:%.*s",
                              SLICE_ARG(quoted), at, SLICE_ARG(shown));
            return;
        }
    }
    config_report_word(b->report, word->place, "an address such as 127.0.0.1:8891, [::1]:8891 or unix:/path",
                       word->text, slice_starts(word->text, SLICE("local:")) ? "unix:/path" : NULL);
}

static bool take_at(struct config_builder *b, const struct config_node *node, const struct config_word **args,
                    struct config_filter *f) {
    const struct config_word *word =
        config_take(b, node, args, "an address such as 127.0.0.1:8891, [::1]:8891 or unix:/path");
    if (!word)
        return false;
    if (slice_starts(word->text, SLICE("unix:")) && word->text.n > 5) {
        f->path = config_dup_path(b, slice_from(word->text, 5));
        if (f->path.n > SOCKET_PATH_MAX)
            config_report_word(b->report, word->place, "a path of at most 107 bytes", word->text, NULL);
        return true;
    }
    if (slice_starts(word->text, SLICE("*")) || !netaddr_parse_endpoint(word->text, &f->at) || !f->at.port) {
        mistake_address(b, word);
        return false;
    }
    return true;
}

void config_part_filter(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    struct config_gate *g = &b->c->gate;
    struct config_filter f = {.connect = 10 * MS_SECOND,
                              .reply = 30 * MS_SECOND,
                              .content = 5 * MS_MINUTE,
                              .line = node->words->place.line,
                              .column = node->words->place.column};
    const struct config_word *name = config_take(b, node, &args, "a name for the filter");
    size_t kind;
    if (!name || !config_take_choice(b, node, &args, kind_names, &kind))
        return;
    f.kind = (enum config_filter_kind)kind;
    if (!take_at(b, node, &args, &f))
        return;
    if (args)
        config_report_word(b->report, args->place, "\"{\"", args->text, NULL);
    b->filter = &f;
    config_forget_seen(b, "filter");
    config_build_block(b, "filter", node->block);
    b->filter = NULL;
    if (!f.submission)
        f.mx = true;
    if (!name_is_new(b, name))
        return;
    f.name = config_dup(b, name->text);
    g->filters = config_append(b, g->filters, &g->filters_n, sizeof f);
    g->filters[g->filters_n - 1] = f;
}

void config_part_filter_for(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    static const char *const whom[] = {"mx", "submission", NULL};
    do {
        size_t which;
        if (!config_take_choice(b, node, &args, whom, &which))
            return;
        *(which ? &b->filter->submission : &b->filter->mx) = true;
    } while (args);
    config_take_end(b, node, NULL);
}

void config_part_filter_time(struct config_builder *b, const struct config_node *node, const struct config_word *args) {
    struct slice name = node->words->text;
    uint64_t ms;
    if (!config_take_number(b, node, &args, CONFIG_TIME, 100, MS_HOUR, &ms) || !config_take_end(b, node, args))
        return;
    *(slice_eq(name, SLICE("connect")) ? &b->filter->connect
      : slice_eq(name, SLICE("reply")) ? &b->filter->reply
                                       : &b->filter->content) = (int64_t)ms;
}

void config_part_filter_failure(struct config_builder *b, const struct config_node *node,
                                const struct config_word *args) {
    const struct config_word *word = args;
    size_t which;
    if (!config_take_choice(b, node, &args, config_filter_failure_names, &which) || !config_take_end(b, node, args))
        return;
    b->filter->failure = (enum config_filter_failure)which;
    if (b->filter->kind == CONFIG_FILTER_DELEGATION && b->filter->failure == CONFIG_FILTER_QUARANTINE)
        config_report_word(b->report, word->place, "\"tempfail\", \"accept\" or \"reject\" of a delegation", word->text,
                           NULL);
}
