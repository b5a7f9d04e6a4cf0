// maildir: paths, and the steps from tmp/ to new/.
#include "svc/deliver/maildir.h"

#include "mail/address.h"

#include <errno.h>
#include <stdio.h>

enum { PATH_BYTES_MAX = 2000, PART_MAX = 255, NAME_BYTES_MAX = 300 };

// --- the path

// One name of a directory, chosen by whoever sent the message within what the tables allow.
static bool part_is_safe(struct slice part) {
    if (part.n == 0 || part.n > PART_MAX || part.p[0] == '.')
        return false;
    for (size_t i = 0; i < part.n; i++)
        if ((unsigned char)part.p[i] < ' ' || part.p[i] == 0x7f || part.p[i] == '/')
            return false;
    return true;
}

static void add_lower(struct buf *b, struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(b, ascii_lower(s.p[i]));
}

bool maildir_path(struct slice pattern, struct slice address, struct arena *arena, const char **out, struct err *e) {
    BUF_AUTO struct buf b = {.max = PATH_BYTES_MAX};
    struct address a;
    if (!address_parse(address, ADDRESS_RECIPIENT, arena, &a, e) || !part_is_safe(a.local) || !part_is_safe(a.domain))
        return err_smtp(e, 550, "5.1.3", "no mailbox can have the name %.*s", SLICE_ARG(address));
    while (pattern.n && pattern.p[0] == '/')
        pattern = slice_from(pattern, 1);
    while (pattern.n) {
        if (slice_starts(pattern, SLICE("{local}"))) {
            add_lower(&b, a.local);
            pattern = slice_from(pattern, sizeof "{local}" - 1);
        } else if (slice_starts(pattern, SLICE("{domain}"))) {
            add_lower(&b, a.domain);
            pattern = slice_from(pattern, sizeof "{domain}" - 1);
        } else {
            buf_add_char(&b, pattern.p[0]);
            pattern = slice_from(pattern, 1);
        }
    }
    while (b.n && b.p[b.n - 1] == '/')
        b.n--;
    struct slice path = arena_dup(arena, buf_slice(&b));
    if (b.failed || !path.p)
        return err_smtp(e, 550, "5.1.3", "the mailbox's path is too long");
    *out = path.p;
    return true;
}

// --- the file

struct name {
    char text[PATH_BYTES_MAX + NAME_BYTES_MAX + 64];
};

static const char *join(struct name *to, const struct maildir_file *f, const char *folder, const char *ending) {
    snprintf(to->text, sizeof to->text, "%s/%s/%.*s%s", f->path, folder, (int)f->name.n, f->name.p, ending);
    return to->text;
}

// Makes `path` and what is missing above it, each directory synced into the one above.
static bool make_dirs(struct disk *d, const char *path, struct err *e) {
    struct name above;
    struct slice s = slice_str(path);
    size_t slash = slice_rfind(s, '/');
    snprintf(above.text, sizeof above.text, "%.*s", SLICE_ARG(slice_upto(s, slash < s.n ? slash : 0)));
    if (!disk_make_dir(d, path, e)) {
        if (e->sys != ENOENT || !above.text[0] || !make_dirs(d, above.text, e) || !disk_make_dir(d, path, e))
            return false;
    }
    return disk_sync_dir(d, above.text[0] ? above.text : ".", e);
}

static bool make_maildir(const struct maildir_file *f, struct err *e) {
    static const char *const folders[] = {"tmp", "new", "cur"};
    struct name path;
    if (!make_dirs(f->disk, f->path, e))
        return false;
    for (size_t i = 0; i < 3; i++) {
        snprintf(path.text, sizeof path.text, "%s/%s", f->path, folders[i]);
        if (!disk_make_dir(f->disk, path.text, e))
            return false;
    }
    return disk_sync_dir(f->disk, f->path, e);
}

bool maildir_begin(struct maildir_file *f, struct disk *disk, const char *path, struct slice name, struct err *e) {
    struct name tmp;
    enum { FLAGS = DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE };
    *f = (struct maildir_file){.disk = disk, .path = path, .name = {.max = NAME_BYTES_MAX}};
    bool ok =
        (buf_add(&f->name, name) && disk_open(disk, join(&tmp, f, "tmp", ""), FLAGS, &f->file, e)) ||
        (!f->name.failed && e->sys == ENOENT && make_maildir(f, e) && disk_open(disk, tmp.text, FLAGS, &f->file, e));
    if (!ok)
        buf_done(&f->name);
    return ok;
}

static bool write_bytes(struct maildir_file *f, struct slice bytes, struct err *e) {
    if (bytes.n && !disk_file_write_slice(f->file, bytes, f->size, e))
        return false;
    f->size += bytes.n;
    return true;
}

bool maildir_write(struct maildir_file *f, struct slice piece, struct err *e) {
    BUF_AUTO struct buf out = {.max = piece.n + 1};
    while (piece.n) {
        size_t n = slice_find(piece, '\r');
        if (f->cr && piece.p[0] != '\n')
            buf_add_char(&out, '\r');
        f->cr = n < piece.n;
        buf_add(&out, slice_upto(piece, n));
        piece = slice_from(piece, n + 1);
    }
    return out.failed ? err_set(e, ERR_TEMPORARY, "out of memory") : write_bytes(f, buf_slice(&out), e);
}

void maildir_start_sync(struct maildir_file *f) { disk_file_start_sync(f->file); }

bool maildir_move(struct maildir_file *f, struct err *e) {
    struct name tmp, to;
    char ending[40];
    if (f->cr && !write_bytes(f, SLICE("\r"), e))
        return false;
    f->cr = false;
    if (!disk_file_sync(f->file, e))
        return false;
    snprintf(ending, sizeof ending, ",S=%llu", (unsigned long long)f->size);
    join(&tmp, f, "tmp", "");
    join(&to, f, "new", ending);
    return disk_rename(f->disk, tmp.text, to.text, e) ||
           (e->sys == ENOENT && make_maildir(f, e) && disk_rename(f->disk, tmp.text, to.text, e));
}

bool maildir_sync_new(struct maildir_file *f, struct err *e) {
    struct name path;
    snprintf(path.text, sizeof path.text, "%s/new", f->path);
    return disk_sync_dir(f->disk, path.text, e);
}

void maildir_end(struct maildir_file *f, bool ok) {
    if (!ok) {
        maildir_abort(f);
        return;
    }
    disk_file_close(f->file);
    buf_done(&f->name);
}

bool maildir_commit(struct maildir_file *f, struct err *e) {
    bool ok = maildir_move(f, e) && maildir_sync_new(f, e);
    maildir_end(f, ok);
    return ok;
}

void maildir_abort(struct maildir_file *f) {
    struct name tmp;
    struct err ignored;
    disk_file_close(f->file);
    if (!disk_remove(f->disk, join(&tmp, f, "tmp", ""), &ignored)) {
        // It stays in tmp/, where readers of Maildirs remove what is older than 36 hours.
    }
    buf_done(&f->name);
}
