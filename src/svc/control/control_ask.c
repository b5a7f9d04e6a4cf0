// control_ask: reading requests with jansson.
#include "svc/control/control_ask.h"

#include "core/queue/queue_id.h"

#include <jansson.h>
#include <stdio.h>

static const char *const words[CONTROL_WHAT_COUNT] = {
    "status",       "metrics",       "queue-list",   "queue-show",    "queue-retry", "queue-delete",
    "lockout-list", "lockout-clear", "guard-list",   "guard-release", "guard-block", "user-uses",
    "sender-list",  "sender-clear",  "sender-block", "sender-allow",  "stop",        "reload"};

void control_ask_init(uint64_t seed) { json_object_seed((size_t)seed | 1); }

static bool parse_what(const json_t *request, enum control_what *out, struct err *e) {
    const char *word = json_string_value(json_object_get(request, "do"));
    for (int i = 0; word && i < CONTROL_WHAT_COUNT; i++)
        if (!strcmp(word, words[i])) {
            *out = (enum control_what)i;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "a request \"%.40s\" is not known", word ? word : "");
}

static bool parse_id(const char *text, struct control_ask *out, struct err *e) {
    return queue_id_parse(slice_str(text), &out->id) ||
           err_set(e, ERR_PERMANENT, "\"%.40s\" is no queue id: one has %d letters and digits", text, QUEUE_ID_TEXT);
}

static bool parse_which(const json_t *request, struct control_ask *out, struct err *e) {
    const char *id = json_string_value(json_object_get(request, "id"));
    const char *domain = json_string_value(json_object_get(request, "domain"));
    bool all = json_is_true(json_object_get(request, "all"));
    if (out->what == CONTROL_QUEUE_SHOW && !id)
        return err_set(e, ERR_PERMANENT, "name one message");
    if ((id != NULL) + (domain && *domain) + all != 1)
        return err_set(e, ERR_PERMANENT, "name one message, a domain, or all");
    if (domain && strlen(domain) >= sizeof out->domain)
        return err_set(e, ERR_PERMANENT, "a domain of more than %zu bytes", sizeof out->domain - 1);
    if (domain)
        snprintf(out->domain, sizeof out->domain, "%s", domain);
    return !id || parse_id(id, out, e);
}

static bool is_enough(enum control_what what, bool named, bool all, struct err *e) {
    switch (what) {
    case CONTROL_LOCKOUT_CLEAR:
        return named + all == 1 || err_set(e, ERR_PERMANENT, "name one account, address or network, or all");
    case CONTROL_SENDER_CLEAR:
        return named + all == 1 || err_set(e, ERR_PERMANENT, "name one address, network, domain or mailbox, or all");
    case CONTROL_GUARD_RELEASE:
    case CONTROL_GUARD_BLOCK:
        return named || err_set(e, ERR_PERMANENT, "name one user");
    case CONTROL_SENDER_BLOCK:
    case CONTROL_SENDER_ALLOW:
        return named || err_set(e, ERR_PERMANENT, "name one address or network");
    default:
        return true;
    }
}

// "user" of the guard and of uses, "what" of everything else.
static bool parse_about(const json_t *request, struct control_ask *out, struct err *e) {
    bool user = out->what >= CONTROL_GUARD_LIST && out->what <= CONTROL_USER_USES;
    const char *about = json_string_value(json_object_get(request, user ? "user" : "what"));
    if (!is_enough(out->what, about && *about, json_is_true(json_object_get(request, "all")), e))
        return false;
    if (about && strlen(about) >= sizeof out->about)
        return err_set(e, ERR_PERMANENT, "a name of more than %zu bytes", sizeof out->about - 1);
    if (about)
        snprintf(out->about, sizeof out->about, "%s", about);
    out->remove = json_is_true(json_object_get(request, "delete"));
    return true;
}

static bool needs_which(enum control_what what) {
    return what == CONTROL_QUEUE_SHOW || what == CONTROL_QUEUE_RETRY || what == CONTROL_QUEUE_DELETE;
}

static bool asks_policy(enum control_what what) { return what >= CONTROL_LOCKOUT_LIST && what <= CONTROL_SENDER_ALLOW; }

// Requests are flat. Deep ones would cost the parser stack that a fiber doesn't have.
static bool is_flat(struct slice line) {
    size_t open = 0;
    for (size_t i = 0; i < line.n; i++)
        open += line.p[i] == '{' || line.p[i] == '[';
    return open <= 4;
}

bool control_ask_parse(struct slice line, struct control_ask *out, struct err *e) {
    json_t *request = is_flat(line) ? json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct control_ask ask = {0};
    bool ok = json_is_object(request);
    if (!ok)
        err_set(e, ERR_PERMANENT, "a request is one line with a JSON object");
    ok = ok && parse_what(request, &ask.what, e) && (!needs_which(ask.what) || parse_which(request, &ask, e)) &&
         (!asks_policy(ask.what) || parse_about(request, &ask, e));
    json_decref(request);
    if (ok)
        *out = ask;
    return ok;
}
