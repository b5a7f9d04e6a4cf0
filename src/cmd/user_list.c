// user_list: the file, and last uses from the running server, which is the only one who knows them.
#include "cmd/user_list.h"

#include "cmd/ask.h"
#include "cmd/show.h"
#include "cmd/user_file.h"

#include "base/map.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { USES_ARENA_MAX = 64 << 20, FORMS_MAX = 128 };

struct use {
    int64_t at; // seconds since 1970
};

struct listing {
    struct user_file file;
    struct arena arena;
    struct map uses;   // user, NUL, name of the secret, in lower case
    struct slice user; // only of this one; empty: of all
    const struct args *args;
    size_t shown;
};

// --- last uses

static struct slice key_of(struct arena *a, struct slice user, struct slice secret) {
    char *p = arena_alloc(a, user.n + 1 + secret.n);
    if (!p)
        return SLICE_EMPTY;
    memcpy(p, user.p, user.n);
    for (size_t i = 0; i < secret.n; i++)
        p[user.n + 1 + i] = ascii_lower(secret.p[i]);
    return slice_of(p, user.n + 1 + secret.n);
}

static void take_use(void *arg, char *line, size_t n) {
    struct listing *l = arg;
    json_t *answer = json_loadb(line, n, 0, NULL);
    const char *user = json_string_value(json_object_get(answer, "user"));
    const char *secret = json_string_value(json_object_get(answer, "secret"));
    struct use *use = ARENA_NEW(&l->arena, struct use);
    struct slice key = user && secret ? key_of(&l->arena, slice_str(user), slice_str(secret)) : SLICE_EMPTY;
    if (use && key.n) {
        use->at = json_integer_value(json_object_get(answer, "last_use"));
        map_set(&l->uses, key, use);
    }
    json_decref(answer);
}

static void ask_uses(struct listing *l) {
    json_t *request = l->user.n ? json_pack("{s:s,s:s%}", "do", "user-uses", "user", l->user.p, l->user.n)
                                : json_pack("{s:s}", "do", "user-uses");
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    if (text && ask_running(l->args))
        ask_server(l->args, text, take_use, l, NULL);
    free(text);
    json_decref(request);
}

// --- secrets

static const char *form_of(const struct password_hash *h) {
    switch (h->scheme) {
    case PASSWORD_CRYPT:
        return slice_starts(h->text, SLICE("$y$"))   ? "yescrypt"
               : slice_starts(h->text, SLICE("$6$")) ? "sha512-crypt"
                                                     : "bcrypt";
    case PASSWORD_ARGON2ID:
        return "argon2id";
    case PASSWORD_SCRAM_SHA_256:
        return "SCRAM-SHA-256";
    case PASSWORD_SCRAM_SHA_1:
        return "SCRAM-SHA-1";
    case PASSWORD_NONE:
        break;
    }
    return "none";
}

static void forms_of(const struct password_record *r, char to[FORMS_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < r->hashes_n && n < FORMS_MAX; i++)
        n += (size_t)snprintf(to + n, FORMS_MAX - n, "%s%s", i ? ", " : "", form_of(&r->hashes[i]));
}

static void show_row(const char *user, const char *secret, const struct use *use, const char *forms) {
    char when[32] = "-";
    struct tm tm;
    time_t at = use ? (time_t)use->at : 0;
    if (use && localtime_r(&at, &tm))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
    printf("%-16s  ", when);
    show_text(stdout, user);
    printf("%*s  %-16s  %s\n", (int)(strlen(user) < 32 ? 32 - strlen(user) : 0), "", *secret ? secret : "-", forms);
}

static void show_json(const char *user, const char *secret, const struct use *use, const struct password_record *r) {
    json_t *forms = json_array();
    for (size_t i = 0; i < r->hashes_n; i++)
        json_array_append_new(forms, json_string(form_of(&r->hashes[i])));
    json_t *row = json_pack("{s:s,s:s,s:o,s:o}", "user", user, "secret", secret, "hashes", forms, "last_use",
                            use ? json_integer(use->at) : json_null());
    char *text = json_dumps(row, JSON_COMPACT);
    puts(text ? text : "{}");
    free(text);
    json_decref(row);
}

static void show(struct listing *l, const struct password_record *r) {
    struct arena a ARENA_AUTO = {.max = 8192};
    struct slice user;
    char forms[FORMS_MAX] = "";
    if (!sasl_user(&a, r->user, &user))
        return;
    const struct use *use = map_get(&l->uses, key_of(&a, user, r->name));
    const char *user_text = arena_dup(&a, user).p, *secret = r->name.n ? arena_dup(&a, r->name).p : "";
    forms_of(r, forms);
    if (!l->shown++ && !l->args->json)
        printf("%-16s  %-32s  %-16s  %s\n", "-Last use-------", "-User---------------------------", "-App password---",
               "-Hashes---");
    if (l->args->json)
        show_json(user_text, secret, use, r);
    else
        show_row(user_text, secret, use, forms);
}

static int show_all(struct listing *l) {
    struct password_reader r = {.rest = buf_slice(&l->file.text)};
    struct password_record record;
    ask_uses(l);
    for (enum password_read got; (got = password_next(&r, &record, NULL)) != PASSWORD_READ_END;)
        if (got == PASSWORD_READ_RECORD && (!l->user.n || password_is_of(&record, l->user, NULL)))
            show(l, &record);
    if (l->shown)
        return EX_OK;
    if (l->user.n)
        fprintf(stderr, "%s: no such user in %s\n", l->args->program, l->file.path);
    else if (!l->args->json)
        printf("no users in %s\n", l->file.path);
    return l->user.n ? EX_NOUSER : EX_OK;
}

int user_list(const struct args *a) {
    struct listing l = {.arena = {.max = USES_ARENA_MAX}, .args = a};
    if (a->words_n > 2 || (a->words_n == 2 && !sasl_user(&l.arena, slice_str(a->words[1]), &l.user))) {
        fprintf(stderr, "%s: user list wants one user at most; see: %s user --help\n", a->program, a->program);
        return EX_USAGE;
    }
    int code = user_file_open(a, false, &l.file);
    if (code == EX_OK)
        code = show_all(&l);
    user_file_done(&l.file);
    map_done(&l.uses);
    arena_done(&l.arena);
    return code;
}
