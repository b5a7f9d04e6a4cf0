// cmd_user: user add, passwd, delete, test; list lies in user_list.c.
#include "cmd/cmd.h"
#include "cmd/secret.h"
#include "cmd/show.h"
#include "cmd/user_file.h"
#include "cmd/user_list.h"

#include "base/json.h"
#include "rt/password_hash.h"
#include "svc/master/site.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum {
    ITERATIONS = 10000, // of SCRAM: some milliseconds for a client, once a log-in
    SALT = 16,          // bytes
};

struct order {
    const struct args *args;
    struct arena arena;
    struct slice user;   // in its one form
    struct slice secret; // name; empty: the main password
    struct user_file file;
};

// --- what was asked for

static int usage(const struct args *a, const char *text) {
    fprintf(stderr, "%s: user %s: %s; see: %s user --help\n", a->program, a->words[0], text, a->program);
    return EX_USAGE;
}

static int take_order(const struct args *a, struct order *o) {
    *o = (struct order){.args = a, .arena = {.max = 8192}, .file = {.lock = -1}};
    if (a->words_n != 2)
        return usage(a, "wants one user");
    if (!sasl_user(&o->arena, slice_str(a->words[1]), &o->user) || slice_find(o->user, ':') < o->user.n ||
        slice_trim(o->user).n != o->user.n || o->user.p[0] == '#')
        return usage(a, "no user can be called so");
    o->secret = slice_str(a->app);
    if (a->app && (!*a->app || !password_name_valid(o->secret)))
        return usage(a, "--app wants a name of up to 64 letters, digits, - _ and .");
    return EX_OK;
}

static void order_done(struct order *o) {
    user_file_done(&o->file);
    arena_done(&o->arena);
}

// "app password phone of ann@example.org", on standard error.
static void tell(struct order *o, const char *before, const char *after) {
    fprintf(stderr, "%s%s%.*s of ", before, o->secret.n ? "app password " : "main password", SLICE_ARG(o->secret));
    show_text(stderr, arena_dup(&o->arena, o->user).p);
    fprintf(stderr, "%s\n", after);
}

static void print_json(const struct order *o, const char *what, struct slice password) {
    BUF_AUTO struct buf b = {.max = 16 * 1024};
    struct json j = {.out = &b};
    json_open_object(&j);
    json_put_bool(&j, "ok", true);
    json_put_str(&j, "done", what);
    json_put_slice(&j, "user", o->user);
    json_put_slice(&j, "secret", o->secret);
    if (password.n)
        json_put_slice(&j, "password", password);
    json_end(&j);
    printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}

static int failed(const struct args *a, const struct err *e) {
    fprintf(stderr, "%s: %s\n", a->program, e->text);
    return e->kind == ERR_PERMANENT ? EX_DATAERR : e->kind == ERR_CANCELLED ? EX_TEMPFAIL : EX_OSERR;
}

// --- hashes of a new password

// The salt that this user's other secrets have: one proof of SCRAM can be looked for among all of them then.
static bool salt_for(const struct order *o, enum digest_kind kind, struct password_scram *out, struct err *e) {
    struct password_reader r = {.rest = buf_slice(&o->file.text)};
    struct password_record record;
    for (enum password_read got; (got = password_next(&r, &record, NULL)) != PASSWORD_READ_END;)
        if (got == PASSWORD_READ_RECORD && password_is_of(&record, o->user, NULL) &&
            !slice_ieq(record.name, o->secret) && password_scram(&record, kind, out))
            return true;
    *out = (struct password_scram){.iterations = ITERATIONS, .salt_n = SALT};
    return secret_random(out->salt, SALT, e);
}

static bool add_keys(const struct order *o, enum digest_kind kind, struct slice password, struct buf *text,
                     struct err *e) {
    struct password_scram s;
    if (!salt_for(o, kind, &s, e))
        return false;
    scram_keys_of(kind, password, slice_of(s.salt, s.salt_n), s.iterations, &s.keys);
    bool ok = buf_add_char(text, ':') && password_scram_write(kind, &s, text);
    explicit_bzero(&s, sizeof s);
    return ok || err_set(e, ERR_BUG, "no room for SCRAM keys");
}

// USER:NAME:HASH:KEYS, in `line`, which the record is a view of.
static bool make_record(const struct order *o, struct slice password, struct buf *line, struct password_record *out,
                        struct err *e) {
    bool old_clients = o->file.site->config->mechanisms & (1u << CONFIG_MECHANISM_SCRAM_SHA_1);
    buf_addf(line, "%.*s:%.*s:", SLICE_ARG(o->user), SLICE_ARG(o->secret));
    return password_hash_make(password, line, e) && add_keys(o, DIGEST_SHA256, password, line, e) &&
           (!old_clients || add_keys(o, DIGEST_SHA1, password, line, e)) && password_parse(buf_slice(line), out, e);
}

static int put(struct order *o, struct slice password) {
    SECRET_AUTO struct buf line = {.max = PASSWORD_LINE_MAX}, text = {.max = PASSWORD_FILE_MAX};
    struct password_record record;
    struct err e = {0};
    if (!make_record(o, password, &line, &record, &e))
        return failed(o->args, &e);
    if (!password_edit_set(buf_slice(&o->file.text), &record, &text)) {
        fprintf(stderr, "%s: %s is full\n", o->args->program, o->file.path);
        return EX_CANTCREAT;
    }
    return user_file_save(o->args, &o->file, buf_slice(&text));
}

