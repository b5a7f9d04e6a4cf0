// json: the writer. One bit a level says whether it is an object.
#include "base/json.h"
#include "base/printable.h"

#include <assert.h>

static bool in_object(const struct json *j) { return j->depth > 0 && (j->objects >> (j->depth - 1) & 1) != 0; }

// What goes before a value: the comma, and the check that one may stand here.
static void begin_value(struct json *j) {
    assert(!j->whole);
    if (in_object(j))
        assert(j->keyed);
    else if (j->some)
        buf_add_char(j->out, ',');
    j->keyed = false;
}

static void end_value(struct json *j) {
    j->some = true;
    j->whole = j->depth == 0;
}

static void raw(struct json *j, struct slice s) {
    begin_value(j);
    buf_add(j->out, s);
    end_value(j);
}

static void begin(struct json *j, bool object) {
    begin_value(j);
    assert(j->depth < JSON_DEPTH);
    uint32_t bit = 1u << j->depth++;
    j->objects = object ? j->objects | bit : j->objects & ~bit;
    j->some = false;
    buf_add_char(j->out, object ? '{' : '[');
}

void json_open_object(struct json *j) { begin(j, true); }
void json_open_array(struct json *j) { begin(j, false); }

void json_end(struct json *j) {
    assert(j->depth > 0 && !j->keyed);
    buf_add_char(j->out, in_object(j) ? '}' : ']');
    j->depth--;
    end_value(j);
}

static void unit(struct buf *out, uint32_t code) { buf_addf(out, "\\u%04x", (unsigned)code); }

static void escape_code(struct buf *out, uint32_t code) {
    if (code == '"' || code == '\\') {
        buf_add_char(out, '\\');
        buf_add_char(out, (char)code);
    } else if (code == '\n') {
        buf_add(out, SLICE("\\n"));
    } else if (code >= 0x10000) { // RFC 8259 7: a surrogate pair
        unit(out, 0xd800 + ((code - 0x10000) >> 10));
        unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
    } else {
        unit(out, code);
    }
}

bool json_escape(struct buf *out, struct slice text) {
    while (text.n > 0) {
        size_t n = printable_run(text);
        buf_add(out, slice_upto(text, n));
        text = slice_from(text, n);
        if (text.n == 0)
            break;
        uint32_t code = 0;
        n = printable_decode(text, &code);
        if (n == 0)
            buf_add(out, SLICE("\xef\xbf\xbd")); // U+FFFD for each byte that is no UTF-8
        else if (n > 1 && printable_safe(code))
            buf_add(out, slice_upto(text, n));
        else
            escape_code(out, code);
        text = slice_from(text, n ? n : 1);
    }
    return !out->failed;
}

static void quoted(struct buf *out, struct slice text) {
    buf_add_char(out, '"');
    json_escape(out, text);
    buf_add_char(out, '"');
}

void json_key(struct json *j, const char *name) {
    assert(in_object(j) && !j->keyed);
    if (j->some)
        buf_add_char(j->out, ',');
    quoted(j->out, slice_str(name));
    buf_add_char(j->out, ':');
    j->keyed = true;
}

void json_slice(struct json *j, struct slice text) {
    begin_value(j);
    quoted(j->out, text);
    end_value(j);
}

void json_str(struct json *j, const char *text) {
    if (text)
        json_slice(j, slice_str(text));
    else
        json_nothing(j);
}

void json_u64(struct json *j, uint64_t v) {
    begin_value(j);
    buf_add_u64(j->out, v);
    end_value(j);
}

void json_i64(struct json *j, int64_t v) {
    begin_value(j);
    if (v < 0)
        buf_add_char(j->out, '-');
    buf_add_u64(j->out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    end_value(j);
}

void json_bool(struct json *j, bool v) { raw(j, v ? SLICE("true") : SLICE("false")); }
void json_nothing(struct json *j) { raw(j, SLICE("null")); }

void json_seconds(struct json *j, int64_t ms) {
    begin_value(j);
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    buf_addf(j->out, "%s%llu.%03u", ms < 0 ? "-" : "", (unsigned long long)(size / 1000), (unsigned)(size % 1000));
    end_value(j);
}

void json_put_slice(struct json *j, const char *name, struct slice text) {
    json_key(j, name);
    json_slice(j, text);
}

void json_put_str(struct json *j, const char *name, const char *text) {
    json_key(j, name);
    json_str(j, text);
}

void json_put_u64(struct json *j, const char *name, uint64_t v) {
    json_key(j, name);
    json_u64(j, v);
}

void json_put_i64(struct json *j, const char *name, int64_t v) {
    json_key(j, name);
    json_i64(j, v);
}

void json_put_bool(struct json *j, const char *name, bool v) {
    json_key(j, name);
    json_bool(j, v);
}
