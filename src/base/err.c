// err: filling an error and adding context to it.
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static void format_text(struct err *e, const char *format, va_list args) {
    vsnprintf(e->text, sizeof e->text, format, args);
}

bool err_set(struct err *e, enum err_kind kind, const char *format, ...) {
    if (!e)
        return false;
    *e = (struct err){.kind = kind};
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    return false;
}

static void parse_enhanced(struct err *e, const char *text) {
    size_t part = 0;
    for (; text && *text && part < 3; text++) {
        if (*text == '.')
            part++;
        else
            e->enhanced[part] = (uint16_t)(e->enhanced[part] * 10 + (*text - '0'));
    }
}

bool err_smtp(struct err *e, int code, const char *enhanced, const char *format, ...) {
    if (!e)
        return false;
    *e = (struct err){.kind = code >= 500 ? ERR_PERMANENT : ERR_TEMPORARY, .smtp = code};
    parse_enhanced(e, enhanced);
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    return false;
}

bool err_sys(struct err *e, int sys, const char *format, ...) {
    if (!e)
        return false;
    *e = (struct err){.kind = ERR_TEMPORARY, .sys = sys};
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(sys));
    return false;
}

bool err_while(struct err *e, const char *format, ...) {
    if (!e)
        return false;
    char inner[ERR_TEXT];
    memcpy(inner, e->text, sizeof inner);
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", inner);
    return false;
}
