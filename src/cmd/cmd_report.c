// cmd_report: aggregate reports of DMARC that came.
#include "cmd/cmd.h"
#include "cmd/input.h"
#include "cmd/report_show.h"

#include "mail/dmarc/report_unpack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const size_t file_max = (size_t)64 << 20, arena_max = (size_t)512 << 20;

static int read_whole(const struct args *a, const char *path, struct buf *to) {
    struct err e = {0};
    bool ok = path && strcmp(path, "-") ? input_read_file(path, to, &e) : input_read(to, &e);
    if (ok)
        return EX_OK;
    fprintf(stderr, "%s: report: %s\n", a->program, e.text);
    return e.sys == ENOENT ? EX_NOINPUT : EX_DATAERR;
}

static int show(const struct args *a, const char *path) {
    BUF_AUTO struct buf file = {.max = file_max}, xml = {.max = DMARC_REPORT_XML_MAX};
    ARENA_AUTO struct arena arena = {.max = arena_max};
    struct dmarc_report r;
    struct err e = {0};
    int code = read_whole(a, path, &file);
    if (code != EX_OK)
        return code;
    if (!report_unpack(buf_slice(&file), &xml, &e) || !dmarc_report_read(buf_slice(&xml), &arena, &r, &e)) {
        fprintf(stderr, "%s: report: %s: %s\n", a->program, path ? path : "-", e.text);
        return EX_DATAERR;
    }
    if (a->json)
        report_show_json(&r);
    else
        report_show(&r);
    return EX_OK;
}

int cmd_report(const struct args *a) {
    static const char *const known[] = {"show", NULL};
    if (a->words_n == 0) {
        fprintf(stderr, "%s: report wants show; see: %s report --help\n", a->program, a->program);
        return EX_USAGE;
    }
    if (strcmp(a->words[0], "show"))
        return cmd_unknown(a, "report", a->words[0], known);
    if (a->words_n > 2)
        return cmd_too_many(a, "report", a->words[2]);
    return show(a, a->words_n == 2 ? a->words[1] : NULL);
}
