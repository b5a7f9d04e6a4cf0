// cmd_run: run, config, version.
#include "cmd/cmd.h"

#include "base/json.h"
#include "svc/master/master.h"
#include "svc/master/site.h"

#include <stdio.h>
#include <sysexits.h>

static void say(const char *line) {
    printf("%s\n", line);
    fflush(stdout);
}

// Prints the mistakes as they are: each begins with FILE:LINE:COL.
static bool load(const struct args *a, bool (*how)(const char *, struct site **, struct buf *), struct site **out) {
    BUF_AUTO struct buf mistakes = {.max = SITE_MISTAKES_MAX};
    if (how(a->config, out, &mistakes))
        return true;
    fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&mistakes)));
    return false;
}

int cmd_run(const struct args *a) {
    BUF_AUTO struct buf why = {.max = 8192};
    struct master_setup setup = {.version = POSTHOUSE_VERSION, .say = say};
    if (!load(a, site_load, &setup.site))
        return EX_CONFIG;
    int code = master_run(&setup, &why);
    if (why.n)
        fprintf(stderr, "%s: %.*s\n", a->program, SLICE_ARG(buf_slice(&why)));
    return code;
}

static void put(const struct buf *b) { printf("%.*s\n", SLICE_ARG(buf_slice(b))); }

int cmd_config(const struct args *a) {
    BUF_AUTO struct buf text = {.max = 8 * (size_t)SITE_TEXT_MAX}, json = {.max = 64 * (size_t)SITE_TEXT_MAX};
    struct site *site = NULL;
    if (!load(a, site_read, &site))
        return EX_CONFIG;
    if (a->effective)
        config_write_effective(site->config, &text);
    else
        buf_add(&text, buf_slice(&site->text));
    if (a->json) {
        struct json j = {.out = &json};
        json_open_object(&j);
        json_put_str(&j, "file", site->path);
        json_put_slice(&j, a->effective ? "effective" : "text", buf_slice(&text));
        json_end(&j);
        put(&json);
    } else {
        fwrite(text.p, 1, text.n, stdout);
    }
    site_free(site);
    return EX_OK;
}

int cmd_version(const struct args *a) {
    printf(a->json ? "{\"name\":\"posthouse\",\"version\":\"%s\"}\n" : "posthouse %s\n", POSTHOUSE_VERSION);
    return EX_OK;
}
