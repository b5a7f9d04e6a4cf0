// cmd_explain: why things were decided, out of the files of history.
#include "base/json.h"
#include "base/num.h"
#include "cmd/cmd.h"
#include "cmd/explain_find.h"
#include "cmd/show.h"
#include "core/queue/queue_id.h"
#include "svc/master/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { STORIES = 10, STORY_TEXT = 32 << 20 };

// ---- JSON: a line for each record, as simulate --replay reads them

static void put_texts(struct json *j, const char *name, const struct slice *list, size_t n) {
    json_key(j, name);
    json_open_array(j);
    for (size_t i = 0; i < n; i++)
        json_slice(j, list[i]);
    json_end(j);
}

static void put_client(struct json *j, const struct record *r) {
    BUF_AUTO struct buf b = {.max = 128};
    netaddr_add_ip(&b, &r->client);
    json_put_slice(j, "client", buf_slice(&b));
}

static void put_head(struct json *j, const struct record *r) {
    BUF_AUTO struct buf when = {.max = 64}, id = {.max = 32}, enhanced = {.max = 32};
    wall_add_rfc3339(&when, r->when);
    json_put_slice(j, "when", buf_slice(&when));
    json_put_str(j, "stage", record_stage_names[r->stage]);
    json_put_str(j, "outcome", record_outcome_names[r->outcome]);
    json_put_slice(j, "session", r->session);
    if (r->queue_id) {
        queue_id_add(&id, r->queue_id);
        json_put_slice(j, "id", buf_slice(&id));
    }
    if (r->client.family != NETADDR_NONE)
        put_client(j, r);
    json_put_slice(j, "helo", r->helo);
    json_put_slice(j, "user", r->user);
    json_put_slice(j, "sender", r->sender);
    put_texts(j, "recipients", r->recipients, r->recipients_n);
    json_put_u64(j, "code", r->code);
    if (r->enhanced[0]) {
        buf_addf(&enhanced, "%u.%u.%u", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
        json_put_slice(j, "enhanced", buf_slice(&enhanced));
    }
    json_put_slice(j, "text", r->text);
    json_put_slice(j, "remote", r->remote);
}

static void put_rules(struct json *j, const struct record *r) {
    json_key(j, "rules");
    json_open_array(j);
    for (size_t i = 0; i < r->rules_n; i++) {
        json_open_object(j);
        json_put_slice(j, "source", r->rules[i].source);
        json_put_u64(j, "line", r->rules[i].line);
        json_put_bool(j, "matched", r->rules[i].matched);
        json_end(j);
    }
    json_end(j);
}

static bool named_before(const struct record *r, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (slice_eq(r->facts[i].name, r->facts[n].name))
            return true;
    return false;
}

static void put_facts(struct json *j, const struct record *r) {
    json_key(j, "facts");
    json_open_object(j);
    for (size_t i = 0; i < r->facts_n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", SLICE_ARG(r->facts[i].name));
        if (!named_before(r, i))
            json_put_slice(j, name, r->facts[i].value);
    }
    json_end(j);
}

static void put_pair(struct json *j, const char *a, struct slice av, const char *b, struct slice bv) {
    json_open_object(j);
    json_put_slice(j, a, av);
    json_put_slice(j, b, bv);
    json_end(j);
}

static void print_json(const struct record *r) {
    BUF_AUTO struct buf b = {.max = STORY_TEXT};
    struct json j = {.out = &b};
    json_open_object(&j);
    put_head(&j, r);
    put_rules(&j, r);
    put_facts(&j, r);
    json_key(&j, "dns");
    json_open_array(&j);
    for (size_t i = 0; i < r->dns_n; i++)
        put_pair(&j, "question", r->dns[i].question, "answer", r->dns[i].answer);
    json_end(&j);
    json_key(&j, "filters");
    json_open_array(&j);
    for (size_t i = 0; i < r->filters_n; i++)
        put_pair(&j, "name", r->filters[i].name, "words", r->filters[i].words);
    json_end(&j);
    put_texts(&j, "tags", r->tags, r->tags_n);
    json_end(&j);
    if (!b.failed)
        printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}

// ---- for people

static void print_story(const struct args *a, const struct explain_story *s) {
    BUF_AUTO struct buf b = {.max = STORY_TEXT};
    struct slice path = slice_str(a->config);
    size_t slash = slice_rfind(path, '/');
    struct story_style style = {.plain = show_colour(stdout, SHOW_PLAIN),
                                .good = show_colour(stdout, SHOW_GOOD),
                                .bad = show_colour(stdout, SHOW_BAD),
                                .bold = show_colour(stdout, SHOW_BOLD),
                                .configuration = slice_from(path, slash < path.n ? slash + 1 : 0),
                                .all = a->all};
    story_tell(&b, s->records, s->n, &style);
    printf("%.*s", SLICE_ARG(buf_slice(&b)));
    if (s->left_out)
        printf("  ... and %llu records more\n", (unsigned long long)s->left_out);
    putchar('\n');
}

static void print_found(const struct args *a, const struct explain_found *f) {
    if (f->older && !a->json)
        printf("%llu earlier stor%s left out; -n says how many are told.\n\n", (unsigned long long)f->older,
               f->older == 1 ? "y is" : "ies are");
    LIST_EACH(at, &f->stories) {
        const struct explain_story *s = LIST_ENTRY(at, struct explain_story, entry);
        if (!a->json)
            print_story(a, s);
        for (size_t i = 0; a->json && i < s->n; i++)
            print_json(s->records[i]);
    }
}

// ---- what is asked

static int nothing(const struct args *a, const struct explain_found *f, const struct config *c) {
    fprintf(stderr, "%s: explain: nothing is known of \"", a->program);
    show_text(stderr, a->words[0]);
    fprintf(stderr,
            "\" in %llu records of the last %lld days; an id, an address, @domain, a client or its network can "
            "be asked about\n",
            (unsigned long long)f->records, (long long)(c->gate.history.days / MS_DAY));
    return EX_NOUSER;
}

static int unreadable(const struct args *a, const struct err *e, const struct config *c) {
    if (!c->gate.history.size)
        fprintf(stderr, "%s: explain: there is no history: `history size 0` in the configuration\n", a->program);
    else if (e->sys == ENOENT)
        fprintf(stderr, "%s: explain: there is no history yet: the server has not run with this configuration\n",
                a->program);
    else
        fprintf(stderr, "%s: explain: %s\n", a->program, e->text);
    return e->sys == EACCES ? EX_NOPERM : EX_NOINPUT;
}

static int explain(const struct args *a, const struct config *c, uint64_t most) {
    struct explain_found f = {.most = (size_t)most};
    char directory[4096];
    struct err e;
    story_wish_parse(slice_str(a->words[0]), &f.wish);
    snprintf(directory, sizeof directory, "%.*s/history", SLICE_ARG(c->state));
    if (!explain_find(&f, directory, &e))
        return unreadable(a, &e, c);
    int code = f.stories_n ? EX_OK : nothing(a, &f, c);
    print_found(a, &f);
    explain_found_done(&f);
    return code;
}

int cmd_explain(const struct args *a) {
    BUF_AUTO struct buf mistakes = {.max = SITE_MISTAKES_MAX};
    struct site *site = NULL;
    uint64_t most = STORIES;
    if (a->words_n > 1)
        return cmd_too_many(a, "explain", a->words[1]);
    bool number = !a->count || num_u64(slice_str(a->count), EXPLAIN_STORIES_MAX, &most);
    bool named = a->words_n && *a->words[0];
    if (!named || !number) {
        fprintf(stderr, "%s: explain: %s; see: %s explain --help\n", a->program,
                number ? "who or what? an id, an address, a client" : "-n wants a number", a->program);
        return EX_USAGE;
    }
    if (!site_read(a->config, &site, &mistakes)) {
        fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&mistakes)));
        return EX_CONFIG;
    }
    int code = explain(a, site->config, most ? most : EXPLAIN_STORIES_MAX);
    site_free(site);
    return code;
}
