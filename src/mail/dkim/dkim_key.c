// dkim_key: a record's tags, read strictly where it matters.
#include "mail/dkim/dkim_key.h"

#include "base/base64.h"
#include "mail/dkim/dkim_tags.h"

// Base64 in which white space may stand.
static bool decode(struct slice text, struct arena *arena, struct slice *out) {
    BUF_AUTO struct buf bare = {.max = DKIM_KEY_MAX}, bytes = {.max = DKIM_KEY_MAX};
    for (size_t i = 0; i < text.n; i++)
        if (!ascii_space(text.p[i]))
            buf_add_char(&bare, text.p[i]);
    if (bare.failed || !base64_decode(&bytes, buf_slice(&bare)))
        return false;
    *out = arena_dup(arena, buf_slice(&bytes));
    return out->p || !out->n;
}

// v= is optional, but where it stands it is the first one and DKIM1.
static bool version_is_good(const struct dkim_tags *tags) {
    struct slice v;
    return !dkim_tags_find(tags, "v", &v) || (slice_eq(v, SLICE("DKIM1")) && slice_eq(tags->list[0].name, SLICE("v")));
}

static bool read_kind(const struct dkim_tags *tags, bool *ed25519, struct err *e) {
    struct slice k;
    *ed25519 = false;
    if (!dkim_tags_find(tags, "k", &k) || slice_ieq(k, SLICE("rsa")))
        return true;
    *ed25519 = slice_ieq(k, SLICE("ed25519"));
    return *ed25519 || err_set(e, ERR_PERMANENT, "its kind of key (k=) is neither rsa nor ed25519");
}

static bool read_key(const struct dkim_tags *tags, struct arena *arena, struct dkim_key *key, struct err *e) {
    struct slice p;
    if (!dkim_tags_find(tags, "p", &p))
        return err_set(e, ERR_PERMANENT, "it has no key (p=)");
    if (!decode(p, arena, &key->key))
        return err_set(e, ERR_PERMANENT, "its key (p=) is no base64");
    if (key->ed25519 && key->key.n && key->key.n != DKIM_KEY_ED25519)
        return err_set(e, ERR_PERMANENT, "its Ed25519 key (p=) has %zu bytes instead of %d", key->key.n,
                       DKIM_KEY_ED25519);
    return true;
}

bool dkim_key_parse(struct slice record, struct arena *arena, struct dkim_key *out, struct err *e) {
    struct dkim_key key = {.sha256 = true, .email = true};
    struct dkim_tags tags;
    struct slice value;
    if (record.n > DKIM_KEY_MAX)
        return err_set(e, ERR_PERMANENT, "it is longer than %d bytes", DKIM_KEY_MAX);
    if (!dkim_tags_parse(record, &tags, e))
        return false;
    if (!version_is_good(&tags))
        return err_set(e, ERR_PERMANENT, "it does not begin with v=DKIM1");
    if (!read_kind(&tags, &key.ed25519, e) || !read_key(&tags, arena, &key, e))
        return false;
    if (dkim_tags_find(&tags, "h", &value))
        key.sha256 = dkim_tags_has(value, SLICE("sha256"));
    if (dkim_tags_find(&tags, "s", &value))
        key.email = dkim_tags_has(value, SLICE("email")) || dkim_tags_has(value, SLICE("*"));
    if (dkim_tags_find(&tags, "t", &value)) {
        key.testing = dkim_tags_has(value, SLICE("y"));
        key.same_domain = dkim_tags_has(value, SLICE("s"));
    }
    *out = key;
    return true;
}

bool dkim_key_print(bool ed25519, struct slice key, struct buf *out) {
    buf_add_str(out, ed25519 ? "v=DKIM1; k=ed25519; p=" : "v=DKIM1; k=rsa; p=");
    return base64_encode(out, key);
}
