// show: output for people.
#include "cmd/show.h"

#include "base/printable.h"

#include <stdlib.h>
#include <unistd.h>

void show_text(FILE *to, const char *text) {
    struct slice rest = slice_str(text);
    while (rest.n) {
        uint32_t code;
        size_t n = printable_decode(rest, &code);
        if (n && printable_safe(code))
            fwrite(rest.p, 1, n, to);
        else
            fputc('?', to);
        rest = slice_from(rest, n ? n : 1);
    }
}

void show_duration(char *to, size_t size, int64_t seconds) {
    long long s = seconds < 0 ? 0 : seconds;
    if (s < 60)
        snprintf(to, size, "%lld s", s);
    else if (s < 3600)
        snprintf(to, size, "%lld min", s / 60);
    else if (s < 86400)
        snprintf(to, size, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else
        snprintf(to, size, "%lld d %lld h", s / 86400, s % 86400 / 3600);
}

void show_size(char *to, size_t size, uint64_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;
    if (bytes < 1024) {
        snprintf(to, size, "%u B", (unsigned)bytes);
        return;
    }
    for (; value >= 1024 && unit < 3; unit++)
        value /= 1024;
    snprintf(to, size, "%.1f %s", value, units[unit]);
}

const char *show_colour(FILE *to, enum show_colour c) {
    static const char *const sequences[] = {"\033[0m", "\033[32m", "\033[31m", "\033[1m"};
    const char *off = getenv("NO_COLOR");
    return isatty(fileno(to)) && !(off && *off) ? sequences[c] : "";
}
