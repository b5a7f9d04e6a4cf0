// dkim_tags: cutting at semicolons.
#include "mail/dkim/dkim_tags.h"

static bool name_is_good(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && !(s.p[i] == '_' && i))
            return false;
    return s.n && ascii_alpha(s.p[0]);
}

// RFC 6376 has visible ASCII and folding white space, RFC 8616 adds UTF-8.
static bool value_is_good(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && !ascii_space(s.p[i])) || s.p[i] == 0x7f)
            return false;
    return true;
}

static bool add(struct dkim_tags *tags, struct slice part, struct err *e) {
    struct slice name, value, known;
    char text[24];
    bool equals = slice_cut(part, '=', &name, &value);
    name = slice_trim(name);
    if (!equals || !name_is_good(name))
        return err_set(e, ERR_PERMANENT, "what stands before \"=\" is no tag");
    memcpy(text, name.p, name.n < sizeof text ? name.n : sizeof text - 1);
    text[name.n < sizeof text ? name.n : sizeof text - 1] = '\0';
    if (!value_is_good(value))
        return err_set(e, ERR_PERMANENT, "the tag %s holds a control character", text);
    if (name.n < sizeof text && dkim_tags_find(tags, text, &known))
        return err_set(e, ERR_PERMANENT, "the tag %s is there twice", text);
    if (tags->n == DKIM_TAGS_MAX)
        return err_set(e, ERR_PERMANENT, "there are more than %d tags", DKIM_TAGS_MAX);
    tags->list[tags->n++] = (struct dkim_tag){name, slice_trim(value)};
    return true;
}

bool dkim_tags_parse(struct slice text, struct dkim_tags *out, struct err *e) {
    struct dkim_tags tags = {.n = 0};
    struct slice part;
    bool more = true;
    while (more) {
        more = slice_cut(text, ';', &part, &text);
        if (!more && tags.n && slice_trim(part).n == 0) // one may stand at the end
            break;
        if (!add(&tags, part, e))
            return false;
    }
    *out = tags;
    return true;
}

bool dkim_tags_find(const struct dkim_tags *tags, const char *name, struct slice *value) {
    *value = SLICE_EMPTY;
    for (size_t i = 0; i < tags->n; i++)
        if (slice_eq(tags->list[i].name, slice_str(name))) {
            *value = tags->list[i].value;
            return true;
        }
    return false;
}

bool dkim_tags_has(struct slice value, struct slice word) {
    bool more = true;
    while (more) {
        struct slice part;
        more = slice_cut(value, ':', &part, &value);
        if (slice_ieq(slice_trim(part), word))
            return true;
    }
    return false;
}
