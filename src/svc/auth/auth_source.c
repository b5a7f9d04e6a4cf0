// auth_source: stamps before contents.
#include "svc/auth/auth_source.h"

#include "rt/disk/file.h"
#include "rt/journal.h"

enum { LOOK_EVERY_MS = 1 * MS_SECOND, PATH_MAX_BYTES = 4096 };

static bool path_text(struct slice path, struct buf *to) { return buf_add(to, path) && buf_add_char(to, '\0'); }

// The stamp is taken before the contents are: a change in between shows at the next look.
static bool read_new(struct auth_source *s, const char *path, struct buf *to, bool *changed, struct err *e) {
    struct file_stamp now;
    *changed = false;
    if (!file_stamp(path, &now, e))
        return false;
    if (s->read && file_stamp_same(&s->stamp, &now))
        return true;
    if (!file_read(path, to, e))
        return false;
    s->stamp = now;
    s->read = true;
    *changed = true;
    return true;
}

static void tell_failure(struct auth_source *s, const struct err *e) {
    if (!s->failing)
        journal_event(s->world->journal, JOURNAL_ERROR, "auth-file-unreadable", JOURNAL_STR("file", s->path),
                      JOURNAL_BOOL("last-good", s->read), JOURNAL_ERR(e));
    s->failing = true;
}

bool auth_source_changed(struct auth_source *s, struct buf *to) {
    BUF_AUTO struct buf path = {.max = PATH_MAX_BYTES};
    struct mono now = loop_now(s->world->loop);
    struct err e;
    bool changed;
    if (mono_before(now, s->look_at))
        return false;
    s->look_at = mono_add_ms(now, LOOK_EVERY_MS);
    if (!path_text(s->path, &path))
        return false;
    if (!read_new(s, path.p, to, &changed, &e)) {
        buf_done(to);
        tell_failure(s, &e);
        return false;
    }
    s->failing = false;
    return changed;
}
