// blast_text: the commands and the message that the load generator sends, written once.
#include "blast.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>

// The buffer's memory goes to the slice and lives as long as the program.
static struct slice keep(struct buf *b) {
    assert(!b->failed);
    return buf_slice(b);
}

static struct slice rcpt_text(const struct blast_job *job, uint64_t i) {
    struct buf b = {.max = 1024};
    if (job->recipients > 1)
        buf_addf(&b, "RCPT TO:<r%llu.%s>\r\n", (unsigned long long)i, job->recipient);
    else
        buf_addf(&b, "RCPT TO:<%s>\r\n", job->recipient);
    return keep(&b);
}

static struct slice auth_text(const struct blast_job *job) {
    struct buf plain = {.max = 1024}, b = {.max = 2048};
    if (!job->user)
        return SLICE_EMPTY;
    buf_add_char(&plain, '\0');
    buf_add_str(&plain, job->user);
    buf_add_char(&plain, '\0');
    buf_add_str(&plain, job->password);
    buf_add_str(&b, "AUTH PLAIN ");
    base64_encode(&b, buf_slice(&plain));
    buf_add_str(&b, "\r\n");
    buf_done(&plain);
    return keep(&b);
}

static struct slice transaction_text(const struct blast *blast) {
    struct buf b = {.max = 256 * 1024};
    buf_add(&b, blast->mail);
    for (uint64_t i = 0; i < blast->job.recipients; i++)
        buf_add(&b, blast->rcpt[i]);
    buf_add_str(&b, "DATA\r\n");
    return keep(&b);
}

static void add_filler(struct buf *b, size_t size) {
    static const char line[] = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\r\n";
    while (b->n + sizeof line - 1 <= size)
        buf_add(b, slice_of(line, sizeof line - 1));
    while (b->n + 2 < size)
        buf_add_char(b, 'Y');
    if (!slice_ends(buf_slice(b), SLICE("\r\n")))
        buf_add_str(b, "\r\n");
}

static struct slice content_of_file(const char *path) {
    struct buf b = {.max = 64 * 1024 * 1024};
    FILE *f = fopen(path, "rb");
    char *p = buf_reserve(&b, 1024 * 1024);
    if (!f)
        error(66, errno, "%s", path);
    buf_commit(&b, fread(p, 1, 1024 * 1024, f));
    fclose(f);
    buf_add_str(&b, ".\r\n");
    return keep(&b);
}

static struct slice content_text(const struct blast_job *job) {
    if (job->content)
        return content_of_file(job->content);
    struct buf b = {.max = job->size + 4096};
    buf_addf(&b,
             "From: <%s>\r\nTo: <%s>\r\nDate: Sat, 21 Nov 2026 09:00:00 +0000\r\nSubject: load\r\n"
             "Message-ID: <blast@example.com>\r\n\r\n",
             job->from, job->recipient);
    add_filler(&b, job->size);
    buf_add_str(&b, ".\r\n");
    return keep(&b);
}

void blast_write_texts(struct blast *b) {
    struct buf mail = {.max = 1024};
    buf_addf(&mail, "MAIL FROM:<%s>\r\n", b->job.from);
    b->mail = keep(&mail);
    b->auth = auth_text(&b->job);
    for (uint64_t i = 0; i < b->job.recipients; i++)
        b->rcpt[i] = rcpt_text(&b->job, i);
    b->transaction = transaction_text(b);
    b->content = content_text(&b->job);
}