// --- the commands

// Asked for before the file is locked: a person takes time.
static bool get_password(const struct order *o, struct buf *password, struct err *e) {
    return o->args->generate ? secret_make(password, e) : secret_read("New password: ", true, password, e);
}

static int set(struct order *o, bool add) {
    SECRET_AUTO struct buf password = {.max = SECRET_MAX + 1};
    struct password_record old;
    struct err e = {0};
    if (!get_password(o, &password, &e))
        return failed(o->args, &e);
    int code = user_file_open(o->args, true, &o->file);
    if (code != EX_OK)
        return code;
    bool there = user_file_find(&o->file, o->user, &o->secret, &old);
    if (there && add) {
        tell(o, "there is already a ", "; to change it: posthouse user passwd");
        return EX_CANTCREAT;
    }
    if (!there && !add) {
        tell(o, "there is no ", "; to make one: posthouse user add");
        return EX_NOUSER;
    }
    if ((code = put(o, buf_slice(&password))) != EX_OK)
        return code;
    struct slice shown = o->args->generate ? buf_slice(&password) : SLICE_EMPTY;
    if (o->args->json) {
        print_json(o, add ? "added" : "changed", shown);
        return EX_OK;
    }
    tell(o, add ? "added the " : "changed the ", shown.n ? "; it is shown this once:" : "");
    if (shown.n)
        printf("%.*s\n", SLICE_ARG(shown));
    return EX_OK;
}

static int user_add(struct order *o) { return set(o, true); }
static int user_passwd(struct order *o) { return set(o, false); }

static int user_delete(struct order *o) {
    SECRET_AUTO struct buf text = {.max = PASSWORD_FILE_MAX};
    size_t removed;
    int code = user_file_open(o->args, true, &o->file);
    if (code != EX_OK)
        return code;
    password_edit_remove(buf_slice(&o->file.text), o->user, o->args->app ? &o->secret : NULL, &text, &removed);
    if (!removed) {
        fprintf(stderr, "%s: no such %s in %s\n", o->args->program, o->args->app ? "app password" : "user",
                o->file.path);
        return EX_NOUSER;
    }
    if ((code = user_file_save(o->args, &o->file, buf_slice(&text))) != EX_OK)
        return code;
    if (o->args->json)
        print_json(o, "deleted", SLICE_EMPTY);
    else
        fprintf(stderr, "deleted %zu password%s\n", removed, removed == 1 ? "" : "s");
    return EX_OK;
}

// All hashes of a line should be of one password; a line made by hand may be otherwise.
static bool fits(const struct order *o, const struct password_record *r, struct slice password) {
    size_t yes = 0;
    for (size_t i = 0; i < r->hashes_n; i++)
        yes += password_hash_fits(&r->hashes[i], password);
    if (yes && yes < r->hashes_n)
        fprintf(stderr, "%s:%u: warning: the hashes of this line are not of one password\n", o->file.path, r->line);
    return yes > 0;
}

// Which of the user's secrets it is, in o->secret. EX_NOPERM: none.
static int find_secret(struct order *o, struct slice password) {
    struct password_reader r = {.rest = buf_slice(&o->file.text)};
    struct password_record record;
    int code = EX_NOUSER;
    for (enum password_read got; (got = password_next(&r, &record, NULL)) != PASSWORD_READ_END;) {
        if (got != PASSWORD_READ_RECORD || !password_is_of(&record, o->user, o->args->app ? &o->secret : NULL))
            continue;
        code = EX_NOPERM;
        if (!fits(o, &record, password))
            continue;
        o->secret = record.name;
        return EX_OK;
    }
    return code;
}

static int user_test(struct order *o) {
    SECRET_AUTO struct buf password = {.max = SECRET_MAX + 1};
    struct err e = {0};
    if (!secret_read("Password: ", false, &password, &e))
        return failed(o->args, &e);
    int code = user_file_open(o->args, false, &o->file);
    if (code == EX_OK && (code = find_secret(o, buf_slice(&password))) != EX_OK)
        fprintf(stderr, "%s: %s\n", o->args->program,
                code == EX_NOPERM ? "the password is wrong" : "no such user or app password");
    else if (code == EX_OK && o->args->json)
        print_json(o, "tested", SLICE_EMPTY);
    else if (code == EX_OK)
        tell(o, "right: it is the ", "");
    return code;
}

int cmd_user(const struct args *a) {
    static const struct {
        const char *name;
        int (*run)(struct order *o);
    } verbs[] = {{"add", user_add}, {"passwd", user_passwd}, {"delete", user_delete}, {"test", user_test}};
    static const char *const known[] = {"add", "passwd", "delete", "list", "test", NULL};
    const char *verb = a->words_n ? a->words[0] : "list";
    if (!strcmp(verb, "list"))
        return user_list(a);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        struct order o;
        if (strcmp(verb, verbs[i].name))
            continue;
        int code = take_order(a, &o);
        if (code == EX_OK)
            code = verbs[i].run(&o);
        order_done(&o);
        return code;
    }
    return cmd_unknown(a, "user", verb, known);
}
